//! The end of a recovery: what is said of it, who is called, and how the process exits.

use std::path::PathBuf;

use crate::audit::sealing::SealWhen;
use crate::checkpoint::some_names;
use crate::error::Result;
use crate::exit::EXIT_TIMED_OUT;
use crate::failure::Category;
use crate::manager::{Recovery, RecoveryEnd};
use crate::process::left_unseen;
use crate::run::advice::{Advice, Wish};
use crate::run::event::RunEvent;
use crate::run::helpers::escalation::escalate;
use crate::run::helpers::told::Told;
use crate::run::last_line::{self, Stands, TreeLeft};
use crate::run::outcome::{RunEnd, RunExit, RunOutcome, mapped};
use crate::run::tree_rules::Checkpoints;
use crate::run::under_way::{Failed, Run};

/// The facts that decide the end of a run besides the recovery.
pub(super) struct Ending<'a> {
    pub(super) failed: &'a Failed,
    pub(super) category: Category,
    /// Whether the changes of failed attempts were put back.
    pub(super) undone: bool,
    pub(super) skipped: &'a [String],
    /// The patch of the cure's changes.
    pub(super) patch: Option<PathBuf>,
    /// Whether files that git knows changed while the command ran, and not by an attempt.
    pub(super) changed_itself: bool,
    /// Whether the command said that it changed files itself before it failed.
    pub(super) mended_before: bool,
    /// The facts for the one who is called to help.
    pub(super) told: &'a Told,
}

/// Ends the run: notifies the observer, calls the one who must help, returns the exit.
pub(super) fn conclude(run: &Run, recovery: Recovery, ending: Ending<'_>) -> Result<RunOutcome> {
    let failed = ending.failed;
    let attempts = recovery.result.attempts.len();
    let exit = match recovery.end {
        RecoveryEnd::Recovered => exit_of_cure(run, &ending, &recovery),
        RecoveryEnd::DeadlinePassed => RunExit::Code(EXIT_TIMED_OUT),
        RecoveryEnd::Interrupted => match run.runner.interrupt.raised() {
            Some(signal) => RunExit::Signal(signal),
            None => failed.exit,
        },
        RecoveryEnd::Escalated => run.runner.last_failure().unwrap_or(failed.exit),
    };
    let seal = run.runner.seal(SealWhen::Sessions);
    let seal = seal.map(|seal| seal.to_string());
    if let Some(why) = run.runner.seals.failed() {
        let what = format!("what is on record is not sealed: {why}");
        run.observe(&RunEvent::Warning { what: &what });
    }
    show_left_running(run, &recovery.left_running);
    if recovery.end == RecoveryEnd::Recovered {
        show_recovered(run, &recovery, (ending.category, exit), seal.as_deref());
    } else {
        if recovery.end != RecoveryEnd::Interrupted {
            let told = ending.skipped.iter().chain(&recovery.declined);
            for why in told.chain(&recovery.stopped).chain(&recovery.out_of_time) {
                run.observe(&RunEvent::NotTried { why });
            }
        }
        let still_runs = show_not_ended(run, attempts);
        run.observe(&RunEvent::NotRecovered {
            why: &not_recovered(run, failed, exit, &recovery),
            attempts,
            duration: recovery.took,
            tree: TreeLeft::of(Stands {
                attempts,
                undone: ending.undone && recovery.not_covered.is_empty(),
                mended_before: ending.mended_before,
                still_runs,
            }),
            left: match run.runner.request.tree.keep_failed_changes {
                true => &recovery.left_changed,
                false => &[],
            },
            exits: why_failed(run, (failed.end(), ending.category), exit, &recovery).as_deref(),
            session_id: recovery.session_id.as_deref(),
            seal: seal.as_deref(),
        });
        if recovery.end != RecoveryEnd::Interrupted {
            escalate(run, failed, &recovery.result, Some(ending.told));
        }
    }
    run.runner.forget_argv();
    let end = match recovery.end {
        RecoveryEnd::Recovered if recovery.flaky => RunEnd::Flaky,
        RecoveryEnd::Recovered => RunEnd::Recovered,
        RecoveryEnd::Escalated => failed.end(),
        RecoveryEnd::DeadlinePassed => RunEnd::Deadline,
        RecoveryEnd::Interrupted => RunEnd::Interrupted,
    };
    let session_id = recovery.session_id.or_else(|| run.runner.session_id());
    Ok(RunOutcome {
        failure: Some(run.first(failed)),
        files_modified: recovery.files_modified,
        session_id,
        seal,
        flaky: recovery.flaky,
        patch: ending.patch,
        ..run.outcome(exit, end, recovery.result)
    })
}

/// Names what still runs and had to end, or says that it cannot be seen. Whether there is any.
fn show_not_ended(run: &Run, attempts: usize) -> bool {
    run.show_not_ended();
    let left_unseen = attempts > 0 && left_unseen();
    if left_unseen {
        run.observe(&RunEvent::Warning { what: LEFT_UNSEEN });
    }
    left_unseen || !run.runner.not_ended().is_empty()
}

/// The warning where no process can be seen.
const LEFT_UNSEEN: &str = "something that was started here still runs, and may write on: without \
                           /proc nobody can name or end it; mount it (`mount -t proc proc /proc`), \
                           and end it by hand";

/// Processes that are named one by one.
const NAMED_MAX: usize = 4;

/// Names what the user's command left running and is not `told` elsewhere: it may stand in the way
/// of the next run, and is the user's to end.
fn show_left_running(run: &Run, told: &[String]) {
    let left = run.runner.left_by_command().into_iter();
    let left = left.map(|process| process.to_string());
    let left: Vec<String> = left.filter(|process| !told.contains(process)).collect();
    if left.is_empty() {
        return;
    }
    let names = some_names(&left, NAMED_MAX);
    let what = format!("still running, as the command left it: {names}");
    run.observe(&RunEvent::Warning { what: &what });
}

/// The exit of a recovered run: 0, unless the user asked for the first run's code.
fn exit_of_cure(run: &Run, ending: &Ending<'_>, recovery: &Recovery) -> RunExit {
    let request = &run.runner.request;
    let is_flaky = recovery.flaky && request.exits.fail_on_flaky;
    let changed = !recovery.files_modified.is_empty() || ending.changed_itself;
    match is_flaky || (changed && request.exits.fail_on_change) {
        true => ending.failed.exit,
        false => RunExit::Code(0),
    }
}

/// Says why a run that was recovered does not exit with 0.
fn why_exit(run: &Run, exit: RunExit, recovery: &Recovery) -> Option<String> {
    if exit == RunExit::Code(0) {
        return None;
    }
    let is_flaky = recovery.flaky && run.runner.request.exits.fail_on_flaky;
    let (why, wish) = match is_flaky && recovery.files_modified.is_empty() {
        true => ("flaky", Wish::FailOnFlaky),
        false => ("files changed", Wish::FailOnChange),
    };
    let says = format!("exits {}: {why}", exit.shell_code());
    Some(run.runner.request.advise(says, &Advice::Because(wish)))
}

fn show_recovered(
    run: &Run,
    recovery: &Recovery,
    (category, exit): (Category, RunExit),
    seal: Option<&str>,
) {
    let files = &recovery.files_modified;
    let is_test = |file: &&String| {
        let file = file.to_lowercase();
        file.split('/')
            .any(|part| part.contains("test") || part.contains("spec"))
    };
    let changed_tests: Vec<String> = match category {
        Category::TestFailure => files.iter().filter(is_test).cloned().collect(),
        _ => Vec::new(),
    };
    run.observe(&RunEvent::Recovered {
        strategy: recovery.result.strategy_used.as_str(),
        attempts: recovery.result.attempts.len(),
        duration: recovery.took,
        flaky: recovery.flaky,
        left_running: &recovery.left_running,
        changed_tests: &changed_tests,
        undoable: !files.is_empty()
            && run.runner.request.tree.checkpoints != Checkpoints::OfSession,
        exits: why_exit(run, exit, recovery).as_deref(),
        session_id: recovery.session_id.as_deref(),
        seal,
    });
}

/// Says why a run that was not recovered does not exit as the command did.
fn why_failed(
    run: &Run,
    (end, category): (RunEnd, Category),
    exit: RunExit,
    recovery: &Recovery,
) -> Option<String> {
    if recovery.out_of_time.is_some() {
        return Some(CROSSED.to_owned());
    }
    match recovery.end {
        RecoveryEnd::Escalated => why_exchanged(run, (end, category), exit),
        _ => None,
    }
}

/// Says that the user wants another code than `exit` for a run that ended so.
pub(super) fn why_exchanged(
    run: &Run,
    (end, category): (RunEnd, Category),
    exit: RunExit,
) -> Option<String> {
    let request = &run.runner.request;
    let mapped = mapped(&request.exits.exit_map, (end, category), exit)?;
    if mapped == exit {
        return None;
    }
    let (code, own) = (mapped.shell_code(), exit.shell_code());
    let says = format!("exits {code} instead of {own}");
    Some(request.advise(says, &Advice::Because(Wish::ExitMap)))
}

/// Why a run exits with 124 before its deadline.
const CROSSED: &str = "exit 124: deadline";

fn not_recovered(run: &Run, failed: &Failed, exit: RunExit, recovery: &Recovery) -> String {
    let end = recovery.end;
    let was_cut_off = failed.ran.as_ref().is_some_and(|ran| ran.deadline_passed);
    if end == RecoveryEnd::DeadlinePassed && recovery.result.attempts.is_empty() && !was_cut_off {
        return "not recovered: the deadline passed before anything was tried (exit 124)"
            .to_owned();
    }
    if end == RecoveryEnd::DeadlinePassed && !run.runner.not_ended().is_empty() {
        return "stopped beside what could not be ended".to_owned();
    }
    if let (RecoveryEnd::Escalated, Some(why)) = (end, &recovery.refused) {
        return last_line::refused(&run.runner.command, why);
    }
    // The deadline is still to come: what fails says more, and why nothing more is tried is told
    // beside it.
    let (end, exit) = match recovery.out_of_time {
        Some(_) => {
            let last = run.runner.last_failure();
            (RecoveryEnd::Escalated, last.unwrap_or(failed.exit))
        }
        None => (end, exit),
    };
    let (command, result) = (&run.runner.command, &recovery.result);
    let attempts = result.attempts.len();
    // The code and the kind are of one run: of the last one that failed.
    let error = run
        .runner
        .last_error()
        .or_else(|| result.final_error.clone());
    last_line::why((command, end, attempts), exit, error.as_ref())
}
