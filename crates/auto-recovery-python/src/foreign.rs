//! A logger of the caller's own in the place of ours: a mock, or a subclass with its own
//! `log_recovery_attempt`. The loop records through its Python methods.

use std::sync::{Arc, Mutex};

use auto_recovery::audit::{
    Appended, AuditStore, Damage, Follower, Importer, JournalEvent, JournalRecord, NewEntry,
    Removal, Removed, SessionSummary, StoredEntry,
};
use auto_recovery::mutex;
use auto_recovery::statistics::{AggregateQuery, Aggregates, Grouping};
use auto_recovery::{
    Error, ErrorKind, RecoveryAttempt, RecoveryStatistics, RecoveryStrategyType, Result,
};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::attempt::{self, Failures};
use crate::case::Case;
use crate::value::text;

/// A store whose entries go to a Python logger. It reads nothing: who asks for a trail asks the
/// logger.
pub(crate) struct ForeignLog {
    pub(crate) logger: Py<PyAny>,
    /// The session as the manager has it.
    pub(crate) session_id: Py<PyAny>,
    pub(crate) case: Arc<Case>,
    /// Keeps the journal where the logger is one of ours underneath.
    pub(crate) journal: Option<Arc<dyn AuditStore>>,
    /// What the logger raised.
    pub(crate) raised: Arc<Mutex<Option<PyErr>>>,
}

impl ForeignLog {
    fn log(&self, new: &NewEntry) -> PyResult<String> {
        let entry = &new.entry;
        let attempt = RecoveryAttempt {
            attempt_number: entry.attempt_number,
            strategy: RecoveryStrategyType::from(entry.strategy.clone()),
            success: entry.success,
            error_before: None,
            error_after: None,
            changes_made: entry.changes_made.clone(),
            timestamp: entry.timestamp.clone(),
            duration_seconds: entry.duration_seconds,
            message: entry.recovery_message.clone(),
        };
        Python::attach(|py| {
            let failures = Failures {
                before: self.case.error.bind(py),
                after: self.case.error_after(py, None),
            };
            let attempt = attempt::instance(py, &attempt, failures)?;
            self.case.note_attempt(attempt.clone().unbind());
            let named = PyDict::new(py);
            named.set_item(intern!(py, "files_modified"), &entry.files_modified)?;
            named.set_item(intern!(py, "rollback_performed"), entry.rollback_performed)?;
            named.set_item(intern!(py, "next_action"), &entry.next_action)?;
            let logger = self.logger.bind(py);
            let entry_id = logger.call_method(
                intern!(py, "log_recovery_attempt"),
                (attempt, &self.session_id),
                Some(&named),
            )?;
            text(&entry_id)
        })
    }
}

impl AuditStore for ForeignLog {
    fn url(&self) -> String {
        "python:".to_owned()
    }

    fn append(&self, entries: Vec<NewEntry>) -> Result<Vec<Appended>> {
        let mut appended = Vec::new();
        for new in entries {
            let entry_id = self.log(&new).map_err(|error| {
                *mutex::lock(&self.raised) = Some(error);
                Error::new(ErrorKind::Io, "the audit logger raised an exception")
            })?;
            appended.push(Appended {
                entry_id,
                session_id: new.entry.session_id,
                attempt_number: new.entry.attempt_number,
            });
        }
        Ok(appended)
    }

    fn record(&self, session_id: Option<&str>, event: JournalEvent) -> Result<()> {
        match (&self.journal, &event) {
            // The manager had the logger start the session.
            (_, JournalEvent::SessionStarted(_)) | (None, _) => Ok(()),
            (Some(journal), _) => journal.record(session_id, event),
        }
    }

    fn read_sessions(&self) -> Result<(Vec<SessionSummary>, Vec<Damage>)> {
        Ok((Vec::new(), Vec::new()))
    }

    fn is_known(&self, session_id: &str) -> Result<bool> {
        match &self.journal {
            Some(journal) => journal.is_known(session_id),
            None => Ok(false),
        }
    }

    fn read_trail(
        &self,
        session_id: &str,
        visit: &mut dyn FnMut(StoredEntry<'_>) -> Result<()>,
    ) -> Result<Vec<Damage>> {
        match &self.journal {
            Some(journal) => journal.read_trail(session_id, visit),
            None => Ok(Vec::new()),
        }
    }

    fn read_last(
        &self,
        session_id: &str,
        count: usize,
        visit: &mut dyn FnMut(StoredEntry<'_>) -> Result<()>,
    ) -> Result<Vec<Damage>> {
        match &self.journal {
            Some(journal) => journal.read_last(session_id, count, visit),
            None => Ok(Vec::new()),
        }
    }

    fn read_records_raw(
        &self,
        session_id: Option<&str>,
        visit: &mut dyn FnMut(&[u8]) -> Result<()>,
    ) -> Result<Vec<Damage>> {
        match &self.journal {
            Some(journal) => journal.read_records_raw(session_id, visit),
            None => Ok(Vec::new()),
        }
    }

    fn read_journal(
        &self,
        session_id: Option<&str>,
        visit: &mut dyn FnMut(JournalRecord) -> Result<()>,
    ) -> Result<Vec<Damage>> {
        match &self.journal {
            Some(journal) => journal.read_journal(session_id, visit),
            None => Ok(Vec::new()),
        }
    }

    fn read_statistics(&self, session_id: &str) -> Result<(RecoveryStatistics, Vec<Damage>)> {
        match &self.journal {
            Some(journal) => journal.read_statistics(session_id),
            None => Ok((RecoveryStatistics::default(), Vec::new())),
        }
    }

    fn read_aggregate(&self, query: &AggregateQuery) -> Result<(Aggregates, Vec<Damage>)> {
        match &self.journal {
            Some(journal) => journal.read_aggregate(query),
            None => Ok((Grouping::default().aggregates(), Vec::new())),
        }
    }

    fn remove(&self, _session_id: &str, _removal: &Removal) -> Result<Removed> {
        Ok(Removed::Unknown)
    }

    fn follower(&self) -> Result<Box<dyn Follower + '_>> {
        match &self.journal {
            Some(journal) => journal.follower(),
            None => Err(Error::new(
                ErrorKind::Refused,
                "an audit logger of your own cannot be followed",
            )),
        }
    }

    fn importer(&self) -> Result<Box<dyn Importer + '_>> {
        Err(Error::new(
            ErrorKind::Refused,
            "an audit logger of your own takes nothing over",
        ))
    }
}
