//! What the tests of the SQLite store share.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use auto_recovery::Result;
use auto_recovery::audit::{Durability, Recorder};
use auto_recovery::testing::ScriptedHost;
use auto_recovery_sql::{SqliteOptions, SqliteStore};
use rusqlite::Connection;

/// The database in `dir`.
pub(crate) fn file(dir: &Path) -> PathBuf {
    dir.join("trails.db")
}

/// The store in `file`, which never waits for the disk and whose clock stands still.
pub(crate) fn open(file: &Path) -> Result<SqliteStore> {
    let options = SqliteOptions {
        durability: Durability::Flush,
    };
    SqliteStore::open(file, options, Recorder::new(Arc::new(ScriptedHost::new())))
}

/// The store in the database in `dir`.
pub(crate) fn store(dir: &Path) -> SqliteStore {
    open(&file(dir)).unwrap()
}

/// The database in `dir`, as any program opens it.
pub(crate) fn database(dir: &Path) -> Connection {
    Connection::open(file(dir)).unwrap()
}

/// The number that `sql` asks the database in `dir` for.
pub(crate) fn number(dir: &Path, sql: &str) -> i64 {
    database(dir).query_row(sql, [], |row| row.get(0)).unwrap()
}
