//! Stores on servers: where what is meant for them waits, and what people are told of it.

use std::io;
use std::path::{Path, PathBuf};

use auto_recovery::audit::session_id;
use auto_recovery::files::{Purpose, check_own_dir};
use auto_recovery::spool::{Notice, OnNotice};
use auto_recovery::{Error, Result};

use crate::output::Printer;

/// Where what is meant for `place` waits while it cannot be reached: in the state, under a name
/// that stays whoever connects and however.
///
/// # Errors
/// If there can be no such name.
pub(super) fn spool(state_dir: &Path, place: &str) -> Result<PathBuf> {
    Ok(state_dir.join("spool").join(session_id::encode(place)?))
}

/// Makes sure that the state, if there is one, is the user's own: entries wait in it.
///
/// # Errors
/// If it is not.
pub(super) fn check_state(state_dir: &Path) -> Result<()> {
    match check_own_dir(state_dir, Purpose::State) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(Error::io(
            "cannot use the state directory",
            state_dir,
            error,
        )),
        _ => Ok(()),
    }
}

/// What tells notices by `printer`.
pub(super) fn told_by(printer: &Printer) -> OnNotice {
    let printer = printer.clone();
    std::sync::Arc::new(move |notice| match notice {
        Notice::Delivered { .. } => printer.note(notice),
        _ => printer.warn(notice),
    })
}
