//! Mount points below a directory: where another file system, or another place of the same one,
//! begins.
//!
//! A mount that was not there at a session's first snapshot is none of the tree: it is named, and
//! never entered. Read from the kernel's own table; where there is none (other systems than Linux),
//! no mount is known of.

use std::collections::BTreeSet;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use crate::checkpoint::path::is_within;

/// The mounts of this process, as proc(5) describes: the fifth field of each line is the place.
const TABLE: &str = "/proc/self/mountinfo";

/// Mount points below a root, relative to it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Mounts(pub(super) BTreeSet<Vec<u8>>);

impl Mounts {
    /// Those below `root`, a canonical path, now.
    pub(super) fn below(root: &Path) -> Self {
        let table = std::fs::read(TABLE).unwrap_or_default();
        Self::parse(&table, root)
    }

    fn parse(table: &[u8], root: &Path) -> Self {
        let root = root.as_os_str().as_bytes();
        let places = table.split(|byte| *byte == b'\n').filter_map(|line| {
            let place = line.split(|byte| *byte == b' ').nth(4)?;
            let place = unescaped(place);
            let below = place.strip_prefix(root)?;
            let below = match root.ends_with(b"/") {
                true => below,
                false => below.strip_prefix(b"/")?,
            };
            (!below.is_empty()).then(|| below.to_vec())
        });
        Self(places.collect())
    }

    /// Those that `known` lacks.
    pub(super) fn without(&self, known: &Self) -> Self {
        Self(self.0.difference(&known.0).cloned().collect())
    }

    /// The mount point that `path` is or lies below.
    pub(super) fn above(&self, path: &[u8]) -> Option<&[u8]> {
        let mut all = self.0.iter();
        all.find(|place| is_within(path, place)).map(Vec::as_slice)
    }
}

/// A place with the kernel's octal escapes (of blanks and backslashes) resolved.
fn unescaped(place: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(place.len());
    let mut rest = place;
    while let Some((byte, tail)) = rest.split_first() {
        let digits = tail.get(..3).filter(|_| *byte == b'\\');
        let digits = digits.and_then(|digits| std::str::from_utf8(digits).ok());
        match digits.and_then(|digits| u8::from_str_radix(digits, 8).ok()) {
            Some(escaped) => {
                out.push(escaped);
                rest = &tail[3..];
            }
            None => {
                out.push(*byte);
                rest = tail;
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_below_the_root_are_found_with_their_escapes() {
        let table = b"36 35 98:0 / /w rw - ext4 /dev/a rw\n\
            37 36 98:0 /x /w/a\\040b rw - ext4 /dev/a rw\n\
            38 36 0:5 / /w/c/d rw,shared:1 - tmpfs t rw\n\
            39 36 0:5 / /wider rw - tmpfs t rw\n\
            broken\n";
        let found = Mounts::parse(table, Path::new("/w"));
        let places: Vec<_> = found.0.iter().map(Vec::as_slice).collect();
        assert_eq!(places, [&b"a b"[..], b"c/d"]);
        assert_eq!(found.above(b"c/d/e"), Some(&b"c/d"[..]));
        assert_eq!(found.above(b"c/de"), None);
        let all = Mounts::parse(table, Path::new("/"));
        assert_eq!(all.0.len(), 4);
    }
}
