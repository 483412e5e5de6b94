//! Changing the tree below a root: the only writes that this product makes outside its state.
//!
//! Every act opens its directory component by component without following links. A directory that
//! its owner may not write is opened for the act and set back at the end.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;

use rustix::fs::{
    AtFlags, Gid, Mode, OFlags, RawMode, RenameFlags, Stat, Uid, chmodat, fchmod, fchown, fstat,
    mkdirat, openat, renameat, renameat_with, statat, symlinkat, unlinkat,
};
use rustix::io::Errno;

use crate::checkpoint::path::{join, split, to_os};
use crate::checkpoint::root::{DIR_FLAGS, Root, stamp_at};
use crate::checkpoint::stamp::Stamp;
use crate::error::{Error, Result};

/// A directory that a restore opened for itself has these bits beside its own.
pub(super) const OPENED: u16 = 0o700;

/// What it takes to list, enter and write a directory.
const OWNER_ALL: u32 = OPENED as u32;

/// What it takes to list and enter one.
const OWNER_LOOK: u32 = 0o500;

/// The root with what has been opened below it.
pub(super) struct Hands<'a> {
    root: &'a Root,
    /// The permission bits that opened directories had.
    opened: BTreeMap<Vec<u8>, u32>,
}

impl<'a> Hands<'a> {
    pub(super) fn new(root: &'a Root) -> Self {
        Self {
            root,
            opened: BTreeMap::new(),
        }
    }

    /// Opens the directory `path` for looking at what it holds; one that its owner may not list or
    /// enter is opened for that.
    pub(super) fn dir(&mut self, path: &[u8]) -> Result<OwnedFd, Errno> {
        let mut dir = self.root.open_dir(b"")?;
        self.allow(&dir, b"", OWNER_LOOK)?;
        let mut so_far = Vec::new();
        for name in path
            .split(|byte| *byte == b'/')
            .filter(|name| !name.is_empty())
        {
            so_far = join(&so_far, name);
            dir = match openat(&dir, name, DIR_FLAGS, Mode::empty()) {
                Err(Errno::ACCESS) => {
                    self.allow_unread(&dir, name, &so_far)?;
                    openat(&dir, name, DIR_FLAGS, Mode::empty())?
                }
                opened => opened?,
            };
            self.allow(&dir, &so_far, OWNER_LOOK)?;
        }
        Ok(dir)
    }

    /// Opens the directory `path` for changing what it holds.
    fn writable_dir(&mut self, path: &[u8]) -> Result<OwnedFd, Errno> {
        let dir = self.dir(path)?;
        self.allow(&dir, path, OWNER_ALL)?;
        Ok(dir)
    }

    /// Sees to it that the owner of the open directory has the `bits`.
    fn allow(&mut self, dir: &OwnedFd, path: &[u8], bits: u32) -> Result<(), Errno> {
        let mode = permissions(&fstat(dir)?);
        if mode & bits == bits {
            return Ok(());
        }
        match fchmod(dir, Mode::from_raw_mode((mode | OWNER_ALL) as RawMode)) {
            Ok(()) => {
                self.opened.entry(path.to_vec()).or_insert(mode);
                Ok(())
            }
            // Somebody else's; as one of a group we may still be let in.
            Err(Errno::PERM) => Ok(()),
            Err(errno) => Err(errno),
        }
    }

    /// The same for a directory that cannot even be opened yet.
    fn allow_unread(&mut self, parent: &OwnedFd, name: &[u8], path: &[u8]) -> Result<(), Errno> {
        let stat = statat(parent, name, AtFlags::SYMLINK_NOFOLLOW)?;
        if !rustix::fs::FileType::from_raw_mode(stat.st_mode).is_dir() {
            return Err(Errno::NOTDIR);
        }
        let mode = permissions(&stat);
        let open = Mode::from_raw_mode((mode | OWNER_ALL) as RawMode);
        chmodat(parent, name, open, AtFlags::empty())?;
        self.opened.entry(path.to_vec()).or_insert(mode);
        Ok(())
    }

    /// The stamp of what stands at `path`; `None` when nothing does.
    pub(super) fn stamp(&mut self, path: &[u8]) -> Result<Option<Stamp>> {
        let (parent, name) = split(path);
        match self.dir(parent) {
            Ok(dir) => stamp_at(&dir, name).map_err(|e| self.error("look at", path, e.into())),
            Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => Ok(None),
            Err(errno) => Err(self.error("look at", path, errno.into())),
        }
    }

    /// Makes a directory; one that stands already is kept.
    pub(super) fn make_dir(&mut self, path: &[u8]) -> Result<(), Errno> {
        let (parent, name) = split(path);
        let dir = self.writable_dir(parent)?;
        match mkdirat(&dir, name, Mode::RWXU) {
            Err(Errno::EXIST) => {}
            result => result?,
        }
        let made = openat(&dir, name, DIR_FLAGS, Mode::empty())?;
        keep_owner(&made, &fstat(&dir)?);
        Ok(())
    }

    /// Removes a file or a link.
    pub(super) fn remove_file(&mut self, path: &[u8]) -> Result<(), Errno> {
        let (parent, name) = split(path);
        unlinkat(&self.writable_dir(parent)?, name, AtFlags::empty())
    }

    /// Removes an empty directory.
    pub(super) fn remove_dir(&mut self, path: &[u8]) -> Result<(), Errno> {
        let (parent, name) = split(path);
        unlinkat(&self.writable_dir(parent)?, name, AtFlags::REMOVEDIR)?;
        self.opened.remove(path);
        Ok(())
    }

    /// Gives what stands at `path` the name `to` in the same directory, where nothing may stand.
    pub(super) fn rename_to_new(&mut self, path: &[u8], to: &[u8]) -> Result<(), Errno> {
        let (parent, name) = split(path);
        let (to_parent, to) = split(to);
        let dir = self.writable_dir(parent)?;
        let to_dir = self.writable_dir(to_parent)?;
        renameat_with(&dir, name, &to_dir, to, RenameFlags::NOREPLACE)
    }

    /// Removes the temporary file `temp` beside `path`, if an earlier restore left it there.
    pub(super) fn remove_temp(&mut self, path: &[u8], temp: &[u8]) {
        let (parent, _) = split(path);
        if let Ok(dir) = self.dir(parent)
            && let Ok(Some(_)) = stamp_at(&dir, temp)
        {
            let _gone = self.remove_file(&join(parent, temp));
        }
    }

    /// Puts a file with what `fill` writes at `path`, by way of `temp` in the same directory: at
    /// every moment either the old or the whole new file stands there.
    pub(super) fn put_file(
        &mut self,
        path: &[u8],
        temp: &[u8],
        mode: u16,
        fill: &mut dyn FnMut(&mut File) -> io::Result<()>,
    ) -> io::Result<()> {
        let (parent, name) = split(path);
        let dir = self.writable_dir(parent)?;
        remove_if_any(&dir, temp)?;
        let flags =
            OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let mut file = File::from(openat(&dir, temp, flags, Mode::RUSR | Mode::WUSR)?);
        let put = fill(&mut file).and_then(|()| {
            keep_owner(&file, &owner(&dir, name)?);
            fchmod(&file, Mode::from_raw_mode(RawMode::from(mode)))?;
            renameat(&dir, temp, &dir, name)?;
            Ok(())
        });
        if put.is_err() {
            let _gone = remove_if_any(&dir, temp);
        }
        put
    }

    /// Overwrites the file at `path` where it stands, where it cannot be replaced: on a full disk,
    /// where something is mounted on it, in a directory that may not be written. A kill in the
    /// middle leaves half a file, which the next run puts back.
    pub(super) fn overwrite_file(
        &mut self,
        path: &[u8],
        mode: u16,
        fill: &mut dyn FnMut(&mut File) -> io::Result<()>,
    ) -> io::Result<()> {
        let (parent, name) = split(path);
        let dir = self.writable_dir(parent)?;
        let flags = OFlags::WRONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
        let mut file = File::from(openat(&dir, name, flags, Mode::empty())?);
        if !file.metadata()?.is_file() {
            return Err(Errno::INVAL.into());
        }
        fill(&mut file)?;
        let end = io::Seek::stream_position(&mut file)?;
        file.set_len(end)?;
        fchmod(&file, Mode::from_raw_mode(RawMode::from(mode)))?;
        Ok(())
    }

    /// Puts a link to `target` at `path`, by way of `temp`.
    pub(super) fn put_link(&mut self, path: &[u8], temp: &[u8], target: &[u8]) -> io::Result<()> {
        let (parent, name) = split(path);
        let dir = self.writable_dir(parent)?;
        remove_if_any(&dir, temp)?;
        symlinkat(target, &dir, temp)?;
        if let Err(errno) = renameat(&dir, temp, &dir, name) {
            let _gone = remove_if_any(&dir, temp);
            return Err(errno.into());
        }
        Ok(())
    }

    /// Sets the permission bits of the file or directory at `path`.
    pub(super) fn set_mode(&mut self, path: &[u8], mode: u16) -> Result<(), Errno> {
        let (parent, name) = split(path);
        let dir = self.dir(parent)?;
        let mode = Mode::from_raw_mode(RawMode::from(mode));
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
        match openat(&dir, name, flags, Mode::empty()) {
            Ok(file) => fchmod(&file, mode),
            // Not readable, which is why it is here; what it is was looked at just before.
            Err(Errno::ACCESS) => chmodat(&dir, name, mode, AtFlags::empty()),
            Err(errno) => Err(errno),
        }
    }

    /// Sets back what was opened, deepest first, each to what `mode` says of it, else to what it
    /// was.
    pub(super) fn close(&mut self, mode: impl Fn(&[u8]) -> Option<u16>) -> Result<(), Errno> {
        while let Some((path, was)) = self.opened.pop_last() {
            let bits = mode(&path).unwrap_or((was & 0o7777) as u16);
            let set = if path.is_empty() {
                let root = self.root.open_dir(b"")?;
                fchmod(&root, Mode::from_raw_mode(RawMode::from(bits)))
            } else {
                self.set_mode(&path, bits)
            };
            match set {
                Ok(()) | Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => {}
                Err(errno) => return Err(errno),
            }
        }
        Ok(())
    }

    pub(super) fn error(&self, what: &str, path: &[u8], error: io::Error) -> Error {
        Error::io(what, &self.root.path().join(to_os(path)), error)
    }
}

fn remove_if_any(dir: &OwnedFd, name: &[u8]) -> Result<(), Errno> {
    match unlinkat(dir, name, AtFlags::empty()) {
        Ok(()) | Err(Errno::NOENT) => Ok(()),
        Err(errno) => Err(errno),
    }
}

/// Whose the file `name` in `dir` is, or would be among its neighbours.
fn owner(dir: &OwnedFd, name: &[u8]) -> Result<Stat, Errno> {
    match statat(dir, name, AtFlags::SYMLINK_NOFOLLOW) {
        Err(Errno::NOENT) => fstat(dir),
        result => result,
    }
}

/// Gives `file` to the owner that `stat` tells, where we may: a restore by root must not leave a
/// user's tree to root.
fn keep_owner(file: &impl std::os::fd::AsFd, stat: &Stat) {
    let is_ours =
        fstat(file).is_ok_and(|own| own.st_uid == stat.st_uid && own.st_gid == stat.st_gid);
    if !is_ours {
        let (uid, gid) = (Uid::from_raw(stat.st_uid), Gid::from_raw(stat.st_gid));
        let _not_allowed = fchown(file, Some(uid), Some(gid));
    }
}

fn permissions(stat: &Stat) -> u32 {
    u32::from(Stamp::of(stat).permissions())
}
