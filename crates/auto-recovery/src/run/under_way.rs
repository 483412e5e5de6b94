//! A run under way: what every part of its story needs.
//!
//! It tells whoever watches and knows when it began; it decides nothing.

use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::attempt::RecoveryResult;
use crate::failure::{Category, Failure};
use crate::host::timestamp;
use crate::mutex;
use crate::process::{Completion, Exit};
use crate::run::event::{RunEvent, RunObserver};
use crate::run::outcome::{FirstFailure, RunEnd, RunExit, RunOutcome};
use crate::run::runner::Runner;
use crate::strategy::RecoveryStrategyType;

/// A run under way.
#[derive(Clone)]
pub(super) struct Run {
    pub(super) runner: Arc<Runner>,
    pub(super) observer: Arc<Mutex<dyn RunObserver>>,
    /// When it began, on the host's monotonic clock.
    pub(super) started: Duration,
    /// How many attempts were begun.
    pub(super) tried: Arc<AtomicUsize>,
}

/// A failed run of the user's command.
pub(super) struct Failed {
    pub(super) failure: Failure,
    pub(super) category: Category,
    pub(super) rule: String,
    /// How `recover` ends if nothing helps.
    pub(super) exit: RunExit,
    /// What ran; `None` if nothing could be started.
    pub(super) ran: Option<Completion>,
}

/// The last failed run of the command, as the verifier saw it.
#[derive(Clone, Default)]
pub(super) struct LastFailed(Arc<Mutex<Option<Failed>>>);

impl LastFailed {
    /// The last one is `failed`.
    pub(super) fn set(&self, failed: Failed) {
        *mutex::lock(&self.0) = Some(failed);
    }

    pub(super) fn take(&self) -> Option<Failed> {
        mutex::lock(&self.0).take()
    }
}

impl Failed {
    /// How a run ends that could not recover it.
    pub(super) fn end(&self) -> RunEnd {
        match self.ran {
            Some(_) => RunEnd::NotRecovered,
            None => RunEnd::NotStarted,
        }
    }
}

impl Run {
    pub(super) fn show(&self, failed: &Failed) {
        self.observe(&RunEvent::Failed {
            command: &self.runner.command,
            exit: match (&failed.ran, failed.exit) {
                (Some(ran), _) => ran.exit,
                (None, exit) => Exit::Code(exit.shell_code()),
            },
            timed_out: failed.ran.as_ref().is_some_and(|ran| ran.timed_out),
            failure: &failed.failure,
            category: failed.category,
            rule: &failed.rule,
        });
    }

    /// Names what is still there though it had to end.
    pub(super) fn show_not_ended(&self) {
        let processes = self.runner.not_ended();
        if !processes.is_empty() {
            self.observe(&RunEvent::NotEnded {
                processes: &processes,
            });
        }
    }

    /// What a program is told of `failed`: its kind is that of the text on record.
    pub(super) fn first(&self, failed: &Failed) -> FirstFailure {
        let failure = self.runner.redacted(&failed.failure);
        FirstFailure {
            category: failed.category,
            kind: failure.kind(),
            error_type: failure.error_type,
        }
    }

    /// The outcome of a failed run for which nothing was tried because of `why`.
    pub(super) fn untried(&self, failed: Failed, why: &str) -> RunOutcome {
        let (end, failure) = (failed.end(), self.first(&failed));
        let mut result = self.without_attempts(false, why.to_owned());
        result.final_error = Some(failed.failure);
        RunOutcome {
            failure: Some(failure),
            ..self.outcome(failed.exit, end, result)
        }
    }

    /// The outcome of a run for which there is neither a failure nor a session.
    pub(super) fn outcome(&self, exit: RunExit, end: RunEnd, result: RecoveryResult) -> RunOutcome {
        RunOutcome {
            exit,
            end,
            command: self.runner.request.words(),
            failure: None,
            files_modified: Vec::new(),
            session_id: None,
            seal: None,
            result,
            flaky: false,
            patch: None,
        }
    }

    /// The result of a run in which nothing was tried.
    pub(super) fn without_attempts(&self, success: bool, message: String) -> RecoveryResult {
        RecoveryResult {
            success,
            strategy_used: RecoveryStrategyType::Escalate,
            attempts: Vec::new(),
            final_error: None,
            message,
            escalated_to_human: false,
            timestamp: timestamp(self.runner.host.now()),
        }
    }

    pub(super) fn elapsed(&self) -> Duration {
        self.runner.host.monotonic().saturating_sub(self.started)
    }

    pub(super) fn observe(&self, event: &RunEvent<'_>) {
        mutex::lock(&self.observer).observe(event);
    }
}
