//! Transactions that write: all of their changes, or none.

use std::path::Path;

use auto_recovery::error::Result;
use rusqlite::Connection;

use super::failure::At;
use super::migrations;

/// Runs `act` on the database at `path`, in one transaction that has its lock from the beginning.
pub(super) fn transaction<T>(
    database: &Connection,
    path: &Path,
    act: impl FnOnce(&Connection, &Path) -> Result<T>,
) -> Result<T> {
    in_transaction(database, path, |database, path| {
        migrations::check(database, path)?;
        act(database, path)
    })
}

/// The same, for an `act` that checks the format itself.
pub(super) fn in_transaction<T>(
    database: &Connection,
    path: &Path,
    act: impl FnOnce(&Connection, &Path) -> Result<T>,
) -> Result<T> {
    let run = |sql: &str| -> Result<()> {
        let ran = database
            .prepare_cached(sql)
            .and_then(|mut one| one.execute([]));
        ran.map(drop).at("write to", path)
    };
    run("BEGIN IMMEDIATE")?;
    let written = act(database, path).and_then(|done| run("COMMIT").map(|()| done));
    if written.is_err() && !database.is_autocommit() {
        // If this fails too, closing rolls back.
        drop(run("ROLLBACK"));
    }
    written
}
