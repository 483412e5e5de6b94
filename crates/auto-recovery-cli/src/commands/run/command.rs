//! `recover run`.

use std::mem::ManuallyDrop;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use auto_recovery::exit::{EXIT_RECOVER_FAILED, EXIT_TIMED_OUT};
use auto_recovery::host::{Host, timestamp};
use auto_recovery::interrupt::Interrupt;
use auto_recovery::patience::over;
use auto_recovery::process::{self, HeldStreams, Signals};
use auto_recovery::report::CiReport;
use auto_recovery::run::{self as library, ResultFile, RunEnd, RunExit, RunOutcome, World};
use auto_recovery::{Error, ErrorKind, Result};

use crate::advice;
use crate::args::MappedExit;
use crate::commands::run::consent::{Asking, ProjectConsent};
use crate::commands::run::console::{Lent, Terminal, hold, release};
use crate::commands::run::located::located;
use crate::commands::run::misplaced::misplaced;
use crate::commands::run::narrator::{Narrator, Verdict};
use crate::commands::run::reports::{CiPlaces, Reports};
use crate::commands::run::request::library_request;
use crate::commands::run::result_file::ResultPlace;
use crate::commands::{prune_by_itself, publish_by_itself};
use crate::context::Context;
use crate::exit::{Exit, is_closed_output};
use crate::hints;
use crate::output::{
    Status, Verbosity, gave_up_on_readers, masked, stdout_error, wait_for_readers,
};
use crate::settings::RunRequest;

/// Runs the command and, if it fails, recovers it. Ends as the command did, or with 0 once
/// recovered.
///
/// # Errors
/// If `recover` itself fails.
pub(crate) fn run(context: Context, request: RunRequest) -> Result<Exit> {
    let interrupt = Arc::new(Interrupt::new()?);
    let context = &context.interrupted_by(Arc::clone(&interrupt));
    let path = request.result_file.as_deref();
    let path = path.filter(|path| !is_stdout(path));
    let place = path.map(|path| ResultPlace::prepare("--result-file", path));
    let place = place.transpose()?;
    let reports = Reports::prepare(&request.reports)?;
    check_exit_map(&request.exit_map)?;
    let words = request.command.iter();
    let command: Vec<_> = words
        .map(|word| word.to_string_lossy().into_owned())
        .collect();
    let told = Told {
        place: place.as_ref(),
        on_stdout: context.printer.json || request.result_file.as_deref().is_some_and(is_stdout),
        reports: &reports,
    };
    run_and_prune(context, request, &interrupt, &told).inspect_err(|error| {
        let message = masked(&hints::chain(error)).into_owned();
        let (command, now) = (
            context.redactor.redact_words(&command),
            timestamp(context.host.now()),
        );
        let result = ResultFile::of_failure(&message, &now, &command);
        // If this fails, `error` is told all the same.
        tell(context, &result, &told).ok();
        reports.write(&report_of_failure(&command, message, now), &places(context));
    })
}

/// Refuses two codes for one category: which of them was meant is not guessed.
///
/// # Errors
/// That there are two.
pub(crate) fn check_exit_map(mapped: &[MappedExit]) -> Result<()> {
    for (at, one) in mapped.iter().enumerate() {
        if let Some(first) = mapped[..at]
            .iter()
            .find(|other| other.category == one.category)
        {
            let context = format!(
                "--exit-map: {category}={} and {category}={}: give each category one code",
                first.code,
                one.code,
                category = one.category
            );
            return Err(Error::new(ErrorKind::InvalidInput, context));
        }
    }
    Ok(())
}

/// Where programs are told what became of the run.
struct Told<'a> {
    place: Option<&'a ResultPlace>,
    /// Whether the result is the last line of stdout.
    on_stdout: bool,
    reports: &'a Reports,
}

fn places(context: &Context) -> CiPlaces<'_> {
    CiPlaces {
        github: &context.settings.github,
        printer: &context.printer,
        host: &*context.host,
    }
}

/// What a CI system is told where `recover` itself failed.
fn report_of_failure(command: &[String], message: String, timestamp: String) -> CiReport {
    CiReport {
        command: command.join(" "),
        outcome: RunEnd::Error.as_str().to_owned(),
        exit_code: EXIT_RECOVER_FAILED,
        message,
        timestamp,
        ..CiReport::default()
    }
}

fn run_and_prune(
    context: &Context,
    request: RunRequest,
    interrupt: &Arc<Interrupt>,
    told: &Told<'_>,
) -> Result<Exit> {
    let started = context.host.monotonic();
    let library_request = library_request(context, &request)?;
    // The parent of whatever a killed fixer leaves must be this process, or it could not be ended.
    process::become_subreaper()?;
    // To the end of the process: giving each signal back takes longer than the rest of a short run.
    let _to_the_end = ManuallyDrop::new(Signals::install(Arc::clone(interrupt))?);
    let host = Arc::clone(&context.host);
    wait_for_readers(Arc::clone(interrupt), host.clone());
    let limit = context.settings.run.policy.deadline.value;
    let status = Arc::new(Status::new(&context.printer, host.clone(), limit));
    let holds = held_streams(context);
    let held = holds.map(hold).transpose()?;
    let brief = request.profile.is_some() && context.printer.verbosity < Verbosity::Verbose;
    let verdict = brief.then(Verdict::default);
    let asking = Asking {
        printer: &context.printer,
        status: &status,
        host: &host,
        interrupt,
    };
    let world = World {
        host: host.clone(),
        interrupt: Arc::clone(interrupt),
        console: Box::new(Terminal::new(Lent {
            printer: context.printer.clone(),
            pty: context.settings.run.pty.value,
            makeflags: context.settings.makeflags.clone(),
            held: held.clone(),
            holds,
            status: Arc::clone(&status),
        })?),
        observer: Arc::new(Mutex::new(Narrator::new(
            context.printer.clone(),
            Arc::clone(&status),
            verdict.clone(),
        ))),
        consent: ProjectConsent::of(&context.settings, asking)
            .map(|consent| Box::new(consent) as _),
    };
    let outcome = library::run(library_request, world);
    status.idle();
    let released = held.map_or(Ok(()), |held| {
        let released = release(&held, request.profile.is_some(), interrupt, &*host);
        unless_unread(released.map_err(stdout_error))
    });
    if let Some(verdict) = verdict {
        verdict.print(&context.printer);
    }
    let outcome = outcome.map_err(|error| located(error, &context.settings.run))?;
    let took = host.monotonic().saturating_sub(started);
    let said = tell_outcome(context, &outcome, told, took);
    let exit = unless_ended(context, interrupt, released.and(said), outcome.exit)?;
    if let Some(hint) = hint(&outcome) {
        context.printer.note(hint);
    }
    after(context, &outcome);
    Ok(match exit {
        RunExit::Code(code) => Exit::code(code),
        RunExit::Signal(signal) => Exit::code(process::die_by_signal(signal)),
    })
}

/// Does what a run leaves to be done once everything is told.
fn after(context: &Context, outcome: &RunOutcome) {
    // Who no longer waits does not wait for that.
    if outcome.session_id.is_some() && over(&*context.host).is_none() {
        prune_by_itself(context);
    }
    if outcome.seal.is_some() {
        publish_by_itself(context);
    }
}

/// What is held back until it is known which run decides.
fn held_streams(context: &Context) -> Option<HeldStreams> {
    let run = &context.settings.run;
    // Whoever typed the one means that, whatever a file says of the other.
    match (run.hold_output.value, run.hold_stdout.value) {
        (true, _) if !run.hold_stdout.is_flag() => Some(HeldStreams::Both),
        (_, true) => Some(HeldStreams::Stdout),
        _ => None,
    }
}

/// The `exit` of a run that is `told`, unless the wait for whoever reads was ended: what ended that
/// ended the run.
fn unless_ended(
    context: &Context,
    interrupt: &Interrupt,
    told: Result<()>,
    exit: RunExit,
) -> Result<RunExit> {
    match (told, ended_by(interrupt, &*context.host)) {
        (Err(error), Some(ended)) => {
            context.printer.warn(hints::chain(&error));
            Ok(ended)
        }
        (Ok(()), Some(ended)) if gave_up_on_readers() => Ok(ended),
        (told, _) => told.map(|()| exit),
    }
}

/// How a run ends that the user or the deadline has ended.
fn ended_by(interrupt: &Interrupt, host: &dyn Host) -> Option<RunExit> {
    over(host).map(|_| match interrupt.raised() {
        Some(signal) => RunExit::Signal(signal),
        None => RunExit::Code(EXIT_TIMED_OUT),
    })
}

/// Whether `-` was typed for the result's place.
fn is_stdout(path: &Path) -> bool {
    path == Path::new("-")
}

/// Tells CI systems and programs what became of the run, which took so long.
fn tell_outcome(
    context: &Context,
    outcome: &RunOutcome,
    told: &Told<'_>,
    took: Duration,
) -> Result<()> {
    if told.place.is_none() && !told.on_stdout && told.reports.is_empty() {
        return Ok(());
    }
    let outcome = outcome.clone().redacted(&context.redactor);
    if !told.reports.is_empty() {
        let (cwd, workspace) = (&context.settings.cwd, &context.settings.workspace);
        let report = outcome.ci_report(cwd, workspace, took);
        told.reports.write(&report, &places(context));
    }
    tell(context, &outcome.result_file(), told)
}

/// Tells programs the result: in the result's own place, and as the last line of stdout where that
/// is asked for.
fn tell(context: &Context, result: &ResultFile<'_>, told: &Told<'_>) -> Result<()> {
    let placed = told.place.map_or(Ok(()), |place| {
        unless_unread(place.write(result, &*context.host))
    });
    let shown = match told.on_stdout {
        true => unless_unread(context.printer.json_last_line(result)),
        false => Ok(()),
    };
    placed.and(shown)
}

/// What became of writing something, unless nobody reads it any more: then the command's own end is
/// all that is left to tell.
fn unless_unread(written: Result<()>) -> Result<()> {
    match written {
        Err(error) if is_closed_output(&error) => Ok(()),
        written => written,
    }
}

/// What would have worked, if the command could not be found: because only a shell knows it, or
/// because it has another name; or if an option of ours went to the command. The last thing said:
/// who typed it needs nothing else.
fn hint(outcome: &RunOutcome) -> Option<String> {
    let failure = outcome.result.final_error.as_ref();
    let hint = failure.and_then(|failure| failure.message.rsplit_once('\n'));
    let is_hint = |hint: &str| hint.starts_with(library::MEANT) || hint.ends_with(advice::WORKS);
    let never_ran = matches!(outcome.end, RunEnd::NotStarted | RunEnd::DryRun);
    match hint.filter(|(_, hint)| never_ran && is_hint(hint)) {
        Some((_, hint)) => Some(hint.to_owned()),
        None => misplaced(outcome),
    }
}
