//! The store as its callers see it.

use std::fmt;
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

use super::append::{Appender, Kind, lock};
use super::batch::Batch;
use super::cache::StatisticsCache;
use super::events::JournalEvents;
use super::files::OpenTrails;
use super::io::{FileIo, SystemIo};
use super::root::Root;
use super::{clear, sessions, trail};
use crate::audit::{
    Appended, AuditStore, Damage, Durability, JournalEvent, JournalRecord, NewEntry,
    SessionSummary, StoredEntry, session_id,
};
use crate::error::{Error, ErrorKind, Result};
use crate::host::{Host, new_id, timestamp};
use crate::statistics::RecoveryStatistics;

/// How many trails one call writes and syncs at the same time.
const SESSIONS_AT_ONCE: usize = 16;

/// How a JSONL store works.
#[derive(Clone, Debug)]
pub struct JsonlOptions {
    /// When an append is acknowledged.
    pub durability: Durability,
    /// How many trails are kept open for appending. Systems allow a process 256 to 1,024 files.
    pub open_trails_max: usize,
}

impl Default for JsonlOptions {
    fn default() -> Self {
        Self {
            durability: Durability::default(),
            open_trails_max: 128,
        }
    }
}

/// A store of trails in a directory of text files, see the module's page for the format.
pub struct JsonlStore {
    root: Arc<Root>,
    journal: Arc<Appender>,
    trails: OpenTrails,
    statistics: StatisticsCache,
    events: Mutex<JournalEvents>,
}

impl JsonlStore {
    /// The store in `dir`. Makes nothing: a directory that does not exist is an empty store, and the
    /// first write makes it.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`] if `dir` is something else than a directory, [`ErrorKind::Io`] if it
    /// cannot be looked at.
    pub fn open(dir: &Path, options: JsonlOptions, host: Arc<dyn Host>) -> Result<Self> {
        Self::open_with_io(dir, options, host, Arc::new(SystemIo))
    }

    /// As [`JsonlStore::open`], touching files through `io`.
    ///
    /// # Errors
    /// As [`JsonlStore::open`].
    pub fn open_with_io(
        dir: &Path,
        options: JsonlOptions,
        host: Arc<dyn Host>,
        io: Arc<dyn FileIo>,
    ) -> Result<Self> {
        // Whoever changes the current directory later still means this one.
        let dir = std::path::absolute(dir)
            .map_err(|error| Error::io("find audit directory", dir, error))?;
        match std::fs::metadata(&dir) {
            Ok(metadata) if !metadata.is_dir() => {
                return Err(Error::new(
                    ErrorKind::InvalidInput,
                    format!(
                        "{} is not a directory: give one to keep the audit trail in",
                        dir.display()
                    ),
                ));
            }
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(Error::io("open audit directory", &dir, error));
            }
            _ => {}
        }
        let root = Arc::new(Root {
            dir,
            io,
            host,
            durability: options.durability,
        });
        let journal = Appender::new(Arc::clone(&root), root.journal_path(), Kind::Journal);
        Ok(Self {
            root,
            journal: Arc::new(journal),
            trails: OpenTrails::new(options.open_trails_max),
            statistics: StatisticsCache::default(),
            events: Mutex::new(JournalEvents::of(None)),
        })
    }

    fn append_to(&self, session_id: &str, mut entries: Vec<NewEntry>) -> Result<Vec<Appended>> {
        let trail = self.trails.get(&self.root, &self.journal, session_id)?;
        let mut batch = Batch::default();
        for new in &mut entries {
            if new.entry.entry_id.is_empty() {
                new.entry.entry_id = new_id("entry");
            }
            if new.entry.timestamp.is_empty() {
                new.entry.timestamp = timestamp(self.root.host.now());
            }
            batch.push_entry(new)?;
        }
        let written = trail.commit(batch)?;
        Ok(entries
            .into_iter()
            .zip(written.numbers())
            .map(|(new, attempt_number)| Appended {
                entry_id: new.entry.entry_id,
                session_id: new.entry.session_id,
                attempt_number,
            })
            .collect())
    }

    /// Writes to several trails at the same time, so that their syncs take the time of one.
    fn append_to_all(&self, groups: Vec<Group>) -> Vec<(Vec<usize>, Result<Vec<Appended>>)> {
        let next = AtomicUsize::new(0);
        let threads = groups.len().min(SESSIONS_AT_ONCE);
        let groups: Vec<_> = groups
            .into_iter()
            .map(|group| Mutex::new(Some(group)))
            .collect();
        let results = Mutex::new(Vec::with_capacity(groups.len()));
        thread::scope(|scope| {
            for _ in 0..threads {
                scope.spawn(|| {
                    while let Some(group) = groups.get(next.fetch_add(1, Ordering::Relaxed)) {
                        let Some(group) = lock(group).take() else {
                            continue;
                        };
                        let result = self.append_to(&group.session_id, group.entries);
                        lock(&results).push((group.places, result));
                    }
                });
            }
        });
        results
            .into_inner()
            .unwrap_or_else(|error| error.into_inner())
    }
}

/// The entries of one session among those of a call.
#[derive(Default)]
struct Group {
    session_id: String,
    entries: Vec<NewEntry>,
    /// Where in the call each stands.
    places: Vec<usize>,
}

fn group_by_session(entries: Vec<NewEntry>) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    let mut known = std::collections::HashMap::new();
    for (place, new) in entries.into_iter().enumerate() {
        let index = *known
            .entry(new.entry.session_id.clone())
            .or_insert_with(|| {
                groups.push(Group {
                    session_id: new.entry.session_id.clone(),
                    ..Group::default()
                });
                groups.len() - 1
            });
        groups[index].entries.push(new);
        groups[index].places.push(place);
    }
    groups
}

impl AuditStore for JsonlStore {
    fn url(&self) -> String {
        format!("jsonl:{}", self.root.dir.display())
    }

    fn append(&self, entries: Vec<NewEntry>) -> Result<Vec<Appended>> {
        let Some(first) = entries.first() else {
            return Ok(Vec::new());
        };
        let session_id = first.entry.session_id.clone();
        if entries.iter().all(|new| new.entry.session_id == session_id) {
            return self.append_to(&session_id, entries);
        }
        // Refused before anything of the call is written.
        for new in &entries {
            session_id::encode(&new.entry.session_id)?;
        }
        let count = entries.len();
        let mut appended = vec![None; count];
        for (places, result) in self.append_to_all(group_by_session(entries)) {
            for (place, one) in places.into_iter().zip(result?) {
                appended[place] = Some(one);
            }
        }
        Ok(appended.into_iter().flatten().collect())
    }

    fn record(&self, session_id: Option<&str>, event: JournalEvent) -> Result<()> {
        if let Some(session_id) = session_id {
            session_id::encode(session_id)?;
        }
        let mut batch = Batch::default();
        batch.push_line(&self.root.journal_line(session_id, event)?);
        self.journal.commit(batch).map(drop)
    }

    fn sessions(&self) -> Result<Vec<SessionSummary>> {
        sessions::list(&self.root, &mut lock(&self.events))
    }

    fn read_trail(
        &self,
        session_id: &str,
        visit: &mut dyn FnMut(StoredEntry<'_>) -> Result<()>,
    ) -> Result<Vec<Damage>> {
        trail::read_trail(&self.root, session_id, visit)
    }

    fn read_journal(
        &self,
        session_id: Option<&str>,
        visit: &mut dyn FnMut(JournalRecord) -> Result<()>,
    ) -> Result<Vec<Damage>> {
        trail::read_journal(&self.root, session_id, visit)
    }

    fn statistics(&self, session_id: &str) -> Result<RecoveryStatistics> {
        self.statistics.statistics(&self.root, session_id)
    }

    fn clear(&self, session_id: &str) -> Result<Option<u64>> {
        clear::clear(&self.root, &self.journal, session_id)
    }
}

impl fmt::Debug for JsonlStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JsonlStore")
            .field("url", &self.url())
            .finish_non_exhaustive()
    }
}
