//! The side list: the facts of a snapshot that a git tree cannot hold, stored in the same commit.
//!
//! Layout, version 2: `recover side 2`, then records that end with NUL. `m FILE EXEC DIR` gives the
//! usual modes (octal), `w UID GID` the usual owner; then, only where a path departs from them or
//! git has no place for it: `f MODE PATH`, `d MODE PATH` (also every directory that holds no file),
//! `l LEN TARGET PATH` (a link that git refuses), `s WHY SIZE MTIME INODE MODE PATH` (seen, not
//! kept), `c UID GID PATH` (another owner), `u PATH` (unknown owner). Version 1 has no owners, and
//! `o WHY SIZE MTIME INODE PATH` in place of `s`.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

use crate::checkpoint::repository::import::{GITS_MARK, unmarked};
use crate::checkpoint::tree::manifest::{Entry, Manifest, Node, ObjectId, Told, Why};
use crate::checkpoint::tree::path::split;
use crate::checkpoint::tree::stamp::Ids;
use crate::error::{Error, ErrorKind, Result};

const MAGIC: &[u8] = b"recover side 2\0";

/// First bytes in the layout of older releases.
const MAGIC_1: &[u8] = b"recover side 1\0";

/// Whether `entry` is part of the git tree (directories are there only through their files).
pub(super) fn is_in_tree(path: &[u8], node: &Node) -> bool {
    match node {
        Node::File { .. } => true,
        // git refuses this one name as a link, in any directory.
        Node::Link { .. } => !split(path).1.eq_ignore_ascii_case(b".gitmodules"),
        Node::Dir { .. } | Node::Opaque { .. } => false,
    }
}

/// Whether git calls a file of this mode executable.
pub(super) fn is_executable(mode: u16) -> bool {
    mode & 0o100 != 0
}

/// The usual modes of a tree: most files, most executables, most directories.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Usual {
    file: u16,
    executable: u16,
    dir: u16,
}

impl Usual {
    fn of(manifest: &Manifest) -> Self {
        let mut counts: [HashMap<u16, usize>; 3] = Default::default();
        for entry in &manifest.entries {
            let (class, mode) = match entry.node {
                Node::File { mode, .. } => (usize::from(is_executable(mode)), mode),
                Node::Dir { mode, .. } => (2, mode),
                Node::Link { .. } | Node::Opaque { .. } => continue,
            };
            *counts[class].entry(mode).or_default() += 1;
        }
        let most = |class: usize, default: u16| {
            let most = counts[class]
                .iter()
                .max_by_key(|(mode, count)| (**count, **mode));
            most.map_or(default, |(mode, _)| *mode)
        };
        Self {
            file: most(0, 0o644),
            executable: most(1, 0o755),
            dir: most(2, 0o755),
        }
    }

    fn file(self, is_executable: bool) -> u16 {
        if is_executable {
            self.executable
        } else {
            self.file
        }
    }
}

/// The side list of `manifest`.
pub(super) fn encode(manifest: &Manifest) -> Vec<u8> {
    let usual = Usual::of(manifest);
    let implied = implied_dirs(manifest);
    let mut out = MAGIC.to_vec();
    let mut put = |head: String, path: &[u8]| {
        out.extend_from_slice(head.as_bytes());
        out.extend_from_slice(path);
        out.push(0);
    };
    put(
        format!("m {:o} {:o} {:o}", usual.file, usual.executable, usual.dir),
        b"",
    );
    let owner = usual_owner(manifest);
    if let Some(Ids { uid, gid }) = owner {
        put(format!("w {uid} {gid}"), b"");
    }
    for Entry { path, node } in &manifest.entries {
        match node.owner().0 {
            None if owner.is_some() => put("u ".to_owned(), path),
            Some(own) if Some(own) != owner => put(format!("c {} {} ", own.uid, own.gid), path),
            _ => {}
        }
        match node {
            Node::File { mode, .. } if *mode != usual.file(is_executable(*mode)) => {
                put(format!("f {mode:o} "), path);
            }
            Node::Dir { mode, .. } if *mode != usual.dir || !implied.contains(&**path) => {
                put(format!("d {mode:o} "), path);
            }
            Node::Link { target, .. } if !is_in_tree(path, node) => {
                let both = [target, &b" "[..], path].concat();
                put(format!("l {} ", target.len()), &both);
            }
            Node::Opaque {
                why,
                size,
                mtime_ns,
                ino,
                mode,
                ..
            } => {
                let seen = format!("{} {size} {mtime_ns} {ino} ", why_code(*why));
                let head = match mode.0 {
                    Some(mode) => format!("s {seen}{mode:o} "),
                    None => format!("o {seen}"),
                };
                put(head, path);
            }
            Node::File { .. } | Node::Dir { .. } | Node::Link { .. } => {}
        }
    }
    out
}

/// The owner of most paths.
fn usual_owner(manifest: &Manifest) -> Option<Ids> {
    let mut counts: HashMap<Ids, usize> = HashMap::new();
    for ids in manifest
        .entries
        .iter()
        .filter_map(|entry| entry.node.owner().0)
    {
        *counts.entry(ids).or_default() += 1;
    }
    let most = counts.into_iter().max_by_key(|(ids, count)| (*count, *ids));
    most.map(|(ids, _)| ids)
}

/// The directories that the git tree implies, at any depth.
fn implied_dirs(manifest: &Manifest) -> HashSet<&[u8]> {
    let mut implied = HashSet::new();
    let mut last: &[u8] = b"";
    for entry in &manifest.entries {
        let (dir, _) = split(&entry.path);
        if is_in_tree(&entry.path, &entry.node) && dir != last {
            last = dir;
            // The ancestors of a known directory are known too.
            let mut dir = dir;
            while !dir.is_empty() && implied.insert(dir) {
                dir = split(dir).0;
            }
        }
    }
    implied
}

/// Decodes the manifest from a side list and a recursive, NUL-separated `git ls-tree` of the
/// commit. `link` gives the targets of links by blob.
pub(super) fn decode(
    side: &[u8],
    listing: &[u8],
    mut link: impl FnMut(ObjectId) -> Result<Box<[u8]>>,
) -> Result<Manifest> {
    let known = [MAGIC, MAGIC_1].into_iter();
    let mut records = known
        .filter_map(|magic| side.strip_prefix(magic))
        .next()
        .ok_or_else(damaged)?
        .split(|byte| *byte == 0);
    let usual = usual(records.next().ok_or_else(damaged)?)?;
    let mut tree = Decoded::default();
    // Older releases marked nothing.
    let listing = match memchr::memchr(GITS_MARK, listing) {
        Some(_) if side.starts_with(MAGIC) => Cow::Owned(without_marks(listing)),
        _ => Cow::Borrowed(listing),
    };
    let listed = listing.split(|byte| *byte == 0);
    for record in listed.filter(|record| !record.is_empty()) {
        tree.listed(record, usual, &mut link)?;
    }
    for record in records.filter(|record| !record.is_empty()) {
        tree.said(record)?;
    }
    Ok(tree.finish())
}

/// A listing with the names of the user's tree.
fn without_marks(listing: &[u8]) -> Vec<u8> {
    let records = listing.split(|byte| *byte == 0).map(unmarked);
    records.collect::<Vec<_>>().join(&0)
}

/// A manifest being decoded.
#[derive(Default)]
struct Decoded<'a> {
    entries: Vec<Entry>,
    dirs: HashMap<&'a [u8], u16>,
    /// Modes of files that are not the usual ones.
    files: HashMap<&'a [u8], u16>,
    /// The owner of paths, unless `owners` has another.
    owner: Told<Ids>,
    owners: HashMap<&'a [u8], Told<Ids>>,
}

impl<'a> Decoded<'a> {
    /// Takes a record of the listing: `MODE blob ID`, tab, path.
    fn listed(
        &mut self,
        record: &'a [u8],
        usual: Usual,
        link: &mut dyn FnMut(ObjectId) -> Result<Box<[u8]>>,
    ) -> Result<()> {
        let (head, path) = split_once(record, b'\t')?;
        let path = path.strip_prefix(b"tree/").ok_or_else(damaged)?;
        let mut fields = head.split(|byte| *byte == b' ');
        let mode = fields.next().ok_or_else(damaged)?;
        let id = fields
            .nth(1)
            .and_then(ObjectId::from_hex)
            .ok_or_else(damaged)?;
        let node = match mode {
            b"120000" => Node::Link {
                target: link(id)?,
                owner: Told(None),
            },
            b"100755" => Node::File {
                id,
                mode: usual.file(true),
                owner: Told(None),
            },
            b"100644" => Node::File {
                id,
                mode: usual.file(false),
                owner: Told(None),
            },
            _ => return Err(damaged()),
        };
        let mut dir = split(path).0;
        while !dir.is_empty() && self.dirs.insert(dir, usual.dir).is_none() {
            dir = split(dir).0;
        }
        self.entries.push(Entry {
            path: path.into(),
            node,
        });
        Ok(())
    }

    /// Takes a record of the side list.
    fn said(&mut self, record: &'a [u8]) -> Result<()> {
        let (tag, rest) = split_once(record, b' ')?;
        match tag {
            b"f" | b"d" => {
                let (mode, path) = split_once(rest, b' ')?;
                let modes = if tag == b"f" {
                    &mut self.files
                } else {
                    &mut self.dirs
                };
                modes.insert(path, octal(mode)?);
            }
            b"l" => {
                let (len, rest) = split_once(rest, b' ')?;
                let (target, path) = rest.split_at_checked(decimal(len)?).ok_or_else(damaged)?;
                let path = path.strip_prefix(b" ").ok_or_else(damaged)?;
                let node = Node::Link {
                    target: target.into(),
                    owner: Told(None),
                };
                self.entries.push(Entry {
                    path: path.into(),
                    node,
                });
            }
            b"o" => self.entries.push(opaque(rest, false)?),
            b"s" => self.entries.push(opaque(rest, true)?),
            b"w" => {
                let (uid, gid) = split_once(rest, b' ')?;
                self.owner = owner(uid, gid)?;
            }
            b"c" => {
                let (uid, rest) = split_once(rest, b' ')?;
                let (gid, path) = split_once(rest, b' ')?;
                self.owners.insert(path, owner(uid, gid)?);
            }
            b"u" => {
                self.owners.insert(rest, Told(None));
            }
            _ => return Err(damaged()),
        }
        Ok(())
    }

    fn finish(mut self) -> Manifest {
        for entry in &mut self.entries {
            if let (Node::File { mode, .. }, Some(own)) =
                (&mut entry.node, self.files.get(&*entry.path))
            {
                *mode = *own;
            }
        }
        let dirs = self.dirs.into_iter().map(|(path, mode)| Entry {
            path: path.into(),
            node: Node::Dir {
                mode,
                owner: Told(None),
            },
        });
        self.entries.extend(dirs);
        for entry in &mut self.entries {
            let owner = self.owners.get(&*entry.path);
            entry.node.set_owner(*owner.unwrap_or(&self.owner));
        }
        Manifest::from_unsorted(self.entries)
    }
}

fn usual(record: &[u8]) -> Result<Usual> {
    let mut fields = record
        .strip_prefix(b"m ")
        .ok_or_else(damaged)?
        .split(|byte| *byte == b' ');
    let mut next = || octal(fields.next().ok_or_else(damaged)?);
    Ok(Usual {
        file: next()?,
        executable: next()?,
        dir: next()?,
    })
}

fn owner(uid: &[u8], gid: &[u8]) -> Result<Told<Ids>> {
    let (uid, gid) = (decimal(uid)?, decimal(gid)?);
    Ok(Told(Some(Ids { uid, gid })))
}

fn opaque(record: &[u8], tells_mode: bool) -> Result<Entry> {
    let (why, rest) = split_once(record, b' ')?;
    let (size, rest) = split_once(rest, b' ')?;
    let (mtime, rest) = split_once(rest, b' ')?;
    let (ino, path) = split_once(rest, b' ')?;
    let (mode, path) = match tells_mode {
        true => {
            let (mode, path) = split_once(path, b' ')?;
            (Some(octal(mode)?), path)
        }
        false => (None, path),
    };
    let why = match why {
        b"large" => Why::TooLarge,
        b"unreadable" => Why::Unreadable,
        b"special" => Why::Special,
        b"mount" => Why::Mount,
        b"secret" => Why::Secret,
        b"written" => Why::Written,
        _ => return Err(newer()),
    };
    let node = Node::Opaque {
        why,
        size: decimal(size)?,
        mtime_ns: decimal(mtime)?,
        ino: decimal(ino)?,
        mode: Told(mode),
        owner: Told(None),
    };
    Ok(Entry {
        path: path.into(),
        node,
    })
}

fn why_code(why: Why) -> &'static str {
    match why {
        Why::TooLarge => "large",
        Why::Unreadable => "unreadable",
        Why::Special => "special",
        Why::Mount => "mount",
        Why::Secret => "secret",
        Why::Written => "written",
    }
}

fn split_once(bytes: &[u8], at: u8) -> Result<(&[u8], &[u8])> {
    let index = memchr::memchr(at, bytes).ok_or_else(damaged)?;
    Ok((&bytes[..index], &bytes[index + 1..]))
}

fn decimal<T: std::str::FromStr>(digits: &[u8]) -> Result<T> {
    let text = std::str::from_utf8(digits).map_err(|_| damaged())?;
    text.parse().map_err(|_| damaged())
}

fn octal(digits: &[u8]) -> Result<u16> {
    let text = std::str::from_utf8(digits).map_err(|_| damaged())?;
    u16::from_str_radix(text, 8).map_err(|_| damaged())
}

fn damaged() -> Error {
    Error::new(
        ErrorKind::Damaged,
        "the side list of a checkpoint is damaged",
    )
}

/// The error for a reason that this release does not know.
fn newer() -> Error {
    Error::new(
        ErrorKind::NewerFormat,
        "the checkpoint was written by a newer release; use that one",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391";

    fn decoded(side: &[u8]) -> Manifest {
        let listing = format!("100644 blob {ID}\ttree/d/f\0120000 blob {ID}\ttree/l\0");
        decode(side, listing.as_bytes(), |_| Ok(b"target"[..].into())).unwrap()
    }

    #[test]
    fn what_older_releases_wrote_tells_no_owners_and_equals_any() {
        let old = decoded(b"recover side 1\0m 644 755 755\0o large 9 8 7 big\0");
        let new =
            decoded(b"recover side 2\0m 644 755 755\0w 1 2\0s large 9 8 7 640 big\0c 0 0 l\0");
        assert_eq!(old.entries.len(), 4);
        assert!(old.differences(&new).is_empty());
        let owner = |manifest: &Manifest, path: &[u8]| manifest.get(path).unwrap().owner().0;
        assert_eq!(owner(&old, b"d/f"), None);
        assert_eq!(owner(&new, b"d"), Some(Ids { uid: 1, gid: 2 }));
        assert_eq!(owner(&new, b"l"), Some(Ids { uid: 0, gid: 0 }));
        // An unknown owner is still unknown after it is written again.
        let mut mixed = new.clone();
        mixed.entries[0].node = old.entries[0].node.clone();
        let again = decoded(&encode(&mixed));
        let first = &*mixed.entries[0].path.clone();
        assert_eq!((first, owner(&again, first)), (&b"big"[..], None));
        assert_eq!(owner(&again, b"d/f"), owner(&new, b"d/f"));
    }
}
