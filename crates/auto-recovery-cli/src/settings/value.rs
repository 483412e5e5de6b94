//! The values that settings take, each with the text that people write for it.

use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};

use auto_recovery::audit::Durability;

/// The durability that `text` names.
pub(crate) fn parse_durability(text: &str) -> Result<Durability, String> {
    match text {
        "sync" => Ok(Durability::Sync),
        "flush" => Ok(Durability::Flush),
        _ => Err(format!("`{text}` is no durability: use sync or flush")),
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
    Sqlite(PathBuf),
    /// A PostgreSQL database.
    Postgres(SecretUrl),
}

/// A URL that may have a password in it, which nobody is shown.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct SecretUrl(String);

impl SecretUrl {
    /// The URL with its password, for who connects.
    pub(crate) fn expose(&self) -> &str {
        &self.0
    }

    /// The host, the port and the database, as they are written: where it leads, whoever goes
    /// there.
    pub(crate) fn place(&self) -> &str {
        let (_, behind) = self.0.split_once("://").unwrap_or_default();
        let behind = behind.split('?').next().unwrap_or_default();
        behind.rsplit_once('@').map_or(behind, |(_, place)| place)
    }
}

impl fmt::Debug for SecretUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for SecretUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&mask_password(&self.0))
    }
}

impl StoreUrl {
    /// The store that `text` names.
    ///
    /// # Errors
    /// What is wrong with it and how to write it; never with a password in it.
    pub(crate) fn parse(text: &OsString) -> Result<Self, String> {
        use std::os::unix::ffi::OsStrExt;

        let bytes = text.as_bytes();
        let Some(colon) = bytes.iter().position(|byte| *byte == b':') else {
            let shown = text.to_string_lossy();
            return Err(format!(
                "store `{shown}` has no scheme: write it like jsonl:{shown}, or sqlite:{shown}"
            ));
        };
        let (scheme, rest) = (&bytes[..colon], &bytes[colon + 1..]);
        match scheme {
            b"jsonl" => local_path(text, rest, "directory", "/var/lib/audit").map(Self::Jsonl),
            b"sqlite" => local_path(text, rest, "file", "/var/lib/audit.db").map(Self::Sqlite),
            b"postgres" | b"postgresql" => match text.to_str() {
                Some(url) if rest.starts_with(b"//") => {
                    Ok(Self::Postgres(SecretUrl(url.to_owned())))
                }
                _ => Err(format!(
                    "store `{}` names no database: write it like postgres://USER@HOST/DATABASE",
                    mask_password(&text.to_string_lossy())
                )),
            },
            _ => Err(format!(
                "store `{}`: there is no such kind of store: use jsonl:DIR, sqlite:FILE or \
                 postgres://USER@HOST/DATABASE",
                mask_password(&text.to_string_lossy())
            )),
        }
    }

    /// The files or the directory it is kept in, if they are on this machine and known.
    pub(crate) fn paths(&self) -> Vec<PathBuf> {
        match self {
            Self::Jsonl(directory) => vec![directory.clone()],
            Self::Sqlite(file) => ["", "-wal", "-shm", "-journal"]
                .into_iter()
                .map(|ending| {
                    let mut name = file.clone().into_os_string();
                    name.push(ending);
                    name.into()
                })
                .collect(),
            Self::Postgres(_) => Vec::new(),
        }
    }

    /// The same, a relative path meant from `directory`.
    pub(crate) fn below(self, directory: &Path) -> Self {
        match self {
            Self::Jsonl(path) => Self::Jsonl(directory.join(path)),
            Self::Sqlite(path) => Self::Sqlite(directory.join(path)),
            Self::Postgres(url) => Self::Postgres(url),
        }
    }
}

/// The path that follows the scheme in `text`.
fn local_path(text: &OsString, rest: &[u8], what: &str, example: &str) -> Result<PathBuf, String> {
    use std::os::unix::ffi::OsStringExt;

    let shown = text.to_string_lossy();
    match rest {
        b"" => Err(format!(
            "store `{shown}` names no {what}: write it like {shown}{example}"
        )),
        [b'~', ..] => Err(format!(
            "`~` is not expanded in store `{shown}`: write the whole path"
        )),
        _ => Ok(PathBuf::from(OsString::from_vec(rest.to_vec()))),
    }
}

impl fmt::Display for StoreUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Jsonl(directory) => write!(f, "jsonl:{}", directory.display()),
            Self::Sqlite(file) => write!(f, "sqlite:{}", file.display()),
            Self::Postgres(url) => fmt::Display::fmt(url, f),
        }
    }
}

/// `url` with the password of its authority, and anything after `password=`, replaced by `***`.
fn mask_password(url: &str) -> String {
    let mut masked = url.to_owned();
    if let Some(start) = masked.find("://").map(|at| at + 3) {
        // The password may itself hold `/` or `@` unescaped, so everything up to the last `@` is
        // taken for the user information: rather too much is hidden than too little.
        if let Some(at) = masked[start..].rfind('@').map(|at| at + start)
            && let Some(colon) = masked[start..at].find(':').map(|colon| colon + start)
        {
            masked.replace_range(colon + 1..at, "***");
        }
    }
    for key in ["password=", "sslpassword=", "pass="] {
        if let Some(start) = masked
            .to_ascii_lowercase()
            .find(key)
            .map(|at| at + key.len())
        {
            let end = masked[start..]
                .find(['&', ' '])
                .map_or(masked.len(), |end| end + start);
            masked.replace_range(start..end, "***");
        }
    }
    masked
}
