//! Taking over entries and records as they are, each once.

use std::collections::HashMap;

use auto_recovery::audit::{
    Importer, JournalEvent, JournalLine, JournalRecord, Recorder, StoredEntry, TrailImported,
};
use auto_recovery::{Error, ErrorKind, Result};

use super::cell::get;
use super::columns::hash_of;
use super::group::{Group, Item};
use super::outbox::Outbox;

/// Number of entries or records added in one transaction.
const BATCH: usize = 10_000;

/// Whether the last that happened to a trail as a whole is that it was removed.
const WAS_REMOVED: &str = "SELECT event <> 'trail_imported' FROM auto_recovery.journal \
     WHERE session_id = $1 AND event IN ('session_cleared', 'session_pruned', 'trail_imported') \
     ORDER BY id DESC LIMIT 1";

/// Imports into a store in PostgreSQL.
pub(super) struct PostgresImporter<'s> {
    outbox: &'s Outbox,
    recorder: &'s Recorder,
    /// The session whose entries come, and how often each id came.
    session: Option<(String, Came)>,
    records: Came,
}

/// Number of items offered so far, by hash.
type Came = HashMap<Vec<u8>, i64>;

impl<'s> PostgresImporter<'s> {
    pub(super) fn new(outbox: &'s Outbox, recorder: &'s Recorder) -> Self {
        Self {
            outbox,
            recorder,
            session: None,
            records: Came::new(),
        }
    }

    /// Adds `items`, and returns how many were new. An import is not acknowledged before the server
    /// has it: a caller that lost the answer imports again.
    fn add(&self, items: Vec<Item>) -> Result<u64> {
        let mut group = Group::new(items, &*self.outbox.server.host);
        let written = self.outbox.write_to_server(&mut group, true);
        written.map_err(|failed| failed.error)?;
        let is_added = |item: &&Item| match item {
            Item::Stored(kept) => kept.is_added,
            // One that did not come from elsewhere is ours.
            Item::Record(line) => line.is_added && line.came_before.is_some(),
            Item::Entry(_) => true,
        };
        Ok(group.items.iter().filter(is_added).count() as u64)
    }

    /// Whether the trail of `session_id` was removed, and was not taken over again since.
    fn was_removed(&self, session_id: &str) -> Result<bool> {
        let rows = self
            .outbox
            .ask(|reader| reader.rows(WAS_REMOVED, &[&session_id]))?;
        let was_removed = rows.first().map(|row| get(row, 0)).transpose()?;
        Ok(was_removed == Some(true))
    }

    /// The record that says that a trail comes again: who verifies the store must not take it for
    /// one that was put back.
    fn again(&self, session_id: &str) -> Result<Item> {
        let event = JournalEvent::TrailImported(TrailImported::default());
        Item::record(self.recorder.record(Some(session_id), event)?, None)
    }
}

/// Counts one more item with this hash, and returns how many came before.
fn came_before(came: &mut Came, hash: Vec<u8>) -> i64 {
    let count = came.entry(hash).or_default();
    *count += 1;
    *count - 1
}

impl Importer for PostgresImporter<'_> {
    fn entries(&mut self, session_id: &str, raw: &[Vec<u8>]) -> Result<u64> {
        let entries = raw.iter().map(|raw| entry_of(session_id, raw));
        let entries = entries.collect::<Result<Vec<_>>>()?;
        // Taken out: if adding fails half-way, what came is counted anew.
        let mut came = match self.session.take() {
            Some((id, came)) if id == session_id => came,
            _ => Came::new(),
        };
        let mut added = 0;
        let mut items = Vec::new();
        if !entries.is_empty() && self.was_removed(session_id)? {
            items.push(self.again(session_id)?);
        }
        for entry in entries {
            let before = came_before(&mut came, hash_of(entry.entry_id().as_bytes()));
            items.push(Item::stored(entry, Some(before)));
            if items.len() == BATCH {
                added += self.add(std::mem::take(&mut items))?;
            }
        }
        if !items.is_empty() {
            added += self.add(items)?;
        }
        self.session = Some((session_id.to_owned(), came));
        Ok(added)
    }

    fn records(&mut self, lines: &[JournalLine]) -> Result<u64> {
        let mut came = std::mem::take(&mut self.records);
        let mut added = 0;
        for some in lines.chunks(BATCH) {
            let items = some.iter().map(|line| {
                let hash = hash_of(line.json().as_bytes());
                Item::record(line.clone(), Some(came_before(&mut came, hash)))
            });
            let items = items.collect::<Result<Vec<_>>>()?;
            added += self.add(items)?;
        }
        self.records = came;
        Ok(added)
    }
}

/// The entry of `session_id` that `raw` is, if a column can hold it.
fn entry_of<'r>(session_id: &str, raw: &'r [u8]) -> Result<StoredEntry<'r>> {
    let entry = StoredEntry::import(session_id, raw)?;
    if std::str::from_utf8(entry.raw()).is_ok() && entry.raw().len() <= JournalRecord::BYTES_MAX {
        return Ok(entry);
    }
    Err(Error::new(
        ErrorKind::InvalidInput,
        format!(
            "entry {} of session {session_id} cannot be kept as it is: it is no UTF-8, or has over {} bytes",
            entry.entry_id(),
            JournalRecord::BYTES_MAX
        ),
    ))
}
