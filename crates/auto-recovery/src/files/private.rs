//! Directories that only their owner may enter.

use std::fs::DirBuilder;
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::Path;

/// Only the owner may enter.
const MODE: u32 = 0o700;

/// Makes the directory `dir` for the effective user alone; its parent exists.
///
/// # Errors
/// As `mkdir`.
pub fn make_private_dir(dir: &Path) -> io::Result<()> {
    DirBuilder::new().mode(MODE).create(dir)
}

/// Makes the directory `dir`, and those above it that are missing, for the effective user alone.
/// What is there stays as it is.
///
/// # Errors
/// As `mkdir`.
pub fn make_private_dirs(dir: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(MODE).create(dir)
}
