//! From what was typed to the function that does it.

use std::ffi::OsString;
use std::{io, mem};

use auto_recovery::Result;
use clap::error::ErrorKind;

use crate::args::{Cli, Command, GlobalArgs, fitted, in_words, is_run};
use crate::commands;
use crate::context::Context;
use crate::exit::{Exit, Failure};
use crate::output::{
    Pager, Printer, Verbosity, columns_of_help, decide_colours, print_error, print_mistake,
    stdout_error,
};
use crate::settings::{Environment, Layer, Mistakes, RunRequest};

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
    printer.can_take_back = !environment.color.is_dumb;
    printer.pager = Pager::of(&environment).filter(|_| !global.no_pager);
    match command {
        Command::Completions(args) => Ok(commands::completions(args, &printer)?),
        Command::Run(args) => {
            let (request, flags) = RunRequest::split(*args);
            Context::new(&global, flags, &environment, printer, Mistakes::Refused)
                .and_then(|context| {
                    commands::check_encryption(&context)?;
                    context.tell_left_out();
                    commands::run(context, request)
                })
                .map_err(Failure::of_run)
        }
        Command::Plan(args) => {
            let (request, flags) = RunRequest::split(args.run);
            let context = Context::new(&global, flags, &environment, printer, Mistakes::Refused)?;
            context.tell_left_out();
            Ok(commands::plan(&context, &request)?)
        }
        mut command => {
            let mistakes = mistakes_for(&command);
            let flags = flags_of(&mut command);
            let context = Context::new(&global, flags, &environment, printer, mistakes)?;
            commands::check_store(&command, &context.settings.store.value)?;
            #[cfg(feature = "serve")]
            if let Command::Serve(args) = command {
                context.tell_broken();
                return Ok(commands::serve(context, args)?);
            }
            if matches!(command, Command::Log) {
                commands::check_encryption(&context)?;
            }
            let is_counted_anew = changes_counts(&command);
            let exit = dispatch(&context, command)?;
            if is_counted_anew {
                context.count_anew();
            }
            Ok(exit)
        }
    }
}

/// What `command` was told of settings.
fn flags_of(command: &mut Command) -> Layer {
    match command {
        Command::Advise(args) => {
            let (fix, alternative) = (&mut args.fix, &mut args.alternative);
            Layer::of_strategies(mem::take(fix), mem::take(alternative))
        }
        _ => Layer::default(),
    }
}

/// What a configuration file with a mistake is to `command`. One that only looks, or takes back
/// what was done, works nevertheless.
fn mistakes_for(command: &Command) -> Mistakes {
    match command {
        Command::Run(_) | Command::Plan(_) | Command::Advise(_) => Mistakes::Refused,
        Command::Log
        | Command::Checkpoint(_)
        | Command::Hold(_)
        | Command::Prune(_)
        | Command::Import(_)
        | Command::Copy(_)
        | Command::Clear(_)
        | Command::Seal(_)
        | Command::Trust(_) => Mistakes::RefusedOfUser,
        #[cfg(feature = "serve")]
        Command::Serve(_) | Command::Alerts(_) | Command::Heartbeat(_) => Mistakes::RefusedOfUser,
        Command::Classify(_)
        | Command::Recipes(_)
        | Command::Explain(_)
        | Command::Sessions(_)
        | Command::History(_)
        | Command::Show(_)
        | Command::Stats(_)
        | Command::Tail(_)
        | Command::Export(_)
        | Command::Report(_)
        | Command::Checkpoints
        | Command::Restore(_)
        | Command::Config
        | Command::Doctor
        | Command::Init
        | Command::Redact(_)
        | Command::Verify(_)
        | Command::Proof(_)
        | Command::Key(_)
        | Command::Access(_)
        | Command::Completions(_) => Mistakes::LeftOut,
    }
}

/// Whether `command` changes what history says other than by a recovery.
fn changes_counts(command: &Command) -> bool {
    matches!(
        command,
        Command::Clear(_)
            | Command::Prune(_)
            | Command::Import(_)
            | Command::Copy(_)
            | Command::Restore(_)
    )
}

/// Whether what the project's file says of recoveries plays a part in `command`.
fn reads_policy(command: &Command) -> bool {
    matches!(
        command,
        Command::Classify(_)
            | Command::Recipes(_)
            | Command::Explain(_)
            | Command::Advise(_)
            | Command::Config
    )
}

/// Whether `command` itself shows people the files that do not count.
fn shows_files(command: &Command, printer: &Printer) -> bool {
    matches!(command, Command::Config | Command::Doctor) && !printer.json
}

fn dispatch(context: &Context, command: Command) -> Result<Exit> {
    if !shows_files(&command, &context.printer) {
        context.tell_broken();
        // What the project's file says plays a part in these alone.
        if reads_policy(&command) {
            context.tell_left_out();
        }
    }
    match command {
        Command::Run(_) | Command::Plan(_) | Command::Completions(_) => {
            unreachable!("`run` takes them, whose settings are not those of the others")
        }
        #[cfg(feature = "serve")]
        Command::Serve(_) => unreachable!("`run` takes it, for it ends when it is told to"),
        #[cfg(feature = "serve")]
        Command::Alerts(args) => commands::alerts(context, args),
        #[cfg(feature = "serve")]
        Command::Heartbeat(args) => commands::heartbeat(context, args),
        Command::Classify(args) => commands::classify(context, args),
        Command::Recipes(args) => commands::recipes(context, args),
        Command::Advise(args) => commands::advise(context, args),
        Command::Explain(args) => commands::explain(context, args),
        Command::Trust(args) => commands::trust(context, args),
        Command::Checkpoint(args) => commands::checkpoint(context, args),
        Command::Checkpoints => commands::checkpoints(context),
        Command::Doctor => commands::doctor(context),
        Command::Init => commands::init(context),
        Command::Restore(args) => commands::restore(context, args),
        Command::Config => commands::config(context),
        Command::Log => commands::log(context),
        Command::Sessions(args) => commands::sessions(context, args),
        Command::History(args) => commands::history(context, args),
        Command::Show(args) => commands::show(context, args),
        Command::Stats(args) => commands::stats(context, args),
        Command::Tail(args) => commands::tail(context, args),
        Command::Export(args) => commands::export(context, args),
        Command::Report(args) => commands::report(context, args),
        Command::Prune(args) => commands::prune_sessions(context, args),
        Command::Hold(args) => commands::hold(context, args),
        Command::Import(args) => commands::import(context, args),
        Command::Copy(args) => commands::copy(context, args),
        Command::Clear(args) => commands::clear(context, args),
        Command::Redact(args) => commands::redact(context, args),
        Command::Verify(args) => commands::verify(context, args),
        Command::Seal(args) => commands::seal(context, args),
        Command::Proof(args) => commands::proof(context, args),
        Command::Key(args) => commands::key(context, args),
        Command::Access(args) => commands::access(context, args),
    }
}

fn verbosity(global: &GlobalArgs) -> Verbosity {
    match (global.quiet, global.verbose) {
        (true, _) => Verbosity::Quiet,
        (_, true) => Verbosity::Verbose,
        _ => Verbosity::Normal,
    }
}

/// Prints the help or the version that was asked for, `error`, as it fits the terminal.
fn print_help(error: &clap::Error, args: &[OsString]) -> Exit {
    let on_stderr = error.use_stderr();
    let environment = Environment::read();
    let columns = columns_of_help(on_stderr, environment.columns);
    // A version is a line that needs no room.
    let is_help = error.kind() != ErrorKind::DisplayVersion;
    let fitting = is_help.then(|| fitted(columns).try_get_matches_from(args).err());
    let fitting = fitting.flatten();
    match fitting.as_ref().unwrap_or(error).print() {
        // A reader that has gone away does not need the rest of the help.
        Err(error) if !on_stderr && error.kind() != io::ErrorKind::BrokenPipe => {
            print_error(&stdout_error(error));
            Exit::FAILED
        }
        _ if on_stderr => Exit::USAGE,
        _ => Exit::OK,
    }
}

/// Prints the help that was asked for, or what is wrong with the command line, `args`. Help keeps
/// its colours; a complaint repeats what was typed, so it is escaped.
fn print_usage(error: clap::Error, args: &[OsString]) -> Exit {
    if !error.use_stderr() || error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
        return print_help(&error, args);
    }
    let search_path = Environment::read().search_path;
    print_mistake(&in_words(&error, args, search_path.as_deref()));
    match is_run(args) {
        true => Exit::FAILED,
        false => Exit::USAGE,
    }
}
