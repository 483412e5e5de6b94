//! How much of ignore files is read: what somebody put in the way must not exhaust memory.
//!
//! Their patterns become a matcher that is held, and are kept with each checkpoint. So there is a
//! limit for one file and one for all; beyond it there is no checkpoint rather than one that takes
//! for the user's own what rules that nobody read would have ignored.

use std::io::{self, Read};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::checkpoint::options::MIB;
use crate::error::{Error, ErrorKind, Result};
use crate::files::{Links, open_regular};

/// The largest ignore file that is read: 13,000 patterns of 20 bytes. A matcher of a mebibyte of
/// them takes 500.
const FILE_BYTES_MAX: u64 = MIB / 4;

/// Bytes of all ignore files of a tree. Those of the largest trees that people work in have a tenth
/// of that together.
const ALL_BYTES_MAX: u64 = MIB;

/// What `file` says. One that is too large is read so far that it can be told.
pub(in crate::checkpoint) fn read(file: impl Read) -> Vec<u8> {
    let mut text = Vec::new();
    // What cannot be read ignores nothing.
    let _partial = file.take(FILE_BYTES_MAX + 1).read_to_end(&mut text);
    text
}

/// The same of the file at `path`; people link their dotfiles.
pub(in crate::checkpoint) fn read_at(path: &Path) -> io::Result<Vec<u8>> {
    open_regular(path, Links::Follow).map(read)
}

/// How much of ignore files was read, by all who walk through a tree.
#[derive(Debug, Default)]
pub(in crate::checkpoint) struct IgnoreBudget {
    bytes: AtomicU64,
}

impl IgnoreBudget {
    /// Counts `text`, which `file` says in the tree at `root`.
    ///
    /// # Errors
    /// [`ErrorKind::NoSpace`] if it is too large, or all of them together are.
    pub(in crate::checkpoint) fn count(&self, root: &Path, file: &str, text: &[u8]) -> Result<()> {
        let most = FILE_BYTES_MAX;
        if text.len() as u64 > most {
            return Err(refusal(root, &format!("{file} has more than {most} bytes")));
        }
        let before = self.bytes.fetch_add(text.len() as u64, Ordering::Relaxed);
        match before + text.len() as u64 > ALL_BYTES_MAX {
            true => {
                let what = format!("its ignore files have more than {ALL_BYTES_MAX} bytes");
                Err(refusal(root, &what))
            }
            false => Ok(()),
        }
    }
}

/// Why there is no checkpoint of `root` where the patterns of `file` are too many for a matcher.
pub(in crate::checkpoint) fn too_many(root: &Path, file: &str) -> Error {
    refusal(root, &format!("{file} has more patterns than can be held"))
}

/// Why there is no checkpoint of `root`, and the way out.
fn refusal(root: &Path, what: &str) -> Error {
    Error::new(
        ErrorKind::NoSpace,
        format!(
            "no checkpoint of {}: {what}, so nobody can say what they ignore; make them smaller, \
             or run without checkpoints",
            root.display()
        ),
    )
}
