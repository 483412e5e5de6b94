//! One run, from the command's first start to the end.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::attempt::RecoveryResult;
use crate::checkpoint::Protected;
use crate::error::{Error, ErrorKind, Result};
use crate::exit::{EXIT_CANNOT_RUN, EXIT_NOT_FOUND, EXIT_RECOVER_FAILED, EXIT_TIMED_OUT};
use crate::failure::{Category, Failure};
use crate::host::{Host, timestamp};
use crate::process::{Completion, Exit, Interrupt, Stream};
use crate::recipe::RecipeBook;
use crate::run::event::{Console, RunEvent, RunObserver};
use crate::run::guard::{claim_workspace, clean_up, record_pass_after_waiting};
use crate::run::outcome::{RunExit, RunOutcome};
use crate::run::recovering::recover;
use crate::run::request::RunRequest;
use crate::run::runner::{Runner, is_not_ended};
use crate::strategy::RecoveryStrategyType;

/// The world a run happens in.
pub struct World {
    /// Clock, sleep and randomness.
    pub host: Arc<dyn Host>,
    /// The user's wish to stop.
    pub interrupt: Arc<Interrupt>,
    /// Streams.
    pub console: Box<dyn Console>,
    /// Whoever watches.
    pub observer: Arc<Mutex<dyn RunObserver>>,
}

/// A run under way.
pub(super) struct Run {
    pub(super) runner: Arc<Runner>,
    pub(super) observer: Arc<Mutex<dyn RunObserver>>,
    /// When it began, on the host's monotonic clock.
    pub(super) started: Duration,
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

/// What running the command came to.
enum Ran {
    Passed,
    Failed(Box<Failed>),
    /// The user stopped it, or the deadline did, or nobody reads what it writes: nothing is
    /// recovered.
    Over(Box<RunOutcome>),
}

/// Runs a command and, if it fails, recovers it.
///
/// # Errors
/// If `recover` itself fails: the record cannot be written, the tree cannot be kept safe, another
/// recovery holds the workspace and waiting was not wanted. A command that fails is no error.
pub fn run(request: RunRequest, world: World) -> Result<RunOutcome> {
    // What is not sound is told before anything runs, not when it is needed.
    RecipeBook::check(&request.recipes)?;
    Protected::new(&request.protect)?;
    let World {
        host,
        interrupt,
        console,
        observer,
    } = world;
    let started = host.monotonic();
    let runner = Arc::new(Runner::new(request, host, interrupt, console));
    Run {
        runner,
        observer,
        started,
    }
    .go()
}

impl Run {
    fn go(self) -> Result<RunOutcome> {
        clean_up(&self)?;
        let failed = match self.first_run()? {
            Ran::Passed => return Ok(self.passed()),
            Ran::Over(outcome) => return Ok(*outcome),
            Ran::Failed(failed) => failed,
        };
        self.show(&failed);
        if self.runner.request.dry_run {
            return recover(&self, *failed, None);
        }
        let claim = match claim_workspace(&self) {
            Ok(claim) => claim,
            Err(error) => return self.stopped_by(error),
        };
        let failed = match claim.waited() && self.runner.can_run_again().is_ok() {
            false => failed,
            true => match self.first_run()? {
                Ran::Passed => {
                    record_pass_after_waiting(&self)?;
                    self.observe(&RunEvent::PassedAfterWaiting);
                    return Ok(self.passed());
                }
                Ran::Over(outcome) => return Ok(*outcome),
                Ran::Failed(failed) => {
                    self.show(&failed);
                    failed
                }
            },
        };
        recover(&self, *failed, Some(claim))
    }

    fn first_run(&self) -> Result<Ran> {
        let ran = match self.runner.run_command() {
            Ok(ran) => ran,
            Err(error) => return self.could_not_start(error),
        };
        if let Some(signal) = ran.interrupted {
            return Ok(Ran::Over(Box::new(self.stopped(RunExit::Signal(signal)))));
        }
        if ran.deadline_passed || is_not_ended(&ran) {
            let exit = RunExit::Code(EXIT_TIMED_OUT);
            return Ok(Ran::Over(Box::new(self.stopped(exit))));
        }
        if ran.is_success() {
            return Ok(Ran::Passed);
        }
        if let Some((Stream::Stdout, _)) = ran.output_error {
            return Ok(Ran::Over(Box::new(self.unread(ran.exit.into()))));
        }
        let detection = self.runner.detect(&ran);
        Ok(Ran::Failed(Box::new(Failed {
            failure: detection.failure,
            category: detection.category,
            rule: detection.rule,
            exit: self.runner.last_failure().unwrap_or(ran.exit.into()),
            ran: Some(ran),
        })))
    }

    /// A command that cannot be started is a failure like others: something may stand in for it, or
    /// install it.
    fn could_not_start(&self, error: Error) -> Result<Ran> {
        let (error_type, category, code) = match error.kind() {
            ErrorKind::CommandNotFound => ("CommandNotFound", Category::Dependency, EXIT_NOT_FOUND),
            ErrorKind::NotExecutable => ("NotExecutable", Category::Unknown, EXIT_CANNOT_RUN),
            _ => {
                return self
                    .stopped_by(error)
                    .map(|outcome| Ran::Over(Box::new(outcome)));
            }
        };
        let program = self.runner.request.argv.first();
        let program = program
            .map(|word| word.to_string_lossy().into_owned())
            .unwrap_or_default();
        Ok(Ran::Failed(Box::new(Failed {
            failure: Failure::new(error_type, error.chain(), program),
            category,
            rule: "could-not-start".to_owned(),
            exit: RunExit::Code(code),
            ran: None,
        })))
    }

    /// The end of a run that `error` stopped, if that is the user's wish or the deadline.
    fn stopped_by(&self, error: Error) -> Result<RunOutcome> {
        match error.kind() {
            ErrorKind::Interrupted => Ok(self.stopped(self.interrupted())),
            ErrorKind::TimedOut => Ok(self.stopped(RunExit::Code(EXIT_TIMED_OUT))),
            _ => Err(error),
        }
    }

    /// How a run that the user interrupted ends.
    fn interrupted(&self) -> RunExit {
        let signal = self.runner.interrupt.raised();
        signal.map_or(RunExit::Code(EXIT_RECOVER_FAILED), RunExit::Signal)
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

    fn show(&self, failed: &Failed) {
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

    fn passed(&self) -> RunOutcome {
        let message = format!("`{}` passed", self.runner.command);
        RunOutcome {
            exit: RunExit::Code(0),
            session_id: None,
            result: self.without_attempts(true, message),
            flaky: false,
        }
    }

    fn stopped(&self, exit: RunExit) -> RunOutcome {
        let command = &self.runner.command;
        let message = match exit {
            RunExit::Signal(_) => format!("`{command}` was interrupted; nothing was recovered"),
            RunExit::Code(_) if !self.runner.not_ended().is_empty() => {
                format!("`{command}` could not be stopped at its time limit")
            }
            RunExit::Code(_) => format!("`{command}` was stopped at the deadline"),
        };
        self.show_not_ended();
        self.observe(&RunEvent::NotRecovered {
            why: &message,
            attempts: 0,
            duration: self.elapsed(),
            tree_is_as_it_was: true,
        });
        RunOutcome {
            exit,
            session_id: None,
            result: self.without_attempts(false, message),
            flaky: false,
        }
    }

    /// As the command would have ended without us: silently.
    fn unread(&self, exit: RunExit) -> RunOutcome {
        let message = format!("nobody read what `{}` wrote", self.runner.command);
        RunOutcome {
            exit,
            session_id: None,
            result: self.without_attempts(false, message),
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
