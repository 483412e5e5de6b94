//! What rules are decided by: sessions as the feed tells them, and what is known of ourselves.
//!
//! Times are those of [`super::clock::Clock`], which no change of the wall clock moves.

use std::collections::{BTreeMap, BTreeSet};

use auto_recovery::audit::{FailureDetected, JournalEvent, JournalRecord, SessionOutcome};
use auto_recovery::entry::RecoveryAuditEntry;
use serde::{Deserialize, Serialize};

use super::config::Label;

/// The longest text of a failure that is kept.
const MESSAGE_CHARS_MAX: usize = 300;

/// Attempts that are told of one session.
const TRIED_MAX: usize = 8;

/// How a session ended.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Ended {
    pub(crate) at_ms: i64,
    pub(crate) is_recovered: bool,
    pub(crate) is_escalated: bool,
    pub(crate) is_flaky: bool,
    pub(crate) duration_ms: i64,
}

/// What is known of a session.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Session {
    /// When it was last heard of.
    pub(crate) at_ms: i64,
    pub(crate) project: String,
    pub(crate) host: String,
    pub(crate) command: String,
    /// The kind of the failure; empty before one was seen.
    pub(crate) kind: String,
    pub(crate) error_type: String,
    pub(crate) message: String,
    /// When the failure was seen.
    pub(crate) failed_ms: Option<i64>,
    pub(crate) ended: Option<Ended>,
    /// What was tried, in words.
    pub(crate) tried: Vec<String>,
}

/// What is known of ourselves.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Ourselves {
    /// Why the store cannot be used.
    pub(crate) store_away: Option<String>,
    /// Whether the store was read to its end and can be read.
    pub(crate) is_current: bool,
    /// When all of it was last seen.
    pub(crate) current_ms: i64,
    /// Since when the oldest entry waits in the spool.
    pub(crate) spool_since_ms: Option<i64>,
    /// Destinations that are disabled or have a dead message, and those whose oldest message waits
    /// since then.
    pub(crate) failing: BTreeMap<String, i64>,
}

/// All that rules are decided by.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Facts {
    pub(crate) sessions: BTreeMap<String, Session>,
    /// When each name was last heard of.
    pub(crate) beats: BTreeMap<String, i64>,
    pub(crate) ourselves: Ourselves,
    /// Sessions that changed since they were last written, and those whose texts are to go.
    pub(crate) changed: BTreeSet<String>,
    pub(crate) removed: BTreeSet<String>,
}

impl Facts {
    /// Takes in the journal record `raw` of `session_id`; `age` says how old a time is.
    pub(crate) fn record(&mut self, session_id: &str, raw: &str, time: &dyn Fn(&str) -> i64) {
        let Ok(record) = serde_json::from_str::<JournalRecord>(raw) else {
            return;
        };
        let at = time(&record.at);
        let session = self.sessions.entry(session_id.to_owned()).or_default();
        session.at_ms = session.at_ms.max(at);
        match record.event {
            JournalEvent::SessionStarted(started) => {
                session.project = started.project.unwrap_or_default();
                session.host = started.host.unwrap_or_default();
                session.command = cut(&started.command.unwrap_or_default().join(" "));
            }
            JournalEvent::FailureDetected(failure) => session.failed(&failure, at),
            JournalEvent::SessionFinished(finished) => {
                session.ended = Some(Ended {
                    at_ms: at,
                    is_recovered: finished.outcome == SessionOutcome::Recovered,
                    is_escalated: finished.outcome == SessionOutcome::Escalated,
                    is_flaky: finished.flaky,
                    duration_ms: millis(finished.duration_seconds),
                });
            }
            JournalEvent::SessionCleared(_) | JournalEvent::SessionPruned(_) => {
                // What was decided stands; the texts go with the trail.
                session.message = String::new();
                session.command = String::new();
                session.tried.clear();
                self.removed.insert(session_id.to_owned());
            }
            _ => return,
        }
        self.changed.insert(session_id.to_owned());
    }

    /// Takes in the entry `raw` of `session_id`.
    pub(crate) fn entry(&mut self, session_id: &str, raw: &str) {
        let Ok(entry) = serde_json::from_str::<RecoveryAuditEntry>(raw) else {
            return;
        };
        let session = self.sessions.entry(session_id.to_owned()).or_default();
        if session.error_type.is_empty() {
            session.error_type = cut(&entry.error_type);
            session.message = cut(&entry.error_message);
        }
        if session.tried.len() < TRIED_MAX {
            let result = if entry.success {
                "cured it"
            } else {
                "did not help"
            };
            session
                .tried
                .push(cut(&format!("{} {result}", entry.strategy)));
        }
        self.changed.insert(session_id.to_owned());
    }

    /// Forgets sessions that no rule can ask for any more. Returns their ids.
    pub(crate) fn forget(&mut self, before_ms: i64) -> Vec<String> {
        let old = self.sessions.iter();
        let old = old.filter(|(_, session)| session.at_ms < before_ms);
        let old: Vec<String> = old.map(|(id, _)| id.clone()).collect();
        for id in &old {
            self.sessions.remove(id);
            self.changed.remove(id);
        }
        old
    }
}

impl Session {
    fn failed(&mut self, detected: &FailureDetected, at: i64) {
        self.kind = detected.failure.kind();
        self.error_type = cut(&detected.failure.error_type);
        self.message = cut(&detected.failure.message);
        self.failed_ms = Some(at);
    }

    /// The value of `label`.
    pub(crate) fn label(&self, label: Label) -> &str {
        match label {
            Label::Project => &self.project,
            Label::Host => &self.host,
            Label::ErrorType => &self.error_type,
            Label::FailureKind => &self.kind,
        }
    }
}

/// The beginning of `text`.
pub(crate) fn cut(text: &str) -> String {
    match text.char_indices().nth(MESSAGE_CHARS_MAX) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text.to_owned(),
    }
}

fn millis(seconds: f64) -> i64 {
    let duration = std::time::Duration::try_from_secs_f64(seconds.max(0.0)).unwrap_or_default();
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}
