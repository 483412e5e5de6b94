//! What is written in one transaction: rows of entries and records as they come, and at the end
//! what of sessions and sums is to be brought up, each once however many entries there are.

use std::collections::HashMap;

use auto_recovery::audit::JournalLine;
use auto_recovery::error::{Error, ErrorKind, Result};
use rusqlite::Connection;

use super::entry::{Insert, ReadyEntry};
use super::journal;
use super::recent::Recent;
use super::session::SessionRow;

/// Rows and sums on their way to the database.
pub(super) struct Batch<'c> {
    pub(super) database: &'c Connection,
    recent: &'c mut Recent,
    insert: Insert<'c>,
}

impl<'c> Batch<'c> {
    pub(super) fn new(database: &'c Connection, recent: &'c mut Recent) -> rusqlite::Result<Self> {
        Ok(Self {
            database,
            recent,
            insert: Insert::new(database)?,
        })
    }

    /// The row of `session_id`, made if it has none.
    pub(super) fn session(&mut self, session_id: &str) -> rusqlite::Result<&mut SessionRow> {
        self.recent.session(self.database, session_id)
    }

    /// Numbers the entries of one call that want it, each the next of its session.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`] inside if no number is left. Nothing of the call is added then.
    pub(super) fn number(&mut self, entries: &mut [ReadyEntry]) -> rusqlite::Result<Result<()>> {
        let mut highest: HashMap<String, u64> = HashMap::new();
        for ready in entries {
            let session_id = ready.row.entry.session_id.as_str();
            let before = match highest.get(session_id) {
                Some(highest) => *highest,
                None => self.session(session_id)?.highest_number,
            };
            let number = match (ready.number_by_store, before.checked_add(1)) {
                (false, _) => ready.row.entry.attempt_number,
                (true, Some(next)) => next,
                (true, None) => return Ok(Err(no_number_left())),
            };
            highest.insert(session_id.to_owned(), before.max(number));
            if ready.number_by_store {
                ready.set_number(number);
            }
        }
        Ok(Ok(()))
    }

    /// Adds an entry that has its number.
    pub(super) fn add_entry(&mut self, ready: &ReadyEntry) -> rusqlite::Result<()> {
        let session = self
            .recent
            .session(self.database, &ready.row.entry.session_id)?;
        self.insert.run(session, ready)?;
        self.recent.add(ready);
        Ok(())
    }

    /// Adds a record of the journal, and what it says of its session.
    pub(super) fn add_record(&mut self, line: &JournalLine) -> rusqlite::Result<()> {
        journal::insert(self.database, line)?;
        let record = line.record();
        if let Some(session_id) = &record.session_id {
            let database = self.database;
            let session = self.session(session_id)?;
            session
                .facts_mut(database)?
                .apply(&record.at, &record.event);
        }
        Ok(())
    }

    /// Brings rows of sessions and sums up as far as that is due.
    pub(super) fn finish(self) -> rusqlite::Result<()> {
        self.recent.save(self.database)
    }
}

fn no_number_left() -> Error {
    Error::new(
        ErrorKind::InvalidInput,
        format!(
            "no attempt number is left after {}: use another session",
            u64::MAX
        ),
    )
}
