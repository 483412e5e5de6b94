//! Mount points below a directory: where another file system, or another place of the same one,
//! begins.
//!
//! A place whose mount is not the one of a session's first snapshot, another, a new one or none, is
//! none of the tree: it is named, and never entered nor written to. Read from the kernel's own
//! table; where there is none (other systems than Linux), no mount is known of.

use std::collections::BTreeMap;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use crate::checkpoint::tree::manifest::Why;
use crate::checkpoint::tree::path::is_within;
use crate::checkpoint::tree::watch::{MOUNT_GONE, reason};
use crate::platform::mounts;

/// Mount points below a root, relative to it, each with what is mounted there: the device and what
/// of it, as the kernel writes them. Nothing said stands for anything.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::checkpoint) struct Mounts(pub(in crate::checkpoint) BTreeMap<Vec<u8>, Vec<u8>>);

impl Mounts {
    /// Those below `root`, a canonical path, now.
    pub(in crate::checkpoint) fn below(root: &Path) -> Self {
        Self::parse(&mounts::table(), root)
    }

    fn parse(table: &[u8], root: &Path) -> Self {
        let root = root.as_os_str().as_bytes();
        let places = table.split(|byte| *byte == b'\n').filter_map(|line| {
            let fields: Vec<_> = line.split(|byte| *byte == b' ').take(5).collect();
            let [_, _, device, part, place] = fields[..] else {
                return None;
            };
            let place = unescaped(place);
            let below = place.strip_prefix(root)?;
            let below = match root.ends_with(b"/") {
                true => below,
                false => below.strip_prefix(b"/")?,
            };
            (!below.is_empty()).then(|| (below.to_vec(), [device, b" ", part].concat()))
        });
        // Of several on one place, the last covers the others.
        Self(places.collect())
    }

    /// The places at which something else is mounted than in `known`, or nothing any more: of those
    /// nothing is said.
    pub(in crate::checkpoint) fn other_than(&self, known: &Self) -> Self {
        let is_same = |place: &Vec<u8>, what: &Vec<u8>| {
            let then = known.0.get(place);
            then.is_some_and(|then| then == what || then.is_empty())
        };
        let other = self.0.iter().filter(|(place, what)| !is_same(place, what));
        let other = other.map(|(place, what)| (place.clone(), what.clone()));
        let gone = known.0.keys().filter(|place| !self.0.contains_key(*place));
        let gone = gone.map(|place| (place.clone(), Vec::new()));
        Self(other.chain(gone).collect())
    }

    /// Whether `place`, one of [`Mounts::other_than`], is one at which nothing is mounted any more.
    pub(in crate::checkpoint) fn is_gone(&self, place: &[u8]) -> bool {
        self.0.get(place).is_some_and(Vec::is_empty)
    }

    /// Why what is at `place`, one of [`Mounts::other_than`], is not covered, in words.
    pub(in crate::checkpoint) fn reason(&self, place: &[u8]) -> &'static str {
        match self.is_gone(place) {
            true => MOUNT_GONE,
            false => reason(Why::Mount),
        }
    }

    /// The mount point that `path` is or lies below.
    pub(in crate::checkpoint) fn above(&self, path: &[u8]) -> Option<&[u8]> {
        let mut all = self.0.keys();
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
        let places: Vec<_> = found.0.keys().map(Vec::as_slice).collect();
        assert_eq!(places, [&b"a b"[..], b"c/d"]);
        assert_eq!(found.0[&b"a b"[..]], b"98:0 /x");
        assert_eq!(found.above(b"c/d/e"), Some(&b"c/d"[..]));
        assert_eq!(found.above(b"c/de"), None);
        let all = Mounts::parse(table, Path::new("/"));
        assert_eq!(all.0.len(), 4);
    }

    #[test]
    fn a_place_is_another_where_another_is_mounted_or_none() {
        let of = |lines: &[&str]| Mounts::parse(lines.join("\n").as_bytes(), Path::new("/w"));
        let (one, two) = ("1 0 8:1 / /w/a rw", "2 0 8:1 /x /w/b rw");
        let then = of(&[one, two]);
        let other = |lines: &[&str]| {
            let other = of(lines).other_than(&then);
            let places = other
                .0
                .into_keys()
                .map(|place| String::from_utf8(place).unwrap());
            places.collect::<Vec<_>>()
        };
        assert_eq!(other(&[one, two]), [""; 0]);
        assert_eq!(
            other(&["9 0 8:1 / /w/a ro", two]),
            [""; 0],
            "its number counts nothing"
        );
        assert_eq!(other(&[one]), ["b"]);
        let gone = of(&[one]).other_than(&then);
        assert_eq!(gone.reason(b"b"), "nothing is mounted there any more");
        let covered = of(&[one, "2 0 8:1 /y /w/b rw"]).other_than(&then);
        assert_eq!(covered.reason(b"b"), "a mount point");
        assert_eq!(
            other(&[one, two, "3 0 0:9 / /w/b rw"]),
            ["b"],
            "it is covered"
        );
        assert_eq!(
            other(&[one, "2 0 8:1 /y /w/b rw", "4 0 8:1 / /w/c rw"]),
            ["b", "c"]
        );
        let unsaid = Mounts([(b"a".to_vec(), Vec::new())].into());
        assert_eq!(of(&[one]).other_than(&unsaid), Mounts::default());
    }
}
