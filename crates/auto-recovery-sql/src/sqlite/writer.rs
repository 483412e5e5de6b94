//! The one connection of a process that writes.

use std::path::Path;

use auto_recovery::error::Result;
use rusqlite::Connection;

use super::batch::Batch;
use super::connection::{Database, Link};
use super::failure::At;
use super::transaction::{in_transaction, transaction};
use super::{migrations, remove};
use auto_recovery::mutex::lock;

impl Database {
    /// What `act` does, in one transaction: all of it, once this returns, or nothing.
    pub(super) fn write<T>(&self, act: impl FnOnce(&Connection, &Path) -> Result<T>) -> Result<T> {
        self.with_writer(|link| {
            link.recent.forget();
            transaction(&link.connection, &self.path, act)
        })
    }

    /// The same, for `act` that adds to a batch, which is brought to the database.
    pub(super) fn append<T>(
        &self,
        act: impl FnOnce(&mut Batch<'_>) -> rusqlite::Result<T>,
    ) -> Result<T> {
        self.with_writer(|link| {
            let recent = &mut link.recent;
            let done = in_transaction(&link.connection, &self.path, |database, path| {
                if recent.look(database).at("read", path)? {
                    migrations::check(database, path)?;
                }
                let mut batch = Batch::new(database, recent).at("write to", path)?;
                let done = act(&mut batch).at("write to", path)?;
                batch.finish().at("write to", path)?;
                Ok(done)
            });
            if done.is_err() {
                link.recent.forget();
            }
            done
        })
    }

    /// Deletes what is left of sessions that were removed.
    pub(super) fn finish_removals(&self) -> Result<()> {
        self.with_writer(|link| remove::finish(&link.connection, &self.path))
    }

    /// What `act` does with the connection that writes, which is one caller's at a time.
    pub(super) fn with_writer<T>(&self, act: impl FnOnce(&mut Link) -> Result<T>) -> Result<T> {
        let mut writer = lock(&self.writer);
        // Taken out: one that a panic leaves in the midst of something is closed.
        let mut link = match writer.take() {
            Some(link) if self.is_current(&link)? => link,
            other => {
                other.into_iter().for_each(Link::discard);
                let link = self.open_writer()?;
                remove::finish(&link.connection, &self.path)?;
                link
            }
        };
        let done = act(&mut link);
        // Of one that could not even take back what failed, closing does.
        if link.connection.is_autocommit() {
            *writer = Some(link);
        }
        done
    }
}
