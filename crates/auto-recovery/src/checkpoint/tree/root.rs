//! The root of a workspace as an open directory, and everything below it without following links.
//!
//! Each component of a path is opened with `O_NOFOLLOW`, so a directory that was replaced by a
//! symbolic link can lead neither a read nor a write outside the root.

use std::fs::File;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::{
    AtFlags, CWD, FileType, Gid, Mode, OFlags, RawMode, Uid, fstat, openat, readlinkat, stat,
    statat,
};
use rustix::io::Errno;

use crate::checkpoint::tree::path::{is_within, split};
use crate::checkpoint::tree::stamp::{Ids, Stamp};
use crate::error::{Error, ErrorKind, Result};
use crate::platform::files::Hold;

/// Flags to open a directory with.
pub(in crate::checkpoint) const DIR_FLAGS: OFlags = OFlags::RDONLY
    .union(OFlags::DIRECTORY)
    .union(OFlags::NOFOLLOW)
    .union(OFlags::CLOEXEC);

/// A directory from which deeper paths are opened, so that none is longer than the system takes.
#[derive(Debug)]
pub(in crate::checkpoint) struct Above {
    fd: OwnedFd,
    /// The length of its path.
    len: usize,
}

impl Above {
    /// The directory to open from, for paths inside `path`, which is open as `fd` and was itself
    /// opened from `above`: a nearer one than `above` when its path from there is long.
    pub(in crate::checkpoint) fn nearer(
        above: Option<&Arc<Self>>,
        path: &[u8],
        fd: &OwnedFd,
    ) -> Option<Arc<Self>> {
        let rest = above.map_or(path, |above| above.rest(path));
        if rest.len() < REST_BYTES_MAX {
            return above.cloned();
        }
        let len = path.len();
        let fd = fd.try_clone().ok()?;
        Some(Arc::new(Self { fd, len }))
    }

    fn rest<'p>(&self, path: &'p [u8]) -> &'p [u8] {
        path.get(self.len + 1..).unwrap_or_default()
    }
}

/// Longest path from there: half of the system's limit; one more name has at most 255 bytes.
const REST_BYTES_MAX: usize = 2048;

/// The owner's permission to read a file.
const OWNER_READ: u16 = 0o400;

/// The root of a workspace.
#[derive(Debug)]
pub(in crate::checkpoint) struct Root {
    fd: OwnedFd,
    path: PathBuf,
}

impl Root {
    pub(in crate::checkpoint) fn open(path: &Path) -> Result<Self> {
        let fd = openat(CWD, path, DIR_FLAGS, Mode::empty())
            .map_err(|e| Error::io("open the directory", path, e.into()))?;
        Ok(Self {
            fd,
            path: path.to_owned(),
        })
    }

    pub(in crate::checkpoint) fn path(&self) -> &Path {
        &self.path
    }

    /// Makes sure that the path of the root still names the directory that was opened.
    ///
    /// # Errors
    /// [`ErrorKind::Refused`] if it was moved, removed or replaced.
    pub(in crate::checkpoint) fn check(&self) -> Result<()> {
        let named = stat(&self.path).ok();
        let opened = fstat(&self.fd).map_err(|e| Error::io("look at", &self.path, e.into()))?;
        let is_same = named
            .is_some_and(|named| (named.st_dev, named.st_ino) == (opened.st_dev, opened.st_ino));
        match is_same {
            true => Ok(()),
            false => Err(Error::new(
                ErrorKind::Refused,
                format!(
                    "{} is not the directory any more that it was: nothing was put back into it",
                    self.path.display()
                ),
            )),
        }
    }

    /// Opens a directory below the root.
    pub(in crate::checkpoint) fn open_dir(&self, path: &[u8]) -> Result<OwnedFd, Errno> {
        let mut dir = self.duplicate()?;
        for name in path
            .split(|byte| *byte == b'/')
            .filter(|name| !name.is_empty())
        {
            dir = open_dir_at(&dir, name)?;
        }
        Ok(dir)
    }

    /// Opens a directory in one call, by its path from `above`: only its last component is safe
    /// from links. For looking, never for writing; content read afterwards is opened name by name.
    pub(in crate::checkpoint) fn open_dir_to_list(
        &self,
        above: Option<&Above>,
        path: &[u8],
    ) -> Result<OwnedFd, Errno> {
        let (fd, rest) = match above {
            Some(above) => (&above.fd, above.rest(path)),
            None => (&self.fd, path),
        };
        let rest: &[u8] = if rest.is_empty() { b"." } else { rest };
        openat(fd, rest, DIR_FLAGS, Mode::empty())
    }

    /// The stamp of the file at `path`; `None` if there is none, or if a parent is no directory.
    pub(in crate::checkpoint) fn stamp(&self, path: &[u8]) -> Result<Option<Stamp>, Errno> {
        let (dir, name) = split(path);
        match self.open_dir(dir) {
            Ok(dir) => stamp_at(&dir, name),
            Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => Ok(None),
            Err(errno) => Err(errno),
        }
    }

    /// The same, and its birth time, in nanoseconds since 1970, if the file system has it.
    pub(in crate::checkpoint) fn stamp_and_birth(
        &self,
        path: &[u8],
    ) -> Result<Option<(Stamp, Option<i64>)>, Errno> {
        let (dir, name) = split(path);
        match self.open_dir(dir) {
            Ok(dir) => stamp_and_birth_at(&dir, name),
            Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => Ok(None),
            Err(errno) => Err(errno),
        }
    }

    /// Whether the clock of this machine stamps what is below the root, rather than that of a
    /// server.
    pub(in crate::checkpoint) fn has_our_clock(&self) -> bool {
        !crate::platform::files::is_remote(&self.fd)
    }

    fn duplicate(&self) -> Result<OwnedFd, Errno> {
        openat(&self.fd, c".", DIR_FLAGS, Mode::empty())
    }
}

/// The stamp of `name` in `dir` and its birth time, in nanoseconds since 1970, if the file system
/// has it; `None` if there is no such file.
pub(in crate::checkpoint) fn stamp_and_birth_at(
    dir: &OwnedFd,
    name: &[u8],
) -> Result<Option<(Stamp, Option<i64>)>, Errno> {
    match Own::anybodys(dir, name) {
        Ok(held) => Ok(Some((held.stamp, held.hold.made_ns()))),
        Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => Ok(None),
        Err(errno) => Err(errno),
    }
}

/// The stamp of `name` in `dir`; `None` if there is no such file.
pub(in crate::checkpoint) fn stamp_at(dir: &OwnedFd, name: &[u8]) -> Result<Option<Stamp>, Errno> {
    match statat(dir, name, AtFlags::SYMLINK_NOFOLLOW) {
        Ok(stat) => Ok(Some(Stamp::of(&stat))),
        Err(Errno::NOENT) => Ok(None),
        Err(errno) => Err(errno),
    }
}

/// Whether `name`, spelt in other letters than git's, is `.git` to this file system.
pub(in crate::checkpoint) fn is_git_elsewise(dir: &OwnedFd, name: &[u8]) -> bool {
    if name == b".git" || !name.eq_ignore_ascii_case(b".git") {
        return false;
    }
    let inode = |name: &[u8]| Some(stamp_at(dir, name).ok()??.ino);
    inode(name).is_some_and(|ino| inode(b".git") == Some(ino))
}

/// Opens a file for reading, and never waits for a pipe that took its place.
pub(in crate::checkpoint) fn open_file_at(dir: &OwnedFd, name: &[u8]) -> Result<File, Errno> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
    openat(dir, name, flags, Mode::empty()).map(File::from)
}

/// Opens a file for reading; one that is ours and that its own mode closes to us is opened for
/// that, and closed again before this returns.
pub(in crate::checkpoint) fn open_own_file_at(dir: &OwnedFd, name: &[u8]) -> Result<File, Errno> {
    open_own_at(dir, name, OFlags::RDONLY, OWNER_READ)
}

/// Opens a file, if need be by adding the bit that lets its owner do so.
pub(in crate::checkpoint) fn open_own_at(
    dir: &OwnedFd,
    name: &[u8],
    how: OFlags,
    bit: u16,
) -> Result<File, Errno> {
    let flags = how | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
    let open = || openat(dir, name, flags, Mode::empty()).map(File::from);
    match open() {
        Err(Errno::ACCESS) => {}
        file => return file,
    }
    let own = Own::at(dir, name)?;
    if !own.kind().is_file() || own.mode & bit != 0 {
        return Err(Errno::ACCESS);
    }
    own.set_mode(own.mode | bit)?;
    let file = open();
    own.set_mode(own.mode)?;
    file
}

/// The identity of a file, whatever its names: the number of its inode, and the time it was made,
/// since numbers are used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::checkpoint) struct Inode {
    number: u64,
    made_ns: i64,
}

/// A file held by its name, so that nothing else can take its place, without being opened.
pub(in crate::checkpoint) struct Own {
    hold: Hold,
    /// Its permission bits.
    pub(in crate::checkpoint) mode: u16,
    stamp: Stamp,
}

impl Own {
    /// Takes hold of `name` in `dir`, which must be this user's.
    ///
    /// # Errors
    /// `EACCES` if another user owns it.
    pub(in crate::checkpoint) fn at(dir: &OwnedFd, name: &[u8]) -> Result<Self, Errno> {
        let own = Self::anybodys(dir, name)?;
        match own.stamp.owner.uid == rustix::process::geteuid().as_raw() {
            true => Ok(own),
            false => Err(Errno::ACCESS),
        }
    }

    /// Takes hold of `name` in `dir`, whoever owns it.
    pub(in crate::checkpoint) fn anybodys(dir: &OwnedFd, name: &[u8]) -> Result<Self, Errno> {
        let (hold, stat) = Hold::at(dir, name)?;
        let stamp = Stamp::of(&stat);
        let mode = stamp.permissions();
        Ok(Self { hold, mode, stamp })
    }

    /// Its stamp at that moment.
    pub(in crate::checkpoint) fn stamp(&self) -> &Stamp {
        &self.stamp
    }

    pub(in crate::checkpoint) fn is_dir(&self) -> bool {
        self.kind().is_dir()
    }

    fn kind(&self) -> FileType {
        FileType::from_raw_mode(self.stamp.mode)
    }

    /// Changes its owner, where we may.
    pub(in crate::checkpoint) fn set_owner(&self, owner: Ids) -> Result<(), Errno> {
        let (uid, gid) = (Uid::from_raw(owner.uid), Gid::from_raw(owner.gid));
        self.hold.set_owner(uid, gid)
    }

    /// Sets its permission bits. A link has none.
    pub(in crate::checkpoint) fn set_mode(&self, mode: u16) -> Result<(), Errno> {
        if self.kind().is_symlink() {
            return Err(Errno::LOOP);
        }
        self.hold.set_mode(Mode::from_raw_mode(RawMode::from(mode)))
    }

    /// The inode, if the file system has its birth time.
    pub(in crate::checkpoint) fn inode(&self) -> Option<Inode> {
        let number = self.stamp.ino;
        self.hold.made_ns().map(|made_ns| Inode { number, made_ns })
    }
}

/// The target of a link.
pub(in crate::checkpoint) fn read_link_at(dir: &OwnedFd, name: &[u8]) -> Result<Box<[u8]>, Errno> {
    readlinkat(dir, name, Vec::new()).map(|target| target.into_bytes().into_boxed_slice())
}

/// Directories of a way that are held open: with those of a few workers, far fewer than a process
/// may have.
const HELD_MAX: usize = 64;

/// The way to the directory that was opened last, so that its neighbours, and the paths above or
/// below them, cost one open each, however deep they lie.
pub(in crate::checkpoint) struct Way<'a> {
    root: &'a Root,
    path: Vec<u8>,
    /// The directories of `path`, outermost first.
    levels: Vec<Level>,
}

/// One directory of a way.
struct Level {
    /// The end of its name in the path.
    end: usize,
    /// `None` far above the last one.
    fd: Option<OwnedFd>,
}

impl<'a> Way<'a> {
    pub(in crate::checkpoint) fn new(root: &'a Root) -> Self {
        Self {
            root,
            path: Vec::new(),
            levels: Vec::new(),
        }
    }

    /// The open directory of `path`, and the name of `path` in it.
    pub(in crate::checkpoint) fn parent<'p>(
        &mut self,
        path: &'p [u8],
    ) -> Result<(&OwnedFd, &'p [u8]), Errno> {
        let (dir, name) = split(path);
        let plainly = |parent: &OwnedFd, name: &[u8], _: &[u8]| open_dir_at(parent, name);
        Ok((self.to(dir, plainly)?, name))
    }

    /// Opens the directory `path`; `open` opens a name in a directory, and gets its whole path.
    pub(in crate::checkpoint) fn to(
        &mut self,
        path: &[u8],
        mut open: impl FnMut(&OwnedFd, &[u8], &[u8]) -> Result<OwnedFd, Errno>,
    ) -> Result<&OwnedFd, Errno> {
        let same = path.iter().zip(&self.path).take_while(|(a, b)| a == b);
        let same = same.count();
        let is_on_way = |end: usize| end <= same && path.get(end).is_none_or(|at| *at == b'/');
        while self.levels.pop_if(|level| !is_on_way(level.end)).is_some() {}
        let known = self.levels.last().map_or(0, |level| level.end);
        self.path.truncate(known);
        self.path.extend_from_slice(&path[known..]);
        if let Err(errno) = self
            .open_again(&mut open)
            .and_then(|()| self.go_on(&mut open))
        {
            self.forget(b"");
            return Err(errno);
        }
        let last = self.levels.last().and_then(|level| level.fd.as_ref());
        Ok(last.unwrap_or(&self.root.fd))
    }

    /// Opens the directories again that were closed on the known way.
    fn open_again(
        &mut self,
        open: &mut impl FnMut(&OwnedFd, &[u8], &[u8]) -> Result<OwnedFd, Errno>,
    ) -> Result<(), Errno> {
        let is_held = |level: &Level| level.fd.is_some();
        if self.levels.last().is_none_or(is_held) {
            return Ok(());
        }
        let first = self.levels.iter().rposition(is_held).map_or(0, |at| at + 1);
        for at in first..self.levels.len() {
            let fd = self.open_level(at, open)?;
            self.hold(at, fd);
        }
        Ok(())
    }

    /// Opens the rest of the way.
    fn go_on(
        &mut self,
        open: &mut impl FnMut(&OwnedFd, &[u8], &[u8]) -> Result<OwnedFd, Errno>,
    ) -> Result<(), Errno> {
        loop {
            let begin = match self.levels.last() {
                Some(level) if level.end == self.path.len() => return Ok(()),
                None if self.path.is_empty() => return Ok(()),
                Some(level) => level.end + 1,
                None => 0,
            };
            let rest = &self.path[begin..];
            let end = begin + memchr::memchr(b'/', rest).unwrap_or(rest.len());
            self.levels.push(Level { end, fd: None });
            let at = self.levels.len() - 1;
            let fd = self.open_level(at, open)?;
            self.hold(at, fd);
        }
    }

    fn open_level(
        &self,
        at: usize,
        open: &mut impl FnMut(&OwnedFd, &[u8], &[u8]) -> Result<OwnedFd, Errno>,
    ) -> Result<OwnedFd, Errno> {
        let above = at.checked_sub(1).map(|above| &self.levels[above]);
        let begin = above.map_or(0, |above| above.end + 1);
        let end = self.levels[at].end;
        let above = above.and_then(|above| above.fd.as_ref());
        let parent = above.unwrap_or(&self.root.fd);
        open(parent, &self.path[begin..end], &self.path[..end])
    }

    /// Holds a directory open, and closes one far above it.
    fn hold(&mut self, at: usize, fd: OwnedFd) {
        self.levels[at].fd = Some(fd);
        if let Some(far) = at.checked_sub(HELD_MAX) {
            self.levels[far].fd = None;
        }
    }

    /// Forgets the directory `path` and all below it, which may have been replaced.
    pub(in crate::checkpoint) fn forget(&mut self, path: &[u8]) {
        let is_below = |level: &Level| is_within(&self.path[..level.end], path);
        while self.levels.pop_if(|level| is_below(level)).is_some() {}
        let end = self.levels.last().map_or(0, |level| level.end);
        self.path.truncate(end);
    }
}

/// Opens a directory in another.
pub(in crate::checkpoint) fn open_dir_at(parent: &OwnedFd, name: &[u8]) -> Result<OwnedFd, Errno> {
    openat(parent, name, DIR_FLAGS, Mode::empty())
}
