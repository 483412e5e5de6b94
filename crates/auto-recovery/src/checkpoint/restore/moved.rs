//! Uncovered paths that got another name: an ignored file, `node_modules`, `.git`, a work tree. To
//! remove one under its new name would destroy the only copy.
//!
//! Recognised by inode: those watched at the snapshot that a restore goes back to. A file counts as
//! the same only with its size and time; a directory, only if it was made at the same time, and
//! where that is not known, unless it was made after the snapshot.

use std::collections::HashMap;
use std::time::UNIX_EPOCH;

use crate::checkpoint::commit::Checkpoint;
use crate::checkpoint::tree::path::{RelPath, to_os};
use crate::checkpoint::tree::root::Root;
use crate::checkpoint::tree::stamp::Stamp;
use crate::checkpoint::tree::watch::Watch;

/// A path that is not covered, under the name it has now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::checkpoint) struct Moved {
    pub(in crate::checkpoint) now: RelPath,
    pub(in crate::checkpoint) was: RelPath,
}

/// The paths watched at `to` that are now at one of `leaving`, or where `from` saw them.
pub(in crate::checkpoint) fn moved<'a>(
    root: &Root,
    (from, to): (&'a Checkpoint, &Checkpoint),
    leaving: impl Iterator<Item = &'a RelPath>,
) -> Vec<Moved> {
    let (Some(then), Some(now)) = (&to.watch, &from.watch) else {
        return Vec::new();
    };
    let gone = gone(root, then, now);
    if gone.is_empty() {
        return Vec::new();
    }
    let new = now.seen_paths().filter(|path| !then.has_seen(path));
    let mut moved: Vec<Moved> = leaving
        .chain(new)
        .filter_map(|path| {
            let (stamp, made_ns) = root.stamp_and_birth(path).ok().flatten()?;
            let was = gone.get(&stamp.ino)?;
            let is_known = then.knows_when_made(was) && made_ns.is_some();
            let is_it = then.is_still(was, &stamp, made_ns)
                && (is_known || !is_made_since(root, path, &stamp, to));
            is_it.then(|| Moved {
                now: path.clone(),
                was: was.clone(),
            })
        })
        .collect();
    moved.sort_by(|a, b| a.now.cmp(&b.now));
    moved
}

/// The watched paths that no longer have their inode, by inode.
fn gone(root: &Root, then: &Watch, now: &Watch) -> HashMap<u64, RelPath> {
    let other = then
        .seen_paths()
        .filter(|path| now.inode(path) != then.inode(path));
    let gone = other.filter(|path| match root.stamp(path) {
        Ok(stamp) => stamp.map(|stamp| stamp.ino) != then.inode(path),
        Err(_) => false,
    });
    gone.filter_map(|path| Some((then.inode(path)?, path.clone())))
        .collect()
}

/// Whether a directory was made after the snapshot: it may have got the inode of a removed one.
fn is_made_since(root: &Root, path: &RelPath, stamp: &Stamp, to: &Checkpoint) -> bool {
    if !rustix::fs::FileType::from_raw_mode(stamp.mode).is_dir() {
        return false;
    }
    let path = root.path().join(to_os(path));
    let made = path.symlink_metadata().and_then(|is| is.created());
    let seconds = |at: std::time::SystemTime| at.duration_since(UNIX_EPOCH).map(|at| at.as_secs());
    match made.map(seconds) {
        Ok(Ok(made)) => seconds(to.taken_at).is_ok_and(|taken| made > taken),
        _ => false,
    }
}
