//! A locked file in the state: whether somebody holds it, and whether it is still the one that
//! stands at its path.

use std::fs::File;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;

use crate::files::{Links, open_regular};

/// Whether it is `file` that stands at `path`.
pub(super) fn is_at(file: &File, path: &Path) -> bool {
    let (Ok(open), Ok(named)) = (file.metadata(), path.symlink_metadata()) else {
        return false;
    };
    (open.dev(), open.ino()) == (named.dev(), named.ino())
}

/// Whether somebody else holds `file` locked.
pub(super) fn is_locked(file: &File) -> bool {
    flock(file, FlockOperation::NonBlockingLockShared) == Err(Errno::WOULDBLOCK)
}

/// Whether somebody holds the file at `path` locked.
pub(super) fn is_locked_at(path: &Path) -> bool {
    open_regular(path, Links::Refuse).is_ok_and(|file| is_locked(&file))
}
