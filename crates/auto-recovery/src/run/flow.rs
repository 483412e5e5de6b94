//! One run, from the command's first start to the end.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use crate::audit::session_id;
use crate::checkpoint::{Protected, Registration, Unfinished};
use crate::error::{Error, ErrorKind, Result};
use crate::exit::{EXIT_CANNOT_RUN, EXIT_NOT_FOUND, EXIT_RECOVER_FAILED, EXIT_TIMED_OUT};
use crate::failure::{Category, Failure};
use crate::host::Host;
use crate::interrupt::Interrupt;
use crate::mutex;
use crate::process::Stream;
use crate::recipe::RecipeBook;
use crate::run::advice::Advice;
use crate::run::event::{Console, RunEvent, RunObserver};
use crate::run::helpers::consent::Consent;
use crate::run::helpers::escalation::escalate;
use crate::run::helpers::rollback;
use crate::run::last_line::TreeLeft;
use crate::run::meant::did_you_mean;
use crate::run::outcome::{RunEnd, RunExit, RunOutcome};
use crate::run::recovering::{explain_or_fail, recover, recover_late};
use crate::run::request::{Mode, RunRequest};
use crate::run::runner::{Runner, is_not_ended};
use crate::run::shell_words::shell_hint;
use crate::run::tree::claiming::{Claim, claim_workspace, record_pass_after_waiting};
use crate::run::tree::dead_run::{self, Leftover};
use crate::run::under_way::{Failed, Run};
use crate::workspace::{Onlooker, is_inside_recovery};

/// The world a run happens in.
pub struct World {
    /// Clock, sleep and randomness.
    pub host: Arc<dyn Host>,
    /// The user's wish to stop.
    pub interrupt: Arc<Interrupt>,
    /// Streams.
    pub console: Box<dyn Console>,
    /// The observer of the run.
    pub observer: Arc<Mutex<dyn RunObserver>>,
    /// The consent to commands that came with the project; without, they just run.
    pub consent: Option<Box<dyn Consent>>,
}

/// The result of running the command.
enum Ran {
    Passed,
    Failed(Box<Failed>),
    /// The deadline stopped it: nothing is tried any more, and that is on record.
    Late(Box<Failed>),
    /// The user stopped it, or its output has no reader: nothing is recovered.
    Over(Box<RunOutcome>),
}

/// Runs a command and, if it fails, recovers it.
///
/// # Errors
/// If `recover` itself fails: the record cannot be written, the tree cannot be kept safe, another
/// recovery holds the workspace and waiting was not wanted. A command that fails is no error.
pub fn run(request: RunRequest, world: World) -> Result<RunOutcome> {
    let World {
        host,
        interrupt,
        console,
        observer,
        consent,
    } = world;
    let started = host.monotonic();
    let limit = request.limits.deadline;
    let deadline = limit.map(|limit| started.saturating_add(limit));
    host.set_deadline(deadline);
    request.check()?;
    let mut request = request;
    if let Some(target) = &request.tree.rollback {
        let workspace = request.workspace()?;
        let (target, instead_of) = rollback::check(&request.state.dir, &workspace, target, &host)?;
        request.tree.rollback = Some(target);
        if let Some(says) = instead_of {
            let what = format!("the checkpoint to go back to: {says}");
            mutex::lock(&observer).observe(&RunEvent::Warning { what: &what });
        }
    }
    let exit_map = request.exits.exit_map.clone();
    let runner = Runner::new(request, host, interrupt, console).asking(consent);
    let runner = Arc::new(runner);
    let run = Run {
        runner,
        observer,
        started,
        tried: Arc::new(AtomicUsize::new(0)),
    };
    let outcome = run.clone().go()?;
    let outcome = match outcome.end {
        // Nothing that a program wrote is in it, and it must cost nothing.
        RunEnd::Passed => outcome,
        _ => outcome.redacted(&run.runner.redactor),
    };
    Ok(outcome.mapped(&exit_map))
}

/// Makes sure that no secret is known in the session's id, which names files and is never masked.
fn check_no_secret(request: &RunRequest, id: &str) -> Result<()> {
    let redactor = request.masking.redactor.as_ref();
    let found = redactor.map(|redactor| redactor.find(id.as_bytes()));
    match found.unwrap_or_default().first() {
        Some(found) => {
            let context = format!(
                "the session's id holds a secret ({}), and ids are never masked: choose another",
                found.kind
            );
            Err(Error::new(ErrorKind::InvalidInput, context))
        }
        None => Ok(()),
    }
}

impl RunRequest {
    /// Makes sure that what it says can be meant, before anything runs: its recipes, what it
    /// protects, the name of its session.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`] with what is wrong.
    pub fn check(&self) -> Result<()> {
        RecipeBook::check(&self.tries.recipes)?;
        check_protect(self)?;
        match &self.record.session_id {
            Some(id) => {
                session_id::encode(id)?;
                check_no_secret(self, id)
            }
            None => Ok(()),
        }
    }
}

/// Makes sure that each protecting glob is valid, and matches something in the tree.
fn check_protect(request: &RunRequest) -> Result<()> {
    if request.tree.protect.is_empty() {
        return Ok(());
    }
    let globs = request
        .tree
        .protect
        .iter()
        .map(|protect| protect.glob.clone());
    // `./` is all that lies below.
    let globs = globs.filter(|glob| glob != "./");
    Protected::new(&globs.collect::<Vec<_>>())?;
    let Ok(workspace) = request.workspace() else {
        return Ok(());
    };
    let root = workspace.root();
    let mut globs = request.tree.protect.iter();
    match globs.find(|glob| glob.from_root(root).is_empty()) {
        Some(outside) => {
            let (glob, root) = (&outside.glob, root.display());
            let context = format!(
                "protect {glob:?} leads out of the workspace {root}, where nothing is undone: name \
                 what lies in it"
            );
            Err(Error::new(ErrorKind::InvalidInput, context))
        }
        None => Ok(()),
    }
}

impl Run {
    fn go(self) -> Result<RunOutcome> {
        let leftover = dead_run::look(&self);
        let onlooker = self.look_on();
        let failed = match self.registered_run()? {
            Ran::Passed => {
                if let Some(leftover) = &leftover {
                    leftover.warn(&self);
                }
                if self.runner.request.mode == Mode::DryRun {
                    self.observe(&RunEvent::NothingToPlan);
                }
                return Ok(self.passed());
            }
            Ran::Late(failed) => return Ok(self.late(&failed)),
            Ran::Over(outcome) => return Ok(*outcome),
            Ran::Failed(failed) => failed,
        };
        self.show(&failed);
        if self.runner.request.mode == Mode::DryRun {
            return recover(&self, *failed, None);
        }
        let mut claim = match claim_workspace(&self, onlooker) {
            Ok(claim) => claim,
            Err(error) if error.kind() == ErrorKind::TimedOut => return Ok(self.late(&failed)),
            Err(error) if is_end(&error) => return self.stopped_by(error),
            Err(error) => return explain_or_fail(&self, *failed, error),
        };
        match self.settle(failed, &mut claim, leftover)? {
            Ran::Passed => Ok(self.passed()),
            Ran::Late(failed) => Ok(self.late(&failed)),
            Ran::Over(outcome) => Ok(*outcome),
            Ran::Failed(failed) => match recover(&self, *failed, Some(claim)) {
                Err(error) if is_end(&error) => self.cut_off(&error),
                ended => ended,
            },
        }
    }

    /// Settles the command's result now that the workspace is ours: it runs again if another
    /// recovery had it since the command began, or if the leftovers of a dead one were put back.
    fn settle(
        &self,
        mut failed: Box<Failed>,
        claim: &mut Claim,
        leftover: Option<Leftover>,
    ) -> Result<Ran> {
        let can_run_again = self.runner.can_run_again().is_ok();
        // The other one may have died at work.
        let may_be_dead = claim.follows_another() && claim.is_ours() && leftover.is_none();
        let died = match may_be_dead {
            true => dead_run::look_while_claimed(self),
            false => None,
        };
        let has_died = died.is_some();
        if claim.follows_another() && !has_died && can_run_again {
            match self.run_again(claim)? {
                Ran::Passed => {
                    record_pass_after_waiting(self);
                    self.observe(&RunEvent::PassedAfterWaiting);
                    return Ok(Ran::Passed);
                }
                Ran::Failed(again) => failed = again,
                over => return Ok(over),
            }
        }
        match died.or(leftover) {
            Some(leftover) if (leftover.put_back(self)? || has_died) && can_run_again => {
                self.run_again(claim)
            }
            _ => Ok(Ran::Failed(failed)),
        }
    }

    /// Runs the command once more. A recovery inside of it must know that it is inside: it would
    /// wait for this one, which waits for the command.
    fn run_again(&self, claim: &mut Claim) -> Result<Ran> {
        claim.describe(self, self.runner.announce_session())?;
        let ran = self.first_run()?;
        if let Ran::Failed(failed) = &ran {
            self.show(failed);
        }
        Ok(ran)
    }

    /// Registers the run for notices of recoveries that end here before it has the workspace
    /// itself. A dry run never asks for that.
    fn look_on(&self) -> Option<Onlooker> {
        let request = &self.runner.request;
        if request.mode == Mode::DryRun {
            return None;
        }
        let workspace = request.workspace().ok()?;
        Onlooker::begin(&request.state.dir, &workspace)
    }

    /// The first run, known to recoveries beside it while it lasts. Inside another recovery it is a
    /// part of that.
    fn registered_run(&self) -> Result<Ran> {
        let runner = &self.runner;
        let request = &runner.request;
        let registration = request.workspace().ok().and_then(|workspace| {
            let state_dir = &request.state.dir;
            // That it is inside is believed only where it can be seen.
            let is_inside = request.record.parent_session.is_some()
                && is_inside_recovery(state_dir, &workspace);
            // What passes costs no look for secrets: the program alone is named.
            let words = request.words();
            let program = &words[..words.len().min(1)];
            (!is_inside).then(|| Registration::begin(state_dir, &workspace, program))?
        });
        let ran = self.first_run();
        if let Some(registration) = registration {
            registration.end();
        }
        ran
    }

    fn first_run(&self) -> Result<Ran> {
        let ran = match self.runner.run_command() {
            Ok(ran) => ran,
            Err(error) => return self.could_not_start(error),
        };
        if let Some(signal) = ran.interrupted {
            return Ok(Ran::Over(Box::new(self.stopped(RunExit::Signal(signal)))));
        }
        let is_dry = self.runner.request.mode == Mode::DryRun;
        if is_not_ended(&ran) || (ran.deadline_passed && is_dry) {
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
        let is_late = ran.deadline_passed;
        let failed = Box::new(Failed {
            failure: detection.failure,
            category: detection.category,
            rule: detection.rule,
            exit: self.runner.last_failure().unwrap_or(ran.exit.into()),
            ran: Some(ran),
        });
        Ok(match is_late {
            true => Ran::Late(failed),
            false => Ran::Failed(failed),
        })
    }

    /// The end of a run that the deadline cut off: on record where that can be written, and the one
    /// who must help is called either way.
    fn late(&self, failed: &Failed) -> RunOutcome {
        let outcome = recover_late(self, failed).unwrap_or_else(|error| {
            let reason = self.runner.request.chain(&error);
            let what = format!("this is NOT RECORDED: {reason}");
            self.observe(&RunEvent::Warning { what: &what });
            let outcome = self.stopped(RunExit::Code(EXIT_TIMED_OUT));
            escalate(self, failed, &outcome.result, None);
            outcome
        });
        // It did not fail by itself.
        RunOutcome {
            failure: None,
            ..outcome
        }
    }

    /// A command that cannot be started is a failure like others: a strategy may replace or install
    /// it.
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
        let argv = &self.runner.request.command.argv;
        // `.` is a directory as well, and so is found.
        let is_missing = code == EXIT_NOT_FOUND || argv.first().is_some_and(|word| word == ".");
        let request = &self.runner.request;
        let hint = shell_hint(argv).filter(|_| is_missing);
        let hint = hint.map(|hint| {
            let command = hint.command;
            request.advise(hint.reason, &Advice::Start { command })
        });
        let hint = hint.or_else(|| match code {
            EXIT_NOT_FOUND => did_you_mean(request),
            _ => None,
        });
        let message = match hint {
            Some(hint) => format!("{}\n{hint}", error.chain()),
            None => error.chain(),
        };
        let program = argv.first();
        let program = program
            .map(|word| word.to_string_lossy().into_owned())
            .unwrap_or_default();
        Ok(Ran::Failed(Box::new(Failed {
            failure: Failure::new(error_type, message, program),
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

    /// The end of a recovery whose wait for another process was cut short. The changes of attempts
    /// were put back, or will be by the next run here.
    fn cut_off(&self, error: &Error) -> Result<RunOutcome> {
        let exit = match error.kind() {
            ErrorKind::Interrupted => self.interrupted(),
            _ => RunExit::Code(EXIT_TIMED_OUT),
        };
        let message = error.root().to_string();
        let session_id = self.runner.session_id();
        self.show_not_ended();
        self.observe(&RunEvent::NotRecovered {
            why: &message,
            attempts: self.tried.load(Ordering::Relaxed),
            duration: self.elapsed(),
            tree: match self.is_in_order() {
                true => TreeLeft::AsItWas,
                false => TreeLeft::Changed,
            },
            left: &[],
            exits: None,
            session_id: session_id.as_deref(),
            seal: None,
        });
        let end = match exit {
            RunExit::Signal(_) => RunEnd::Interrupted,
            RunExit::Code(_) => RunEnd::Deadline,
        };
        let result = self.without_attempts(false, message);
        Ok(RunOutcome {
            session_id,
            ..self.outcome(exit, end, result)
        })
    }

    /// Whether no attempt here is still to be undone.
    fn is_in_order(&self) -> bool {
        let request = &self.runner.request;
        let workspace = request.workspace();
        let unfinished =
            workspace.and_then(|workspace| Unfinished::find(&request.state.dir, &workspace));
        matches!(unfinished, Ok(None)) && self.runner.not_ended().is_empty()
    }

    /// The exit of a run that the user interrupted.
    fn interrupted(&self) -> RunExit {
        let signal = self.runner.interrupt.raised();
        signal.map_or(RunExit::Code(EXIT_RECOVER_FAILED), RunExit::Signal)
    }

    fn passed(&self) -> RunOutcome {
        let message = format!("`{}` passed", self.runner.command);
        let result = self.without_attempts(true, message);
        self.outcome(RunExit::Code(0), RunEnd::Passed, result)
    }

    fn stopped(&self, exit: RunExit) -> RunOutcome {
        let command = &self.runner.command;
        let message = match exit {
            RunExit::Signal(_) => format!("interrupted, nothing was recovered: `{command}`"),
            RunExit::Code(_) if !self.runner.not_ended().is_empty() => {
                format!("could not be stopped at its time limit: `{command}`")
            }
            RunExit::Code(_) => format!("stopped at the deadline (exit 124): `{command}`"),
        };
        self.show_not_ended();
        self.observe(&RunEvent::NotRecovered {
            why: &message,
            attempts: 0,
            duration: self.elapsed(),
            tree: TreeLeft::NothingToUndo,
            left: &[],
            exits: None,
            session_id: None,
            seal: None,
        });
        let end = match exit {
            RunExit::Signal(_) => RunEnd::Interrupted,
            RunExit::Code(_) => RunEnd::Deadline,
        };
        self.outcome(exit, end, self.without_attempts(false, message))
    }

    /// The outcome the command would have had without us: silent.
    fn unread(&self, exit: RunExit) -> RunOutcome {
        let message = format!("nobody read what `{}` wrote", self.runner.command);
        let result = self.without_attempts(false, message);
        self.outcome(exit, RunEnd::NotRecovered, result)
    }
}

/// Whether an error is the user's wish to stop, or the deadline.
fn is_end(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::Interrupted | ErrorKind::TimedOut)
}
