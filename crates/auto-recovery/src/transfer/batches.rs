//! Entries on their way into a store, gathered so that each session's are added together.

use std::collections::{BTreeMap, HashMap};

use crate::audit::{Importer, JournalLine, Recorder, StoredEntry, session_id};
use crate::error::Result;
use crate::redaction::Redactor;

/// How many bytes are gathered before they are added.
const BYTES_MAX: usize = 8 * 1024 * 1024;

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
    /// The entries of each session, in the order in which the sessions came.
    sessions: Vec<(String, Vec<Vec<u8>>)>,
    /// Where each session stands there.
    places: HashMap<String, usize>,
    records: Vec<JournalLine>,
    bytes: usize,
    pub(super) entry_counts: Counts,
    pub(super) record_counts: Counts,
    /// What looks for secrets in all that comes.
    redactor: Option<&'i Redactor>,
    /// How many were found, by their kinds.
    pub(super) secrets: BTreeMap<String, u64>,
    /// What makes the text of all that comes anew.
    pub(super) again: Option<&'i Recorder>,
}

impl<'i> Batches<'i> {
    pub(super) fn new(importer: Box<dyn Importer + 'i>, redactor: Option<&'i Redactor>) -> Self {
        Self {
            importer,
            redactor,
            secrets: BTreeMap::new(),
            again: None,
            sessions: Vec::new(),
            places: HashMap::new(),
            records: Vec::new(),
            bytes: 0,
            entry_counts: Counts::default(),
            record_counts: Counts::default(),
        }
    }

    /// Adds `entry` of `session_id`, which was checked.
    ///
    /// # Errors
    /// If the store fails.
    pub(super) fn entry(&mut self, session_id: &str, entry: &StoredEntry<'_>) -> Result<()> {
        let place = match self.places.get(session_id) {
            Some(place) => *place,
            None => {
                self.sessions.push((session_id.to_owned(), Vec::new()));
                let place = self.sessions.len() - 1;
                self.places.insert(session_id.to_owned(), place);
                place
            }
        };
        self.count_secrets(entry.raw());
        let raw = match self.again {
            None => entry.raw().to_vec(),
            Some(recorder) => recorder.entry_again(entry.entry().into_owned(), entry.raw())?,
        };
        let bytes = raw.len();
        self.sessions[place].1.push(raw);
        self.entry_counts.read += 1;
        self.make_room(bytes)
    }

    /// Adds a journal record, which was checked.
    ///
    /// # Errors
    /// If the store fails.
    pub(super) fn record(&mut self, line: JournalLine) -> Result<()> {
        let line = match self.again {
            Some(recorder) if !line.is_closed() => recorder.record_again(line.into_record())?,
            _ => line,
        };
        let bytes = line.json().len();
        self.count_secrets(line.json().as_bytes());
        self.records.push(line);
        self.record_counts.read += 1;
        self.make_room(bytes)
    }

    /// Counts the secrets in `raw`, which is taken over as it is.
    fn count_secrets(&mut self, raw: &[u8]) {
        let found = self.redactor.map(|redactor| redactor.find(raw));
        for one in found.unwrap_or_default() {
            *self.secrets.entry(one.kind.to_string()).or_default() += 1;
        }
    }

    fn make_room(&mut self, bytes: usize) -> Result<()> {
        self.bytes += bytes;
        match self.bytes > BYTES_MAX {
            true => self.flush(),
            false => Ok(()),
        }
    }

    /// Brings all that was gathered into the store.
    ///
    /// # Errors
    /// If the store fails. What was not added by then is gathered no more.
    pub(super) fn flush(&mut self) -> Result<()> {
        self.bytes = 0;
        self.places.clear();
        let records = std::mem::take(&mut self.records);
        if !records.is_empty() {
            self.record_counts.added += self.importer.records(&records)?;
        }
        for (session_id, entries) in std::mem::take(&mut self.sessions) {
            self.entry_counts.added += self.importer.entries(&session_id, &entries)?;
        }
        Ok(())
    }
}

/// Whether the record of `line` may be taken over.
///
/// # Errors
/// [`crate::ErrorKind::InvalidInput`] if there can be no such session.
pub(super) fn check_record(line: &JournalLine) -> Result<()> {
    match &line.record().session_id {
        Some(session_id) => session_id::encode(session_id).map(drop),
        None => Ok(()),
    }
}
