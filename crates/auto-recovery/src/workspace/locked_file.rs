//! Locked files in the state: whether somebody holds one.

use std::fs::File;
use std::path::Path;

use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;

use crate::files::{Links, open_regular};

/// Whether somebody else holds `file` locked.
pub(super) fn is_locked(file: &File) -> bool {
    flock(file, FlockOperation::NonBlockingLockShared) == Err(Errno::WOULDBLOCK)
}

/// Whether somebody holds the file at `path` locked.
pub(super) fn is_locked_at(path: &Path) -> bool {
    open_regular(path, Links::Refuse).is_ok_and(|file| is_locked(&file))
}
