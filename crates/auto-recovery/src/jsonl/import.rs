//! Taking over entries and records as they are, each once.

use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::sync::Arc;

use super::dir::opened;
use super::read::trail;
use super::root::Root;
use super::write::appender::Appender;
use super::write::batch::Batch;
use super::write::open_trails::OpenTrails;
use crate::audit::{Duplicates, Importer, JournalEvent, JournalLine, StoredEntry, TrailImported};
use crate::error::Result;

/// The file that an importer locks: there is one at a time.
const LOCK_NAME: &str = "import.lock";

/// Imports into a store of files.
pub(super) struct JsonlImporter<'s> {
    root: &'s Arc<Root>,
    journal: &'s Arc<Appender>,
    trails: &'s OpenTrails,
    /// The session whose entries come, and what is known of them.
    session: Option<(String, Duplicates)>,
    /// What is known of the records of each session since its trail was last removed.
    records: Option<HashMap<String, Duplicates>>,
    /// The sessions whose trails were removed and not taken over since, once the journal was read.
    removed: Option<HashSet<String>>,
    /// Locked: another importer would add what this one is adding.
    _turn: File,
}

impl<'s> JsonlImporter<'s> {
    pub(super) fn new(
        root: &'s Arc<Root>,
        journal: &'s Arc<Appender>,
        trails: &'s OpenTrails,
    ) -> Result<Self> {
        root.dir.make_dir()?;
        let path = root.dir.path.join(LOCK_NAME);
        let turn = opened(&path, root.dir.io.open_append(&path))?;
        root.dir.lock(&turn, &path)?;
        Ok(Self {
            root,
            journal,
            trails,
            session: None,
            records: None,
            removed: None,
            _turn: turn,
        })
    }

    /// What is known of `session_id`. It is taken out: if adding to it fails half-way, it is read
    /// anew.
    fn take_session(&mut self, session_id: &str) -> Result<Duplicates> {
        if let Some((id, known)) = self.session.take()
            && id == session_id
        {
            return Ok(known);
        }
        let mut known = Duplicates::default();
        trail::read_trail(self.root, session_id, &mut |stored| {
            known.is_there(stored.entry_id().as_bytes());
            Ok(())
        })?;
        Ok(known)
    }

    /// Records that a trail that was removed comes again, before it does: who verifies the store
    /// must not take it for one that was put back.
    fn tell_import(&mut self, session_id: &str) -> Result<()> {
        if self.removed.is_none() {
            let mut removed = HashSet::new();
            trail::read_journal(self.root, None, &mut |record| {
                let session_id = record.session_id.unwrap_or_default();
                if record.event.is_removal() {
                    removed.insert(session_id);
                } else if matches!(record.event, JournalEvent::TrailImported(_)) {
                    removed.remove(&session_id);
                }
                Ok(())
            })?;
            self.removed = Some(removed);
        }
        let was_removed = |removed: &mut HashSet<String>| removed.remove(session_id);
        if self.removed.as_mut().is_some_and(was_removed) {
            let event = JournalEvent::TrailImported(TrailImported::default());
            let line = self.root.dir.recorder.record(Some(session_id), event)?;
            self.journal.commit_record(&line)?;
        }
        Ok(())
    }

    fn take_records(&mut self) -> Result<HashMap<String, Duplicates>> {
        if let Some(known) = self.records.take() {
            return Ok(known);
        }
        let mut known: HashMap<String, Duplicates> = HashMap::new();
        trail::read_records_raw(self.root, None, &mut |raw| {
            // What cannot be read is no record that is taken over.
            if let Ok(line) = JournalLine::taken_over(raw) {
                let session_id = session_of(&line);
                match line.record().event.is_removal() {
                    true => drop(known.remove(&session_id)),
                    false => {
                        let of_session = known.entry(session_id).or_default();
                        of_session.is_there(line.json().as_bytes());
                    }
                }
            }
            Ok(())
        })?;
        Ok(known)
    }
}

impl Importer for JsonlImporter<'_> {
    fn entries(&mut self, session_id: &str, raw: &[Vec<u8>]) -> Result<u64> {
        let entries = raw.iter().map(|raw| StoredEntry::import(session_id, raw));
        let entries = entries.collect::<Result<Vec<_>>>()?;
        let mut known = self.take_session(session_id)?;
        let mut batch = Batch::new();
        let mut added = 0;
        for entry in entries {
            if known.comes(entry.entry_id().as_bytes()) {
                batch.push_taken_over(&entry);
                added += 1;
            }
        }
        if added > 0 {
            self.tell_import(session_id)?;
            let trail = self.trails.get(self.root, self.journal, session_id)?;
            trail.commit(batch)?;
        }
        self.session = Some((session_id.to_owned(), known));
        Ok(added)
    }

    fn records(&mut self, lines: &[JournalLine]) -> Result<u64> {
        let mut known = self.take_records()?;
        let mut batch = Batch::new();
        let mut added = 0;
        for line in lines {
            let of_session = known.entry(session_of(line)).or_default();
            if of_session.comes(line.json().as_bytes()) {
                batch.push_record(line);
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

/// The session that `line` is about; none has an empty id.
fn session_of(line: &JournalLine) -> String {
    line.record().session_id.clone().unwrap_or_default()
}
