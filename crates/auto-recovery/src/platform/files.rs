//! This system's facts on files, and operations on them, beyond those of every Unix.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};

use rustix::fs::{
    AtFlags, CWD, FallocateFlags, Gid, Mode, OFlags, RenameFlags, Stat, StatxFlags, Uid, chmodat,
    chownat, fallocate, fstat, openat, renameat_with, statx,
};
use rustix::io::Result;

use super::descriptors;

/// Nanoseconds in a second.
const NANOS: i64 = 1_000_000_000;

/// The length of `file`, and the number of its names.
///
/// Nothing else is asked for: after a question for the times of a file, Linux keeps them to the
/// nanosecond until the next write, which then has to store them, and that takes half as long as
/// the write.
pub(crate) fn length_and_links(file: &File) -> io::Result<(u64, u64)> {
    let wanted = StatxFlags::SIZE | StatxFlags::NLINK;
    let status = statx(file, c"", AtFlags::EMPTY_PATH, wanted)?;
    Ok((status.stx_size, status.stx_nlink.into()))
}

/// Reserves this many bytes of real blocks for `file`.
pub(crate) fn reserve(file: &File, bytes: u64) -> Result<()> {
    fallocate(file, FallocateFlags::empty(), 0, bytes)
}

/// Renames `name` in `dir` to `to` in `to_dir`, where nothing may exist yet.
pub(crate) fn rename_to_new(dir: &OwnedFd, name: &[u8], to_dir: &OwnedFd, to: &[u8]) -> Result<()> {
    renameat_with(dir, name, to_dir, to, RenameFlags::NOREPLACE)
}

/// Has `one` and `other` in `dir` change their names at once.
pub(crate) fn exchange(dir: &OwnedFd, one: &[u8], other: &[u8]) -> Result<()> {
    renameat_with(dir, one, dir, other, RenameFlags::EXCHANGE)
}

/// A file held by its name, so that nothing else can take its place, without being opened.
pub(crate) struct Hold(OwnedFd);

impl Hold {
    /// Takes hold of `name` in `dir`, and returns its stat.
    pub(crate) fn at(dir: &OwnedFd, name: &[u8]) -> Result<(Self, Stat)> {
        let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let fd = openat(dir, name, flags, Mode::empty())?;
        let stat = fstat(&fd)?;
        Ok((Self(fd), stat))
    }

    /// Gives it to another owner.
    pub(crate) fn set_owner(&self, uid: Uid, gid: Gid) -> Result<()> {
        chownat(&self.0, c"", Some(uid), Some(gid), AtFlags::EMPTY_PATH)
    }

    /// Sets its permission bits; it must be no link.
    pub(crate) fn set_mode(&self, mode: Mode) -> Result<()> {
        // The kernel's name for the held file: it is not that of a link that anybody could plant.
        let held = format!("{}/{}", descriptors::OURS, self.0.as_fd().as_raw_fd());
        chmodat(CWD, held, mode, AtFlags::empty())
    }

    /// Its birth time, in nanoseconds since the epoch, if the file system has it.
    pub(crate) fn made_ns(&self) -> Option<i64> {
        let wanted = StatxFlags::BTIME;
        let told = statx(&self.0, c"", AtFlags::EMPTY_PATH, wanted).ok()?;
        let is_told = told.stx_mask & wanted.bits() != 0;
        let made = told.stx_btime;
        is_told.then(|| made.tv_sec.saturating_mul(NANOS) + i64::from(made.tv_nsec))
    }
}

/// File systems of servers, by their numbers: NFS, SMB and CIFS, 9P, AFS, Ceph, and FUSE, behind
/// which may be anything.
const REMOTE: [i64; 8] = [
    0x6969,
    0x517b,
    0xff53_4d42,
    0xfe53_4d42,
    0x0102_1997,
    0x5346_414f,
    0x00c3_6400,
    0x6573_5546,
];

/// Whether a server may keep what is below the directory `dir`, as far as can be told.
pub(crate) fn is_remote(dir: &impl AsFd) -> bool {
    rustix::fs::fstatfs(dir).is_ok_and(|found| REMOTE.contains(&found.f_type))
}
