//! From what was typed to the function that does it.

use std::ffi::OsString;
use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;

use auto_recovery::audit::AuditStore;
use auto_recovery::host::{Host, SystemHost, new_id};
use auto_recovery::interrupt::Interrupt;
use auto_recovery::retention::RetentionRules;
use auto_recovery::run::Place;
use auto_recovery::{Error, ErrorKind, Result};
use clap::Parser;

use crate::args::{
    ClearArgs, Cli, Command, CopyArgs, ExplainArgs, ExportArgs, GlobalArgs, HistoryArgs, HoldArgs,
    ImportArgs, PruneArgs, RecipesArgs, ReportArgs, ShowArgs, StatsArgs, TrustArgs, is_run,
    with_separator, without_store_urls, without_wrong_tip,
};
use crate::commands::{
    self, Asked, CapturedOutput, Export, Part, PruneRequest, Report, Scope, TrustPlace, Wanted,
};
use crate::exit::{Exit, Failure};
use crate::identity;
use crate::lazy_store::LazyStore;
use crate::output::{Escapes, Printer, Verbosity, escape_bytes};
use crate::settings::{Environment, Layer, RunRequest, Settings, StoreUrl};
use crate::store;

/// Does what `args` ask for.
///
/// # Errors
/// Whatever kept it from being done, and what the process exits with then.
pub(crate) fn run(args: impl Iterator<Item = OsString>) -> Result<Exit, Failure> {
    let args: Vec<_> = args.collect();
    let Cli { global, command } = match Cli::try_parse_from(&args) {
        Ok(cli) => cli,
        Err(error) => return Ok(print_usage(error, &args)),
    };
    let environment = Environment::read();
    let printer = Printer::new(global.json, verbosity(&global), environment.columns);
    match command {
        Command::Completions(args) => Ok(commands::completions(
            args.what,
            args.directory.as_deref(),
            &printer,
        )?),
        Command::Run(args) => {
            let (request, flags) = RunRequest::split(*args);
            App::new(&global, flags, &environment, printer)
                .and_then(|app| {
                    app.tell_left_out();
                    commands::run(app, request)
                })
                .map_err(Failure::of_run)
        }
        command => Ok(dispatch(
            &App::new(&global, Layer::default(), &environment, printer)?,
            command,
        )?),
    }
}

/// What the commands work with.
pub(crate) struct App {
    /// The settings that apply here.
    pub(crate) settings: Settings,
    /// Where to write to.
    pub(crate) printer: Printer,
    /// Clock, sleep and randomness.
    pub(crate) host: Arc<dyn Host>,
}

impl App {
    fn new(
        global: &GlobalArgs,
        flags: Layer,
        environment: &Environment,
        printer: Printer,
    ) -> Result<Self> {
        let cwd = std::env::current_dir()
            .map_err(|error| Error::io("find the current directory", Path::new("."), error))?;
        let settings = Settings::resolve(global, flags, environment, cwd)?;
        printer.explain(format_args!(
            "store {} ({})",
            settings.store.value, settings.store.origin
        ));
        Ok(Self {
            settings,
            host: Arc::new(SystemHost::new().telling(waiting_told_by(&printer))),
            printer,
        })
    }

    /// The same, its waits ended by `interrupt`.
    pub(crate) fn interrupted_by(self, interrupt: Arc<Interrupt>) -> Self {
        let host = SystemHost::with_interrupt(interrupt).telling(waiting_told_by(&self.printer));
        Self {
            host: Arc::new(host),
            ..self
        }
    }

    /// Says which configuration files do not count, or not whole.
    fn tell_left_out(&self) {
        if let Some(untrusted) = &self.settings.untrusted {
            self.printer.warn(untrusted);
        }
        for unread in &self.settings.unread {
            self.printer.warn(unread);
        }
    }

    /// Where trees and records are.
    pub(crate) fn place(&self) -> Result<Place> {
        let settings = &self.settings;
        Ok(Place {
            sudo_uid: self.settings.sudo_uid,
            state_dir: settings.state_dir.value.clone(),
            store: self.store()?,
            store_paths: settings.store.value.paths(),
            home: settings.home.clone(),
            host: Arc::clone(&self.host),
        })
    }

    /// Opens the store that the settings name.
    pub(crate) fn store(&self) -> Result<Arc<dyn AuditStore>> {
        let store = &self.settings.store;
        store::open(&self.settings, store, self.host.clone(), &self.printer)
    }

    /// The store that the settings name, opened when it is first needed: a command that passes
    /// needs none. A URL that cannot be used is refused here, whatever becomes of the command.
    ///
    /// # Errors
    /// If nothing could ever be recorded there.
    pub(crate) fn store_when_needed(&self) -> Result<Arc<dyn AuditStore>> {
        let store = self.settings.store.clone();
        let (settings, host, printer) = (&self.settings, &self.host, &self.printer);
        if let StoreUrl::Postgres(_) = store.value {
            // It connects when it is first used, and until then only looks at its URL.
            return store::open(settings, &store, host.clone(), printer);
        }
        let (settings, host, printer) = (settings.clone(), host.clone(), printer.clone());
        Ok(Arc::new(LazyStore::new(
            store.value.to_string(),
            Box::new(move || store::open(&settings, &store, host.clone(), &printer)),
        )))
    }

    /// The session `named`, or else the newest: of this workspace, or of `any_project`.
    fn asked(&self, named: Option<String>, any_project: bool) -> Asked<'_> {
        Asked {
            named,
            workspace: &self.settings.workspace,
            scope: match any_project {
                true => Scope::AnyProject,
                false => Scope::Workspace,
            },
        }
    }

    /// Opens the store that an argument names.
    fn store_at(&self, argument: &'static str, url: &OsString) -> Result<Arc<dyn AuditStore>> {
        let store = self.settings.store_at(argument, url)?;
        store::open(&self.settings, &store, self.host.clone(), &self.printer)
    }

    /// The same, if it is there: of a name that was mistyped, nothing would be copied, and that
    /// would look like success.
    fn existing_store_at(
        &self,
        argument: &'static str,
        url: &OsString,
    ) -> Result<Arc<dyn AuditStore>> {
        let store = self.settings.store_at(argument, url)?;
        match &store.value {
            StoreUrl::Jsonl(path) | StoreUrl::Sqlite(path) if !path.exists() => Err(Error::new(
                ErrorKind::NotFound,
                format!("there is no store at {}", path.display()),
            )),
            _ => store::open(&self.settings, &store, self.host.clone(), &self.printer),
        }
    }
}

/// What tells a person by `printer` what is waited for.
fn waiting_told_by(printer: &Printer) -> impl Fn(&str) + Send + Sync + 'static {
    let printer = printer.clone();
    move |what| printer.note(what)
}

/// Whether what the project's file says of recoveries plays a part in `command`.
fn reads_policy(command: &Command) -> bool {
    matches!(
        command,
        Command::Plan(_)
            | Command::Classify(_)
            | Command::Recipes(_)
            | Command::Explain(_)
            | Command::Config
    )
}

fn dispatch(app: &App, command: Command) -> Result<Exit> {
    let App {
        settings,
        printer,
        host,
    } = app;
    let state_dir = &settings.state_dir.value;
    // What the project's file says plays a part in these alone.
    if reads_policy(&command) {
        app.tell_left_out();
    }
    match command {
        Command::Run(_) | Command::Completions(_) => {
            unreachable!("`run` takes them before it resolves settings")
        }
        Command::Plan(args) => commands::plan(app, args.command),
        Command::Classify(args) => commands::classify(app, args),
        Command::Recipes(args) => recipes(app, args),
        Command::Explain(args) => explain(app, args),
        Command::Trust(args) => trust(app, args),
        Command::Checkpoint(_) => commands::checkpoint(app),
        Command::Restore(args) => commands::restore(app, args),
        Command::Config => commands::config(settings, printer),
        Command::Log => log(app),
        Command::Sessions => commands::sessions(&*app.store()?, host.now(), printer),
        Command::History(HistoryArgs {
            session,
            last,
            any_project,
        }) => {
            let asked = app.asked(session, any_project);
            commands::history(&*app.store()?, asked, last.flatten(), host.now(), printer)
        }
        Command::Show(args) => show(app, args),
        Command::Stats(args) => stats(app, args),
        Command::Export(args) => export(app, args),
        Command::Report(args) => report(app, args),
        Command::Prune(args) => commands::prune_sessions(app, prune_request(args)),
        Command::Hold(HoldArgs {
            session,
            reason,
            release,
        }) => match release {
            true => commands::release(app, session),
            false => commands::hold(app, session, reason),
        },
        Command::Import(ImportArgs { files }) => commands::import(&*app.store()?, files, printer),
        Command::Copy(CopyArgs { from, to }) => {
            let from = app.existing_store_at("FROM", &from)?;
            commands::copy(&*from, &*app.store_at("TO", &to)?, printer)
        }
        Command::Clear(ClearArgs {
            session,
            all: _,
            yes,
        }) => commands::clear(&*app.store()?, session, yes, state_dir, host, printer),
    }
}

fn trust(app: &App, args: TrustArgs) -> Result<Exit> {
    let TrustArgs { file, revoke, list } = args;
    let at = TrustPlace {
        settings: &app.settings,
        printer: &app.printer,
        host: &*app.host,
    };
    match (list, revoke) {
        (true, _) => commands::list_trusted(&at),
        (false, false) => commands::trust(&at, file.as_deref()),
        (false, true) => commands::revoke_trust(&at, file.as_deref()),
    }
}

fn report(app: &App, args: ReportArgs) -> Result<Exit> {
    let ReportArgs {
        session,
        format,
        output,
        any_project,
    } = args;
    let request = Report {
        asked: app.asked(session, any_project),
        format,
        output,
        github: &app.settings.github,
    };
    commands::report(&*app.store()?, request, app.host.now(), &app.printer)
}

fn show(app: &App, args: ShowArgs) -> Result<Exit> {
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
        session: app.asked(session, any_project),
        attempt: attempt.or(last.flatten()),
    };
    let parts = [
        (diff, Part::Diff),
        (stat, Part::Stat),
        (output, Part::Output),
    ];
    if let Some((_, part)) = parts.into_iter().find(|(is_asked, _)| *is_asked) {
        return commands::show_part(&app.place()?, wanted, part, &app.printer);
    }
    commands::show(&app.place()?, wanted, app.host.now(), &app.printer)
}

fn explain(app: &App, args: ExplainArgs) -> Result<Exit> {
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
    let request = commands::library_request(app, &RunRequest::of(Vec::new()))?;
    let printer = &app.printer;
    match what {
        Some(file) if command.is_some() || exit_code.is_some() => {
            commands::explain_output(request, &output(file), printer)
        }
        Some(what) if !commands::is_session(&*app.store()?, &what)? => {
            commands::explain_output(request, &output(what), printer)
        }
        session => commands::explain_session(request, app.asked(session, any_project), printer),
    }
}

fn recipes(app: &App, args: RecipesArgs) -> Result<Exit> {
    let request = commands::library_request(app, &RunRequest::of(Vec::new()))?;
    commands::recipes(request.recipes, args.name.as_deref(), &app.printer)
}

fn export(app: &App, args: ExportArgs) -> Result<Exit> {
    let ExportArgs {
        session,
        all,
        format,
        output,
        raw,
        any_project,
    } = args;
    let request = Export {
        asked: (!all).then(|| app.asked(session, any_project)),
        format,
        output,
        raw,
    };
    commands::export(&*app.store()?, request, app.host.now(), &app.printer)
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

fn stats(app: &App, args: StatsArgs) -> Result<Exit> {
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
    let now = app.host.now();
    if !all {
        let asked = app.asked(session, any_project);
        return commands::stats(&*app.store()?, asked, now, &app.printer);
    }
    let query = commands::Question {
        since,
        until,
        project,
        host,
        by,
    };
    commands::stats_of_all(&*app.store()?, query, now, &app.printer)
}

fn log(app: &App) -> Result<Exit> {
    let started = identity::session_started(&app.settings, None);
    let input = io::stdin().lock();
    commands::log(
        &*app.store()?,
        input,
        &new_id("session"),
        started,
        &app.printer,
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
/// its colours; a complaint repeats what was typed, so it is escaped instead.
fn print_usage(error: clap::Error, args: &[OsString]) -> Exit {
    if error.use_stderr() {
        let text = match with_separator(&error, args) {
            Some(words) => format!("error: put the command after `--`: `{words}`\n"),
            None => without_wrong_tip(error).render().to_string(),
        };
        let text = without_store_urls(text, args);
        let text = escape_bytes(text.as_bytes(), Escapes::Text);
        io::stderr().write_all(text.as_bytes()).ok();
        match is_run(args) {
            true => Exit::FAILED,
            false => Exit::USAGE,
        }
    } else {
        // A reader that has gone away does not need the rest of the help.
        error.print().ok();
        Exit::OK
    }
}
