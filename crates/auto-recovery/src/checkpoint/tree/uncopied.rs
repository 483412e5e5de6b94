//! Items that no checkpoint holds, recognised under any name by their inodes.

use crate::checkpoint::tree::stamp::Stamp;

/// An item that no checkpoint holds, as it was seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::checkpoint) struct Uncopied {
    pub(in crate::checkpoint) ino: u64,
    /// Mode, size and time of a file; of a directory nothing more is known.
    pub(in crate::checkpoint) file: Option<(u32, u64, i64)>,
    /// When it was made, in nanoseconds since 1970, where that was asked.
    pub(in crate::checkpoint) made_ns: Option<i64>,
}

impl Uncopied {
    /// Whether an item with `stamp`, made at that time, is still this one, as far as inode, size
    /// and times tell.
    pub(in crate::checkpoint) fn is_still(&self, stamp: &Stamp, made_ns: Option<i64>) -> bool {
        if self
            .made_ns
            .zip(made_ns)
            .is_some_and(|(then, now)| then != now)
        {
            return false;
        }
        let is_same = self.file.is_none_or(|(mode, size, mtime_ns)| {
            let is_identity = (size, mtime_ns) == (0, 0);
            stamp.mode == mode && (is_identity || (stamp.size, stamp.mtime_ns) == (size, mtime_ns))
        });
        self.ino == stamp.ino && is_same
    }
}
