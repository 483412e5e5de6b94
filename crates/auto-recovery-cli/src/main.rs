//! The command `recover`: typed arguments become settings, settings go to one function a command.
//!
//! No rule lives here: what a failure is, what to try and what the record says is the library's.

mod advice;
mod args;
mod artifacts;
mod build;
mod commands;
mod context;
mod dispatch;
mod exit;
mod hints;
mod identity;
mod kept_outputs;
mod lazy_store;
mod output;
mod settings;
mod store;
mod unlocking;

use std::process::ExitCode;

fn main() -> ExitCode {
    match dispatch::run(std::env::args_os()) {
        Ok(exit) => exit.into(),
        Err(failure) if failure.exit == exit::Exit::OK => failure.exit.into(),
        Err(failure) => {
            output::print_error(&failure.error);
            failure.exit.into()
        }
    }
}
