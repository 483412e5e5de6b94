//! Summary of a session's journal records: the same for every store.

use rustix::process::{Pid, test_kill_process};
use serde::{Deserialize, Serialize};

use crate::audit::{JournalEvent, SessionHeld, SessionOutcome, SessionStarted, SessionSummary};
use crate::statistics::{SessionEnd, SessionTraits, Tally, earlier, instant, whole_ms};

/// Microseconds in a millisecond.
const MICROS: i64 = 1000;

/// Summary of one session's journal records since its trail was last removed.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct JournalSummary {
    /// When it is first mentioned; `None` if it is not.
    pub first_at: Option<String>,
    /// Start record of its last recorder.
    pub started: Option<SessionStarted>,
    /// Whether an attempt began, so the recorder is one that also records a session's end.
    pub has_intents: bool,
    /// Its recorded outcome.
    pub outcome: Option<SessionOutcome>,
    /// After how many milliseconds.
    pub took_ms: Option<u64>,
    /// Number of its recoveries that passed by plain retry.
    pub flaky: u64,
    /// The category of its last failure.
    pub category: Option<String>,
    /// The place where its last failure was seen.
    pub source: Option<String>,
    /// The hold on it, with its user and reason.
    pub held: Option<SessionHeld>,
}

impl JournalSummary {
    /// Adds what a record of the session says that was written at `at`.
    pub fn apply(&mut self, at: &str, event: &JournalEvent) {
        match event {
            JournalEvent::SessionCleared(_) | JournalEvent::SessionPruned(_) => {
                *self = Self::default();
                return;
            }
            JournalEvent::SessionHeld(held) => {
                self.held = Some(held.clone());
                return;
            }
            JournalEvent::SessionReleased(_) => {
                self.held = None;
                return;
            }
            JournalEvent::TailQuarantined(_)
            | JournalEvent::TrailRemoved(_)
            | JournalEvent::TrailSealed(_)
            | JournalEvent::TrailImported(_)
            | JournalEvent::ChainStarted(_)
            | JournalEvent::SealSigned(_)
            | JournalEvent::SealWitnessed(_)
            | JournalEvent::SealNotPublished(_)
            | JournalEvent::KeysDestroyed(_)
            | JournalEvent::AlertSaid(_) => return,
            JournalEvent::SessionStarted(started) => {
                self.started = Some(started.clone());
                self.outcome = None;
            }
            JournalEvent::FailureDetected(detected) => {
                self.category = Some(detected.category.as_str().to_owned());
                let source = &detected.failure.source;
                self.source = (!source.is_empty()).then(|| source.clone());
            }
            JournalEvent::SessionFinished(finished) => {
                self.outcome = Some(finished.outcome);
                self.took_ms = Some(whole_ms(finished.duration_seconds));
                self.flaky += u64::from(finished.flaky);
            }
            JournalEvent::AttemptStarted(_) => self.has_intents = true,
            // What the session began with is what it is about.
            JournalEvent::FailureChanged(_)
            | JournalEvent::AttemptFinished(_)
            | JournalEvent::Restored(_)
            | JournalEvent::Other => {}
        }
        if self.first_at.is_none() {
            self.first_at = Some(at.to_owned());
        }
    }

    /// When the session began, if its first entry ended at `first_entry`.
    pub fn session_start(&self, first_entry: Option<&str>) -> Option<String> {
        earlier(self.first_at.as_deref(), first_entry).map(str::to_owned)
    }

    /// Its line in a list of sessions, given the sums and the size in bytes of its entries.
    pub fn summary(&self, session_id: String, tally: Tally, bytes: u64) -> SessionSummary {
        let started = self.started.clone().unwrap_or_default();
        SessionSummary {
            session_id,
            session_start: self.session_start(tally.first_timestamp.as_deref()),
            outcome: self.outcome(tally.last_succeeded),
            last_attempt_timestamp: tally.last_timestamp,
            total_attempts: tally.total,
            successful_attempts: tally.successful,
            command: started.command,
            cwd: started.cwd,
            project: started.project,
            host: started.host,
            user: started.user,
            workspace: started.workspace,
            bytes,
            held: self.held.clone(),
        }
    }

    /// The properties by which its entries can be grouped.
    pub fn traits(&self) -> SessionTraits<'_> {
        let started = self.started.as_ref();
        SessionTraits {
            category: self.category.as_deref(),
            source: self.source.as_deref(),
            project: started.and_then(|started| started.project.as_deref()),
            host: started.and_then(|started| started.host.as_deref()),
            recipes: None,
        }
    }

    /// Its end: as its recorder said or, where it said nothing, by the last of its entries.
    pub fn end(&self, tally: &Tally) -> SessionEnd {
        match self.outcome {
            Some(SessionOutcome::Recovered) => SessionEnd::Recovered(self.took_ms),
            Some(SessionOutcome::Escalated) => SessionEnd::Escalated,
            None if tally.last_succeeded => {
                let start = self.session_start(tally.first_timestamp.as_deref());
                let moment = |time: Option<&str>| time.and_then(instant);
                let took = moment(tally.last_timestamp.as_deref())
                    .zip(moment(start.as_deref()))
                    .and_then(|(end, start)| u64::try_from((end - start) / MICROS).ok());
                SessionEnd::Recovered(took)
            }
            _ => SessionEnd::Other,
        }
    }

    /// Its outcome, as far as it can be known, where its last entry was a success if
    /// `last_succeeded`: of a session that was only logged, that is its end.
    pub fn outcome(&self, last_succeeded: bool) -> SessionOutcome {
        match self.outcome_on_record() {
            SessionOutcome::Unknown if last_succeeded => SessionOutcome::Recovered,
            outcome => outcome,
        }
    }

    fn outcome_on_record(&self) -> SessionOutcome {
        if let Some(outcome) = self.outcome {
            return outcome;
        }
        let Some(started) = &self.started else {
            return SessionOutcome::Unknown;
        };
        let host = started.host.as_deref();
        let elsewhere = host.is_some_and(|host| host != this_host());
        if elsewhere || started.pid == 0 {
            SessionOutcome::Unknown
        } else if is_alive(started.pid) {
            SessionOutcome::Running
        } else if started.command.is_some() || self.has_intents {
            SessionOutcome::Interrupted
        } else {
            // Who only logs attempts need not say that it was the last.
            SessionOutcome::Unknown
        }
    }
}

/// Whether the process exists. Another may have its number by now, which cannot be seen.
fn is_alive(pid: u32) -> bool {
    let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) else {
        return false;
    };
    // Refused because it is another user's: it exists.
    !matches!(test_kill_process(pid), Err(rustix::io::Errno::SRCH))
}

/// The name of this machine, as sessions record it.
pub fn this_host() -> String {
    rustix::system::uname()
        .nodename()
        .to_string_lossy()
        .into_owned()
}
