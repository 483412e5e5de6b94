//! A run under way: what every part of its story needs.
//!
//! It tells whoever watches and knows when it began; it decides nothing.

use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::attempt::RecoveryResult;
use crate::failure::{Category, Failure};
use crate::host::timestamp;
use crate::process::{Completion, Exit};
use crate::run::event::{RunEvent, RunObserver};
use crate::run::outcome::{RunExit, RunOutcome};
use crate::run::runner::Runner;
use crate::strategy::RecoveryStrategyType;

/// A run under way.
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

    /// The outcome of a failed run for which nothing was tried because of `why`.
    pub(super) fn untried(&self, failed: Failed, why: &str) -> RunOutcome {
        let mut result = self.without_attempts(false, why.to_owned());
        result.final_error = Some(failed.failure);
        RunOutcome {
            exit: failed.exit,
            session_id: None,
            result,
            flaky: false,
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
        self.observer
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .observe(event);
    }
}
