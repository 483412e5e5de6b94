//! What a session leaves in the state beside its trail: the output of its attempts and its
//! checkpoints.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use auto_recovery::audit::encrypting::{Encryption, KeyStore};
use auto_recovery::audit::session_id;
use auto_recovery::checkpoint::{self, CheckpointOptions};
use auto_recovery::host::Host;
use auto_recovery::run::given_dir;
use auto_recovery::{Error, Result};

/// The directory that holds the output of the attempts of `session`.
///
/// # Errors
/// If `session` cannot be a session's id.
pub(crate) fn outputs_dir(state_dir: &Path, session: &str) -> Result<PathBuf> {
    Ok(state_dir.join("outputs").join(session_id::encode(session)?))
}

/// Removes what strategy commands were given in `session` by a run that was killed, and the key
/// that later processes of this login had.
///
/// # Errors
/// If `session` cannot be a session's id.
pub(crate) fn remove_from_memory(
    encryption: Option<&Encryption>,
    keys: Option<&dyn KeyStore>,
    session: &str,
) -> Result<()> {
    let name = session_id::encode(session)?;
    let login_dir = encryption.and_then(Encryption::login_dir);
    if let Some(given) = given_dir(login_dir, &name) {
        // It is the user's own, or is not there.
        drop(fs::remove_dir_all(given));
    }
    if let (Some(encryption), Some(keys)) = (encryption, keys) {
        encryption.forget(keys, session);
    }
    Ok(())
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
