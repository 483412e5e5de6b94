//! What a session leaves in the state beside its trail: the output of its attempts and its
//! checkpoints.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use auto_recovery::audit::session_id;
use auto_recovery::checkpoint::{self, CheckpointOptions};
use auto_recovery::host::Host;
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
/// If something of it cannot be removed, or a recovery works where its checkpoints are.
pub(crate) fn remove(state_dir: &Path, session: &str, host: &Arc<dyn Host>) -> Result<()> {
    let options = CheckpointOptions::default();
    checkpoint::remove_session(state_dir, session, &options, Arc::clone(host))?;
    let outputs = outputs_dir(state_dir, session)?;
    match fs::remove_dir_all(&outputs) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(Error::io("remove", &outputs, error))
        }
        _ => Ok(()),
    }
}
