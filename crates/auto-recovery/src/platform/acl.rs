//! Access control lists: who may use a file beyond its owner and its group.
//!
//! A file that is written anew in the place of another one gets that one's list. Without it the
//! bits for the group, which stand for the whole list, would let the group in.

use std::fs::File;
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::path::PathBuf;

use rustix::fs::{XattrFlags, fremovexattr, fsetxattr, lgetxattr};

use super::descriptors::OURS;

/// The name of the attribute that has the list.
const ATTRIBUTE: &str = "system.posix_acl_access";

/// As much as most lists have, and the kernel's limit of an attribute.
const BYTES: [usize; 2] = [1024, 64 * 1024];

/// The bits for the group.
const GROUP: u16 = 0o070;

/// The list of `name` in `dir`, as the system keeps it; `None` if it has none.
pub(crate) fn of(dir: &OwnedFd, name: &[u8]) -> Option<Vec<u8>> {
    let mut path = PathBuf::from(format!("{OURS}/{}", dir.as_raw_fd()));
    path.push(std::ffi::OsStr::from_bytes(name));
    BYTES.iter().find_map(|bytes| {
        let mut list = vec![0; *bytes];
        let len = lgetxattr(&path, ATTRIBUTE, &mut list[..]).ok()?;
        list.truncate(len);
        (len > 0).then_some(list)
    })
}

/// Gives `file`, which was just made, this `list`, and none that its directory gives to new files.
/// Returns the permission bits that it may have, of the `mode` that it is to have: where the list
/// cannot be given, none for the group.
pub(crate) fn give(file: &File, list: Option<&[u8]>, mode: u16) -> u16 {
    match list {
        Some(list) => match fsetxattr(file, ATTRIBUTE, list, XattrFlags::empty()) {
            Ok(()) => mode,
            Err(_) => mode & !GROUP,
        },
        None => {
            // It has none in most places, and some file systems know none.
            let _none = fremovexattr(file, ATTRIBUTE);
            mode
        }
    }
}
