//! The values that settings take, each with the text that people write for it.

use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};

use auto_recovery::audit::Durability;
use auto_recovery::{Error, ErrorKind};

#[cfg(feature = "remote")]
use auto_recovery_remote::Address;

#[cfg(not(all(feature = "postgres", feature = "remote", feature = "sqlite")))]
use crate::build;
#[cfg(feature = "postgres")]
use crate::settings::SecretUrl;

/// The durability that `text` names.
pub(crate) fn parse_durability(text: &str) -> Result<Durability, String> {
    match text {
        "sync" => Ok(Durability::Sync),
        "flush" => Ok(Durability::Flush),
        _ => Err(format!("`{text}` is no durability: use sync or flush")),
    }
}

/// The path `text`, which must be absolute.
pub(super) fn absolute_path(text: &str) -> Result<PathBuf, String> {
    let path = PathBuf::from(text);
    if path.is_absolute() {
        Ok(path)
    } else {
        Err(format!("`{text}` is not an absolute path"))
    }
}

/// The name of `durability` in the environment, files and messages.
pub(crate) fn durability_name(durability: Durability) -> &'static str {
    match durability {
        Durability::Sync => "sync",
        Durability::Flush => "flush",
    }
}

/// A command that a strategy runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum StrategyCommand {
    /// Text that runs under `sh -c`.
    Shell(String),
    /// A program and its arguments, run directly.
    Argv(Vec<String>),
    /// A coding agent, by its name.
    Agent(String),
}

/// What stands before the name of an agent.
const AGENT: &str = "agent:";

impl StrategyCommand {
    /// The command that `text` is: `agent:NAME`, or text for `sh -c`.
    pub(crate) fn of_text(text: String) -> Self {
        match text.trim().strip_prefix(AGENT) {
            Some(name) => Self::Agent(name.to_owned()),
            None => Self::Shell(text),
        }
    }
}

impl fmt::Display for StrategyCommand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Shell(text) => f.write_str(text),
            Self::Argv(words) => f.write_str(&crate::output::shell_words(words)),
            Self::Agent(name) => write!(f, "{AGENT}{name}"),
        }
    }
}

/// Where trails live.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum StoreUrl {
    /// A directory of text files.
    Jsonl(PathBuf),
    /// An SQLite database.
    #[cfg(feature = "sqlite")]
    Sqlite(PathBuf),
    /// A PostgreSQL database.
    #[cfg(feature = "postgres")]
    Postgres(SecretUrl),
    /// The store of a server.
    #[cfg(feature = "remote")]
    Remote(Address),
}

impl StoreUrl {
    /// The store that `text` names.
    ///
    /// # Errors
    /// What is wrong with it and how to write it. What it says is not repeated: where it was not
    /// understood, a password may stand anywhere in it.
    pub(crate) fn parse(text: &OsString) -> Result<Self, String> {
        use std::os::unix::ffi::OsStrExt;

        let bytes = text.as_bytes();
        let colon = bytes.iter().position(|byte| *byte == b':');
        let Some(colon) = colon.filter(|_| !is_key_and_value(bytes)) else {
            return Err(match is_key_and_value(bytes) {
                true => {
                    format!("the store is no list of `key=value`: write it like {DATABASE_URL}")
                }
                false => format!(
                    "the store has no scheme: write it like jsonl:DIR, sqlite:FILE, https://HOST or \
                     {DATABASE_URL}"
                ),
            });
        };
        let (scheme, rest) = (&bytes[..colon], &bytes[colon + 1..]);
        match scheme {
            b"jsonl" => local_path(rest, "jsonl", "/var/lib/audit").map(Self::Jsonl),
            b"sqlite" => Self::sqlite(rest),
            b"postgres" | b"postgresql" => Self::postgres(text),
            b"https" | b"http" => Self::remote(text),
            _ => Err(format!(
                "there is no such kind of store: use jsonl:DIR, sqlite:FILE, https://HOST or \
                 {DATABASE_URL}"
            )),
        }
    }

    #[cfg(feature = "sqlite")]
    fn sqlite(file: &[u8]) -> Result<Self, String> {
        local_path(file, "sqlite", "/var/lib/audit.db").map(Self::Sqlite)
    }

    #[cfg(not(feature = "sqlite"))]
    fn sqlite(_: &[u8]) -> Result<Self, String> {
        Err(build::lacks("SQLite", "sqlite"))
    }

    #[cfg(feature = "postgres")]
    fn postgres(url: &OsString) -> Result<Self, String> {
        let url = url.to_str().filter(|url| {
            let rest = url.split_once(':').map(|(_, rest)| rest);
            rest.is_some_and(|rest| rest.starts_with("//"))
        });
        match url {
            Some(url) => SecretUrl::parse(url).map(Self::Postgres),
            None => Err(format!(
                "the postgres store names no database: write it like {DATABASE_URL}"
            )),
        }
    }

    #[cfg(not(feature = "postgres"))]
    fn postgres(_: &OsString) -> Result<Self, String> {
        Err(build::lacks("PostgreSQL", "postgres"))
    }

    #[cfg(feature = "remote")]
    fn remote(url: &OsString) -> Result<Self, String> {
        let url = url.to_str().unwrap_or_default();
        Address::parse(url)
            .map(Self::Remote)
            .map_err(|error| error.chain())
    }

    #[cfg(not(feature = "remote"))]
    fn remote(_: &OsString) -> Result<Self, String> {
        Err(build::lacks("stores over servers", "remote"))
    }

    /// As one would type it, with its password.
    pub(crate) fn typed(&self) -> OsString {
        let at = |scheme: &str, path: &Path| {
            let mut text = OsString::from(scheme);
            text.push(path);
            text
        };
        match self {
            Self::Jsonl(path) => at("jsonl:", path),
            #[cfg(feature = "sqlite")]
            Self::Sqlite(path) => at("sqlite:", path),
            #[cfg(feature = "postgres")]
            Self::Postgres(url) => url.expose().into(),
            #[cfg(feature = "remote")]
            Self::Remote(address) => address.to_string().into(),
        }
    }

    /// The file or the directory it is kept in, if that is on this machine.
    pub(crate) fn path(&self) -> Option<&Path> {
        match self {
            Self::Jsonl(path) => Some(path),
            #[cfg(feature = "sqlite")]
            Self::Sqlite(path) => Some(path),
            #[cfg(feature = "postgres")]
            Self::Postgres(_) => None,
            #[cfg(feature = "remote")]
            Self::Remote(_) => None,
        }
    }

    /// The files or the directory it is kept in, if they are on this machine and known.
    pub(crate) fn paths(&self) -> Vec<PathBuf> {
        match self {
            Self::Jsonl(directory) => vec![directory.clone()],
            #[cfg(feature = "sqlite")]
            Self::Sqlite(file) => ["", "-wal", "-shm", "-journal"]
                .into_iter()
                .map(|ending| {
                    let mut name = file.clone().into_os_string();
                    name.push(ending);
                    name.into()
                })
                .collect(),
            #[cfg(feature = "postgres")]
            Self::Postgres(_) => Vec::new(),
            #[cfg(feature = "remote")]
            Self::Remote(_) => Vec::new(),
        }
    }

    /// The server whose store it is, as it is shown, if it is one's.
    pub(crate) fn server(&self) -> Option<String> {
        match self {
            Self::Jsonl(_) => None,
            #[cfg(feature = "sqlite")]
            Self::Sqlite(_) => None,
            #[cfg(feature = "postgres")]
            Self::Postgres(_) => None,
            #[cfg(feature = "remote")]
            Self::Remote(address) => Some(address.to_string()),
        }
    }

    /// Makes sure that whoever uses `command`, which needs the store itself, has it: it is no
    /// server's. `instead` says what to do then.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`] if it is.
    pub(crate) fn check_own(&self, command: &str, instead: &str) -> auto_recovery::Result<()> {
        let Some(server) = self.server() else {
            return Ok(());
        };
        let text = format!(
            "`recover {command}` needs the store itself, and {server} gives nobody more than its \
             API: {instead}"
        );
        Err(Error::new(ErrorKind::InvalidInput, text))
    }

    /// The same, a relative path meant from `directory`.
    pub(crate) fn below(self, directory: &Path) -> Self {
        match self {
            Self::Jsonl(path) => Self::Jsonl(directory.join(path)),
            #[cfg(feature = "sqlite")]
            Self::Sqlite(path) => Self::Sqlite(directory.join(path)),
            #[cfg(feature = "postgres")]
            Self::Postgres(url) => Self::Postgres(url),
            #[cfg(feature = "remote")]
            Self::Remote(address) => Self::Remote(address.below(directory)),
        }
    }
}

/// How the URL of a database is written.
const DATABASE_URL: &str = "postgres://USER@HOST/DATABASE";

/// Whether `text` is what libpq also understands, `host=HOST password=PASSWORD`.
fn is_key_and_value(text: &[u8]) -> bool {
    let equals = text.iter().position(|byte| *byte == b'=');
    let key = equals.map(|at| &text[..at]);
    key.is_some_and(|key| {
        let is_of_key = |byte: &u8| byte.is_ascii_lowercase() || *byte == b'_' || *byte == b' ';
        !key.is_empty() && key.iter().all(is_of_key)
    })
}

/// The path that follows `scheme`, which is `rest`.
fn local_path(rest: &[u8], scheme: &str, example: &str) -> Result<PathBuf, String> {
    use std::os::unix::ffi::OsStringExt;

    let is_url = rest.windows(3).any(|three| three == b"://") || is_key_and_value(rest);
    match rest {
        b"" => Err(format!(
            "the {scheme} store names no path: write it like {scheme}:{example}"
        )),
        [b'~', ..] => Err(format!(
            "`~` is not expanded in the path of the {scheme} store: write the whole path"
        )),
        _ if is_url || rest.starts_with(b"postgres") && rest.contains(&b'@') => Err(format!(
            "the {scheme} store has a path, and that is none: write it like {scheme}:{example}, or \
             {DATABASE_URL}"
        )),
        _ => Ok(PathBuf::from(OsString::from_vec(rest.to_vec()))),
    }
}

impl fmt::Display for StoreUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Jsonl(directory) => write!(f, "jsonl:{}", directory.display()),
            #[cfg(feature = "sqlite")]
            Self::Sqlite(file) => write!(f, "sqlite:{}", file.display()),
            #[cfg(feature = "postgres")]
            Self::Postgres(url) => fmt::Display::fmt(url, f),
            #[cfg(feature = "remote")]
            Self::Remote(address) => fmt::Display::fmt(address, f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_store_that_this_build_lacks_is_named_as_that() {
        let check = |url: &str, has: bool, what: &str, feature: &str| {
            let refusal = StoreUrl::parse(&url.into()).err();
            let lacks =
                format!("this build has no {what}: install recover with its feature `{feature}`");
            assert_eq!(refusal, (!has).then_some(lacks), "{url}");
        };
        check("jsonl:/a", true, "", "");
        let (has, url) = (cfg!(feature = "sqlite"), "sqlite:/a.db");
        check(url, has, "SQLite", "sqlite");
        let (has, url) = (cfg!(feature = "postgres"), "postgres://u@h/d");
        check(url, has, "PostgreSQL", "postgres");
        let (has, url) = (cfg!(feature = "remote"), "https://recover.example.org");
        check(url, has, "stores over servers", "remote");
    }
}
