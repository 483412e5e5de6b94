//! Taking over entries and records as they are, each once.

use std::collections::HashMap;
use std::sync::Arc;

use super::append::Appender;
use super::batch::Batch;
use super::files::OpenTrails;
use super::lines::LINE_BYTES_MAX;
use super::root::Root;
use super::trail;
use crate::audit::{Importer, JournalRecord, Known, StoredEntry};
use crate::error::{Error, ErrorKind, Result};

/// Imports into a store of files.
pub(super) struct JsonlImporter<'s> {
    root: &'s Arc<Root>,
    journal: &'s Arc<Appender>,
    trails: &'s OpenTrails,
    /// The session whose entries come, and what is known of them.
    session: Option<(String, Known)>,
    /// What is known of the records of each session since its trail was last removed.
    records: Option<HashMap<String, Known>>,
}

impl<'s> JsonlImporter<'s> {
    pub(super) fn new(
        root: &'s Arc<Root>,
        journal: &'s Arc<Appender>,
        trails: &'s OpenTrails,
    ) -> Self {
        Self {
            root,
            journal,
            trails,
            session: None,
            records: None,
        }
    }

    /// What is known of `session_id`. It is taken out: if adding to it fails half-way, it is read anew.
    fn take_session(&mut self, session_id: &str) -> Result<Known> {
        if let Some((id, known)) = self.session.take()
            && id == session_id
        {
            return Ok(known);
        }
        let mut known = Known::default();
        trail::read_trail(self.root, session_id, &mut |stored| {
            known.is_there(stored.entry_id().as_bytes());
            Ok(())
        })?;
        Ok(known)
    }

    fn take_records(&mut self) -> Result<HashMap<String, Known>> {
        if let Some(known) = self.records.take() {
            return Ok(known);
        }
        let mut known: HashMap<String, Known> = HashMap::new();
        trail::read_journal(self.root, None, &mut |record| {
            let line = line_of(&record)?;
            let session_id = record.session_id.unwrap_or_default();
            match record.event.is_removal() {
                true => drop(known.remove(&session_id)),
                false => known.entry(session_id).or_default().is_there(&line),
            }
            Ok(())
        })?;
        Ok(known)
    }
}

impl Importer for JsonlImporter<'_> {
    fn entries(&mut self, session_id: &str, raw: &[Vec<u8>]) -> Result<u64> {
        let entries = raw.iter().map(|raw| entry_of(session_id, raw));
        let entries = entries.collect::<Result<Vec<_>>>()?;
        let mut known = self.take_session(session_id)?;
        let mut batch = Batch::new();
        let mut added = 0;
        for entry in entries {
            if known.comes(entry.entry_id().as_bytes()) {
                batch.push_imported(entry.raw(), entry.attempt_number());
                added += 1;
            }
        }
        if added > 0 {
            let trail = self.trails.get(self.root, self.journal, session_id)?;
            trail.commit(batch)?;
        }
        self.session = Some((session_id.to_owned(), known));
        Ok(added)
    }

    fn records(&mut self, records: &[JournalRecord]) -> Result<u64> {
        let lines = records.iter().map(line_of).collect::<Result<Vec<_>>>()?;
        let mut known = self.take_records()?;
        let mut batch = Batch::new();
        let mut added = 0;
        for (record, line) in records.iter().zip(lines) {
            let session_id = record.session_id.clone().unwrap_or_default();
            if known.entry(session_id).or_default().comes(&line) {
                batch.push_line(&line);
                added += 1;
            }
        }
        if added > 0 {
            self.journal.commit(batch)?;
        }
        self.records = Some(known);
        Ok(added)
    }
}

fn line_of(record: &JournalRecord) -> Result<Vec<u8>> {
    Ok(record.to_json()?.into_bytes())
}

/// The entry of `session_id` that `raw` is, if readers will find it where it is put.
fn entry_of<'r>(session_id: &str, raw: &'r [u8]) -> Result<StoredEntry<'r>> {
    let entry = StoredEntry::import(session_id, raw)?;
    let begins_another = |line: &[u8]| line.first() == Some(&b'{');
    let is_one = !entry
        .raw()
        .split(|&byte| byte == b'\n')
        .skip(1)
        .any(begins_another);
    if is_one && entry.raw().len() <= LINE_BYTES_MAX {
        return Ok(entry);
    }
    Err(Error::new(
        ErrorKind::InvalidInput,
        format!(
            "entry {} of session {session_id} cannot be kept as it is: it has over {LINE_BYTES_MAX} \
             bytes, or an object of it begins a line",
            entry.entry_id()
        ),
    ))
}
