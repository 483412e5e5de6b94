//! Whether a configuration file is its user's own, by who owns it and who can write it.
//!
//! Asks the open file, not its path, so that it cannot be swapped in between. Refuses nothing: it
//! says what is in doubt.

use std::fs::File;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use auto_recovery::files::other_writers;
use auto_recovery::{Error, Result};

/// Why `file`, which is at `path`, may not be of the user alone, if so: it belongs to somebody who
/// is neither the user nor root, or others can write it.
///
/// # Errors
/// If the file cannot be looked at.
pub(super) fn doubt(file: &File, path: &Path) -> Result<Option<String>> {
    let metadata = file
        .metadata()
        .map_err(|error| Error::io("read the owner of", path, error))?;
    let user = rustix::process::geteuid().as_raw();
    let owner = metadata.uid();
    if owner != user && owner != 0 {
        return Ok(Some(format!(
            "it belongs to user {owner}, not to you or root"
        )));
    }
    Ok(other_writers(file, &metadata))
}
