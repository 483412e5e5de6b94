//! From what was typed to the function that does it.

use std::ffi::OsString;
use std::io;

use auto_recovery::Result;
use auto_recovery::host::new_id;
use auto_recovery::retention::RetentionRules;
use clap::error::ErrorKind;

use crate::args::{
    ClearArgs, Cli, Command, CopyArgs, ExplainArgs, ExportArgs, GlobalArgs, HistoryArgs, HoldArgs,
    ImportArgs, PruneArgs, RecipesArgs, ReportArgs, ShowArgs, StatsArgs, TrustArgs, in_words,
    is_run,
};
use crate::commands::{
    self, CapturedOutput, Export, Part, PruneRequest, Report, TrustPlace, Wanted,
};
use crate::context::Context;
use crate::exit::{Exit, Failure};
use crate::identity;
use crate::output::{Pager, Printer, Verbosity, decide_colours, print_mistake};
use crate::settings::{Environment, Layer, RunRequest};

/// Does what `args` ask for.
///
/// # Errors
/// Whatever kept it from being done, and what the process exits with then.
pub(crate) fn run(args: impl Iterator<Item = OsString>) -> Result<Exit, Failure> {
    let args: Vec<_> = args.collect();
    if commands::answer_shell(&args).unwrap_or_else(|error| error.exit()) {
        return Ok(Exit::OK);
    }
    let Cli { global, command } = match Cli::read(&args) {
        Ok(cli) => cli,
        Err(error) => return Ok(print_usage(error, &args)),
    };
    let environment = Environment::read();
    decide_colours(global.color.unwrap_or_default(), environment.color);
    let mut printer = Printer::new(global.json, verbosity(&global), environment.columns);
    printer.pager = Pager::of(&environment).filter(|_| !global.no_pager);
    match command {
        Command::Completions(args) => Ok(commands::completions(
            args.what,
            args.directory.as_deref(),
            &printer,
        )?),
        Command::Redact(args) => Ok(commands::redact(&args, &printer)?),
        Command::Run(args) => {
            let (request, flags) = RunRequest::split(*args);
            Context::new(&global, flags, &environment, printer)
                .and_then(|context| {
                    context.tell_left_out();
                    commands::run(context, request)
                })
                .map_err(Failure::of_run)
        }
        Command::Plan(args) => {
            let (request, flags) = RunRequest::split(args.run);
            let context = Context::new(&global, flags, &environment, printer)?;
            context.tell_left_out();
            Ok(commands::plan(&context, &request)?)
        }
        command => Ok(dispatch(
            &Context::new(&global, Layer::default(), &environment, printer)?,
            command,
        )?),
    }
}

/// Whether what the project's file says of recoveries plays a part in `command`.
fn reads_policy(command: &Command) -> bool {
    matches!(
        command,
        Command::Classify(_) | Command::Recipes(_) | Command::Explain(_) | Command::Config
    )
}

fn dispatch(context: &Context, command: Command) -> Result<Exit> {
    let Context {
        settings,
        printer,
        host,
    } = context;
    let state_dir = &settings.state_dir.value;
    // What the project's file says plays a part in these alone.
    if reads_policy(&command) {
        context.tell_left_out();
    }
    match command {
        Command::Run(_) | Command::Plan(_) | Command::Completions(_) | Command::Redact(_) => {
            unreachable!("`run` takes them, whose settings are not those of the others")
        }
        Command::Classify(args) => commands::classify(context, args),
        Command::Recipes(args) => recipes(context, args),
        Command::Explain(args) => explain(context, args),
        Command::Trust(args) => trust(context, args),
        Command::Checkpoint(args) => commands::checkpoint(context, args.label.as_deref()),
        Command::Checkpoints => commands::checkpoints(context),
        Command::Doctor => commands::doctor(context),
        Command::Init => commands::init(context),
        Command::Restore(args) => commands::restore(context, args),
        Command::Config => commands::config(settings, printer),
        Command::Log => log(context),
        Command::Sessions(args) => commands::sessions(context, args),
        Command::History(HistoryArgs {
            session,
            last,
            any_project,
        }) => {
            let asked = context.asked(session, any_project);
            commands::history(
                &*context.store()?,
                asked,
                last.flatten(),
                host.now(),
                printer,
            )
        }
        Command::Show(args) => show(context, args),
        Command::Stats(args) => stats(context, args),
        Command::Export(args) => export(context, args),
        Command::Report(args) => report(context, args),
        Command::Prune(args) => commands::prune_sessions(context, prune_request(args)),
        Command::Hold(HoldArgs {
            session,
            reason,
            release,
        }) => match release {
            true => commands::release(context, session),
            false => commands::hold(context, session, reason),
        },
        Command::Import(ImportArgs { files }) => {
            commands::import(&*context.store()?, files, printer)
        }
        Command::Copy(CopyArgs { from, to }) => {
            let from = context.existing_store_at("FROM", &from)?;
            commands::copy(&*from, &*context.store_at("TO", &to)?, printer)
        }
        Command::Clear(ClearArgs {
            session,
            all: _,
            yes,
        }) => commands::clear(&*context.store()?, session, yes, state_dir, host, printer),
    }
}

fn trust(context: &Context, args: TrustArgs) -> Result<Exit> {
    let TrustArgs { file, revoke, list } = args;
    let at = TrustPlace {
        settings: &context.settings,
        printer: &context.printer,
        host: &*context.host,
    };
    match (list, revoke) {
        (true, _) => commands::list_trusted(&at),
        (false, false) => commands::trust(&at, file.as_deref()),
        (false, true) => commands::revoke_trust(&at, file.as_deref()),
    }
}

fn report(context: &Context, args: ReportArgs) -> Result<Exit> {
    let ReportArgs {
        session,
        format,
        output,
        any_project,
    } = args;
    let request = Report {
        asked: context.asked(session, any_project),
        format,
        output,
        github: &context.settings.github,
    };
    commands::report(
        &context.place()?,
        request,
        context.host.now(),
        &context.printer,
    )
}

fn show(context: &Context, args: ShowArgs) -> Result<Exit> {
    let ShowArgs {
        session,
        attempt,
        last,
        any_project,
        diff,
        stat,
        output,
    } = args;
    let wanted = Wanted {
        session: context.asked(session, any_project),
        attempt: attempt.or(last.flatten()),
    };
    let parts = [
        (diff, Part::Diff),
        (stat, Part::Stat),
        (output, Part::Output),
    ];
    if let Some((_, part)) = parts.into_iter().find(|(is_asked, _)| *is_asked) {
        return commands::show_part(&context.place()?, wanted, part, &context.printer);
    }
    commands::show(
        &context.place()?,
        wanted,
        context.host.now(),
        &context.printer,
    )
}

fn explain(context: &Context, args: ExplainArgs) -> Result<Exit> {
    let ExplainArgs {
        what,
        exit_code,
        command,
        any_project,
    } = args;
    let output = |file| CapturedOutput {
        file,
        exit_code,
        command: command.clone(),
    };
    let request = commands::library_request(context, &RunRequest::of(Vec::new()))?;
    let printer = &context.printer;
    match what {
        Some(file) if command.is_some() || exit_code.is_some() => {
            commands::explain_output(request, &output(file), printer)
        }
        Some(what) if !commands::is_session(&*context.store()?, &what)? => {
            commands::explain_output(request, &output(what), printer)
        }
        session => commands::explain_session(request, context.asked(session, any_project), printer),
    }
}

fn recipes(context: &Context, args: RecipesArgs) -> Result<Exit> {
    let request = commands::library_request(context, &RunRequest::of(Vec::new()))?;
    commands::recipes(
        request.tries.recipes,
        args.name.as_deref(),
        &context.printer,
    )
}

fn export(context: &Context, args: ExportArgs) -> Result<Exit> {
    let ExportArgs {
        session,
        all,
        format,
        output,
        raw,
        any_project,
    } = args;
    let request = Export {
        asked: (!all).then(|| context.asked(session, any_project)),
        format,
        output,
        raw,
    };
    commands::export(
        &*context.store()?,
        request,
        context.host.now(),
        &context.printer,
    )
}

fn prune_request(args: PruneArgs) -> PruneRequest {
    let PruneArgs {
        older_than,
        keep_last,
        max_size,
        project,
        archive,
        dry_run,
        yes,
    } = args;
    PruneRequest {
        rules: RetentionRules {
            older_than,
            keep_last,
            max_bytes: max_size,
            project,
        },
        archive,
        dry_run,
        yes,
    }
}

fn stats(context: &Context, args: StatsArgs) -> Result<Exit> {
    let StatsArgs {
        session,
        all,
        since,
        until,
        project,
        host,
        by,
        any_project,
    } = args;
    let now = context.host.now();
    let is_of_all = all
        || !by.is_empty()
        || [&since, &until, &project, &host]
            .into_iter()
            .any(Option::is_some);
    if !is_of_all {
        let asked = context.asked(session, any_project);
        return commands::stats(&*context.store()?, asked, now, &context.printer);
    }
    let query = commands::Question {
        since,
        until,
        project,
        host,
        by,
    };
    commands::stats_of_all(&*context.store()?, query, now, &context.printer)
}

fn log(context: &Context) -> Result<Exit> {
    let started = identity::session_started(&context.settings, None);
    context.printer.reading_terminal("attempts, a line each,");
    let input = io::stdin().lock();
    commands::log(
        &*context.store()?,
        input,
        &new_id("session"),
        started,
        &context.printer,
    )
}

fn verbosity(global: &GlobalArgs) -> Verbosity {
    match (global.quiet, global.verbose) {
        (true, _) => Verbosity::Quiet,
        (_, true) => Verbosity::Verbose,
        _ => Verbosity::Normal,
    }
}

/// Prints the help that was asked for, or what is wrong with the command line, `args`. Help keeps
/// its colours; a complaint repeats what was typed, so it is escaped.
fn print_usage(error: clap::Error, args: &[OsString]) -> Exit {
    if !error.use_stderr() || error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
        // A reader that has gone away does not need the rest of the help.
        error.print().ok();
        return match error.use_stderr() {
            true => Exit::USAGE,
            false => Exit::OK,
        };
    }
    print_mistake(&in_words(&error, args));
    match is_run(args) {
        true => Exit::FAILED,
        false => Exit::USAGE,
    }
}
