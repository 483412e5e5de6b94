//! The one table from the library's errors to Python's exceptions, and from its hints to words.

use auto_recovery::wording::shell_word;
use auto_recovery::{Error, ErrorKind, Hint};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::PyType;

/// The module that has the exceptions.
const MODULE: &str = "auto_recovery._errors";

/// The exception for `error`: its chain in words, the stable code of its kind, and the system's
/// number where there is one.
pub(crate) fn exception(py: Python<'_>, error: &Error) -> PyErr {
    raise(py, error).unwrap_or_else(|failed| failed)
}

/// A value that the caller gave and that cannot be used.
pub(crate) fn invalid(py: Python<'_>, context: impl Into<String>) -> PyErr {
    exception(py, &Error::new(ErrorKind::InvalidInput, context))
}

fn raise(py: Python<'_>, error: &Error) -> PyResult<PyErr> {
    let class = class(py, error.kind())?;
    let says = in_words(error);
    let value = match (error.kind(), error.raw_os_error()) {
        (ErrorKind::Io | ErrorKind::NoSpace | ErrorKind::Poisoned, Some(errno)) => {
            class.call1((errno, says))?
        }
        _ => class.call1((says,))?,
    };
    value.setattr("code", error.kind().code())?;
    Ok(PyErr::from_value(value))
}

/// `error` with its causes in one line, and what can be done about it.
pub(crate) fn in_words(error: &Error) -> String {
    error.chain_with(words)
}

/// What is said of a layer that `says` this and has `hint`. What only the command `recover` can do
/// is named as that.
fn words(says: &str, hint: &Hint) -> String {
    match hint {
        Hint::ReleaseHold { session_id } => format!(
            "{says}: `recover hold --release {}` lets it go",
            shell_word(session_id)
        ),
        Hint::ClearSession { session_id } => {
            format!("{says}: it stays until `clear_session({session_id:?})`")
        }
        Hint::ListAttempts { session_id } => {
            format!("{says}: `get_recovery_history({session_id:?})` lists its attempts")
        }
        Hint::EndDied { session_id } => format!(
            "{says}: `recover restore {}` puts the tree back; then try again",
            shell_word(session_id)
        ),
        Hint::WaitForOther => format!("{says}: try again once it ended"),
        Hint::NameWayBack => says.to_owned(),
        Hint::MakeCheckpoint => format!("{says}: `recover checkpoint` makes one and prints its id"),
        Hint::RestoreTree => format!("{says}; once that is mended, `recover restore` puts it back"),
        Hint::GiveFile => format!("{says}: give it as a file"),
        Hint::OwnStore => {
            format!("{says}: name a store of your own, or one in PostgreSQL for several people")
        }
        Hint::GiveMore { of } => format!("{says} {}", of.join("; ")),
        Hint::Verify => format!("{says}: `recover verify` names what changed"),
        Hint::NewChain => format!("{says}: `recover verify` tells more"),
        Hint::WitnessKey => format!("{says}: `recover key witness` makes it"),
        Hint::AskWitness { size } => {
            format!("{says}: `recover seal --add-checkpoint {size}` asks from there")
        }
        Hint::CopyStore { .. } => format!("{says}: name the files in it"),
    }
}

fn class(py: Python<'_>, kind: ErrorKind) -> PyResult<&Bound<'_, PyType>> {
    static INVALID_INPUT: PyOnceLock<Py<PyType>> = PyOnceLock::new();
    static NOT_FOUND: PyOnceLock<Py<PyType>> = PyOnceLock::new();
    static STORE: PyOnceLock<Py<PyType>> = PyOnceLock::new();
    static DAMAGED: PyOnceLock<Py<PyType>> = PyOnceLock::new();
    static RECOVERY: PyOnceLock<Py<PyType>> = PyOnceLock::new();
    let (cell, name) = match kind {
        ErrorKind::InvalidInput => (&INVALID_INPUT, "InvalidInputError"),
        ErrorKind::NotFound => (&NOT_FOUND, "NotFoundError"),
        ErrorKind::Io | ErrorKind::NoSpace | ErrorKind::Poisoned | ErrorKind::Unreachable => {
            (&STORE, "StoreError")
        }
        ErrorKind::Damaged | ErrorKind::NewerFormat => (&DAMAGED, "DamagedError"),
        ErrorKind::Busy
        | ErrorKind::CommandNotFound
        | ErrorKind::NotExecutable
        | ErrorKind::Tool
        | ErrorKind::Refused
        | ErrorKind::TimedOut
        | ErrorKind::Interrupted => (&RECOVERY, "RecoveryError"),
        // The library may grow kinds; all of them are at least this.
        _ => (&RECOVERY, "RecoveryError"),
    };
    cell.import(py, MODULE, name)
}
