//! Whether a configuration file is its user's own, by who owns it and who can write it.
//!
//! Asks the open file, not its path, so that it cannot be swapped in between. Refuses nothing: it
//! says what is in doubt.

use std::fmt;
use std::fs::File;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use auto_recovery::files::other_writers;
use auto_recovery::{Error, Result};

/// Why a file may not be of the user alone.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Doubt {
    /// It, or the link that leads to it, is somebody else's.
    IsAnothers(String),
    /// It is the user's or root's, and others can write it.
    OthersWrite(String),
}

impl fmt::Display for Doubt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Self::IsAnothers(why) | Self::OthersWrite(why)) = self;
        f.write_str(why)
    }
}

/// Why `file`, which is at `path`, may not be of the user alone, if so: it, or the link that leads
/// to it, belongs to somebody who is neither the user nor root, or others can write it.
///
/// # Errors
/// If the file cannot be looked at.
pub(super) fn doubt(file: &File, path: &Path) -> Result<Option<Doubt>> {
    let metadata = file
        .metadata()
        .map_err(|error| Error::io("read the owner of", path, error))?;
    let user = rustix::process::geteuid().as_raw();
    let is_others = |owner| owner != user && owner != 0;
    let owner = metadata.uid();
    if is_others(owner) {
        let why = format!("it belongs to user {owner}, not to you or root");
        return Ok(Some(Doubt::IsAnothers(why)));
    }
    let named = path.symlink_metadata().ok();
    if let Some(link) = named.filter(|named| named.is_symlink() && is_others(named.uid())) {
        let by = link.uid();
        let why = format!("it is a link that user {by} made");
        return Ok(Some(Doubt::IsAnothers(why)));
    }
    Ok(other_writers(file, &metadata).map(Doubt::OthersWrite))
}
