//! What a process that outlives its command goes on writing.
//!
//! It writes to a pipe or a terminal of ours. When we close that, its next line ends it, though we
//! said that it is kept. So a small program of the system, `cat`, takes our place and passes on
//! what comes to where the command's output went, for as long as anybody writes. It stands in a
//! group of its own, where a Ctrl-C does not reach it, and ends by itself.

use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};

use rustix::io::ioctl_fionbio;

use super::children;

/// Passes on from `source` to `target`, or to nowhere. Without the program the pipe closes, which
/// is what would happen anyway.
#[expect(
    clippy::disallowed_methods,
    reason = "this is the room that starts programs"
)]
pub(super) fn leave(source: OwnedFd, target: Option<OwnedFd>) {
    if ioctl_fionbio(&source, false).is_err() {
        return;
    }
    let target = target.map_or_else(Stdio::null, Stdio::from);
    let mut cat = Command::new("cat");
    cat.stdin(source).stdout(target).stderr(Stdio::null());
    // Nobody waits for it: it ends when the last writer does, which may be after us.
    drop(children::spawn(cat.process_group(0)));
}
