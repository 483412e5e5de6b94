//! Names in a directory, as listing tells them.

use std::os::fd::OwnedFd;

use rustix::fs::{Dir, FileType};
use rustix::io::Errno;

/// A name in a directory, before it is looked at.
pub(in crate::checkpoint) struct Name {
    pub(in crate::checkpoint) name: Box<[u8]>,
    /// Whether it is a directory, where listing says so.
    pub(in crate::checkpoint) is_dir: Option<bool>,
}

/// The names in the directory `dir`.
pub(in crate::checkpoint) fn names_in(dir: &OwnedFd) -> Result<Vec<Name>, Errno> {
    let mut names = Vec::new();
    for entry in Dir::read_from(dir)? {
        let entry = entry?;
        let name = entry.file_name().to_bytes();
        if name != b"." && name != b".." {
            let is_dir = match entry.file_type() {
                FileType::Unknown => None,
                known => Some(known.is_dir()),
            };
            names.push(Name {
                name: name.into(),
                is_dir,
            });
        }
    }
    Ok(names)
}
