//! Changing the tree below a root: the only writes that this product makes outside its state.
//!
//! Every act opens its directory component by component without following links. A directory that
//! its owner may not write is opened for the act and set back at the end.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};

use rustix::fs::{
    AtFlags, Dir, Gid, Mode, OFlags, RawMode, Stat, Uid, chownat, fchmod, fchown, fstat, mkdirat,
    openat, renameat, statat, symlinkat, unlinkat,
};
use rustix::io::Errno;

use crate::checkpoint::tree::manifest::Told;
use crate::checkpoint::tree::path::{split, to_os};
use crate::checkpoint::tree::root::{Inode, Own, Root, Way, open_dir_at, open_own_at, stamp_at};
use crate::checkpoint::tree::stamp::{Ids, Stamp};
use crate::error::{Error, Result};
use crate::platform::{acl, files};

/// Permission bits that a restore adds to a directory that it opens for itself.
pub(in crate::checkpoint) const OPENED: u16 = 0o700;

/// Permission to list, enter and write a directory.
const OWNER_ALL: u16 = OPENED;

/// Permission to list and enter a directory.
const OWNER_LOOK: u16 = 0o500;

/// The owner's permission to write a file.
const OWNER_WRITE: u16 = 0o200;

/// Bits that lend a program the rights of its owner and of its group.
const LENDS_RIGHTS: u16 = 0o6000;

/// The root with the directories opened below it.
pub(in crate::checkpoint) struct TreeWriter<'a> {
    root: &'a Root,
    way: Way<'a>,
    opened: Modes,
}

/// The former permission bits of opened directories.
type Modes = BTreeMap<Vec<u8>, u16>;

/// Permission bits and owner of a path.
#[derive(Clone, Copy, Debug)]
pub(in crate::checkpoint) struct Access {
    pub(in crate::checkpoint) mode: u16,
    pub(in crate::checkpoint) owner: Told<Ids>,
}

/// Whether a written file has its intended owner.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::checkpoint) enum Given {
    Whole,
    /// Its owner is another. `is_dropped` if it therefore lost bits that lend an owner's rights.
    NotTheOwner {
        is_dropped: bool,
    },
}

/// Gives a file its content.
pub(in crate::checkpoint) type Fill<'f> = dyn FnMut(&mut File) -> io::Result<()> + 'f;

impl<'a> TreeWriter<'a> {
    pub(in crate::checkpoint) fn new(root: &'a Root) -> Self {
        Self {
            root,
            way: Way::new(root),
            opened: Modes::new(),
        }
    }

    /// Opens the directory `path` for listing; one that its owner may not list or enter is opened
    /// for that.
    pub(in crate::checkpoint) fn dir(&mut self, path: &[u8]) -> Result<&OwnedFd, Errno> {
        self.dir_allowing(path, OWNER_LOOK)
    }

    /// Opens the directory `path` for changing its entries.
    fn writable_dir(&mut self, path: &[u8]) -> Result<&OwnedFd, Errno> {
        self.dir_allowing(path, OWNER_ALL)
    }

    fn dir_allowing(&mut self, path: &[u8], bits: u16) -> Result<&OwnedFd, Errno> {
        let Self { way, opened, .. } = self;
        let dir = way.to(path, |parent, name, path| {
            let dir = match open_dir_at(parent, name) {
                Err(Errno::ACCESS) => {
                    allow_unread(opened, parent, name, path)?;
                    open_dir_at(parent, name)?
                }
                dir => dir?,
            };
            allow(opened, &dir, path, OWNER_LOOK)?;
            Ok(dir)
        })?;
        allow(opened, dir, path, bits)?;
        Ok(dir)
    }

    /// The stamp of the file at `path`; `None` if there is none.
    pub(in crate::checkpoint) fn stamp(&mut self, path: &[u8]) -> Result<Option<Stamp>> {
        let (parent, name) = split(path);
        let stamp = match self.dir(parent) {
            Ok(dir) => stamp_at(dir, name),
            Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => Ok(None),
            Err(errno) => Err(errno),
        };
        stamp.map_err(|errno| self.error("look at", path, errno.into()))
    }

    /// Whether `path` is an empty directory.
    pub(in crate::checkpoint) fn is_empty_dir(&mut self, path: &[u8]) -> bool {
        let entries = self.dir(path).and_then(Dir::read_from);
        entries.is_ok_and(|mut entries| {
            entries.all(|entry| {
                entry.is_ok_and(|entry| [&b"."[..], b".."].contains(&entry.file_name().to_bytes()))
            })
        })
    }

    /// The inode at `path`; `None` where the file system cannot distinguish it from a later one of
    /// the same number.
    pub(in crate::checkpoint) fn inode(&mut self, path: &[u8]) -> Result<Option<Inode>, Errno> {
        let (parent, name) = split(path);
        Ok(Own::anybodys(self.dir(parent)?, name)?.inode())
    }

    /// Makes a directory, or keeps an existing one. A new one is ours alone until its mode is set.
    pub(in crate::checkpoint) fn make_dir(
        &mut self,
        path: &[u8],
        owner: Told<Ids>,
    ) -> Result<Given, Errno> {
        let (parent, name) = split(path);
        let dir = self.writable_dir(parent)?;
        match mkdirat(dir, name, Mode::RWXU) {
            Err(Errno::EXIST) => {}
            result => result?,
        }
        let made = open_dir_at(dir, name)?;
        let given = match owner.0 {
            Some(owner) => gives(&made, owner),
            None => keep_owner(&made, &fstat(dir)?),
        };
        Ok(given)
    }

    /// Removes a file or a link.
    pub(in crate::checkpoint) fn remove_file(&mut self, path: &[u8]) -> Result<(), Errno> {
        let (parent, name) = split(path);
        unlinkat(self.writable_dir(parent)?, name, AtFlags::empty())
    }

    /// Removes an empty directory.
    pub(in crate::checkpoint) fn remove_dir(&mut self, path: &[u8]) -> Result<(), Errno> {
        let (parent, name) = split(path);
        unlinkat(self.writable_dir(parent)?, name, AtFlags::REMOVEDIR)?;
        self.opened.remove(path);
        self.way.forget(path);
        Ok(())
    }

    /// Renames `path` to `to` in the same directory, where nothing may exist yet.
    pub(in crate::checkpoint) fn rename_to_new(
        &mut self,
        path: &[u8],
        to: &[u8],
    ) -> Result<(), Errno> {
        let (parent, name) = split(path);
        let (to_parent, to) = split(to);
        let dir = self.writable_dir(parent)?.try_clone();
        let dir = dir.map_err(|error| Errno::from_io_error(&error).unwrap_or(Errno::IO))?;
        let to_dir = self.writable_dir(to_parent)?;
        files::rename_to_new(&dir, name, to_dir, to)?;
        self.way.forget(path);
        Ok(())
    }

    /// Writes a file with `fill` and puts it at `path`, by way of `temp` in the same directory: at
    /// every moment either the old or the whole new file is there. `was` is what was looked at;
    /// anything else that stands there by now stays. Returns the stamp of the file, too.
    ///
    /// # Errors
    /// `ENOENT` if something else stands there.
    pub(in crate::checkpoint) fn put_file(
        &mut self,
        (path, was): (&[u8], Option<&Stamp>),
        temp: &[u8],
        access: Access,
        fill: &mut Fill<'_>,
    ) -> io::Result<(Given, Stamp)> {
        let (parent, name) = split(path);
        let dir = self.writable_dir(parent)?;
        let flags =
            OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let open = || openat(dir, temp, flags, Mode::RUSR | Mode::WUSR);
        let file = match open() {
            Err(Errno::EXIST) => {
                remove_if_any(dir, temp)?;
                open()
            }
            file => file,
        };
        let mut file = File::from(file?);
        let put = fill(&mut file).and_then(|()| {
            let given = match access.owner.0 {
                Some(owner) => gives(&file, owner),
                None => keep_owner(&file, &owner_of(dir, name)?),
            };
            let list = was.and_then(|_| acl::of(dir, name));
            let mode = acl::give(&file, list.as_deref(), access.mode);
            let given = set_lent(&file, mode, given)?;
            place(dir, (temp, name), was)?;
            Ok((given, Stamp::of(&fstat(&file)?)))
        });
        if put.is_err() {
            let _gone = remove_if_any(dir, temp);
        }
        put
    }

    /// Overwrites the file at `path` in place: where it cannot be replaced (on a full disk, where
    /// something is mounted on it, in a directory that may not be written), or shall not be, for
    /// its other names. A kill in the middle leaves half a file, which the next run puts back.
    ///
    /// # Errors
    /// `ENOENT` if something else stands there than `was`, which was looked at.
    pub(in crate::checkpoint) fn overwrite_file(
        &mut self,
        (path, was): (&[u8], Option<&Stamp>),
        access: Access,
        fill: &mut Fill<'_>,
    ) -> io::Result<Given> {
        let (parent, name) = split(path);
        let dir = self.writable_dir(parent)?;
        let mut file = open_own_at(dir, name, OFlags::WRONLY, OWNER_WRITE)?;
        if !file.metadata()?.is_file() {
            return Err(Errno::INVAL.into());
        }
        let is = Stamp::of(&fstat(&file)?);
        if was.is_some_and(|was| !is_untouched(&is, was)) {
            return Err(Errno::NOENT.into());
        }
        fill(&mut file)?;
        let end = io::Seek::stream_position(&mut file)?;
        file.set_len(end)?;
        let given = access
            .owner
            .0
            .map_or(Given::Whole, |owner| gives(&file, owner));
        Ok(set_lent(&file, access.mode, given)?)
    }

    /// Puts a link to `target` at `path`, where `was` stands, by way of `temp`.
    pub(in crate::checkpoint) fn put_link(
        &mut self,
        (path, was): (&[u8], Option<&Stamp>),
        temp: &[u8],
        target: &[u8],
        owner: Told<Ids>,
    ) -> io::Result<Given> {
        let (parent, name) = split(path);
        let dir = self.writable_dir(parent)?;
        remove_if_any(dir, temp)?;
        symlinkat(target, dir, temp)?;
        let given = match owner.0 {
            Some(owner) => gives_link(dir, temp, owner),
            None => Given::Whole,
        };
        if let Err(errno) = place(dir, (temp, name), was) {
            let _gone = remove_if_any(dir, temp);
            return Err(errno.into());
        }
        Ok(given)
    }

    /// Gives the file at `path` to an owner, if one is known.
    pub(in crate::checkpoint) fn give(
        &mut self,
        path: &[u8],
        owner: Told<Ids>,
    ) -> Result<Given, Errno> {
        let (parent, name) = split(path);
        let dir = self.dir(parent)?;
        let owner = owner.0.map(|owner| gives_link(dir, name, owner));
        Ok(owner.unwrap_or(Given::Whole))
    }

    /// Sets owner and permission bits of the file at `path`, without opening it.
    pub(in crate::checkpoint) fn set_access(
        &mut self,
        path: &[u8],
        access: Access,
    ) -> Result<Given, Errno> {
        let (parent, name) = split(path);
        let own = Own::anybodys(self.dir(parent)?, name)?;
        let owner = access.owner.0.filter(|owner| *owner != own.stamp().owner);
        let given = match owner.map(|owner| own.set_owner(owner)) {
            None | Some(Ok(())) => Given::Whole,
            Some(Err(_)) => not_the_owner(access.mode),
        };
        own.set_mode(lent(access.mode, given))?;
        Ok(given)
    }

    /// Sets the permission bits of the file or directory at `path`.
    pub(in crate::checkpoint) fn set_mode(&mut self, path: &[u8], mode: u16) -> Result<(), Errno> {
        let (parent, name) = split(path);
        Own::anybodys(self.dir(parent)?, name)?.set_mode(mode)
    }

    /// Resets opened directories, deepest first, each to its bits from `mode`, else to its former
    /// ones.
    pub(in crate::checkpoint) fn close(
        &mut self,
        mode: impl Fn(&[u8]) -> Option<u16>,
    ) -> Result<(), Errno> {
        while let Some((path, was)) = self.opened.pop_last() {
            let bits = mode(&path).unwrap_or(was);
            let set = if path.is_empty() {
                let root = self.root.open_dir(b"")?;
                fchmod(&root, bits_of(bits))
            } else {
                self.set_mode(&path, bits)
            };
            match set {
                Ok(()) | Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => {}
                Err(errno) => return Err(errno),
            }
        }
        self.way.forget(b"");
        Ok(())
    }

    /// Forgets the open directories on the way, so that the next look opens them anew.
    pub(in crate::checkpoint) fn look_again(&mut self) {
        self.way.forget(b"");
    }

    pub(in crate::checkpoint) fn error(&self, what: &str, path: &[u8], error: io::Error) -> Error {
        Error::io(what, &self.root.path().join(to_os(path)), error)
    }
}

/// Gives what is called `temp` in `dir` the name `name`, if `was` stands there still, or nothing
/// where that is `None`. Both change names at once, and what comes out is looked at: whatever was
/// saved there meanwhile gets its name back.
fn place(dir: &OwnedFd, (temp, name): (&[u8], &[u8]), was: Option<&Stamp>) -> Result<(), Errno> {
    let Some(was) = was else {
        return match files::rename_to_new(dir, temp, dir, name) {
            Err(Errno::EXIST) => Err(Errno::NOENT),
            // Not every file system can.
            Err(Errno::INVAL | Errno::NOSYS) if stamp_at(dir, name)?.is_none() => {
                renameat(dir, temp, dir, name)
            }
            placed => placed,
        };
    };
    let stands = |name: &[u8]| -> Result<bool, Errno> {
        Ok(stamp_at(dir, name)?.is_some_and(|is| is_untouched(&is, was)))
    };
    match files::exchange(dir, temp, name) {
        Err(Errno::INVAL | Errno::NOSYS) => match stands(name)? {
            true => renameat(dir, temp, dir, name),
            false => Err(Errno::NOENT),
        },
        Err(errno) => Err(errno),
        Ok(()) if stands(temp)? => remove_if_any(dir, temp),
        Ok(()) => {
            files::exchange(dir, temp, name)?;
            Err(Errno::NOENT)
        }
    }
}

/// Whether what has the stamp `is` was not written since it had the stamp `was`. Its change time
/// moves with its name.
fn is_untouched(is: &Stamp, was: &Stamp) -> bool {
    let of = |stamp: &Stamp| (stamp.ino, stamp.mode, stamp.size, stamp.mtime_ns);
    of(is) == of(was)
}

fn remove_if_any(dir: &OwnedFd, name: &[u8]) -> Result<(), Errno> {
    match unlinkat(dir, name, AtFlags::empty()) {
        Ok(()) | Err(Errno::NOENT) => Ok(()),
        Err(errno) => Err(errno),
    }
}

/// Adds the permission `bits` for the owner of the open directory, where they are missing.
fn allow(opened: &mut Modes, dir: &OwnedFd, path: &[u8], bits: u16) -> Result<(), Errno> {
    let mode = permissions(&fstat(dir)?);
    if mode & bits == bits {
        return Ok(());
    }
    match fchmod(dir, bits_of(mode | OWNER_ALL)) {
        Ok(()) => {
            opened.entry(path.to_vec()).or_insert(mode);
            Ok(())
        }
        // Another owner's directory; as one of a group we may still be let in.
        Err(Errno::PERM) => Ok(()),
        Err(errno) => Err(errno),
    }
}

/// The same for a directory that cannot even be opened yet.
fn allow_unread(
    opened: &mut Modes,
    parent: &OwnedFd,
    name: &[u8],
    path: &[u8],
) -> Result<(), Errno> {
    let own = Own::anybodys(parent, name)?;
    if !own.is_dir() {
        return Err(Errno::NOTDIR);
    }
    own.set_mode(own.mode | OWNER_ALL)?;
    opened.entry(path.to_vec()).or_insert(own.mode);
    Ok(())
}

/// The owner of the file `name` in `dir`, or the directory's if there is no such file.
fn owner_of(dir: &OwnedFd, name: &[u8]) -> Result<Stat, Errno> {
    match statat(dir, name, AtFlags::SYMLINK_NOFOLLOW) {
        Err(Errno::NOENT) => fstat(dir),
        result => result,
    }
}

/// Gives `file` to the owner in `stat`, where we may: a restore by root must not leave a user's
/// tree to root.
fn keep_owner(file: &impl AsFd, stat: &Stat) -> Given {
    let _not_allowed = gives(file, Stamp::of(stat).owner);
    Given::Whole
}

/// Gives `file` to `owner`, if it is not theirs.
fn gives(file: &impl AsFd, owner: Ids) -> Given {
    let is_theirs = || fstat(file).is_ok_and(|stat| Stamp::of(&stat).owner == owner);
    let (uid, gid) = (Uid::from_raw(owner.uid), Gid::from_raw(owner.gid));
    match is_theirs() || fchown(file, Some(uid), Some(gid)).is_ok() {
        true => Given::Whole,
        false => Given::NotTheOwner { is_dropped: false },
    }
}

/// The same for a link.
fn gives_link(dir: &OwnedFd, name: &[u8], owner: Ids) -> Given {
    let is_theirs =
        || stamp_at(dir, name).is_ok_and(|stamp| stamp.is_some_and(|s| s.owner == owner));
    let (uid, gid) = (Uid::from_raw(owner.uid), Gid::from_raw(owner.gid));
    let give = || chownat(dir, name, Some(uid), Some(gid), AtFlags::SYMLINK_NOFOLLOW);
    match is_theirs() || give().is_ok() {
        true => Given::Whole,
        false => Given::NotTheOwner { is_dropped: false },
    }
}

/// Sets the permission bits of a file, without those that would lend another owner's rights.
fn set_lent(file: &File, mode: u16, given: Given) -> Result<Given, Errno> {
    let given = match given {
        Given::Whole => given,
        Given::NotTheOwner { .. } => not_the_owner(mode),
    };
    let bits = lent(mode, given);
    // Who may write it may not always set its bits.
    if permissions(&fstat(file)?) != bits {
        fchmod(file, bits_of(bits))?;
    }
    Ok(given)
}

fn not_the_owner(mode: u16) -> Given {
    Given::NotTheOwner {
        is_dropped: mode & LENDS_RIGHTS != 0,
    }
}

/// The bits of `mode` that a file with this owner may have.
fn lent(mode: u16, given: Given) -> u16 {
    match given {
        Given::Whole => mode,
        Given::NotTheOwner { .. } => mode & !LENDS_RIGHTS,
    }
}

fn bits_of(mode: u16) -> Mode {
    Mode::from_raw_mode(RawMode::from(mode))
}

fn permissions(stat: &Stat) -> u16 {
    Stamp::of(stat).permissions()
}
