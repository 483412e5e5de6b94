//! The URL of a PostgreSQL database: it may have a password in it, which nobody is shown.

use std::fmt;

use auto_recovery_sql::postgres;

/// A URL that may have a password in it, which nobody is shown.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct SecretUrl {
    url: String,
    /// The same without its password.
    shown: String,
}

impl SecretUrl {
    /// The URL of a PostgreSQL database that `url` is.
    ///
    /// # Errors
    /// What is wrong with it, without repeating it.
    pub(crate) fn parse(url: &str) -> Result<Self, String> {
        let shown = postgres::shown(url).map_err(|error| error.chain())?;
        let url = url.to_owned();
        Ok(Self { url, shown })
    }

    /// The URL with its password, for who connects.
    pub(crate) fn expose(&self) -> &str {
        &self.url
    }

    /// The host, the port and the database, as they are written: where it leads, whoever goes
    /// there.
    pub(crate) fn place(&self) -> &str {
        let (_, behind) = self.url.split_once("://").unwrap_or_default();
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
        f.write_str(&self.shown)
    }
}
