//! The audit logger of the specification: what callers keep the record of attempts with.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use crate::attempt::RecoveryAttempt;
use crate::audit::sealing::{RecordSeals, SealWhen};
use crate::audit::{
    Appended, AuditStore, Damage, JournalEvent, NewEntry, Recorder, SessionStarted, session_id,
    this_host,
};
use crate::entry::RecoveryAuditEntry;
use crate::error::{Error, ErrorKind, Result};
use crate::export::{self, ExportFormat, ExportOptions};
use crate::host::{Host, new_id};
use crate::integrity::Seal;
use crate::jsonl::{JsonlOptions, JsonlStore};
use crate::mutex;
use crate::report;
use crate::statistics::RecoveryStatistics;
use crate::wording::counted;

/// Number of begun sessions that a logger remembers. Past it, it looks them up again.
const BEGUN_MAX: usize = 10_000;

/// The error type of an attempt whose failure was not named.
pub const ERROR_TYPE_UNKNOWN: &str = "unknown";

/// The fields of an attempt's record beside the attempt.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AttemptRecord {
    /// Paths that the strategy changed, relative to the workspace.
    pub files_modified: Vec<String>,
    /// Whether the tree was put back after the attempt.
    pub rollback_performed: bool,
    /// The step that follows.
    pub next_action: String,
}

/// Keeps the record of every attempt in a store.
///
/// ```
/// use std::sync::Arc;
///
/// use auto_recovery::host::{Host, SystemHost, timestamp};
/// use auto_recovery::logger::AttemptRecord;
/// use auto_recovery::{RecoveryAttempt, RecoveryAuditLogger, RecoveryStrategyType};
///
/// let dir = tempfile::tempdir().expect("a directory for the trail");
/// let host = Arc::new(SystemHost::new());
/// let logger = RecoveryAuditLogger::open(&dir.path().join("audit"), host.clone())?;
/// let session = logger.start_session(Some("nightly"))?;
///
/// let attempt = RecoveryAttempt {
///     attempt_number: 1,
///     strategy: RecoveryStrategyType::Fix,
///     success: true,
///     error_before: None,
///     error_after: None,
///     changes_made: vec!["sorted the imports".to_owned()],
///     timestamp: timestamp(host.now()),
///     duration_seconds: 0.2,
///     message: "the linter passed".to_owned(),
/// };
/// let record = AttemptRecord {
///     files_modified: vec!["app.py".to_owned()],
///     ..AttemptRecord::default()
/// };
/// // The id comes back once the entry is on disk.
/// let entry_id = logger.log_recovery_attempt(&attempt, &session, record)?;
///
/// let history = logger.get_recovery_history(&session)?;
/// assert_eq!(history[0].entry_id, entry_id);
/// assert_eq!(history[0].files_modified, ["app.py"]);
/// # Ok::<(), auto_recovery::Error>(())
/// ```
pub struct RecoveryAuditLogger {
    store: Arc<dyn AuditStore>,
    host: Arc<dyn Host>,
    audit_dir: Option<PathBuf>,
    caller: SessionStarted,
    begun: Mutex<HashSet<String>>,
    seals: Option<RecordSeals>,
}

impl RecoveryAuditLogger {
    /// A logger that writes to `store`. Exports and reports go to `audit_dir` unless they are given
    /// a path.
    pub fn new(
        store: Arc<dyn AuditStore>,
        host: Arc<dyn Host>,
        audit_dir: Option<PathBuf>,
    ) -> Self {
        Self {
            store,
            host,
            audit_dir,
            caller: SessionStarted::default(),
            begun: Mutex::default(),
            seals: None,
        }
    }

    /// The same logger, which seals what it records, with keys in `state_dir`. With
    /// [`SealWhen::Attempts`] whoever records makes a seal once 4,096 entries or 60 s came since
    /// the last one, but sealing takes at most a fiftieth of the time, and a manager makes one
    /// before each attempt; with [`SealWhen::Sessions`] too a manager makes one when a recovery
    /// ends, and [`RecoveryAuditLogger::close`] the last one. A session that is cleared is under a
    /// seal before and after.
    #[must_use]
    pub fn sealing(mut self, state_dir: &Path, when: SealWhen) -> Self {
        let (store, host) = (Arc::clone(&self.store), Arc::clone(&self.host));
        self.seals = Some(RecordSeals::new(store, (state_dir, when), host));
        self
    }

    /// The same logger, whose sessions say what `caller` knows of the program that records: its
    /// command, directory, workspace, project and user. The machine, the process and the release
    /// are this one's.
    #[must_use]
    pub fn for_caller(mut self, caller: SessionStarted) -> Self {
        self.caller = caller;
        self
    }

    /// A logger that writes to the JSONL store in `audit_dir`, durably.
    ///
    /// # Errors
    /// As [`JsonlStore::open`].
    pub fn open(audit_dir: &Path, host: Arc<dyn Host>) -> Result<Self> {
        let store = JsonlStore::open(
            audit_dir,
            JsonlOptions::default(),
            Recorder::new(Arc::clone(&host)),
        )?;
        Ok(Self::new(
            Arc::new(store),
            host,
            Some(audit_dir.to_path_buf()),
        ))
    }

    /// The store it writes to.
    pub fn store(&self) -> &Arc<dyn AuditStore> {
        &self.store
    }

    /// Begins a session, or continues the one that has this id. Returns its id.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`] if it cannot be an id; otherwise if the store cannot be written.
    pub fn start_session(&self, session_id: Option<&str>) -> Result<String> {
        self.begin_session(session_id, self.unnamed_start())
    }

    /// As [`RecoveryAuditLogger::start_session`], for callers that know what is to be recovered.
    ///
    /// # Errors
    /// As [`RecoveryAuditLogger::start_session`].
    pub fn begin_session(
        &self,
        session_id: Option<&str>,
        started: SessionStarted,
    ) -> Result<String> {
        let session_id = match session_id {
            Some(session_id) => session_id.to_owned(),
            None => new_id("session"),
        };
        self.store
            .record(Some(&session_id), JournalEvent::SessionStarted(started))?;
        if let Some(seals) = &self.seals {
            seals.recorded(&session_id);
        }
        self.remember(&session_id);
        Ok(session_id)
    }

    /// The ids of all sessions that have entries, newest first.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub fn get_all_session_ids(&self) -> Result<Vec<String>> {
        self.read_session_ids().map(|(ids, _)| ids)
    }

    /// The same, and what of the store could not be read.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub fn read_session_ids(&self) -> Result<(Vec<String>, Vec<Damage>)> {
        let (sessions, damage) = self.store.read_sessions()?;
        let ids = sessions
            .into_iter()
            .filter(|session| session.total_attempts > 0)
            .map(|session| session.session_id);
        Ok((ids.collect(), damage))
    }

    /// Records `attempt`, which `record` says more of, and returns the id of its entry once it is
    /// durable. A session that is new begins.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`] if the id or the attempt cannot be recorded; otherwise if the
    /// store cannot be written. Nothing is recorded then.
    pub fn log_recovery_attempt(
        &self,
        attempt: &RecoveryAttempt,
        session_id: &str,
        record: AttemptRecord,
    ) -> Result<String> {
        let number_by_store = attempt.attempt_number == 0;
        let appended = self.log_one(attempt, session_id, record, number_by_store)?;
        Ok(appended.entry_id)
    }

    /// As [`RecoveryAuditLogger::log_recovery_attempt`], with the number that follows the session's
    /// last, also of other recorders.
    ///
    /// # Errors
    /// As [`RecoveryAuditLogger::log_recovery_attempt`].
    pub fn log_numbered(
        &self,
        attempt: &RecoveryAttempt,
        session_id: &str,
        record: AttemptRecord,
    ) -> Result<Appended> {
        self.log_one(attempt, session_id, record, true)
    }

    fn log_one(
        &self,
        attempt: &RecoveryAttempt,
        session_id: &str,
        record: AttemptRecord,
        number_by_store: bool,
    ) -> Result<Appended> {
        let (error_type, error_message) = match &attempt.error_before {
            Some(failure) => (failure.error_type.clone(), failure.message.clone()),
            None => (ERROR_TYPE_UNKNOWN.to_owned(), String::new()),
        };
        let entry = RecoveryAuditEntry {
            entry_id: String::new(),
            timestamp: attempt.timestamp.clone(),
            session_id: session_id.to_owned(),
            error_type,
            strategy: attempt.strategy.as_str().to_owned(),
            attempt_number: attempt.attempt_number,
            success: attempt.success,
            changes_made: attempt.changes_made.clone(),
            files_modified: record.files_modified,
            rollback_performed: record.rollback_performed,
            next_action: record.next_action,
            duration_seconds: attempt.duration_seconds,
            error_message,
            recovery_message: attempt.message.clone(),
        };
        let appended = self.log_entries(vec![NewEntry {
            number_by_store,
            entry,
        }])?;
        appended
            .into_iter()
            .next()
            .ok_or_else(|| Error::new(ErrorKind::Damaged, "the store acknowledged no entry"))
    }

    /// Records entries that are ready, in order, and returns once all are durable. Sessions that
    /// are new begin.
    ///
    /// # Errors
    /// As [`RecoveryAuditLogger::log_recovery_attempt`].
    pub fn log_entries(&self, entries: Vec<NewEntry>) -> Result<Vec<Appended>> {
        for new in &entries {
            self.begin_if_new(&new.entry.session_id)?;
        }
        let Some(seals) = &self.seals else {
            return self.store.append(entries);
        };
        let appended = self.store.append(entries)?;
        let sessions = appended.iter().map(|one| one.session_id.as_str());
        // What could not be sealed is due again, and `close` says why.
        drop(seals.appended(sessions));
        Ok(appended)
    }

    /// Seals what this logger recorded and is not under a seal yet. Returns the seal; `None` if
    /// there is nothing, or the logger seals nothing. It can go on recording.
    ///
    /// # Errors
    /// If it cannot be sealed: what is on record stays as it is, and the next call tries again.
    pub fn close(&self) -> Result<Option<Seal>> {
        self.seals.as_ref().map_or(Ok(None), RecordSeals::close)
    }

    /// A strategy is about to act: what is on record of `session_id`, that strategy cannot change
    /// unnoticed.
    pub(crate) fn seal_before_attempt(&self, session_id: &str) {
        if let Some(seals) = &self.seals {
            drop(seals.before_attempt(session_id));
        }
    }

    /// A recovery of `session_id` ended.
    pub(crate) fn seal_after_recovery(&self, session_id: &str) {
        if let Some(seals) = &self.seals {
            drop(seals.recovery_ended(session_id));
        }
    }

    /// Every entry of a session, in order; none for an unknown one.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub fn get_recovery_history(&self, session_id: &str) -> Result<Vec<RecoveryAuditEntry>> {
        self.read_history(session_id).map(|(entries, _)| entries)
    }

    /// The same, and what of the trail could not be read.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub fn read_history(&self, session_id: &str) -> Result<(Vec<RecoveryAuditEntry>, Vec<Damage>)> {
        let mut entries = Vec::new();
        let damage = self.store.read_trail(session_id, &mut |stored| {
            entries.push(stored.into_entry());
            Ok(())
        })?;
        Ok((entries, damage))
    }

    /// The statistics of a session; zeros for an unknown one.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub fn get_recovery_statistics(&self, session_id: &str) -> Result<RecoveryStatistics> {
        self.store.statistics(session_id)
    }

    /// Writes the trail of a session to a new file in the audit directory, and returns its path.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`] if the session has no entries or there is no audit directory;
    /// otherwise if the store cannot be read or the file not be written.
    pub fn export_audit_trail(&self, session_id: &str, format: ExportFormat) -> Result<PathBuf> {
        self.export(session_id, format).map(|(path, _)| path)
    }

    /// The same, and what of the trail could not be read.
    ///
    /// # Errors
    /// As [`RecoveryAuditLogger::export_audit_trail`].
    pub fn export(&self, session_id: &str, format: ExportFormat) -> Result<(PathBuf, Vec<Damage>)> {
        let now = self.host.now();
        let stem = format!(
            "{}_audit_{}",
            session_id::encode(session_id)?,
            export::file_stamp(now)
        );
        let options = ExportOptions {
            format,
            ..ExportOptions::default()
        };
        let mut damage = Vec::new();
        let path = export::create_in(self.audit_dir()?, &stem, format.as_str(), &mut |out| {
            let written = export::export_session(&*self.store, session_id, &options, now, out)?;
            damage = written.damage;
            Ok(())
        })?;
        Ok((path, damage))
    }

    /// Writes the report of a session, as JSON, to `path` or to a new file in the audit directory,
    /// and returns its path. A session without entries has a report too.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`] if there is neither a path nor an audit directory; otherwise if
    /// the store cannot be read or the file not be written.
    pub fn generate_recovery_report(
        &self,
        session_id: &str,
        path: Option<&Path>,
    ) -> Result<PathBuf> {
        self.report(session_id, path).map(|(path, _)| path)
    }

    /// The same, and what of the trail could not be read.
    ///
    /// # Errors
    /// As [`RecoveryAuditLogger::generate_recovery_report`].
    pub fn report(&self, session_id: &str, path: Option<&Path>) -> Result<(PathBuf, Vec<Damage>)> {
        let now = self.host.now();
        let mut damage = Vec::new();
        let mut write = |out: &mut dyn std::io::Write| {
            damage = report::write_json(&*self.store, session_id, now, out)?;
            Ok(())
        };
        if let Some(path) = path {
            export::replace(path, &mut write)?;
            return Ok((path.to_path_buf(), damage));
        }
        let stem = format!(
            "{}_report_{}",
            session_id::encode(session_id)?,
            export::file_stamp(now)
        );
        let path = export::create_in(self.audit_dir()?, &stem, "json", &mut write)?;
        Ok((path, damage))
    }

    /// Removes the trail of a session. Returns how many entries went, `None` if there was no such
    /// session.
    ///
    /// # Errors
    /// If the store cannot be written.
    pub fn clear_session(&self, session_id: &str) -> Result<Option<u64>> {
        mutex::lock(&self.begun).remove(session_id);
        let clear = || self.store.clear(session_id);
        match &self.seals {
            Some(seals) => seals.around(session_id, clear),
            None => clear(),
        }
    }

    /// Removes the trails of all sessions. Returns how many sessions went. One that cannot be
    /// removed keeps none of the others.
    ///
    /// # Errors
    /// The first that kept a session from being removed, or the store from being read; the others
    /// are cleared by then.
    pub fn clear_all_sessions(&self) -> Result<u64> {
        let (sessions, damage) = self.store.read_sessions()?;
        let mut cleared = 0;
        let mut first_error = None;
        for session in sessions {
            match self.clear_session(&session.session_id) {
                Ok(entries) => cleared += u64::from(entries.is_some()),
                Err(error) if error.kind().spares_others() => {
                    first_error = first_error.or(Some(error));
                }
                Err(error) => return Err(error),
            }
        }
        match (first_error, damage.iter().find(|one| one.is_of_all())) {
            (Some(error), _) => Err(error),
            (None, Some(unread)) => Err(Error::new(
                ErrorKind::Damaged,
                format!(
                    "removed {}, and this was left: {unread}",
                    counted(cleared, "session")
                ),
            )),
            (None, None) => Ok(cleared),
        }
    }

    fn audit_dir(&self) -> Result<&Path> {
        self.audit_dir.as_deref().ok_or_else(|| {
            Error::new(
                ErrorKind::InvalidInput,
                "there is no audit directory to write to: give one, or a path",
            )
        })
    }

    /// Journals that `session_id` begins, unless it did: once a session, not once a process that
    /// logs to it.
    fn begin_if_new(&self, session_id: &str) -> Result<()> {
        let known = mutex::lock(&self.begun).contains(session_id);
        if known {
            return Ok(());
        }
        if self.store.is_known(session_id)? {
            self.remember(session_id);
            return Ok(());
        }
        self.begin_session(Some(session_id), self.unnamed_start())
            .map(drop)
    }

    fn remember(&self, session_id: &str) {
        let mut begun = mutex::lock(&self.begun);
        if begun.len() >= BEGUN_MAX {
            begun.clear();
        }
        begun.insert(session_id.to_owned());
    }

    fn unnamed_start(&self) -> SessionStarted {
        SessionStarted {
            host: Some(this_host()),
            pid: std::process::id(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            ..self.caller.clone()
        }
    }
}

impl std::fmt::Debug for RecoveryAuditLogger {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RecoveryAuditLogger")
            .field("store", &self.store.url())
            .field("audit_dir", &self.audit_dir)
            .finish_non_exhaustive()
    }
}
