//! The tokens of a server: made, listed and removed beside it, also while it runs.
//!
//! Only their hashes are kept, so that a token is told once. Who logged in with a token that is
//! removed is logged out.

use std::path::Path;
use std::sync::Arc;

use auto_recovery::host::Host;
use auto_recovery::{Error, ErrorKind, Result};
use rusqlite::{OptionalExtension as _, params};

use super::access::{LINK_NAME, TOKEN_FILE_NAME};
use super::scope::Scope;
use super::secret::{hash, new_token};
use crate::feed::{Database, new_feed_id};

/// The longest name of a token, in characters.
const NAME_CHARS_MAX: usize = 100;

/// A token, without what only its holder knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenFacts {
    /// Its name, by which the record says who did something.
    pub name: String,
    /// What it lets its holder do; `None` if a newer release gave it something unknown.
    pub scope: Option<Scope>,
}

/// The tokens of the server over one store.
pub struct Tokens {
    feed: Database,
    host: Arc<dyn Host>,
}

impl Tokens {
    /// Those of the server over the store at `store_url`, whose state is in `state_dir`.
    ///
    /// # Errors
    /// If they cannot be read or written.
    pub fn open(state_dir: &Path, store_url: &str, host: Arc<dyn Host>) -> Result<Self> {
        let feed = Database::open_beside(state_dir, store_url, &new_feed_id(&*host))?;
        Ok(Self { feed, host })
    }

    /// Makes a token for `scope`, called `name` or by a name of its own. Returns its name and the
    /// token, which nobody will be told again.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`] if the name cannot be used or is another's; otherwise if it
    /// cannot be kept.
    pub fn add(&self, name: Option<&str>, scope: Scope) -> Result<(String, String)> {
        let name = match name {
            Some(name) => check_name(name)?.to_owned(),
            None => format!("{scope}-{:08x}", self.host.random() >> 32),
        };
        let token = new_token(&*self.host);
        let is_made = self.feed.write(|feed| {
            let mut same =
                feed.prepare_cached("SELECT 1 FROM access WHERE kind = 'token' AND name = ?")?;
            if same.query_row([&name], |_| Ok(())).optional()?.is_some() {
                return Ok(false);
            }
            let values = params![hash(&token), "token", name, scope.kept()];
            feed.execute("INSERT INTO access VALUES (?, ?, ?, ?, NULL)", values)?;
            Ok(true)
        })?;
        match is_made {
            true => Ok((name, token)),
            false => Err(Error::new(
                ErrorKind::InvalidInput,
                format!("there is a token {name:?} already: take another name, or remove it first"),
            )),
        }
    }

    /// All of them, by name.
    ///
    /// # Errors
    /// If they cannot be read.
    pub fn list(&self) -> Result<Vec<TokenFacts>> {
        self.feed.read(|feed| {
            let mut select = feed
                .prepare_cached("SELECT name, scope FROM access WHERE kind = 'token' ORDER BY 1")?;
            let rows = select.query_map([], |row| {
                let scope: String = row.get(1)?;
                Ok(TokenFacts {
                    name: row.get(0)?,
                    scope: Scope::read_kept(&scope),
                })
            })?;
            rows.collect()
        })
    }

    /// Removes the token `name`, and every login that was made with it.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] if there is none; otherwise if it cannot be removed.
    pub fn remove(&self, name: &str) -> Result<()> {
        let removed = self.feed.write(|feed| {
            let removed = feed.execute(
                "DELETE FROM access WHERE kind = 'token' AND name = ?",
                [name],
            )?;
            if removed > 0 {
                feed.execute("DELETE FROM access WHERE name = ?", [name])?;
            }
            Ok(removed)
        })?;
        match removed {
            0 => Err(Error::new(
                ErrorKind::NotFound,
                format!("there is no token {name:?}"),
            )),
            _ => Ok(()),
        }
    }
}

/// `name`, if a token may be called so.
fn check_name(name: &str) -> Result<&str> {
    let is_plain = !name.trim().is_empty() && !name.chars().any(char::is_control);
    let is_ours = [LINK_NAME, TOKEN_FILE_NAME].contains(&name);
    match is_plain && !is_ours && name.chars().count() <= NAME_CHARS_MAX {
        true => Ok(name),
        false => Err(Error::new(
            ErrorKind::InvalidInput,
            format!(
                "no token can be called {name:?}: a name has 1 to {NAME_CHARS_MAX} characters in \
                 one line, and is none that the server uses itself"
            ),
        )),
    }
}
