//! `recover run`.

use std::fs;
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use auto_recovery::host::SystemHost;
use auto_recovery::process::{self, Interrupt, Signals};
use auto_recovery::run::{self as library, RunExit, RunOutcome, World};
use auto_recovery::{Error, Result};

use crate::app::App;
use crate::commands::prune_by_itself;
use crate::commands::run::console::{Terminal, hold_stdout};
use crate::commands::run::request::library_request;
use crate::commands::run::steps::Steps;
use crate::exit::Exit;
use crate::output::{Status, stdout_error};
use crate::settings::RunRequest;

/// Runs the command and, if it fails, recovers it. Ends as the command did, or with 0 once recovered.
///
/// # Errors
/// If `recover` itself fails.
pub(crate) fn run(app: &App, request: RunRequest) -> Result<Exit> {
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
        console: Box::new(Terminal::new(held.clone(), Arc::clone(&status))?),
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
        write_result(path, &outcome)?;
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

fn write_result(path: &Path, outcome: &RunOutcome) -> Result<()> {
    let text = serde_json::to_vec_pretty(&outcome.result_file())
        .map_err(|error| Error::os("serialise the result", io::Error::from(error)))?;
    fs::write(path, text).map_err(|error| Error::io("write the result to", path, error))
}
