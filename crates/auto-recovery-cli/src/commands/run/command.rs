//! `recover run`.

use std::fs;
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use auto_recovery::export;
use auto_recovery::host::{SystemHost, timestamp};
use auto_recovery::process::{self, Interrupt, Signals};
use auto_recovery::run::{self as library, ResultFile, RunExit, World};
use auto_recovery::{Error, ErrorKind, Result};

use crate::app::App;
use crate::commands::prune_by_itself;
use crate::commands::run::console::{Lent, Terminal, hold_stdout};
use crate::commands::run::request::library_request;
use crate::commands::run::steps::Steps;
use crate::exit::Exit;
use crate::output::{Status, stdout_error};
use crate::settings::RunRequest;

/// Runs the command and, if it fails, recovers it. Ends as the command did, or with 0 once
/// recovered.
///
/// # Errors
/// If `recover` itself fails.
pub(crate) fn run(app: &App, request: RunRequest) -> Result<Exit> {
    let Some(path) = request.result_file.clone() else {
        return run_and_prune(app, request);
    };
    make_room(&path)?;
    run_and_prune(app, request).inspect_err(|error| {
        let (message, now) = (error.chain(), timestamp(app.host.now()));
        // If this fails, `error` is told all the same.
        drop(write_result(&path, &ResultFile::of_failure(&message, &now)));
    })
}

/// Makes sure that a result can be written to `path` in the end, and that what an earlier run says
/// there is not taken for what this one does, whatever ends it.
fn make_room(path: &Path) -> Result<()> {
    let dir = path.parent().filter(|dir| !dir.as_os_str().is_empty());
    if let Some(dir) = dir.filter(|dir| !dir.is_dir()) {
        return Err(Error::new(
            ErrorKind::InvalidInput,
            format!(
                "--result-file: {} is no directory: make it first",
                dir.display()
            ),
        ));
    }
    if fs::symlink_metadata(path).is_ok_and(|metadata| metadata.is_file()) {
        fs::remove_file(path).map_err(|error| Error::io("remove", path, error))?;
    }
    Ok(())
}

fn run_and_prune(app: &App, request: RunRequest) -> Result<Exit> {
    let library_request = library_request(app, &request)?;
    let interrupt = Arc::new(Interrupt::new()?);
    // The parent of whatever a killed fixer leaves must be this process, or it could not be ended.
    process::become_subreaper()?;
    let signals = Signals::install(Arc::clone(&interrupt))?;
    let host = Arc::new(SystemHost::with_interrupt(Arc::clone(&interrupt)));
    let limit = app.settings.run.policy.deadline.value;
    let status = Arc::new(Status::new(&app.printer, host.clone(), limit));
    let held = match app.settings.run.hold_stdout.value {
        true => Some(hold_stdout()?),
        false => None,
    };
    let world = World {
        host,
        interrupt: Arc::clone(&interrupt),
        console: Box::new(Terminal::new(Lent {
            printer: app.printer.clone(),
            pty: app.settings.run.pty.value,
            makeflags: app.settings.makeflags.clone(),
            held: held.clone(),
            status: Arc::clone(&status),
        })?),
        observer: Arc::new(Mutex::new(Steps::new(
            app.printer.clone(),
            Arc::clone(&status),
        ))),
    };
    let outcome = library::run(library_request, world);
    status.idle();
    if let Some(held) = held {
        let mut held = held.lock().unwrap_or_else(PoisonError::into_inner);
        held.release(&interrupt).map_err(stdout_error)?;
    }
    let outcome = outcome?;
    if let Some(path) = &request.result_file {
        write_result(path, &outcome.result_file())?;
    }
    if outcome.session_id.is_some() {
        prune_by_itself(app);
    }
    drop(signals);
    Ok(match outcome.exit {
        RunExit::Code(code) => Exit::code(code),
        RunExit::Signal(signal) => Exit::code(process::die_by_signal(signal)),
    })
}

/// Puts `result` into the file at `path`, whole or not at all, for its owner alone.
fn write_result(path: &Path, result: &ResultFile<'_>) -> Result<()> {
    let text = serde_json::to_vec_pretty(result)
        .map_err(|error| Error::os("serialise the result", io::Error::from(error)))?;
    export::replace(path, &mut |file| {
        file.write_all(&text)
            .map_err(|error| Error::io("write the result to", path, error))
    })
}
