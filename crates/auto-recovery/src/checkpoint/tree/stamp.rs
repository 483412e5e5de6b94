//! What tells cheaply that a file may have changed: its stamp.

use std::time::Duration;

use rustix::fs::Stat;

use crate::files::{TICK, may_change_unseen};

/// Nanoseconds in a second.
const NANOS: i64 = 1_000_000_000;

/// Whose a path is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(in crate::checkpoint) struct Ids {
    pub(in crate::checkpoint) uid: u32,
    pub(in crate::checkpoint) gid: u32,
}

/// A file's stamp: what [`crate::files::Stamp`] has, and what a tree keeps of a path, as stamp
/// caches have it. `mode` has the type bits. An edit that forges mtime still moves ctime.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::checkpoint) struct Stamp {
    pub(in crate::checkpoint) mode: u32,
    pub(in crate::checkpoint) size: u64,
    pub(in crate::checkpoint) mtime_ns: i64,
    pub(in crate::checkpoint) ctime_ns: i64,
    pub(in crate::checkpoint) ino: u64,
    pub(in crate::checkpoint) owner: Ids,
    /// How many names it has; of a directory, more or less how many are in it.
    pub(in crate::checkpoint) links: u32,
}

impl Stamp {
    #[expect(
        clippy::useless_conversion,
        clippy::unnecessary_cast,
        reason = "the widths of these fields differ between platforms"
    )]
    pub(in crate::checkpoint) fn of(stat: &Stat) -> Self {
        let nanos = |seconds: i64, fraction: i64| seconds.saturating_mul(NANOS) + fraction;
        Self {
            mode: u32::from(stat.st_mode),
            size: stat.st_size as u64,
            mtime_ns: nanos(stat.st_mtime as i64, stat.st_mtime_nsec as i64),
            ctime_ns: nanos(stat.st_ctime as i64, stat.st_ctime_nsec as i64),
            ino: stat.st_ino as u64,
            owner: Ids {
                uid: stat.st_uid,
                gid: stat.st_gid,
            },
            links: u32::try_from(stat.st_nlink).unwrap_or(u32::MAX),
        }
    }

    /// How long until a file that is written has a time that tools which know whole seconds only
    /// tell from that of `was`; `None` where it is told from it already, by its size too.
    pub(in crate::checkpoint) fn time_until_told_from(&self, was: &Self) -> Option<Duration> {
        let second = |stamp: &Self| stamp.mtime_ns.div_euclid(NANOS);
        let is_told = self.size != was.size || second(self) != second(was);
        let left = NANOS - self.mtime_ns.rem_euclid(NANOS);
        (!is_told).then(|| Duration::from_nanos(left.unsigned_abs()) + TICK)
    }

    /// All permission bits.
    pub(in crate::checkpoint) fn permissions(&self) -> u16 {
        (self.mode & 0o7777) as u16
    }

    /// Whether a file with this stamp, read at `now_ns`, may have changed since without another
    /// stamp.
    pub(in crate::checkpoint) fn is_racy(&self, now_ns: i64) -> bool {
        let since_epoch = |ns| u64::try_from(ns).map(Duration::from_nanos);
        match (since_epoch(self.ctime_ns), since_epoch(now_ns)) {
            (Ok(changed), Ok(now)) => may_change_unseen(changed, now),
            _ => true,
        }
    }
}
