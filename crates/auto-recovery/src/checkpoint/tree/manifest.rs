//! What a snapshot says of a tree: one node a path, sorted by path, and the difference of two.

use std::cmp::Ordering;
use std::fmt;

use crate::checkpoint::tree::path::{RelPath, display_path};
use crate::checkpoint::tree::stamp::Ids;

/// The name git gives to bytes (SHA-1; the private repository fixes the format).
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(in crate::checkpoint) struct ObjectId([u8; ObjectId::LEN]);

impl ObjectId {
    pub(in crate::checkpoint) const LEN: usize = 20;

    pub(in crate::checkpoint) const fn from_bytes(bytes: [u8; Self::LEN]) -> Self {
        Self(bytes)
    }

    pub(in crate::checkpoint) fn as_bytes(&self) -> &[u8; Self::LEN] {
        &self.0
    }

    /// Reads 40 hexadecimal digits.
    pub(in crate::checkpoint) fn from_hex(hex: &[u8]) -> Option<Self> {
        if hex.len() != 2 * Self::LEN {
            return None;
        }
        let mut bytes = [0; Self::LEN];
        for (byte, pair) in bytes.iter_mut().zip(hex.chunks_exact(2)) {
            let digit = |c: u8| char::from(c).to_digit(16);
            *byte = u8::try_from(digit(pair[0])? << 4 | digit(pair[1])?).ok()?;
        }
        Some(Self(bytes))
    }
}

impl fmt::Display for ObjectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for ObjectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Why a path is seen but its content is not kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::checkpoint) enum Why {
    /// Over the size limit.
    TooLarge,
    /// May not be read by this user.
    Unreadable,
    /// A pipe, a socket or a device.
    Special,
    /// Another file system begins there, which was not there at first.
    Mount,
    /// Its name says that it is secret.
    Secret,
    /// Others write it meanwhile.
    Written,
}

/// Inode, size and time of an uncovered file: the same under any name of it.
pub(in crate::checkpoint) type Identity = (u64, u64, i64);

/// What is told of something; older releases do not tell all. What is not told equals anything.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::checkpoint) struct Told<T>(pub(in crate::checkpoint) Option<T>);

impl<T: PartialEq> PartialEq for Told<T> {
    fn eq(&self, other: &Self) -> bool {
        match (&self.0, &other.0) {
            (Some(a), Some(b)) => a == b,
            _ => true,
        }
    }
}

/// What stands at a path.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::checkpoint) enum Node {
    Dir {
        mode: u16,
        owner: Told<Ids>,
    },
    File {
        id: ObjectId,
        mode: u16,
        owner: Told<Ids>,
    },
    Link {
        target: Box<[u8]>,
        owner: Told<Ids>,
    },
    /// Seen, not kept.
    Opaque {
        why: Why,
        size: u64,
        mtime_ns: i64,
        ino: u64,
        mode: Told<u16>,
        owner: Told<Ids>,
    },
}

impl Node {
    pub(in crate::checkpoint) fn is_opaque(&self) -> bool {
        matches!(self, Self::Opaque { .. })
    }

    pub(in crate::checkpoint) fn is_mount(&self) -> bool {
        matches!(
            self,
            Self::Opaque {
                why: Why::Mount,
                ..
            }
        )
    }

    /// Which file it is, if it is watched for its name.
    pub(in crate::checkpoint) fn secret(&self) -> Option<Identity> {
        match self {
            Self::Opaque {
                why: Why::Secret,
                size,
                mtime_ns,
                ino,
                ..
            } => Some((*ino, *size, *mtime_ns)),
            _ => None,
        }
    }

    /// Whose it is.
    pub(in crate::checkpoint) fn owner(&self) -> Told<Ids> {
        match self {
            Self::Dir { owner, .. }
            | Self::File { owner, .. }
            | Self::Link { owner, .. }
            | Self::Opaque { owner, .. } => *owner,
        }
    }

    /// Gives it to another.
    pub(in crate::checkpoint) fn set_owner(&mut self, to: Told<Ids>) {
        match self {
            Self::Dir { owner, .. }
            | Self::File { owner, .. }
            | Self::Link { owner, .. }
            | Self::Opaque { owner, .. } => *owner = to,
        }
    }

    /// Whether both are seen and not kept, and differ in no more than who may do what with them.
    pub(in crate::checkpoint) fn is_same_but_access(&self, other: &Self) -> bool {
        match (self, other) {
            (
                Self::Opaque {
                    why,
                    size,
                    mtime_ns,
                    ino,
                    ..
                },
                Self::Opaque {
                    why: b,
                    size: c,
                    mtime_ns: d,
                    ino: e,
                    ..
                },
            ) => (why, size, mtime_ns, ino) == (b, c, d, e),
            _ => false,
        }
    }

    pub(in crate::checkpoint) fn is_dir(&self) -> bool {
        matches!(self, Self::Dir { .. })
    }

    /// Whether both are of one type: directory, file, link.
    pub(in crate::checkpoint) fn is_same_type(&self, other: &Self) -> bool {
        std::mem::discriminant(self) == std::mem::discriminant(other)
    }
}

/// A path and what stands there.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::checkpoint) struct Entry {
    pub(in crate::checkpoint) path: RelPath,
    pub(in crate::checkpoint) node: Node,
}

/// A tree: its entries sorted by path, the root itself left out.
#[derive(Clone, Debug, Default, PartialEq)]
pub(in crate::checkpoint) struct Manifest {
    pub(in crate::checkpoint) entries: Vec<Entry>,
}

impl Manifest {
    pub(in crate::checkpoint) fn from_unsorted(mut entries: Vec<Entry>) -> Self {
        entries.sort_unstable_by(|a, b| a.path.cmp(&b.path));
        entries.dedup_by(|a, b| a.path == b.path);
        Self { entries }
    }

    pub(in crate::checkpoint) fn get(&self, path: &[u8]) -> Option<&Node> {
        self.entries
            .binary_search_by(|entry| (*entry.path).cmp(path))
            .ok()
            .map(|at| &self.entries[at].node)
    }

    /// The files that are watched for their names, each with its path.
    pub(in crate::checkpoint) fn secrets(&self) -> impl Iterator<Item = (Identity, &RelPath)> {
        let entries = self.entries.iter();
        entries.filter_map(|entry| Some((entry.node.secret()?, &entry.path)))
    }

    /// Whether the content of a file at `path` is kept.
    pub(in crate::checkpoint) fn holds_file(&self, path: &[u8]) -> bool {
        matches!(self.get(path), Some(Node::File { .. }))
    }

    /// Whether anything below directory `dir` is part of this tree.
    pub(in crate::checkpoint) fn has_below(&self, dir: &[u8]) -> bool {
        let prefix = [dir, b"/"].concat();
        let at = self.entries.partition_point(|entry| *entry.path < *prefix);
        self.entries
            .get(at)
            .is_some_and(|entry| entry.path.starts_with(&prefix))
    }

    /// Every path at which `self` and `other` differ, with what stands in each, in path order.
    pub(in crate::checkpoint) fn differences<'a>(&'a self, other: &'a Self) -> Vec<Difference<'a>> {
        let mut found = Vec::new();
        let (mut left, mut right) = (
            self.entries.iter().peekable(),
            other.entries.iter().peekable(),
        );
        loop {
            let order = match (left.peek(), right.peek()) {
                (None, None) => return found,
                (Some(_), None) => Ordering::Less,
                (None, Some(_)) => Ordering::Greater,
                (Some(a), Some(b)) => a.path.cmp(&b.path),
            };
            let before = if order.is_le() { left.next() } else { None };
            let after = if order.is_ge() { right.next() } else { None };
            let difference = Difference {
                path: match (before, after) {
                    (Some(entry), _) | (None, Some(entry)) => &entry.path,
                    (None, None) => return found,
                },
                before: before.map(|entry| &entry.node),
                after: after.map(|entry| &entry.node),
            };
            if difference.before != difference.after {
                found.push(difference);
            }
        }
    }
}

/// One path at which two trees differ.
#[derive(Clone, Copy, Debug)]
pub(in crate::checkpoint) struct Difference<'a> {
    pub(in crate::checkpoint) path: &'a RelPath,
    pub(in crate::checkpoint) before: Option<&'a Node>,
    pub(in crate::checkpoint) after: Option<&'a Node>,
}

/// How a path changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ChangeKind {
    /// It did not exist before.
    Added,
    /// It exists no more.
    Removed,
    /// Its bytes, or where it points, changed.
    Modified,
    /// Only its permission bits or its owner changed.
    Mode,
    /// A file became a directory, a link a file, and so on.
    Type,
}

/// One changed path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The path in its own bytes, relative to the root, `/`-separated.
    pub path: Vec<u8>,
    /// The path as records name it: bytes that are no UTF-8 as `\xNN`.
    pub display: String,
    /// How it changed.
    pub kind: ChangeKind,
    /// Whether it is a directory (after the change, or before when it is gone).
    pub is_dir: bool,
    /// Whether the content is held by neither snapshot: over the size limit, unreadable, special,
    /// secret by its name.
    pub is_covered: bool,
}

impl Change {
    pub(in crate::checkpoint) fn of(difference: &Difference<'_>) -> Self {
        let Difference {
            path,
            before,
            after,
        } = *difference;
        Self {
            path: path.to_vec(),
            display: display_path(path),
            kind: kind_of(before, after),
            is_dir: after.or(before).is_some_and(Node::is_dir),
            is_covered: ![before, after].into_iter().flatten().any(Node::is_opaque),
        }
    }

    /// Whether a file or a link stood there before or stands there now: one that a directory took
    /// the place of, too.
    pub fn is_of_file(&self) -> bool {
        !self.is_dir || self.kind == ChangeKind::Type
    }
}

fn kind_of(before: Option<&Node>, after: Option<&Node>) -> ChangeKind {
    match (before, after) {
        (None, _) => ChangeKind::Added,
        (_, None) => ChangeKind::Removed,
        (Some(Node::File { id: a, .. }), Some(Node::File { id: b, .. })) if a == b => {
            ChangeKind::Mode
        }
        (Some(Node::Link { target: a, .. }), Some(Node::Link { target: b, .. })) if a == b => {
            ChangeKind::Mode
        }
        (Some(Node::Dir { .. }), Some(Node::Dir { .. })) => ChangeKind::Mode,
        (Some(a), Some(b)) if a.is_same_but_access(b) => ChangeKind::Mode,
        (Some(a), Some(b)) if a.is_same_type(b) => ChangeKind::Modified,
        _ => ChangeKind::Type,
    }
}
