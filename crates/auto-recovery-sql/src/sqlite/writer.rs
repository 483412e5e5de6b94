//! The one connection of a process that writes, and its transactions.

use std::path::Path;
use std::sync::Arc;

use auto_recovery::error::Result;
use rusqlite::Connection;

use super::connection::{Database, Link};
use super::failure::At;
use super::{migrations, remove};

/// Writes to the database, for one at a time.
pub(super) struct Writer {
    database: Arc<Database>,
    link: Option<Link>,
}

impl Writer {
    pub(super) fn new(database: Arc<Database>) -> Self {
        Self {
            database,
            link: None,
        }
    }

    /// What `act` does, in one transaction: all of it, once this returns, or nothing.
    pub(super) fn write<T>(
        &mut self,
        act: impl FnOnce(&Connection, &Path) -> Result<T>,
    ) -> Result<T> {
        self.connect()?;
        let database = Arc::clone(&self.database);
        let link = self.link.as_ref().expect("just connected");
        let written = transaction(&link.connection, &database.path, act);
        if written.is_err() && !link.connection.is_autocommit() {
            // It could not even be taken back. Closing does that.
            self.link = None;
        }
        written
    }

    /// Deletes what is left of sessions that were removed.
    pub(super) fn finish_removals(&mut self) -> Result<()> {
        self.connect()?;
        match &self.link {
            Some(link) => remove::finish(&link.connection, &self.database.path),
            None => Ok(()),
        }
    }

    fn connect(&mut self) -> Result<()> {
        if let Some(link) = self.link.take() {
            match self.database.is_current(&link)? {
                true => {
                    self.link = Some(link);
                    return Ok(());
                }
                false => link.discard(),
            }
        }
        let link = self.database.open_writer()?;
        remove::finish(&link.connection, &self.database.path)?;
        self.link = Some(link);
        Ok(())
    }
}

/// What `act` does to the database at `path`, in one transaction that has its lock from the beginning.
pub(super) fn transaction<T>(
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
    let written = migrations::check(database, path)
        .and_then(|()| act(database, path))
        .and_then(|done| run("COMMIT").map(|()| done));
    if written.is_err() && !database.is_autocommit() {
        // If this fails too, closing takes it back.
        drop(run("ROLLBACK"));
    }
    written
}
