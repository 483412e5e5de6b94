//! Appending: what a call has to write, made ready by its own thread, and written with that of others.

use auto_recovery::audit::{Appended, JournalEvent, JournalRecord, NewEntry, session_id};
use auto_recovery::error::{Error, ErrorKind, Result};
use auto_recovery::host::Host;
use rusqlite::Connection;

use super::batch::Batch;
use super::counted::Uncounted;
use super::entry::ReadyEntry;
use crate::row::EntryRow;

/// What a call has to write.
pub(super) enum Work {
    /// Entries, which get the numbers that they want.
    Entries(Vec<ReadyEntry>),
    /// A record of the journal, and its JSON.
    Record(Box<JournalRecord>, String),
}

impl Work {
    /// The entries of a call. What cannot be recorded is refused before anything is written.
    pub(super) fn entries(host: &dyn Host, entries: Vec<NewEntry>) -> Result<Self> {
        let pid = std::process::id();
        let mut raw = Vec::new();
        let ready = entries.into_iter().map(|mut new| {
            session_id::encode(&new.entry.session_id)?;
            new.fill_in(host, pid);
            raw.clear();
            new.write_fitted(&mut raw)?;
            let text = std::str::from_utf8(&raw).map_err(|error| {
                Error::new(ErrorKind::InvalidInput, "write an entry").with_source(error)
            })?;
            let row = EntryRow::written(new.entry, text);
            Ok(ReadyEntry::new(row, new.number_by_store))
        });
        Ok(Self::Entries(ready.collect::<Result<_>>()?))
    }

    /// That `event` happened.
    pub(super) fn record(
        host: &dyn Host,
        session_id: Option<&str>,
        event: JournalEvent,
    ) -> Result<Self> {
        if let Some(session_id) = session_id {
            session_id::encode(session_id)?;
        }
        let record = JournalRecord::new(host, session_id, event);
        let json = record.to_json()?;
        Ok(Self::Record(Box::new(record), json))
    }
}

/// Writes what several calls have to, in order, and returns what each is told.
pub(super) fn write(
    database: &Connection,
    uncounted: &Uncounted,
    group: Vec<Work>,
) -> rusqlite::Result<Vec<Result<Vec<Appended>>>> {
    let mut batch = Batch::new(database, uncounted);
    let mut results = Vec::with_capacity(group.len());
    for work in group {
        results.push(match work {
            Work::Entries(mut entries) => match batch.number(&mut entries)? {
                Ok(numbers) => {
                    for ready in &entries {
                        batch.add_entry(ready)?;
                    }
                    let told = entries.into_iter().zip(numbers);
                    Ok(told
                        .map(|(ready, number)| acknowledged(ready, number))
                        .collect())
                }
                Err(refused) => Err(refused),
            },
            Work::Record(record, json) => {
                batch.add_record(&record, &json)?;
                Ok(Vec::new())
            }
        });
    }
    batch.finish()?;
    Ok(results)
}

fn acknowledged(ready: ReadyEntry, attempt_number: u64) -> Appended {
    Appended {
        entry_id: ready.row.entry.entry_id,
        session_id: ready.row.entry.session_id,
        attempt_number,
    }
}
