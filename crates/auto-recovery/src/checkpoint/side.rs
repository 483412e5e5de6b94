//! The side list: what a git tree does not say of a snapshot, stored in the same commit.
//!
//! Layout, version 1: `recover side 1`, then records that end with NUL. `m FILE EXEC DIR` gives the
//! usual modes (octal); then, only where a path departs from them or git has no place for it:
//! `f MODE PATH`, `d MODE PATH` (also every directory that holds no file), `l LEN TARGET PATH` (a
//! link that git refuses), `o WHY SIZE MTIME INODE PATH` (seen, not kept).

use std::collections::{HashMap, HashSet};

use crate::checkpoint::manifest::{Entry, Manifest, Node, ObjectId, Why};
use crate::checkpoint::path::{ancestors, split};
use crate::error::{Error, ErrorKind, Result};

const MAGIC: &[u8] = b"recover side 1\0";

/// Whether `entry` is part of the git tree (directories are by what they hold).
pub(super) fn is_in_tree(path: &[u8], node: &Node) -> bool {
    match node {
        Node::File { .. } => true,
        // git refuses this one name as a link, wherever it stands.
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
                Node::Dir { mode } => (2, mode),
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
    for Entry { path, node } in &manifest.entries {
        match node {
            Node::File { mode, .. } if *mode != usual.file(is_executable(*mode)) => {
                put(format!("f {mode:o} "), path);
            }
            Node::Dir { mode } if *mode != usual.dir || !implied.contains(&**path) => {
                put(format!("d {mode:o} "), path);
            }
            Node::Link { target } if !is_in_tree(path, node) => {
                let both = [target, &b" "[..], path].concat();
                put(format!("l {} ", target.len()), &both);
            }
            Node::Opaque {
                why,
                size,
                mtime_ns,
                ino,
            } => {
                put(
                    format!("o {} {size} {mtime_ns} {ino} ", why_code(*why)),
                    path,
                );
            }
            Node::File { .. } | Node::Dir { .. } | Node::Link { .. } => {}
        }
    }
    out
}

/// The directories that hold something of the git tree, at any depth.
fn implied_dirs(manifest: &Manifest) -> HashSet<&[u8]> {
    let mut implied = HashSet::new();
    let mut last: &[u8] = b"";
    for entry in &manifest.entries {
        let (dir, _) = split(&entry.path);
        if is_in_tree(&entry.path, &entry.node) && dir != last {
            implied.extend(ancestors(&entry.path));
            last = dir;
        }
    }
    implied
}

/// The manifest that a side list and a recursive, NUL-separated `git ls-tree` of the commit say.
/// `link` gives the targets of links by blob.
pub(super) fn decode(
    side: &[u8],
    listing: &[u8],
    mut link: impl FnMut(ObjectId) -> Result<Box<[u8]>>,
) -> Result<Manifest> {
    let mut records = side
        .strip_prefix(MAGIC)
        .ok_or_else(damaged)?
        .split(|byte| *byte == 0);
    let usual = usual(records.next().ok_or_else(damaged)?)?;
    let mut tree = Decoded::default();
    for record in listing
        .split(|byte| *byte == 0)
        .filter(|record| !record.is_empty())
    {
        tree.listed(record, usual, &mut link)?;
    }
    for record in records.filter(|record| !record.is_empty()) {
        tree.said(record)?;
    }
    Ok(tree.finish())
}

/// A manifest on the way out of its stored form.
#[derive(Default)]
struct Decoded<'a> {
    entries: Vec<Entry>,
    dirs: HashMap<&'a [u8], u16>,
    /// Modes of files that are not the usual ones.
    files: HashMap<&'a [u8], u16>,
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
            b"120000" => Node::Link { target: link(id)? },
            b"100755" => Node::File {
                id,
                mode: usual.file(true),
            },
            b"100644" => Node::File {
                id,
                mode: usual.file(false),
            },
            _ => return Err(damaged()),
        };
        self.dirs
            .extend(ancestors(path).map(|dir| (dir, usual.dir)));
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
                };
                self.entries.push(Entry {
                    path: path.into(),
                    node,
                });
            }
            b"o" => self.entries.push(opaque(rest)?),
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
            node: Node::Dir { mode },
        });
        self.entries.extend(dirs);
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

fn opaque(record: &[u8]) -> Result<Entry> {
    let (why, rest) = split_once(record, b' ')?;
    let (size, rest) = split_once(rest, b' ')?;
    let (mtime, rest) = split_once(rest, b' ')?;
    let (ino, path) = split_once(rest, b' ')?;
    let why = match why {
        b"large" => Why::TooLarge,
        b"unreadable" => Why::Unreadable,
        b"special" => Why::Special,
        b"mount" => Why::Mount,
        _ => return Err(damaged()),
    };
    let node = Node::Opaque {
        why,
        size: decimal(size)?,
        mtime_ns: decimal(mtime)?,
        ino: decimal(ino)?,
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
