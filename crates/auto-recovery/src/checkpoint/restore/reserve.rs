//! Room kept free for an undo: a file of real blocks in the state, given up when the disk is full.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use crate::checkpoint::options::MIB;
use crate::files::create_afresh;
use crate::platform::files;
use crate::workspace::layout::CHECKPOINTS;

/// A restore writes one file beside the old one at a time, of 10 MiB at most; half of that again
/// for directories and git's own needs.
const RESERVE_BYTES: u64 = 16 * MIB;

fn path(state_dir: &Path) -> PathBuf {
    state_dir.join(CHECKPOINTS).join("reserve")
}

/// Makes the reserve when it is missing. Without one an undo on a full disk may fail, so the caller
/// checks for free space before; failing here changes nothing about that.
pub(in crate::checkpoint) fn keep(state_dir: &Path) {
    let path = path(state_dir);
    if path.exists() {
        return;
    }
    if let Ok(mut file) = create_afresh(&path) {
        let filled = fill(&mut file);
        if !filled {
            let _gone = fs::remove_file(&path);
        }
    }
}

/// Gives `file` real blocks.
fn fill(file: &mut File) -> bool {
    if files::reserve(file, RESERVE_BYTES).is_ok() {
        return true;
    }
    let zeros = vec![0; MIB as usize];
    (0..RESERVE_BYTES / MIB).all(|_| file.write_all(&zeros).is_ok())
}

/// Gives the reserve up; the next snapshot makes it again.
pub(in crate::checkpoint) fn release(state_dir: &Path) {
    let _none = fs::remove_file(path(state_dir));
}
