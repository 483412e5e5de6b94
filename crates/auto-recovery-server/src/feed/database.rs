//! The database of the feed: `STATE/server/STORE.sqlite`, for its owner alone.
//!
//! Rows and the positions up to which the store was read are written in one transaction, so that a
//! server that is killed goes on where its rows end.

use std::fs::{File, OpenOptions};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::Duration;

use auto_recovery::files::{self, Purpose};
use auto_recovery::host::Host;
use auto_recovery::mutex::lock;
use auto_recovery::patience::{Alone, lock_file};
use auto_recovery::{Error, ErrorKind, Result};
use rusqlite::{Connection, OptionalExtension as _, Transaction, TransactionBehavior};

use crate::digest::digest_of;

/// The version of the tables, kept as `user_version`.
const VERSION: i64 = 1;

/// Longer than any transaction of ours takes.
const BUSY: Duration = Duration::from_secs(10);

/// Digits of a hash that distinguish the stores of one machine.
const NAME_BYTES: usize = 8;

const TABLES: &str = "
CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE event (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    at_ms INTEGER NOT NULL,
    kind TEXT NOT NULL,
    session_id TEXT NOT NULL,
    project TEXT,
    body TEXT
) STRICT;
CREATE INDEX event_of_session ON event (session_id);
CREATE TABLE position (
    session_id TEXT PRIMARY KEY,
    entries INTEGER NOT NULL,
    last BLOB,
    records BLOB NOT NULL,
    look TEXT,
    project TEXT,
    outcome TEXT,
    began TEXT
) STRICT, WITHOUT ROWID;
CREATE INDEX position_of_outcome ON position (outcome, began);
CREATE TABLE counter (
    name TEXT NOT NULL,
    labels TEXT NOT NULL,
    value REAL NOT NULL,
    PRIMARY KEY (name, labels)
) STRICT, WITHOUT ROWID;
CREATE TABLE access (
    hash BLOB PRIMARY KEY,
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    scope TEXT NOT NULL,
    until_ms INTEGER
) STRICT, WITHOUT ROWID;
";

/// The feed of one store, which one server at a time has.
pub(crate) struct Database {
    path: PathBuf,
    /// Random: rows of another feed have other ids.
    pub(crate) id: String,
    writer: Mutex<Connection>,
    reader: Mutex<Connection>,
    /// Held as long as this server lives; whoever works beside it has none.
    _held: Option<Held>,
}

impl Database {
    /// The feed of the store at `url`, made where there is none, for a server. A look that is just
    /// decided is waited for.
    ///
    /// # Errors
    /// [`ErrorKind::Busy`] if another server has it; otherwise if it cannot be used.
    pub(crate) fn open(state_dir: &Path, url: &str, host: &dyn Host) -> Result<Self> {
        let place = place_of(state_dir, url)?;
        let mut held = Held::take(&place, url, host)?;
        // The lock itself says from now on that there is a server.
        held.turn = None;
        Self::at(
            place.with_extension("sqlite"),
            url,
            &new_feed_id(host),
            Some(held),
        )
    }

    /// The same for one look, which waits for others of its kind.
    ///
    /// # Errors
    /// [`ErrorKind::Busy`] if a server has it; otherwise if it cannot be used.
    pub(crate) fn open_for_look(state_dir: &Path, url: &str, host: &dyn Host) -> Result<Self> {
        let place = place_of(state_dir, url)?;
        let held = Held::take(&place, url, host)?;
        Self::at(
            place.with_extension("sqlite"),
            url,
            &new_feed_id(host),
            Some(held),
        )
    }

    /// The same for whoever works beside the server, which may run or not.
    ///
    /// # Errors
    /// If it cannot be used.
    pub(crate) fn open_beside(state_dir: &Path, url: &str, new_id: &str) -> Result<Self> {
        let place = place_of(state_dir, url)?;
        Self::at(place.with_extension("sqlite"), url, new_id, None)
    }

    fn at(path: PathBuf, url: &str, new_id: &str, held: Option<Held>) -> Result<Self> {
        files::open_own(&path, OpenOptions::new().write(true).create(true))
            .map_err(|error| Error::io("open", &path, error))?;
        let failed = |error| failed("open the feed", &path, error);
        let writer = connect(&path).map_err(failed)?;
        migrate(&writer, url, new_id).map_err(failed)?;
        writer
            .execute_batch(crate::alerts::TABLES)
            .map_err(failed)?;
        let version = version(&writer).map_err(failed)?;
        if version > VERSION {
            let text = format!("{} was written by a newer release", path.display());
            return Err(Error::new(ErrorKind::NewerFormat, text));
        }
        super::failures::make_tables(&writer).map_err(failed)?;
        let reader = connect(&path).map_err(failed)?;
        reader
            .pragma_update(None, "query_only", true)
            .map_err(failed)?;
        let id = meta(&reader, "feed").map_err(failed)?.unwrap_or_default();
        Ok(Self {
            id,
            writer: Mutex::new(writer),
            reader: Mutex::new(reader),
            _held: held,
            path,
        })
    }

    /// The directory beside it, with what is kept besides, `of` what.
    pub(crate) fn beside(&self, of: &str) -> PathBuf {
        self.path.with_extension(of)
    }

    /// Whether it has seen all that was in the store before it: what it finds from then on is told.
    ///
    /// # Errors
    /// If it cannot be read.
    pub(crate) fn has_begun(&self) -> Result<bool> {
        self.read(|connection| Ok(meta(connection, "begun")?.is_some()))
    }

    /// The answer of `ask`, which reads.
    ///
    /// # Errors
    /// If it fails.
    pub(crate) fn read<T>(
        &self,
        ask: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T> {
        ask(&lock(&self.reader)).map_err(|error| failed("read the feed", &self.path, error))
    }

    /// The answer of `change`, which writes.
    ///
    /// # Errors
    /// If it fails; nothing is changed then.
    pub(crate) fn write<T>(
        &self,
        change: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T> {
        let connection = lock(&self.writer);
        let changed = || {
            // It waits for who writes beside us before it reads.
            let kind = TransactionBehavior::Immediate;
            let transaction = Transaction::new_unchecked(&connection, kind)?;
            let answer = change(&transaction)?;
            transaction.commit()?;
            Ok(answer)
        };
        changed().map_err(|error| failed("write the feed", &self.path, error))
    }
}

/// Being the only one who writes the feed.
///
/// A look has its turn all the time, a server only while it takes the lock: whoever has the turn
/// and does not get the lock knows that a server has it.
struct Held {
    _lock: Alone,
    turn: Option<File>,
}

impl Held {
    fn take(place: &Path, url: &str, host: &dyn Host) -> Result<Self> {
        let path = place.with_extension("turn");
        let opened = files::open_own(&path, OpenOptions::new().write(true).create(true));
        let turn = opened.map_err(|error| Error::io("open", &path, error))?;
        lock_file(host, &path, &turn, &mut || Ok(turn.try_lock()?))?;
        let doing = format!("{url} is served");
        Ok(Self {
            _lock: Alone::take(&place.with_extension("lock"), &doing)?,
            turn: Some(turn),
        })
    }
}

/// The id of a feed that is begun.
pub(crate) fn new_feed_id(host: &dyn Host) -> String {
    format!("{:08x}", host.random() >> 32)
}

/// The value of `name` among the facts about a feed.
pub(super) fn meta(connection: &Connection, name: &str) -> rusqlite::Result<Option<String>> {
    let mut select = connection.prepare_cached("SELECT value FROM meta WHERE name = ?")?;
    select.query_row([name], |row| row.get(0)).optional()
}

/// Makes `value` that of `name`.
pub(super) fn set_meta(connection: &Connection, name: &str, value: &str) -> rusqlite::Result<()> {
    let mut insert = connection.prepare_cached("INSERT OR REPLACE INTO meta VALUES (?, ?)")?;
    insert.execute([name, value]).map(drop)
}

/// The files about the store at `url`, without the endings of their names.
fn place_of(state_dir: &Path, url: &str) -> Result<PathBuf> {
    let dir = files::make_own_dir(state_dir, Path::new("server"), Purpose::State)
        .map_err(|error| Error::io("make the directory of the server", state_dir, error))?;
    Ok(dir.join(name_of(url)))
}

fn name_of(url: &str) -> String {
    digest_of(url, NAME_BYTES)
}

fn connect(path: &Path) -> rusqlite::Result<Connection> {
    let connection = Connection::open(path)?;
    connection.busy_timeout(BUSY)?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    // What was cleared is not left in free pages.
    connection.pragma_update(None, "secure_delete", true)?;
    Ok(connection)
}

fn version(connection: &Connection) -> rusqlite::Result<i64> {
    connection.pragma_query_value(None, "user_version", |row| row.get(0))
}

fn migrate(connection: &Connection, url: &str, new_id: &str) -> rusqlite::Result<()> {
    if version(connection)? != 0 {
        return Ok(());
    }
    // Of two that begin at once, the second finds the tables of the first.
    let transaction = Transaction::new_unchecked(connection, TransactionBehavior::Immediate)?;
    if version(&transaction)? != 0 {
        return Ok(());
    }
    transaction.execute_batch(TABLES)?;
    set_meta(&transaction, "feed", new_id)?;
    set_meta(&transaction, "store", url)?;
    transaction.pragma_update(None, "user_version", VERSION)?;
    transaction.commit()
}

/// A connection to the database of the store at `url` beside the server that has it, if there is
/// one.
///
/// # Errors
/// If it cannot be used.
pub(crate) fn beside(state_dir: &Path, url: &str) -> Result<Option<Connection>> {
    let path = state_dir
        .join("server")
        .join(format!("{}.sqlite", name_of(url)));
    if !path.exists() {
        return Ok(None);
    }
    let opened = connect(&path).and_then(|connection| {
        connection.execute_batch(crate::alerts::TABLES)?;
        Ok(connection)
    });
    opened
        .map(Some)
        .map_err(|error| failed("open the feed", &path, error))
}

/// The directory with what is kept of the store at `url` besides, `of` what.
pub(crate) fn dir_of(state_dir: &Path, url: &str, of: &str) -> PathBuf {
    let name = format!("{}.{of}", name_of(url));
    state_dir.join("server").join(name)
}

fn failed(doing: &str, path: &Path, error: rusqlite::Error) -> Error {
    let text = format!("cannot {doing} {}", path.display());
    let full = error.sqlite_error_code() == Some(rusqlite::ErrorCode::DiskFull);
    let kind = if full {
        ErrorKind::NoSpace
    } else {
        ErrorKind::Io
    };
    Error::new(kind, text).with_source(error)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use auto_recovery::host::SystemHost;
    use auto_recovery::interrupt::Interrupt;

    use super::*;

    const URL: &str = "jsonl:/somewhere";

    #[test]
    fn looks_wait_for_each_other_and_not_for_a_server() {
        let dir = tempfile::tempdir().unwrap();
        let host = SystemHost::new();
        let look = Database::open_for_look(dir.path(), URL, &host).unwrap();
        std::thread::scope(|scope| {
            for open in [Database::open_for_look, Database::open] {
                let impatient = Arc::new(Interrupt::new().unwrap());
                impatient.raise(15);
                let impatient = SystemHost::with_interrupt(impatient);
                let second = open(dir.path(), URL, &impatient).err().unwrap();
                assert_eq!(second.kind(), ErrorKind::Interrupted, "{second}");
                assert!(second.to_string().contains("waiting for"), "{second}");
            }
            let waiting = scope.spawn(|| Database::open(dir.path(), URL, &host));
            drop(look);
            let server = waiting.join().unwrap().unwrap();
            for open in [Database::open_for_look, Database::open] {
                let second = open(dir.path(), URL, &host).err().unwrap();
                assert_eq!(second.kind(), ErrorKind::Busy, "{second}");
            }
            drop(server);
        });
        Database::open(dir.path(), URL, &host).unwrap();
    }
}
