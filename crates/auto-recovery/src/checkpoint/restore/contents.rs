//! Putting the content of a file back: by replacing it, or by writing it where it stands, which
//! changes it under all its names.

use std::fs::File;
use std::io;

use rustix::fs::{Timespec, Timestamps, UTIME_NOW, fstat, futimens};
use rustix::io::Errno;
use rustix::process::{Gid, getegid, geteuid, getgroups};

use crate::checkpoint::repository::blobs::{Blobs, CopyError};
use crate::checkpoint::restore::compare;
use crate::checkpoint::restore::item::{Expect, Item};
use crate::checkpoint::restore::reserve;
use crate::checkpoint::restore::restorer::{Restorer, Stands};
use crate::checkpoint::restore::tree_writer::{Access, Given};
use crate::checkpoint::tree::manifest::{Node, ObjectId, Told};
use crate::checkpoint::tree::path::RelPath;
use crate::checkpoint::tree::stamp::{Ids, Stamp};
use crate::checkpoint::tree::watch::Uncovered;
use crate::error::{Error, Result};
use crate::host::Host;

impl Restorer<'_> {
    pub(in crate::checkpoint) fn put_file(
        &mut self,
        item: &Item,
        id: ObjectId,
        access: Access,
        found: Stands,
    ) -> Result<()> {
        let stamp = self.writer.stamp(&item.path)?;
        let file = stamp.filter(|stamp| compare::file_type(stamp).is_file());
        let names = match &file {
            Some(stamp) => self.names_of(&item.path, stamp)?,
            None => Names::One,
        };
        if file.is_some() && names != Names::Other && self.has_content(item, id, found)? {
            let given = self.writer.set_access(&item.path, access);
            self.rewritten.extend(file.map(|stamp| stamp.ino));
            return self.settle_given(item, given.map_err(io::Error::from));
        }
        let mut broken = None;
        let stands = Stood { stamp, file, names };
        let put = self.put_content(item, id, access, stands, &mut broken);
        match broken {
            Some(error) => Err(error),
            None => self.settle_given(item, put),
        }
    }

    /// Replaces or, where that is right or nothing else is possible, overwrites a file.
    fn put_content(
        &mut self,
        item: &Item,
        id: ObjectId,
        access: Access,
        stood: Stood,
        broken: &mut Option<Error>,
    ) -> io::Result<Given> {
        let Self {
            writer,
            blobs,
            temp,
            store,
            ..
        } = self;
        let Stood { stamp, file, names } = stood;
        let path = &item.path;
        let at = (&**path, stamp.as_ref());
        let mut fill = |new: &mut File| {
            fill(blobs, id, new, broken)?;
            match &file {
                Some(was) => tell_apart(new, was, &*store.host),
                None => Ok(()),
            }
        };
        let has_its_owner = file.is_some_and(|stamp| keeps_owner_only_here(&stamp, access.owner));
        if names == Names::Still || (has_its_owner && names == Names::One) {
            let overwritten = writer.overwrite_file(at, access, &mut fill);
            if overwritten.is_ok() {
                self.rewritten.extend(file.map(|stamp| stamp.ino));
                return overwritten;
            }
        }
        let mut put = writer.put_file(at, temp, access, &mut fill);
        if put.as_ref().is_err_and(is_no_space) && file.is_some() {
            reserve::release(&self.store.state_dir);
            put = writer.put_file(at, temp, access, &mut fill);
        }
        let may_overwrite = file.is_some() && names != Names::Other;
        match put {
            Ok((given, stamp)) => {
                self.put.insert(path.clone(), stamp);
                if names == Names::Still {
                    let reason = "replaced; its other names keep what they hold";
                    self.refused.insert(path.clone(), reason.to_owned());
                }
                if file.is_some_and(|stamp| stamp.links > 1) && self.to.watch.is_none() {
                    let kept = Uncovered::new(path, "other names of it keep what they hold");
                    self.had_names.push(kept);
                }
                Ok(given)
            }
            Err(first) if may_overwrite && (is_no_space(&first) || is_refused(&first)) => {
                // Only what stands there can be written. Of two refusals the first says more.
                let overwritten = writer.overwrite_file(at, access, &mut fill);
                self.rewritten.extend(file.map(|stamp| stamp.ino));
                overwritten.map_err(|second| if is_no_space(&second) { second } else { first })
            }
            Err(first) => Err(first),
        }
    }

    /// Whether a file has the content that it shall have, and lacks only the access.
    fn has_content(&mut self, item: &Item, id: ObjectId, found: Stands) -> Result<bool> {
        match (&item.from, found) {
            (Expect::Node(Some(Node::File { id: from, .. })), Stands::AsExpected) => {
                Ok(*from == id)
            }
            _ => compare::has_content(&mut self.writer, &mut self.blobs, &item.path, id),
        }
    }

    /// What names a file has, and whether it may be changed under all of them.
    fn names_of(&mut self, path: &RelPath, stamp: &Stamp) -> Result<Names> {
        if stamp.links < 2 {
            return Ok(Names::One);
        }
        let inode = self.writer.inode(path);
        let inode = inode.map_err(|errno| self.writer.error("look at", path, errno.into()))?;
        let watch = self.to.watch.as_ref();
        let is_still = inode.is_some_and(|inode| watch.is_some_and(|w| w.shared(path, inode)));
        Ok(if is_still { Names::Still } else { Names::Other })
    }
}

/// What stands where a file is put.
#[derive(Clone, Copy)]
struct Stood {
    stamp: Option<Stamp>,
    /// The same, if it is a file.
    file: Option<Stamp>,
    names: Names,
}

/// The names of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Names {
    One,
    /// It has others, and is the file that had others then: what changed it changed it under all of
    /// them, and so does what puts it back.
    Still,
    /// It has others, and may be somebody else's under them: it is replaced, never written.
    Other,
}

/// Gives a file that was just written a time of another second than `was` has, which stood there
/// before: Python, for one, takes a file of the same size and the same whole second for the one
/// that it compiled, and would run the code that was there before. Waits for that second to end.
fn tell_apart(file: &File, was: &Stamp, host: &dyn Host) -> io::Result<()> {
    let is = Stamp::of(&fstat(file)?);
    let Some(left) = is.time_until_told_from(was) else {
        return Ok(());
    };
    // Who wants to stop does not wait.
    host.sleep(left);
    let now = Timespec {
        tv_sec: 0,
        tv_nsec: UTIME_NOW,
    };
    let times = Timestamps {
        last_access: now,
        last_modification: now,
    };
    Ok(futimens(file, &times)?)
}

/// Whether only the file that stands there has the owner and the group it shall have, because we
/// cannot give them.
fn keeps_owner_only_here(stamp: &Stamp, wanted: Told<Ids>) -> bool {
    let user = geteuid();
    let Ids { uid, gid } = stamp.owner;
    let may_give = || uid == user.as_raw() && is_own_group(gid);
    wanted.0 == Some(stamp.owner) && !user.is_root() && !may_give()
}

/// Whether we are in the group `gid`, so that we may give our files to it.
fn is_own_group(gid: u32) -> bool {
    let is_it = |group: Gid| group.as_raw() == gid;
    is_it(getegid()) || getgroups().is_ok_and(|groups| groups.into_iter().any(is_it))
}

/// Writes the blob `id` to `file`; a repository that does not give it breaks the whole restore.
fn fill(
    blobs: &mut Blobs,
    id: ObjectId,
    file: &mut File,
    broken: &mut Option<Error>,
) -> io::Result<()> {
    let mut give_up = |error| {
        *broken = Some(error);
        io::Error::other("the content is not available")
    };
    let len = match blobs.ask_for(id) {
        Ok(Some(len)) => len,
        Ok(None) => return Err(give_up(compare::missing(id))),
        Err(error) => return Err(give_up(error)),
    };
    match blobs.copy(len, file) {
        Ok(()) => Ok(()),
        Err(CopyError::Source(error)) => Err(give_up(error)),
        Err(CopyError::Sink(error)) => Err(error),
    }
}

/// Whether a file could not be replaced, though what stands there may be writable: something is
/// mounted on it, its directory is somebody else's or may not be changed.
fn is_refused(error: &io::Error) -> bool {
    matches!(
        Errno::from_io_error(error),
        Some(Errno::BUSY | Errno::ACCESS | Errno::PERM | Errno::ROFS | Errno::XDEV | Errno::TXTBSY)
    )
}

fn is_no_space(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded
    )
}
