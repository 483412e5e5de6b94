//! The root of a workspace as an open directory, and everything below it without following links.
//!
//! Each component of a path is opened with `O_NOFOLLOW`, so a directory that somebody replaced by a
//! symbolic link can lead neither a read nor a write outside the root.

use std::fs::File;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, CWD, Mode, OFlags, fstat, openat, readlinkat, stat, statat};
use rustix::io::Errno;

use crate::checkpoint::path::split;
use crate::checkpoint::stamp::Stamp;
use crate::error::{Error, ErrorKind, Result};

/// How a directory is opened.
pub(super) const DIR_FLAGS: OFlags = OFlags::RDONLY
    .union(OFlags::DIRECTORY)
    .union(OFlags::NOFOLLOW)
    .union(OFlags::CLOEXEC);

/// The root of a workspace.
#[derive(Debug)]
pub(super) struct Root {
    fd: OwnedFd,
    path: PathBuf,
}

impl Root {
    pub(super) fn open(path: &Path) -> Result<Self> {
        let fd = openat(CWD, path, DIR_FLAGS, Mode::empty())
            .map_err(|e| Error::io("open the directory", path, e.into()))?;
        Ok(Self {
            fd,
            path: path.to_owned(),
        })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Makes sure that the directory of that name is still the one that was opened.
    ///
    /// # Errors
    /// [`ErrorKind::Refused`] if it was moved, removed or replaced.
    pub(super) fn check(&self) -> Result<()> {
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
    pub(super) fn open_dir(&self, path: &[u8]) -> Result<OwnedFd, Errno> {
        let mut dir = self.duplicate()?;
        for name in path
            .split(|byte| *byte == b'/')
            .filter(|name| !name.is_empty())
        {
            dir = openat(&dir, name, DIR_FLAGS, Mode::empty())?;
        }
        Ok(dir)
    }

    /// Opens a directory by its whole path in one call: only its last component is safe from links.
    /// For looking, never for writing; what is read afterwards goes through [`Root::open_dir`].
    pub(super) fn open_dir_to_list(&self, path: &[u8]) -> Result<OwnedFd, Errno> {
        let whole: &[u8] = if path.is_empty() { b"." } else { path };
        match openat(&self.fd, whole, DIR_FLAGS, Mode::empty()) {
            Err(Errno::NAMETOOLONG) => self.open_dir(path),
            result => result,
        }
    }

    /// The stamp of what stands at `path`; `None` when nothing does, or when a parent is no
    /// directory.
    pub(super) fn stamp(&self, path: &[u8]) -> Result<Option<Stamp>, Errno> {
        let (dir, name) = split(path);
        match self.open_dir(dir) {
            Ok(dir) => stamp_at(&dir, name),
            Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => Ok(None),
            Err(errno) => Err(errno),
        }
    }

    fn duplicate(&self) -> Result<OwnedFd, Errno> {
        openat(&self.fd, c".", DIR_FLAGS, Mode::empty())
    }
}

/// The stamp of `name` in `dir`; `None` when nothing stands there.
pub(super) fn stamp_at(dir: &OwnedFd, name: &[u8]) -> Result<Option<Stamp>, Errno> {
    match statat(dir, name, AtFlags::SYMLINK_NOFOLLOW) {
        Ok(stat) => Ok(Some(Stamp::of(&stat))),
        Err(Errno::NOENT) => Ok(None),
        Err(errno) => Err(errno),
    }
}

/// Opens a file for reading, and never waits for a pipe that took its place.
pub(super) fn open_file_at(dir: &OwnedFd, name: &[u8]) -> Result<File, Errno> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
    openat(dir, name, flags, Mode::empty()).map(File::from)
}

/// Where a link points.
pub(super) fn read_link_at(dir: &OwnedFd, name: &[u8]) -> Result<Box<[u8]>, Errno> {
    readlinkat(dir, name, Vec::new()).map(|target| target.into_bytes().into_boxed_slice())
}

/// The last directory opened, so that neighbours in path order cost one open each.
pub(super) struct Neighbours<'a> {
    root: &'a Root,
    last: Option<(Vec<u8>, OwnedFd)>,
}

impl<'a> Neighbours<'a> {
    pub(super) fn new(root: &'a Root) -> Self {
        Self { root, last: None }
    }

    /// The open directory that holds `path`, and the name of `path` in it.
    pub(super) fn parent<'p>(&mut self, path: &'p [u8]) -> Result<(&OwnedFd, &'p [u8]), Errno> {
        let (dir, name) = split(path);
        let is_known = self.last.as_ref().is_some_and(|(last, _)| last == dir);
        if !is_known {
            self.last = Some((dir.to_vec(), self.root.open_dir(dir)?));
        }
        let (_, fd) = self.last.as_ref().expect("it was just filled");
        Ok((fd, name))
    }
}
