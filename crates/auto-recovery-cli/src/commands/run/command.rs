//! `recover run`.

use std::fs;
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex};

use auto_recovery::host::SystemHost;
use auto_recovery::process::{self, Interrupt};
use auto_recovery::run::{self as library, RunExit, RunOutcome, World};
use auto_recovery::{Error, Result};

use crate::app::App;
use crate::commands::run::console::Terminal;
use crate::commands::run::request::library_request;
use crate::commands::run::steps::Steps;
use crate::exit::Exit;
use crate::output::Status;
use crate::settings::RunRequest;

/// Runs the command and, if it fails, recovers it. Ends as the command did, or with 0 once recovered.
pub(crate) fn run(app: &App, request: RunRequest) -> Result<Exit> {
    let interrupt = Arc::new(Interrupt::new()?);
    // The parent of whatever a killed fixer leaves must be this process, or it could not be ended.
    process::become_subreaper()?;
    let _signals = process::signals::forward(Arc::clone(&interrupt))?;
    let status = Arc::new(Status::new(&app.printer));
    let world = World {
        host: Arc::new(SystemHost::with_interrupt(Arc::clone(&interrupt))),
        interrupt,
        console: Box::new(Terminal::new(app.settings.run.hold_stdout.value, Arc::clone(&status))?),
        observer: Arc::new(Mutex::new(Steps::new(app.printer.clone(), status))),
    };
    let result_file = request.result_file.clone();
    let outcome = library::run(library_request(app, &request)?, world)?;
    if let Some(path) = &result_file {
        write_result(path, &outcome)?;
    }
    match outcome.exit {
        RunExit::Code(code) => Ok(Exit::from(u8::try_from(code & 0xff).unwrap_or(u8::MAX))),
        RunExit::Signal(signal) => Ok(Exit::by_signal(signal)),
    }
}

fn write_result(path: &Path, outcome: &RunOutcome) -> Result<()> {
    let text = serde_json::to_vec_pretty(&outcome.result_file())
        .map_err(|error| Error::os("serialise the result", io::Error::from(error)))?;
    fs::write(path, text).map_err(|error| Error::io("write the result to", path, error))
}
