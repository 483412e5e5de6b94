//! Appending: what a call has to write, made ready by its own thread, and written with that of
//! others.

use auto_recovery::audit::{Appended, JournalEvent, JournalLine, NewEntry, Recorder, session_id};
use auto_recovery::error::{Error, ErrorKind, Result};

use super::batch::Batch;
use super::entry::ReadyEntry;
use crate::row::EntryRow;

/// Room for the text of most entries.
const RAW_BYTES: usize = 1024;

/// What a call has to write.
pub(super) enum Work {
    /// Entries, which get the numbers that they want.
    Entries(Vec<ReadyEntry>),
    /// A record of the journal.
    Record(Box<JournalLine>),
}

impl Work {
    /// The entries of a call. What cannot be recorded is refused before anything is written.
    pub(super) fn entries(recorder: &Recorder, entries: Vec<NewEntry>) -> Result<Self> {
        let pid = std::process::id();
        let mut raw = Vec::with_capacity(RAW_BYTES);
        let ready = entries.into_iter().map(|new| {
            session_id::encode(&new.entry.session_id)?;
            raw.clear();
            let recorded = recorder.entry(pid, new, &mut raw)?;
            let number_by_store = recorded.number_by_store();
            let text = std::str::from_utf8(&raw).map_err(|error| {
                Error::new(ErrorKind::InvalidInput, "write an entry").with_source(error)
            })?;
            Ok(ReadyEntry::new(
                EntryRow::recorded(recorded, text),
                number_by_store,
            ))
        });
        Ok(Self::Entries(ready.collect::<Result<_>>()?))
    }

    /// What its caller is told once it is written.
    pub(super) fn acknowledged(self) -> Vec<Appended> {
        let entries = match self {
            Self::Entries(entries) => entries,
            Self::Record(_) => Vec::new(),
        };
        let told = entries.into_iter().map(|ready| Appended {
            entry_id: ready.row.entry.entry_id,
            session_id: ready.row.entry.session_id,
            attempt_number: ready.row.entry.attempt_number,
        });
        told.collect()
    }

    /// That `event` happened.
    pub(super) fn record(
        recorder: &Recorder,
        session_id: Option<&str>,
        event: JournalEvent,
    ) -> Result<Self> {
        if let Some(session_id) = session_id {
            session_id::encode(session_id)?;
        }
        let line = recorder.record(session_id, event)?;
        Ok(Self::Record(Box::new(line)))
    }
}

/// Writes what several calls have to, in order, and returns it to each with the numbers that it
/// got.
pub(super) fn write(
    batch: &mut Batch<'_>,
    work: &mut dyn Iterator<Item = Work>,
) -> rusqlite::Result<Vec<Result<Work>>> {
    let mut results = Vec::new();
    for mut work in work {
        let refused = match &mut work {
            Work::Entries(entries) => match batch.number(entries)? {
                Ok(()) => {
                    for ready in entries {
                        batch.add_entry(ready)?;
                    }
                    None
                }
                Err(refused) => Some(refused),
            },
            Work::Record(line) => {
                batch.add_record(line)?;
                None
            }
        };
        results.push(refused.map_or(Ok(work), Err));
    }
    Ok(results)
}
