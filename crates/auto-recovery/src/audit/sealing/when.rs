//! When the record is sealed.

use std::str::FromStr;

use crate::audit::Durability;
use crate::error::{Error, ErrorKind, Result};

/// When what is on record is sealed. A seal costs a few syncs; a command that passes makes none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SealWhen {
    /// Before a strategy acts, and when the session ends: what is on record when a strategy's
    /// command starts, that command cannot change unnoticed. What comes without a recovery is
    /// sealed now and then, and at the end.
    #[default]
    Attempts,
    /// When the session ends.
    Sessions,
    /// Never.
    Off,
}

impl SealWhen {
    /// The same where appends are acknowledged as `durability` says. What a crash of the machine
    /// may take is under no seal before the end.
    #[must_use]
    pub fn with(self, durability: Durability) -> Self {
        match (self, durability) {
            (Self::Attempts, Durability::Flush) => Self::Sessions,
            (when, _) => when,
        }
    }

    /// The name used in configuration.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Attempts => "attempts",
            Self::Sessions => "sessions",
            Self::Off => "off",
        }
    }
}

impl FromStr for SealWhen {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let all = [Self::Attempts, Self::Sessions, Self::Off];
        let found = all.into_iter().find(|one| one.as_str() == text);
        found.ok_or_else(|| {
            let context = format!("`{text}` is no time to seal: use attempts, sessions or off");
            Error::new(ErrorKind::InvalidInput, context)
        })
    }
}
