//! What the tests of the SQLite store share.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use auto_recovery::audit::Durability;
use auto_recovery::testing::ScriptedHost;
use auto_recovery_sql::{SqliteOptions, SqliteStore};

/// The database in `dir`.
pub(crate) fn file(dir: &Path) -> PathBuf {
    dir.join("trails.db")
}

/// The store in the database in `dir`, which never waits for the disk and whose clock stands still.
pub(crate) fn store(dir: &Path) -> SqliteStore {
    let options = SqliteOptions {
        durability: Durability::Flush,
    };
    SqliteStore::open(&file(dir), options, Arc::new(ScriptedHost::new())).unwrap()
}
