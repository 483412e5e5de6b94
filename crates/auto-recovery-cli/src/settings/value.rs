//! The values that settings take, each with the text that people write for it.

use std::ffi::OsString;
use std::fmt;
use std::path::PathBuf;

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
}

impl fmt::Display for StrategyCommand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Shell(text) => f.write_str(text),
            Self::Argv(words) => f.write_str(&crate::output::shell_words(words)),
        }
    }
}

/// Where trails live.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum StoreUrl {
    /// A directory of text files.
    Jsonl(PathBuf),
    /// A scheme that this build has no store for, with its URL, passwords masked.
    Unsupported {
        /// The scheme.
        scheme: String,
        /// The URL, fit to be shown.
        masked: String,
    },
}

impl StoreUrl {
    /// The store that `text` names. Whether this build can open it is decided where it is opened.
    ///
    /// # Errors
    /// What is wrong with it and how to write it; never with a password in it.
    pub(crate) fn parse(text: &OsString) -> Result<Self, String> {
        use std::os::unix::ffi::{OsStrExt, OsStringExt};

        let bytes = text.as_bytes();
        let Some(colon) = bytes.iter().position(|byte| *byte == b':') else {
            let shown = text.to_string_lossy();
            return Err(format!(
                "store `{shown}` has no scheme: write it like jsonl:{shown}"
            ));
        };
        let (scheme, rest) = (&bytes[..colon], &bytes[colon + 1..]);
        if scheme != b"jsonl" {
            return Ok(Self::Unsupported {
                scheme: String::from_utf8_lossy(scheme).into_owned(),
                masked: mask_password(&text.to_string_lossy()),
            });
        }
        match rest {
            b"" => {
                Err("store `jsonl:` names no directory: write it like jsonl:/var/lib/audit".into())
            }
            [b'~', ..] => Err(format!(
                "`~` is not expanded in store `{}`: write the whole path",
                text.to_string_lossy()
            )),
            _ => Ok(Self::Jsonl(PathBuf::from(OsString::from_vec(
                rest.to_vec(),
            )))),
        }
    }
}

impl StoreUrl {
    /// The directory it names, if it is one.
    pub(crate) fn directory(&self) -> Option<PathBuf> {
        match self {
            Self::Jsonl(directory) => Some(directory.clone()),
            Self::Unsupported { .. } => None,
        }
    }
}

impl fmt::Display for StoreUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Jsonl(directory) => write!(f, "jsonl:{}", directory.display()),
            Self::Unsupported { masked, .. } => f.write_str(masked),
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
