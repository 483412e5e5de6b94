//! The exit codes, and the one table from errors to them.

use std::error::Error as StdError;
use std::io;
use std::process::ExitCode;

use auto_recovery::{Error, ErrorKind};

/// What the process exits with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Exit(u8);

impl Exit {
    /// All went well.
    pub(crate) const OK: Self = Self(0);
    /// What was asked for is not there, or not all of it could be done.
    pub(crate) const NOT_FOUND: Self = Self(1);
    /// A mistake in the command line, the environment or a configuration file.
    pub(crate) const USAGE: Self = Self(2);
    /// Nothing is known to have changed, and that cannot be proved.
    pub(crate) const NOT_PROVED: Self = Self(3);
    /// `recover` itself failed.
    pub(crate) const FAILED: Self = Self(125);

    /// This code, as much of it as a process can exit with.
    pub(crate) fn code(code: i32) -> Self {
        Self(code.to_le_bytes()[0])
    }

    /// The code for `error`.
    pub(crate) fn of(error: &Error) -> Self {
        match error.kind() {
            ErrorKind::NotFound => Self::NOT_FOUND,
            ErrorKind::InvalidInput => Self::USAGE,
            ErrorKind::Busy
            | ErrorKind::Io
            | ErrorKind::NoSpace
            | ErrorKind::Damaged
            | ErrorKind::NewerFormat
            | ErrorKind::Poisoned
            | ErrorKind::CommandNotFound
            | ErrorKind::NotExecutable
            | ErrorKind::Tool
            | ErrorKind::Refused
            | ErrorKind::TimedOut
            | ErrorKind::Unreachable
            | ErrorKind::Interrupted => Self::FAILED,
            // The library may grow kinds; one that this table does not know is a failure of ours.
            _ => Self::FAILED,
        }
    }
}

/// What kept something from being done, and what the process exits with because of it.
pub(crate) struct Failure {
    /// What it was.
    pub(crate) error: Error,
    /// The code.
    pub(crate) exit: Exit,
}

impl Failure {
    /// That `recover run` cannot do what was asked. Codes below 125 are the command's to give, so
    /// none of them says this, whatever `error` is.
    pub(crate) fn of_run(error: Error) -> Self {
        Self {
            error,
            exit: Exit::FAILED,
        }
    }
}

impl From<Error> for Failure {
    /// Whoever read our output may go away, which is no failure: `recover history | head` ends like
    /// that.
    fn from(error: Error) -> Self {
        let exit = match is_closed_output(&error) {
            true => Exit::OK,
            false => Exit::of(&error),
        };
        Self { error, exit }
    }
}

impl From<u8> for Exit {
    fn from(code: u8) -> Self {
        Self(code)
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.0)
    }
}

/// Whether `error` says that whoever read our output has gone away.
pub(crate) fn is_closed_output(error: &Error) -> bool {
    let mut cause: Option<&(dyn StdError + 'static)> = Some(error);
    while let Some(error) = cause {
        if let Some(error) = error.downcast_ref::<io::Error>()
            && error.kind() == io::ErrorKind::BrokenPipe
        {
            return true;
        }
        cause = error.source();
    }
    false
}
