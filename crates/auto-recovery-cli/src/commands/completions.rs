//! `recover completions`: what a shell asks while a person types, and manual pages.
//!
//! A shell loads a short script that asks this same program, with `RECOVER_COMPLETE` set, what
//! could follow. Thus it knows the sessions, attempts, checkpoints and recipes that are there.

mod candidates;
mod pages;
mod shells;

use std::ffi::OsString;
use std::fs;
use std::path::Path;

use auto_recovery::{Error, Result};
use clap_complete::env::CompleteEnv;

use crate::args::CompletionsArgs;
use crate::exit::Exit;
use crate::output::{Escapes, Printer, stdout_error};

/// The name of the binary.
const NAME: &str = "recover";

/// The variable by which a shell's script asks, its value the name of the shell.
const VARIABLE: &str = "RECOVER_COMPLETE";

/// A file to write, under the name that shells or `man` look for.
struct Generated {
    name: String,
    content: Vec<u8>,
}

/// Answers a shell that asks what could follow on the command line `args`. Returns whether one did.
///
/// # Errors
/// If the shell is none that is known.
pub(crate) fn answer_shell(args: &[OsString]) -> clap::error::Result<bool> {
    let words = candidates::Words::of(args);
    CompleteEnv::with_factory(move || candidates::know(words.clone()))
        .var(VARIABLE)
        .shells(shells::all())
        .try_complete(
            args.iter().cloned(),
            std::env::current_dir().ok().as_deref(),
        )
}

/// Writes completions or manual pages to stdout, or below a directory.
///
/// # Errors
/// If they cannot be written.
pub(crate) fn completions(args: CompletionsArgs, printer: &Printer) -> Result<Exit> {
    let CompletionsArgs { what, directory } = args;
    let Some(directory) = directory.filter(|directory| directory != Path::new("-")) else {
        let content = match what.shell() {
            Some(shell) => shells::script(shell)?.content,
            None => pages::main()?,
        };
        printer.data(Escapes::Text, |out| {
            out.write_all(&content).map_err(stdout_error)
        })?;
        return Ok(Exit::OK);
    };
    let files = match what.shell() {
        Some(shell) => vec![shells::script(shell)?],
        None => pages::all()?,
    };
    fs::create_dir_all(&directory)
        .map_err(|error| Error::io("create directory", &directory, error))?;
    for file in files {
        let path = directory.join(file.name);
        fs::write(&path, file.content).map_err(|error| Error::io("write", &path, error))?;
        printer.note(format_args!("wrote {}", path.display()));
    }
    Ok(Exit::OK)
}
