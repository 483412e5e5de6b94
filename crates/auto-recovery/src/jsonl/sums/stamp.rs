//! Whether a file is as it was when something was learnt from it.

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};

/// How coarse the times of files are, with room: the clock that stamps them ticks every 10 ms or
/// oftener. A file that was changed just now may be changed again and look the same.
const TICK: Duration = Duration::from_millis(30);

/// What tells whether a file is as it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::jsonl) struct Stamp {
    device: u64,
    inode: u64,
    length: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Stamp {
    pub(in crate::jsonl) fn of(metadata: &Metadata) -> Self {
        Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            length: metadata.len(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        }
    }

    /// Whether the file of this stamp may have become that of `later` by appending.
    pub(in crate::jsonl) fn may_have_grown_to(&self, later: &Self) -> bool {
        *self == *later
            || (self.device == later.device
                && self.inode == later.inode
                && self.length < later.length)
    }

    /// Whether a change that came after the stamp, at `now`, would show in another stamp.
    pub(in crate::jsonl) fn is_settled(&self, now: SystemTime) -> bool {
        let (seconds, nanos) = self.changed;
        let (Ok(seconds), Ok(nanos)) = (u64::try_from(seconds), u32::try_from(nanos)) else {
            return false;
        };
        let changed = SystemTime::UNIX_EPOCH + Duration::new(seconds, nanos);
        now.duration_since(changed).is_ok_and(|age| age > TICK)
    }
}
