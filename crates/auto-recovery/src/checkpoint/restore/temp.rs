//! The names of the temporary files of restores. Only the exact names of restores that have not
//! ended are ours; whatever else looks like one is the user's.
//!
//! Layout of `restoring` in a workspace's state: one name a line. It stands while a restore is at
//! work, and after one that was killed until the next has ended.

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::path::Path;

use crate::error::{Error, Result};
use crate::files::{Links, open_own, read_small};

/// The most that is read of it: far more names than restores are killed here.
const BYTES_MAX: u64 = 1024 * 1024;

/// Where the names are kept.
const FILE: &str = "restoring";

/// How many digits of a checkpoint's id tell one restore from another.
const DIGITS: usize = 12;

/// The name of temporary files while a tree is put back to the checkpoint `id`: the same when a
/// killed restore is run again.
pub(in crate::checkpoint) fn name(id: &str) -> Vec<u8> {
    format!(".recover-restore-{}.tmp", &id[..DIGITS]).into_bytes()
}

/// The names that restores which have not ended use in the workspace of `state`.
pub(in crate::checkpoint) fn names(state: &Path) -> Vec<Vec<u8>> {
    let text = read_small(&state.join(FILE), Links::Refuse, BYTES_MAX);
    let text = text.unwrap_or_default();
    let lines = text.split(|byte| *byte == b'\n');
    let lines = lines.filter(|line| !line.is_empty());
    lines.map(<[u8]>::to_vec).collect()
}

/// A restore that uses `name` begins.
///
/// # Errors
/// If that cannot be noted.
pub(in crate::checkpoint) fn begin(state: &Path, name: &[u8]) -> Result<()> {
    if names(state).iter().any(|known| known == name) {
        return Ok(());
    }
    let path = state.join(FILE);
    let mut options = OpenOptions::new();
    options.append(true).create(true);
    let noted =
        open_own(&path, &mut options).and_then(|mut file| file.write_all(&[name, b"\n"].concat()));
    noted.map_err(|e| Error::io("write", &path, e))
}

/// No restore is at work any more, and none has left anything.
///
/// # Errors
/// If that cannot be noted.
pub(in crate::checkpoint) fn end(state: &Path) -> Result<()> {
    let path = state.join(FILE);
    match fs::remove_file(&path) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => Err(Error::io("remove", &path, e)),
        _ => Ok(()),
    }
}
