//! Where things stand in the state directory, and how directories there are made.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::error::{Error, ErrorKind, Result};
use crate::files::{self, Purpose, encoding};
use crate::workspace::directory::Workspace;

/// The directory of all checkpoints in a state directory.
pub(crate) const CHECKPOINTS: &str = "checkpoints";

/// The directory of locks in a state directory. It is there once a recovery has worked.
pub(crate) const LOCKS: &str = "locks";

/// The largest file that is read of those that hold the root of a workspace: far longer than paths
/// may be.
pub(crate) const ROOT_BYTES_MAX: u64 = 64 * 1024;

/// Where refs of checkpoints stand in a private repository, one directory a session.
pub(crate) const REFS: &str = "refs/recover";

/// The longest name of a session's directory of refs.
const SESSION_NAME_BYTES_MAX: usize = 240;

/// The directory of `workspace` in the state.
pub(crate) fn workspace_dir(state_dir: &Path, workspace: &Workspace) -> PathBuf {
    state_dir.join(below_state(workspace))
}

/// The same, made.
///
/// # Errors
/// As [`make_in_state`].
pub(crate) fn make_workspace_dir(state_dir: &Path, workspace: &Workspace) -> Result<PathBuf> {
    make_in_state(state_dir, &below_state(workspace))
}

fn below_state(workspace: &Workspace) -> PathBuf {
    Path::new(CHECKPOINTS).join(workspace.key())
}

/// The name of a session's directory of refs: everything that git or a file system may read
/// otherwise is percent-encoded, a dot too: refs have rules of their own for it, so this is not the
/// name that the session's trail has.
pub(crate) fn session_name(session_id: &str) -> Result<String> {
    let name = encoding::encode(session_id, |_, byte| {
        byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-'
    });
    if name.is_empty() || name.len() > SESSION_NAME_BYTES_MAX {
        return Err(Error::new(
            ErrorKind::InvalidInput,
            format!(
                "session id {session_id:?} cannot name checkpoints: with its special characters \
                 encoded it must have 1 to {SESSION_NAME_BYTES_MAX} bytes"
            ),
        ));
    }
    Ok(name)
}

/// Makes `below` in the state, for this user alone, and returns where that is.
///
/// # Errors
/// [`ErrorKind::Io`] with the reason if the state is not this user's own, or cannot be made.
pub(crate) fn make_in_state(state_dir: &Path, below: &Path) -> Result<PathBuf> {
    files::make_own_dir(state_dir, below, Purpose::State)
        .map_err(|e| Error::io("cannot use the state directory", state_dir, e))
}

/// Whether there is a state, which must be this user's own. Nothing is made for the question.
///
/// # Errors
/// As [`make_in_state`].
pub(crate) fn has_state(state_dir: &Path) -> Result<bool> {
    match files::check_own_dir(state_dir, Purpose::State) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(false),
        checked => checked
            .map(|()| true)
            .map_err(|e| Error::io("cannot use the state directory", state_dir, e)),
    }
}

/// The directories that a passing run removes again, outermost first: those that it makes to have
/// `room` in the state. Where a recovery has worked before, the room stays, which spares the next
/// run to make it.
pub(crate) fn made_for_a_pass(state_dir: &Path, room: &str) -> Vec<PathBuf> {
    if state_dir.join(LOCKS).exists() {
        return Vec::new();
    }
    let above = state_dir.ancestors().take_while(|dir| !dir.exists());
    let mut made: Vec<_> = above.map(Path::to_owned).collect();
    made.reverse();
    made.push(state_dir.join(room));
    made
}

/// Removes directories that nobody else uses by now, innermost first.
pub(crate) fn remove_dirs(dirs: &[PathBuf]) {
    for dir in dirs.iter().rev() {
        if fs::remove_dir(dir).is_err() {
            return;
        }
    }
}

/// The session whose directory of refs has that name.
pub(crate) fn session_of(name: &str) -> Option<String> {
    encoding::decode(name)
}
