//! The keys of sessions whose texts are encrypted: the table `session_key`.
//!
//! What is deleted from it leaves nothing on its page (`secure_delete`), and the log that had it is
//! emptied then.

use std::path::PathBuf;
use std::sync::Arc;

use auto_recovery::audit::encrypting::{KeyFile, KeyStamp, KeyStore};
use auto_recovery::audit::{Durability, session_id};
use auto_recovery::error::{Error, ErrorKind, Result};
use auto_recovery::host::Host;
use rusqlite::{Connection, OptionalExtension, params};

use super::connection::Database;
use super::failure::At;
use super::file;

/// The keys in a database, over connections of their own: a key is on the disk before anybody
/// waits to write what it closed.
pub(super) struct SqliteKeys(Database);

impl SqliteKeys {
    /// Those in the database at `path`.
    pub(super) fn new(path: PathBuf, durability: Durability, host: Arc<dyn Host>) -> Self {
        Self(Database::new(path, durability, host))
    }

    /// What `read` gives of the database; what an empty one has if there is none.
    fn reading<T: Default>(
        &self,
        read: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T> {
        match self.0.reader()? {
            Some(reader) => read(reader.database()).at("read", &self.0.path),
            None => Ok(T::default()),
        }
    }

    fn empty_log(&self) -> Result<()> {
        self.0.with_writer(|link| {
            empty_log(&link.connection);
            Ok(())
        })
    }

    fn is_there(&self) -> Result<bool> {
        Ok(file::find(&self.0.path)?.is_some())
    }
}

/// Deletes the keys of `session_id`, and returns how many there were.
pub(super) fn delete(database: &Connection, session_id: &str) -> rusqlite::Result<u64> {
    database
        .prepare_cached("DELETE FROM session_key WHERE session_id = ?")?
        .execute([session_id])
        .map(|count| count as u64)
}

/// Empties the log, which may have what was deleted. Whoever reads or writes now keeps some of it
/// until the log is written anew.
pub(super) fn empty_log(database: &Connection) {
    let emptied = database.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()));
    drop(emptied);
}

impl KeyStore for SqliteKeys {
    fn keys_place(&self) -> String {
        format!("sqlite:{}", self.0.path.display())
    }

    fn read_keys(&self, session_id: &str) -> Result<Vec<KeyFile>> {
        session_id::encode(session_id)?;
        self.reading(|database| {
            let mut select = database.prepare_cached(
                "SELECT number, file FROM session_key WHERE session_id = ? ORDER BY number",
            )?;
            let keys = select.query_map([session_id], |row| {
                Ok(KeyFile {
                    number: row.get::<_, i64>(0)? as u64,
                    file: row.get(1)?,
                })
            })?;
            keys.collect()
        })
    }

    fn add_key(&self, session_id: &str, kid: &str, file: &[u8]) -> Result<u64> {
        session_id::encode(session_id)?;
        self.0.write(|database, path| {
            let number: i64 = database
                .prepare_cached(
                    "SELECT coalesce(max(number), 0) + 1 FROM session_key WHERE session_id = ?",
                )
                .and_then(|mut select| select.query_row([session_id], |row| row.get(0)))
                .at("read", path)?;
            database
                .prepare_cached(
                    "INSERT INTO session_key (session_id, number, kid, file) VALUES (?, ?, ?, ?)",
                )
                .and_then(|mut insert| insert.execute(params![session_id, number, kid, file]))
                .at("write to", path)?;
            Ok(number as u64)
        })
    }

    fn key_stamp(&self, session_id: &str, number: u64) -> Result<Option<KeyStamp>> {
        self.reading(|database| {
            database
                .prepare_cached("SELECT kid FROM session_key WHERE session_id = ? AND number = ?")?
                .query_row(params![session_id, number as i64], |row| row.get(0))
                .optional()
        })
    }

    fn key_sessions(&self) -> Result<Vec<String>> {
        self.reading(|database| {
            let mut select = database.prepare_cached(
                "SELECT DISTINCT session_id FROM session_key ORDER BY session_id",
            )?;
            let sessions = select.query_map([], |row| row.get(0))?;
            sessions.collect()
        })
    }

    fn replace_keys(&self, keys: &[(String, KeyFile)]) -> Result<()> {
        if keys.is_empty() {
            return Ok(());
        }
        self.0.write(|database, path| {
            for (session_id, key) in keys {
                let replaced = database
                    .prepare_cached(
                        "UPDATE session_key SET file = ? WHERE session_id = ? AND number = ?",
                    )
                    .and_then(|mut update| {
                        update.execute(params![key.file, session_id, key.number as i64])
                    })
                    .at("write to", path)?;
                if replaced == 0 {
                    let text = format!("key {} of session {session_id} is gone", key.number);
                    return Err(Error::new(ErrorKind::NotFound, text));
                }
            }
            Ok(())
        })?;
        self.empty_log()
    }

    fn destroy_keys(&self, session_id: &str) -> Result<u64> {
        session_id::encode(session_id)?;
        if !self.is_there()? {
            return Ok(0);
        }
        let count = self
            .0
            .write(|database, path| delete(database, session_id).at("write to", path))?;
        if count > 0 {
            self.empty_log()?;
        }
        Ok(count)
    }
}
