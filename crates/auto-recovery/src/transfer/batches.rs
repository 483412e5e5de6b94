//! Entries on their way into a store, gathered so that each session's are added together.

use std::collections::HashMap;

use crate::audit::{Importer, JournalRecord, StoredEntry};
use crate::error::Result;

/// How many bytes are gathered before they are added.
const BYTES_MAX: usize = 8 * 1024 * 1024;

/// What a journal record takes, more or less.
const RECORD_BYTES: usize = 1024;

/// What came and what of it was new.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// How many came.
    pub read: u64,
    /// How many of them were not there.
    pub added: u64,
}

/// Entries and records that are gathered.
pub(super) struct Batches<'i> {
    importer: Box<dyn Importer + 'i>,
    /// The sessions in the order in which they came.
    order: Vec<String>,
    entries: HashMap<String, Vec<Vec<u8>>>,
    records: Vec<JournalRecord>,
    bytes: usize,
    pub(super) entry_counts: Counts,
    pub(super) record_counts: Counts,
}

impl<'i> Batches<'i> {
    pub(super) fn new(importer: Box<dyn Importer + 'i>) -> Self {
        Self {
            importer,
            order: Vec::new(),
            entries: HashMap::new(),
            records: Vec::new(),
            bytes: 0,
            entry_counts: Counts::default(),
            record_counts: Counts::default(),
        }
    }

    /// Adds `entry` of `session_id`.
    ///
    /// # Errors
    /// [`crate::ErrorKind::InvalidInput`] if it is none; otherwise if the store fails.
    pub(super) fn entry(&mut self, session_id: &str, entry: &StoredEntry<'_>) -> Result<()> {
        entry.check(session_id)?;
        let entries = match self.entries.get_mut(session_id) {
            Some(entries) => entries,
            None => {
                self.order.push(session_id.to_owned());
                self.entries.entry(session_id.to_owned()).or_default()
            }
        };
        entries.push(entry.raw().to_vec());
        self.entry_counts.read += 1;
        self.make_room(entry.raw().len())
    }

    /// Adds a journal record.
    pub(super) fn record(&mut self, record: JournalRecord) -> Result<()> {
        self.records.push(record);
        self.record_counts.read += 1;
        self.make_room(RECORD_BYTES)
    }

    fn make_room(&mut self, bytes: usize) -> Result<()> {
        self.bytes += bytes;
        match self.bytes > BYTES_MAX {
            true => self.flush(),
            false => Ok(()),
        }
    }

    /// Brings all that was gathered into the store.
    pub(super) fn flush(&mut self) -> Result<()> {
        self.bytes = 0;
        if !self.records.is_empty() {
            self.record_counts.added += self.importer.records(&self.records)?;
            self.records.clear();
        }
        for session_id in self.order.drain(..) {
            let entries = self.entries.remove(&session_id).unwrap_or_default();
            self.entry_counts.added += self.importer.entries(&session_id, &entries)?;
        }
        Ok(())
    }
}
