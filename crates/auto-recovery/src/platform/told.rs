//! Reading what the system tells in files: their length says nothing, so a buffer is at hand that
//! holds most of them at once.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

/// More than the system tells of most things.
const TOLD_BYTES: usize = 4 * 1024;

/// What the system tells in `path`.
pub(super) fn read(path: impl AsRef<Path>) -> io::Result<Vec<u8>> {
    let mut told = Vec::with_capacity(TOLD_BYTES);
    File::open(path)?.read_to_end(&mut told)?;
    Ok(told)
}

/// The same, as text.
pub(super) fn read_text(path: impl AsRef<Path>) -> io::Result<String> {
    let mut told = String::with_capacity(TOLD_BYTES);
    File::open(path)?.read_to_string(&mut told)?;
    Ok(told)
}
