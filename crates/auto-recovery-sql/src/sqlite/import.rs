//! Taking over entries and records as they are, each once.

use std::sync::Arc;

use auto_recovery::audit::{
    Duplicates, Importer, JournalEvent, JournalLine, JournalRecord, Recorder, StoredEntry,
    TrailImported,
};
use auto_recovery::error::{Error, ErrorKind, Result};

use super::batch::Batch;
use super::connection::Database;
use super::entry::{self, ReadyEntry};
use super::journal;
use crate::row::EntryRow;

/// Imports into a database. How often something is there already, the database says in the
/// transaction that adds to it; how often it came is counted here.
pub(super) struct SqliteImporter<'s> {
    database: &'s Database,
    recorder: Arc<Recorder>,
    /// The session whose entries come, and what is known of them.
    session: Option<(String, Looked)>,
    /// How often each record came.
    records: Duplicates,
}

/// What is known of the entries of a session.
#[derive(Default)]
struct Looked {
    ids: Duplicates,
    /// The first that was not looked at yet.
    next: i64,
}

impl<'s> SqliteImporter<'s> {
    pub(super) fn new(database: &'s Database, recorder: Arc<Recorder>) -> Self {
        Self {
            database,
            recorder,
            session: None,
            records: Duplicates::default(),
        }
    }
}

impl Importer for SqliteImporter<'_> {
    fn entries(&mut self, session_id: &str, raw: &[Vec<u8>]) -> Result<u64> {
        let ready = raw.iter().map(|raw| ready(session_id, raw));
        let ready = ready.collect::<Result<Vec<_>>>()?;
        let mut looked = match self.session.take() {
            Some((id, looked)) if id == session_id => looked,
            _ => Looked::default(),
        };
        let event = JournalEvent::TrailImported(TrailImported::default());
        let again = self.recorder.record(Some(session_id), event)?;
        let added = self.database.append(|batch| {
            let added = add_entries(batch, session_id, &ready, &mut looked)?;
            // Who verifies the store must not take it for one that was put back.
            if added > 0 && journal::was_removed(batch.database, session_id)? {
                journal::insert(batch.database, &again)?;
            }
            Ok(added)
        })?;
        self.session = Some((session_id.to_owned(), looked));
        Ok(added)
    }

    fn records(&mut self, lines: &[JournalLine]) -> Result<u64> {
        for line in lines {
            check_version(line.record())?;
        }
        let mut came = std::mem::take(&mut self.records);
        let added = self
            .database
            .append(|batch| add_records(batch, lines, &mut came))?;
        self.records = came;
        Ok(added)
    }
}

fn add_entries(
    batch: &mut Batch<'_>,
    session_id: &str,
    entries: &[ReadyEntry],
    looked: &mut Looked,
) -> rusqlite::Result<u64> {
    let (first, last) = batch.session(session_id)?.entries();
    if !(first..=last).contains(&looked.next) {
        // The session is new here, or was removed and is another one now.
        *looked = Looked {
            ids: Duplicates::default(),
            next: first,
        };
    }
    entry::for_each_id(batch.database, (looked.next, last), |id| {
        looked.ids.is_there(id.as_bytes());
    })?;
    let mut added = 0;
    for ready in entries {
        if looked.ids.comes(ready.row.entry.entry_id.as_bytes()) {
            batch.add_entry(ready)?;
            added += 1;
        }
    }
    looked.next = batch.session(session_id)?.next_id();
    Ok(added)
}

fn add_records(
    batch: &mut Batch<'_>,
    lines: &[JournalLine],
    came: &mut Duplicates,
) -> rusqlite::Result<u64> {
    let mut added = 0;
    for line in lines {
        let session_id = line.record().session_id.as_deref();
        let there = journal::occurrences(batch.database, session_id, line.json())?;
        if came.comes_beyond(line.json().as_bytes(), there) {
            batch.add_record(line)?;
            added += 1;
        }
    }
    Ok(added)
}

/// The entry of `session_id` that `raw` is.
fn ready(session_id: &str, raw: &[u8]) -> Result<ReadyEntry> {
    let stored = StoredEntry::import(session_id, raw)?;
    let text = std::str::from_utf8(stored.raw()).map_err(|error| {
        let id = stored.entry_id();
        let text = format!("entry {id} of session {session_id} is no UTF-8: mend it first");
        Error::new(ErrorKind::InvalidInput, text).with_source(error)
    })?;
    Ok(ReadyEntry::new(EntryRow::taken_over(stored, text), false))
}

fn check_version(record: &JournalRecord) -> Result<()> {
    let (version, known) = (record.v, JournalRecord::VERSION);
    if version <= known {
        return Ok(());
    }
    Err(Error::new(
        ErrorKind::NewerFormat,
        format!(
            "a journal record has format {version}, and this release reads up to {known}: use the \
             release that wrote it, or a newer one"
        ),
    ))
}
