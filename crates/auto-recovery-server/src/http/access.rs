//! Who may do what: tokens of programs, logins of browsers, the link that logs in once.
//!
//! Only hashes are kept. A token file is the exception, which its owner asked for.

use std::collections::HashMap;
use std::net::IpAddr;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use auto_recovery::files::{self, Links, Purpose, Synced};
use auto_recovery::host::Host;
use auto_recovery::mutex::lock;
use auto_recovery::{Error, ErrorKind, Result};
use rusqlite::{OptionalExtension as _, params};

use super::scope::Scope;
use super::secret::{hash, new_token, secret};
use crate::feed::Database;

/// The shortest token that is taken from a file, and the largest file.
const TOKEN_CHARS_MIN: usize = 32;
const TOKEN_FILE_BYTES_MAX: u64 = 4096;

/// How long a login link is good.
const LINK: Duration = Duration::from_secs(60);

/// How long a browser stays logged in.
pub(super) const LOGIN: Duration = Duration::from_secs(30 * 24 * 3600);

/// Logins that may fail within [`WINDOW`] from one address, and addresses that are remembered.
const FAILURES_MAX: u32 = 5;
const WINDOW: Duration = Duration::from_secs(60);
const ADDRESSES_MAX: usize = 10_000;

/// What somebody may do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Caller {
    /// The name of the token.
    pub(crate) name: String,
    /// `None` if a newer release gave it something that is not known here.
    scope: Option<Scope>,
    /// The hash of its token or cookie, if that can be taken away while the server runs.
    hash: Option<[u8; 32]>,
}

impl Caller {
    /// Whether it may do what `scope` stands for.
    pub(crate) fn may(&self, scope: Scope) -> bool {
        self.scope.is_some_and(|own| own >= scope)
    }

    /// What it may do, in a word.
    pub(crate) fn scope(&self) -> &'static str {
        self.scope.map_or("nothing", Scope::as_str)
    }
}

/// The names of callers whose tokens are in no table.
pub(super) const LINK_NAME: &str = "login link";
pub(super) const TOKEN_FILE_NAME: &str = "token file";

/// Who may do what.
pub(crate) struct Access {
    feed: Arc<Database>,
    host: Arc<dyn Host>,
    /// The hash of the token in the token file.
    of_file: Option<[u8; 32]>,
    /// The hash of the code in the login link, and until when it is good.
    link: Mutex<Option<([u8; 32], Duration)>>,
    /// Logins that failed, by address, with the begin of the window that they are counted in.
    failures: Mutex<HashMap<IpAddr, (u32, Duration)>>,
}

impl Access {
    /// As the token file and the feed's database say, and the token that was made because there was
    /// none: nobody will be told it again.
    ///
    /// # Errors
    /// If the file cannot be used.
    pub(crate) fn open(
        feed: Arc<Database>,
        host: Arc<dyn Host>,
        token_file: Option<&Path>,
    ) -> Result<(Self, Option<String>)> {
        let mut made = None;
        let of_file = match token_file {
            Some(path) => Some(hash(&token_of(path, &*host)?)),
            None => {
                made = first_token(&feed, &*host)?;
                None
            }
        };
        let access = Self {
            feed,
            host,
            of_file,
            link: Mutex::new(None),
            failures: Mutex::new(HashMap::new()),
        };
        Ok((access, made))
    }

    /// The code of a new login link. Only the newest is good.
    pub(crate) fn new_link(&self) -> String {
        let code = secret(&*self.host);
        *lock(&self.link) = Some((hash(&code), self.host.monotonic() + LINK));
        code
    }

    /// The caller who logs in with the code of a link, which is used up by that.
    pub(super) fn by_link(&self, code: &str) -> Option<Caller> {
        let mut link = lock(&self.link);
        let (expected, until) = (*link)?;
        if self.host.monotonic() >= until || hash(code) != expected {
            return None;
        }
        *link = None;
        Some(Caller {
            name: LINK_NAME.to_owned(),
            scope: Some(Scope::Admin),
            hash: None,
        })
    }

    /// The caller who has `token`.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub(crate) fn by_token(&self, token: &str) -> Result<Option<Caller>> {
        let hash = hash(token);
        if self.of_file == Some(hash) {
            return Ok(Some(Caller {
                name: TOKEN_FILE_NAME.to_owned(),
                scope: Some(Scope::Admin),
                hash: None,
            }));
        }
        self.known(hash, "token")
    }

    /// The caller whose browser logged in and has `cookie`.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub(crate) fn by_cookie(&self, cookie: &str) -> Result<Option<Caller>> {
        self.known(hash(cookie), "login")
    }

    /// Whether `caller` may still come in: its token or login was not taken away.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub(crate) fn is_welcome(&self, caller: &Caller) -> Result<bool> {
        let Some(hash) = caller.hash else {
            return Ok(true);
        };
        let now = self.now_ms();
        self.feed.read(|feed| {
            let mut select = feed.prepare_cached(
                "SELECT 1 FROM access WHERE hash = ? AND coalesce(until_ms > ?, 1)",
            )?;
            select.exists(params![hash, now])
        })
    }

    fn known(&self, hash: [u8; 32], kind: &str) -> Result<Option<Caller>> {
        let now = self.now_ms();
        self.feed.read(|feed| {
            let mut select = feed.prepare_cached(
                "SELECT name, scope FROM access
                 WHERE hash = ? AND kind = ? AND coalesce(until_ms > ?, 1)",
            )?;
            let caller = select.query_row(params![hash, kind, now], |row| {
                let scope: String = row.get(1)?;
                Ok(Caller {
                    name: row.get(0)?,
                    scope: Scope::read_kept(&scope),
                    hash: Some(hash),
                })
            });
            caller.optional()
        })
    }

    /// Logs `caller` in, and returns what the browser says from now on.
    ///
    /// # Errors
    /// If the database cannot be written.
    pub(super) fn log_in(&self, caller: &Caller) -> Result<String> {
        let cookie = secret(&*self.host);
        let now = self.now_ms();
        let until = now + i64::try_from(LOGIN.as_millis()).unwrap_or(i64::MAX);
        self.feed.write(|feed| {
            feed.execute("DELETE FROM access WHERE until_ms <= ?", [now])?;
            let scope = caller.scope.map(Scope::kept).unwrap_or_default();
            let values = params![hash(&cookie), "login", caller.name, scope, until];
            feed.execute("INSERT INTO access VALUES (?, ?, ?, ?, ?)", values)
        })?;
        Ok(cookie)
    }

    /// Ends the login with `cookie`.
    ///
    /// # Errors
    /// If the database cannot be written.
    pub(super) fn log_out(&self, cookie: &str) -> Result<()> {
        self.feed.write(|feed| {
            feed.execute("DELETE FROM access WHERE hash = ?", [hash(cookie)])
                .map(drop)
        })
    }

    /// How long nobody at `address` may try to log in; `None` if they may.
    pub(super) fn wait_of(&self, address: IpAddr) -> Option<Duration> {
        let now = self.host.monotonic();
        let failures = lock(&self.failures);
        let (count, since) = failures.get(&address)?;
        let left = WINDOW.checked_sub(now.saturating_sub(*since))?;
        (*count >= FAILURES_MAX && !left.is_zero()).then_some(left)
    }

    /// Counts a login from `address` that failed.
    pub(super) fn failed(&self, address: IpAddr) {
        let now = self.host.monotonic();
        let mut failures = lock(&self.failures);
        if failures.len() >= ADDRESSES_MAX {
            failures.retain(|_, (_, since)| now.saturating_sub(*since) < WINDOW);
        }
        if failures.len() >= ADDRESSES_MAX {
            failures.clear();
        }
        let (count, since) = failures.entry(address).or_insert((0, now));
        if now.saturating_sub(*since) >= WINDOW {
            (*count, *since) = (0, now);
        }
        *count += 1;
    }

    /// The name of the cookie: browsers send one host's cookies to all of its ports.
    pub(super) fn cookie_name(&self) -> String {
        format!("recover-{}", self.feed.id)
    }

    fn now_ms(&self) -> i64 {
        let now = self.host.now();
        let since = now
            .duration_since(std::time::SystemTime::UNIX_EPOCH)
            .unwrap_or_default();
        i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
    }
}

/// Makes a token where there is none.
fn first_token(feed: &Database, host: &dyn Host) -> Result<Option<String>> {
    let token = new_token(host);
    let is_made = feed.write(|feed| {
        let count: i64 = feed.query_row(
            "SELECT count(*) FROM access WHERE kind = 'token'",
            [],
            |row| row.get(0),
        )?;
        if count > 0 {
            return Ok(false);
        }
        let values = params![hash(&token), "token", "first", Scope::Admin.kept()];
        feed.execute("INSERT INTO access VALUES (?, ?, ?, ?, NULL)", values)?;
        Ok(true)
    })?;
    Ok(is_made.then_some(token))
}

/// The token in the file at `path`, which is written where there is none.
fn token_of(path: &Path, host: &dyn Host) -> Result<String> {
    let failed = |doing: &str, error| Error::io(doing, path, error);
    match files::check_own_file(path, Purpose::State) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let token = new_token(host);
            files::replace(path, Synced::Yes, format!("{token}\n").as_bytes())?;
            return Ok(token);
        }
        checked => checked.map_err(|error| failed("use the token in", error))?,
    }
    let text = files::read_small(path, Links::Refuse, TOKEN_FILE_BYTES_MAX)
        .map_err(|error| failed("read", error))?;
    let token = String::from_utf8_lossy(&text).trim().to_owned();
    let is_fit =
        token.chars().count() >= TOKEN_CHARS_MIN && token.bytes().all(|b| b.is_ascii_graphic());
    match is_fit && !is_read_by_others(path) {
        true => Ok(token),
        false => Err(Error::new(
            ErrorKind::InvalidInput,
            format!(
                "{} is no token file: it holds one line of at least {TOKEN_CHARS_MIN} letters and \
                 digits, and nobody else may read it; name a file that is not there yet to have \
                 one made",
                path.display()
            ),
        )),
    }
}

fn is_read_by_others(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::metadata(path).is_ok_and(|found| found.permissions().mode() & 0o077 != 0)
}
