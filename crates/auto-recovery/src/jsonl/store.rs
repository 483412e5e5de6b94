//! The store as its callers see it.

use std::fmt;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use super::dir::Dir;
use super::io::{FileIo, SystemIo};
use super::keys::KeyDir;
use super::read::{after, pages, sessions, trail};
use super::root::Root;
use super::sums::aggregate;
use super::sums::cache::StatisticsCache;
use super::write::append_call;
use super::write::appender::Appender;
use super::write::kind::Kind;
use super::write::open_trails::OpenTrails;
use super::{claim, follow, import, remove};
use crate::audit::encrypting::KeyStore;
use crate::audit::sealing::SealStore;
use crate::audit::{
    Appended, AuditStore, Claim, Damage, Durability, Follower, Importer, JournalEvent, JournalLine,
    JournalRecord, NewEntry, ReadAfter, Recorder, Removal, Removed, Seen, SessionHeld, SessionKey,
    SessionPage, SessionQuery, SessionSummary, StoredEntry, session_id,
};
use crate::error::{Error, ErrorKind, Result};
use crate::files::{Purpose, check_own_dir};
use crate::statistics::{AggregateQuery, Aggregates, RecoveryStatistics};

/// How a JSONL store works.
#[derive(Clone, Debug)]
pub struct JsonlOptions {
    /// When an append is acknowledged.
    pub durability: Durability,
    /// How many trails are kept open for appending. Systems allow a process 256 to 1,024 files.
    pub open_trails_max: usize,
    /// How many bytes a question must have read for its sums to be left to later ones, in
    /// `DIR/rollups`. Reading a mebibyte anew takes some milliseconds.
    pub rollup_bytes_min: u64,
}

impl Default for JsonlOptions {
    fn default() -> Self {
        Self {
            durability: Durability::default(),
            open_trails_max: 128,
            rollup_bytes_min: 1 << 20,
        }
    }
}

/// A store of trails in a directory of text files, see the module's page for the format.
///
/// ```
/// use std::sync::Arc;
///
/// use auto_recovery::RecoveryAuditLogger;
/// use auto_recovery::audit::{AuditStore, Recorder};
/// use auto_recovery::host::SystemHost;
/// use auto_recovery::jsonl::{JsonlOptions, JsonlStore};
///
/// # let dir = tempfile::tempdir().expect("a directory for the trail");
/// # let dir = dir.path().join("audit");
/// let host = Arc::new(SystemHost::new());
/// // Nothing is made before something is written.
/// let recorder = Recorder::new(host.clone());
/// let store = Arc::new(JsonlStore::open(&dir, JsonlOptions::default(), recorder)?);
/// let logger = RecoveryAuditLogger::new(store.clone(), host, Some(dir));
/// logger.start_session(Some("nightly"))?;
///
/// let (sessions, damage) = store.read_sessions()?;
/// assert_eq!((sessions[0].session_id.as_str(), damage.len()), ("nightly", 0));
/// # Ok::<(), auto_recovery::Error>(())
/// ```
pub struct JsonlStore {
    pub(super) root: Arc<Root>,
    pub(super) journal: Arc<Appender>,
    pub(super) seals: Appender,
    trails: OpenTrails,
    statistics: StatisticsCache,
}

impl JsonlStore {
    /// The store in `dir`. Makes nothing: a directory that does not exist is an empty store, and
    /// the first write makes it.
    ///
    /// # Errors
    /// [`ErrorKind::Io`] if `dir` is something else than a directory of the effective user's own,
    /// or cannot be looked at.
    pub fn open(dir: &Path, options: JsonlOptions, recorder: Arc<Recorder>) -> Result<Self> {
        Self::open_with_io(dir, options, recorder, Arc::new(SystemIo))
    }

    /// As [`JsonlStore::open`], touching files through `io`.
    ///
    /// # Errors
    /// As [`JsonlStore::open`].
    pub fn open_with_io(
        dir: &Path,
        options: JsonlOptions,
        recorder: Arc<Recorder>,
        io: Arc<dyn FileIo>,
    ) -> Result<Self> {
        // Whoever changes the current directory later still means this one.
        let dir = std::path::absolute(dir)
            .map_err(|error| Error::io("find audit directory", dir, error))?;
        match std::fs::metadata(&dir) {
            Ok(metadata) if !metadata.is_dir() => {
                return Err(Error::new(
                    ErrorKind::Io,
                    format!(
                        "{} is not a directory: give one to keep the audit trail in",
                        dir.display()
                    ),
                ));
            }
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(Error::io("open audit directory", &dir, error));
            }
            Ok(_) => check_own_dir(&dir, Purpose::Store)
                .map_err(|error| Error::io("open audit directory", &dir, error))?,
            Err(_) => {}
        }
        let keys = Arc::new(KeyDir::new(dir.clone(), Arc::clone(&io)));
        recorder.keep_keys(Arc::clone(&keys) as Arc<dyn KeyStore>);
        let root = Arc::new(Root::new(Dir {
            path: dir,
            io,
            keys,
            recorder,
            durability: options.durability,
            rollup_bytes_min: options.rollup_bytes_min,
            is_placed: AtomicBool::new(false),
        }));
        let journal = Appender::new(Arc::clone(&root), root.dir.journal_path(), Kind::Journal);
        let journal = Arc::new(journal);
        let note = Arc::clone(&journal);
        let kind = Kind::Seals {
            note: Box::new(move |line| note.commit_record(line)),
        };
        let seals = Appender::new(Arc::clone(&root), root.dir.seals_path(), kind);
        Ok(Self {
            root,
            journal,
            seals,
            trails: OpenTrails::new(options.open_trails_max),
            statistics: StatisticsCache::default(),
        })
    }
}

impl JsonlStore {
    /// Adds a journal record that another recorder made, as it is.
    pub(crate) fn keep_record(&self, line: &JournalLine) -> Result<()> {
        self.journal.commit_record(line)
    }
}

impl AuditStore for JsonlStore {
    fn url(&self) -> String {
        format!("jsonl:{}", self.root.dir.path.display())
    }

    fn append(&self, entries: Vec<NewEntry>) -> Result<Vec<Appended>> {
        append_call::append(&self.root, &self.journal, &self.trails, entries)
    }

    fn record(&self, session_id: Option<&str>, event: JournalEvent) -> Result<()> {
        if let Some(session_id) = session_id {
            session_id::encode(session_id)?;
        }
        let line = self.root.dir.recorder.record(session_id, event)?;
        self.journal.commit_record(&line)
    }

    fn read_sessions(&self) -> Result<(Vec<SessionSummary>, Vec<Damage>)> {
        sessions::list(&self.root)
    }

    fn read_session_page(
        &self,
        query: &SessionQuery,
        after: Option<&SessionKey>,
        limit: usize,
    ) -> Result<SessionPage> {
        pages::read(&self.root, query, after, limit)
    }

    fn is_known(&self, session_id: &str) -> Result<bool> {
        sessions::is_known(&self.root, session_id)
    }

    fn read_trail(
        &self,
        session_id: &str,
        visit: &mut dyn FnMut(StoredEntry<'_>) -> Result<()>,
    ) -> Result<Vec<Damage>> {
        trail::read_trail(&self.root, session_id, visit)
    }

    fn read_last(
        &self,
        session_id: &str,
        count: usize,
        visit: &mut dyn FnMut(StoredEntry<'_>) -> Result<()>,
    ) -> Result<Vec<Damage>> {
        trail::read_last(&self.root, session_id, count, visit)
    }

    fn read_after(
        &self,
        session_id: &str,
        seen: &mut Seen,
        visit: &mut dyn FnMut(StoredEntry<'_>) -> Result<()>,
    ) -> Result<ReadAfter> {
        after::read_after(&self.root, session_id, seen, visit)
    }

    fn read_records_raw(
        &self,
        session_id: Option<&str>,
        visit: &mut dyn FnMut(&[u8]) -> Result<()>,
    ) -> Result<Vec<Damage>> {
        trail::read_records_raw(&self.root, session_id, visit)
    }

    fn read_journal(
        &self,
        session_id: Option<&str>,
        visit: &mut dyn FnMut(JournalRecord) -> Result<()>,
    ) -> Result<Vec<Damage>> {
        trail::read_journal(&self.root, session_id, visit)
    }

    fn held(&self, session_id: &str) -> Result<Option<SessionHeld>> {
        Ok(self.root.events(session_id)?.facts.held.clone())
    }

    fn read_statistics(&self, session_id: &str) -> Result<(RecoveryStatistics, Vec<Damage>)> {
        self.statistics.statistics(&self.root, session_id)
    }

    fn read_aggregate(&self, query: &AggregateQuery) -> Result<(Aggregates, Vec<Damage>)> {
        aggregate::aggregate(&self.root, query)
    }

    fn remove(&self, session_id: &str, removal: &Removal) -> Result<Removed> {
        remove::remove(&self.root, &self.journal, session_id, removal)
    }

    fn claim(&self) -> Result<Option<Box<dyn Claim>>> {
        claim::claim(&self.root, &self.url())
    }

    fn follower(&self) -> Result<Box<dyn Follower + '_>> {
        Ok(follow::follower(&self.root))
    }

    fn seals(&self) -> Result<Option<&dyn SealStore>> {
        Ok(Some(self))
    }

    fn keys(&self) -> Result<Option<&dyn KeyStore>> {
        Ok(Some(&*self.root.dir.keys))
    }

    fn importer(&self) -> Result<Box<dyn Importer + '_>> {
        let (root, journal, trails) = (&self.root, &self.journal, &self.trails);
        let importer = import::JsonlImporter::new(root, journal, trails)?;
        Ok(Box::new(importer))
    }
}

impl fmt::Debug for JsonlStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JsonlStore")
            .field("url", &self.url())
            .finish_non_exhaustive()
    }
}
