//! What is written in one transaction: rows as they come, and the sums of all of them at the end, each
//! once however many entries there are.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use auto_recovery::audit::JournalRecord;
use auto_recovery::error::{Error, ErrorKind, Result};
use rusqlite::{Connection, params};

use super::column::halves;
use super::entry::{self, ReadyEntry};
use super::journal;
use super::session::{PLACE_BITS, SessionRow};
use crate::text::to_column;

/// Rows and sums on their way to the database.
pub(super) struct Batch<'c> {
    database: &'c Connection,
    sessions: HashMap<String, SessionRow>,
    files: HashMap<String, FileRow>,
    tally: HashMap<TallyKey, Sums>,
}

/// A file that entries name.
struct FileRow {
    id: i64,
    /// How many more times it is named.
    mentions: i64,
}

#[derive(PartialEq, Eq, Hash)]
struct TallyKey {
    strategy: String,
    error_type: String,
    duration_bucket: i32,
}

#[derive(Default)]
struct Sums {
    entries: i64,
    successes: i64,
    rollbacks: i64,
    ms: (i64, i64),
}

impl<'c> Batch<'c> {
    pub(super) fn new(database: &'c Connection) -> Self {
        Self {
            database,
            sessions: HashMap::new(),
            files: HashMap::new(),
            tally: HashMap::new(),
        }
    }

    /// The row of `session_id`, made if it has none.
    pub(super) fn session(&mut self, session_id: &str) -> rusqlite::Result<&mut SessionRow> {
        if !self.sessions.contains_key(session_id) {
            let session = SessionRow::find_or_make(self.database, session_id)?;
            self.sessions.insert(session_id.to_owned(), session);
        }
        let session = self.sessions.get_mut(session_id);
        Ok(session.expect("just put there"))
    }

    /// Numbers the entries of one call that want it, and returns the numbers of all.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`] inside if no number is left. Nothing of the call is added then.
    pub(super) fn number(
        &mut self,
        entries: &mut [ReadyEntry],
    ) -> rusqlite::Result<Result<Vec<u64>>> {
        let mut highest: HashMap<String, u64> = HashMap::new();
        let mut numbers = Vec::with_capacity(entries.len());
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
            numbers.push(number);
        }
        Ok(Ok(numbers))
    }

    /// Adds an entry that has its number.
    pub(super) fn add_entry(&mut self, ready: &ReadyEntry) -> rusqlite::Result<()> {
        let row = &ready.row;
        let database = self.database;
        let session = self.session(&row.entry.session_id)?;
        let id = (session.id << PLACE_BITS) + session.next_place;
        session.next_place += 1;
        session.bytes += row.bytes;
        session.highest_number = session.highest_number.max(row.entry.attempt_number);
        session.tally.add(&row.entry.timestamp, row.entry.success);
        entry::insert(database, session.id, id, ready)?;
        for (place, file) in row.entry.files_modified.iter().enumerate() {
            let file = self.file(file)?;
            database
                .prepare_cached("INSERT INTO entry_file VALUES (?, ?, ?)")?
                .execute(params![id, place as i64, file])?;
        }
        self.count(ready);
        Ok(())
    }

    /// Notes that `name` is named once more, and returns its id.
    fn file(&mut self, name: &str) -> rusqlite::Result<i64> {
        if let Some(file) = self.files.get_mut(name) {
            file.mentions += 1;
            return Ok(file.id);
        }
        let id = self
            .database
            .prepare_cached(
                "INSERT INTO file (name, mentions) VALUES (?, 1) \
                 ON CONFLICT (name) DO UPDATE SET mentions = mentions + 1 RETURNING id",
            )?
            .query_row([to_column(name)], |row| row.get(0))?;
        let mentions = 0;
        self.files.insert(name.to_owned(), FileRow { id, mentions });
        Ok(id)
    }

    fn count(&mut self, ready: &ReadyEntry) {
        let entry = &ready.row.entry;
        let key = TallyKey {
            strategy: entry.strategy.clone(),
            error_type: entry.error_type.clone(),
            duration_bucket: ready.row.duration_bucket,
        };
        let sums = match self.tally.entry(key) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(new) => new.insert(Sums::default()),
        };
        let (high, low) = halves(ready.row.duration_ms);
        sums.entries += 1;
        sums.successes += i64::from(entry.success);
        sums.rollbacks += i64::from(entry.rollback_performed);
        sums.ms = (sums.ms.0 + high, sums.ms.1 + low);
    }

    /// Adds a record of the journal, whose JSON is `json`, and what it says of its session.
    pub(super) fn add_record(
        &mut self,
        record: &JournalRecord,
        json: &str,
    ) -> rusqlite::Result<()> {
        journal::insert(self.database, record, json)?;
        if let Some(session_id) = &record.session_id {
            let database = self.database;
            let session = self.session(session_id)?;
            session
                .facts_mut(database)?
                .apply(&record.at, &record.event);
        }
        Ok(())
    }

    /// Brings the sums up to what was added.
    pub(super) fn finish(self) -> rusqlite::Result<()> {
        for session in self.sessions.values() {
            session.save(self.database)?;
        }
        for file in self.files.values().filter(|file| file.mentions > 0) {
            self.database
                .prepare_cached("UPDATE file SET mentions = mentions + ? WHERE id = ?")?
                .execute([file.mentions, file.id])?;
        }
        for (key, sums) in &self.tally {
            self.database
                .prepare_cached(
                    "INSERT INTO tally VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET \
                     entries = entries + excluded.entries, \
                     successes = successes + excluded.successes, \
                     rollbacks = rollbacks + excluded.rollbacks, \
                     ms_high = ms_high + excluded.ms_high, ms_low = ms_low + excluded.ms_low",
                )?
                .execute(params![
                    to_column(&key.strategy),
                    to_column(&key.error_type),
                    key.duration_bucket,
                    sums.entries,
                    sums.successes,
                    sums.rollbacks,
                    sums.ms.0,
                    sums.ms.1,
                ])?;
        }
        Ok(())
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
