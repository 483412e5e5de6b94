//! Which file it is, and whether it is as it was at a look.

use std::fs::{self, File, Metadata};
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::time::{Duration, SystemTime};

use rustix::fs::fstat;
use serde::{Deserialize, Serialize};

/// How long a change may leave no trace in a file's time. Kernels stamp files with a clock that
/// ticks every 1 to 10 ms: twice the slowest is safe.
pub(crate) const TICK: Duration = Duration::from_millis(20);

/// The same on file systems that keep whole seconds only, some of them even ones.
const COARSE_TICK: Duration = Duration::from_secs(2);

/// Which file a path or handle means, whatever its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct FileId {
    device: u64,
    inode: u64,
}

impl FileId {
    /// The one that `metadata` is of.
    pub fn of(metadata: &Metadata) -> Self {
        Self {
            device: metadata.dev(),
            inode: metadata.ino(),
        }
    }

    /// Whether its inode has this number.
    pub(crate) fn has_inode(self, number: u64) -> bool {
        self.inode == number
    }

    /// The one that is open as `descriptor`.
    pub(crate) fn of_open(descriptor: impl AsFd) -> Option<Self> {
        let stat = fstat(descriptor).ok()?;
        Some(Self {
            device: stat.st_dev as u64,
            inode: stat.st_ino as u64,
        })
    }
}

/// Whether it is `file` that stands at `path`, itself and not through a link.
pub(crate) fn stands_at(file: &File, path: &Path) -> bool {
    match (file.metadata(), fs::symlink_metadata(path)) {
        (Ok(open), Ok(named)) => FileId::of(&open) == FileId::of(&named),
        _ => false,
    }
}

/// Whether a file that was last changed at `changed`, since the epoch, and looked at at `looked`,
/// may have changed after the look and have the same time. One without a fraction of a second may
/// stand on a file system that keeps none.
pub(crate) fn may_change_unseen(changed: Duration, looked: Duration) -> bool {
    let tick = match changed.subsec_nanos() {
        0 => COARSE_TICK,
        _ => TICK,
    };
    changed.saturating_add(tick) >= looked
}

/// What tells whether a file is as it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Stamp {
    device: u64,
    inode: u64,
    length: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Stamp {
    pub(crate) fn of(metadata: &Metadata) -> Self {
        Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            length: metadata.len(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        }
    }

    /// Whether the file of this stamp may have become that of `later` by appending.
    pub(crate) fn may_have_grown_to(&self, later: &Self) -> bool {
        *self == *later
            || (self.device == later.device
                && self.inode == later.inode
                && self.length < later.length)
    }

    /// Whether a change that came after the stamp, at `now`, would show in another stamp.
    pub(crate) fn is_settled(&self, now: SystemTime) -> bool {
        let (seconds, nanos) = self.changed;
        let (Ok(seconds), Ok(nanos)) = (u64::try_from(seconds), u32::try_from(nanos)) else {
            return false;
        };
        let now = now.duration_since(SystemTime::UNIX_EPOCH);
        now.is_ok_and(|now| !may_change_unseen(Duration::new(seconds, nanos), now))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::may_change_unseen;

    #[test]
    fn a_change_shows_once_the_clock_that_stamps_files_has_ticked() {
        let check = |changed_ns: u64, later_ms: u64, expected: bool| {
            let changed = Duration::from_nanos(changed_ns);
            let looked = changed + Duration::from_millis(later_ms);
            assert_eq!(may_change_unseen(changed, looked), expected, "{later_ms}");
        };
        check(1_000_000_001, 0, true);
        check(1_000_000_001, 20, true);
        check(1_000_000_001, 21, false);
        check(1_000_000_000, 2000, true);
        check(1_000_000_000, 2001, false);
    }
}
