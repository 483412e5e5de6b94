//! Which files of a tree are held, and which are only watched: for their size, for their names, or
//! because others write them.

use std::fs;

use rustix::fs::FileType;

use crate::checkpoint::tree::manifest::Why;
use crate::checkpoint::tree::path::{RelPath, split, to_os};
use crate::checkpoint::tree::scan::{Kind, Scanner};
use crate::checkpoint::tree::stamp::Stamp;
use crate::files::FileId;
use crate::redaction::is_secret_file_name;

impl Scanner<'_> {
    /// What stands at a covered path.
    pub(in crate::checkpoint) fn kind(&self, path: &RelPath, stamp: &Stamp) -> Kind {
        if self.mounts.0.contains_key(&**path) {
            return Kind::Opaque(Why::Mount);
        }
        match FileType::from_raw_mode(stamp.mode) {
            FileType::Directory => Kind::Dir,
            FileType::Symlink => Kind::Link,
            FileType::RegularFile if self.is_written(path, stamp) => Kind::Opaque(Why::Written),
            FileType::RegularFile if self.is_left_out(path, stamp) => Kind::Opaque(Why::TooLarge),
            FileType::RegularFile if self.is_secret(path, stamp) => Kind::Opaque(Why::Secret),
            FileType::RegularFile => Kind::File,
            _ => Kind::Opaque(Why::Special),
        }
    }

    /// Whether others write it meanwhile. The device is asked for where the rest fits.
    fn is_written(&self, path: &RelPath, stamp: &Stamp) -> bool {
        let mut written = self.written.iter();
        written.any(|id| id.has_inode(stamp.ino)) && {
            let named = fs::symlink_metadata(self.root.path().join(to_os(path)));
            named.is_ok_and(|named| self.written.contains(&FileId::of(&named)))
        }
    }

    /// What a session once held it keeps holding, and what it once left out stays left out.
    fn is_left_out(&self, path: &RelPath, stamp: &Stamp) -> bool {
        self.left_out.contains(path)
            || (stamp.size > self.limits.file_bytes_max && !self.is_held(path))
    }

    /// Whether the session holds the file at `path`.
    fn is_held(&self, path: &RelPath) -> bool {
        self.last.is_some_and(|last| last.holds_file(path))
    }

    /// Whether a file is only watched, because its name says that it is secret, or that of the same
    /// file did. What git tracks and what is protected is covered.
    fn is_secret(&self, path: &RelPath, stamp: &Stamp) -> bool {
        if is_secret_file_name(split(path).1) {
            let is_covered = self.tracked.contains(path) || self.rules.is_protected(path);
            return !is_covered && !self.is_held(path);
        }
        // The same file under a covered name of its own is covered.
        self.secrets
            .contains(&(stamp.ino, stamp.size, stamp.mtime_ns))
            && !self.kept.iter().any(|manifest| manifest.holds_file(path))
    }
}
