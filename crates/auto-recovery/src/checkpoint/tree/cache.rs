//! The stamp cache: what the last snapshot of a workspace saw, so that the next reads only what may
//! have changed.
//!
//! A cache and nothing more: it is written without a sync, ends with a checksum, and is forgotten
//! when it does not add up. Layout, version 2, little-endian: magic; id of its
//! git tree (zeros: empty); count; per path: length, path, kind, racy, stamp,
//! and what the kind needs; checksum of all before it.

use std::path::Path;
use std::sync::Arc;

use crate::checkpoint::tree::manifest::{Entry, Manifest, Node, ObjectId, Told, Why};
use crate::checkpoint::tree::path::RelPath;
use crate::checkpoint::tree::stamp::{Ids, Stamp};
use crate::error::Result;
use crate::files::hash::sum_of_file;
use crate::files::{Links, Synced, read_small, replace};

/// The largest cache that is read: 10 million paths at some 100 bytes.
const CACHE_BYTES_MAX: u64 = 1024 * 1024 * 1024;

const MAGIC: &[u8; 16] = b"recover stamps 2";

/// A path as the last snapshot saw it.
#[derive(Clone, Debug)]
pub(in crate::checkpoint) struct Known {
    pub(in crate::checkpoint) path: RelPath,
    pub(in crate::checkpoint) stamp: Stamp,
    /// Whether it may have changed since without another stamp.
    pub(in crate::checkpoint) is_racy: bool,
    pub(in crate::checkpoint) node: Node,
}

impl Known {
    /// Whether what has `stamp` now is surely what was seen.
    pub(in crate::checkpoint) fn is_still(&self, stamp: &Stamp) -> bool {
        !self.is_racy && self.stamp == *stamp
    }
}

/// The last snapshot of a workspace.
#[derive(Clone, Debug, Default)]
pub(in crate::checkpoint) struct Cache {
    /// Sorted by path.
    pub(in crate::checkpoint) known: Vec<Known>,
    /// The git tree that holds the files of `known`; `None` when there are none.
    pub(in crate::checkpoint) tree: Option<ObjectId>,
}

impl Cache {
    /// Reads the cache at `path`; `None` when there is none that adds up.
    pub(in crate::checkpoint) fn read(path: &Path) -> Option<Self> {
        let bytes = read_small(path, Links::Refuse, CACHE_BYTES_MAX).ok()?;
        let (body, sum) = bytes.split_last_chunk::<8>()?;
        if sum_of_file(body) != u64::from_le_bytes(*sum) {
            return None;
        }
        let mut reader = Reader(body.strip_prefix(MAGIC)?);
        let tree = ObjectId::from_bytes(reader.array()?);
        let count = usize::try_from(reader.u64()?).ok()?;
        let mut known = Vec::with_capacity(count.min(body.len()));
        for _ in 0..count {
            known.push(reader.known()?);
        }
        let is_empty = tree.as_bytes().iter().all(|byte| *byte == 0);
        Some(Self {
            known,
            tree: (!is_empty).then_some(tree),
        })
    }

    /// Replaces the cache at `path`.
    pub(in crate::checkpoint) fn write(&self, path: &Path) -> Result<()> {
        let mut out = Vec::with_capacity(self.known.len() * 128 + 64);
        out.extend_from_slice(MAGIC);
        let none = ObjectId::from_bytes([0; ObjectId::LEN]);
        out.extend_from_slice(self.tree.unwrap_or(none).as_bytes());
        out.extend_from_slice(&(self.known.len() as u64).to_le_bytes());
        for known in &self.known {
            put_known(&mut out, known);
        }
        let sum = sum_of_file(&out);
        out.extend_from_slice(&sum.to_le_bytes());
        replace(path, Synced::No, &out)
    }
}

/// The tree that `known` describes.
pub(in crate::checkpoint) fn manifest_of(known: &[Known]) -> Manifest {
    let entry = |known: &Known| Entry {
        path: Arc::clone(&known.path),
        node: known.node.clone(),
    };
    Manifest {
        entries: known.iter().map(entry).collect(),
    }
}

fn put_known(out: &mut Vec<u8>, known: &Known) {
    put_bytes(out, &known.path);
    let kind = match &known.node {
        Node::Dir { .. } => b'd',
        Node::File { .. } => b'f',
        Node::Link { .. } => b'l',
        Node::Opaque {
            why: Why::TooLarge, ..
        } => b'b',
        Node::Opaque {
            why: Why::Unreadable,
            ..
        } => b'u',
        Node::Opaque {
            why: Why::Special, ..
        } => b's',
        Node::Opaque {
            why: Why::Mount, ..
        } => b'm',
        Node::Opaque {
            why: Why::Secret, ..
        } => b'k',
        Node::Opaque {
            why: Why::Written, ..
        } => b'w',
    };
    out.extend_from_slice(&[kind, u8::from(known.is_racy)]);
    let stamp = &known.stamp;
    out.extend_from_slice(&stamp.mode.to_le_bytes());
    out.extend_from_slice(&stamp.size.to_le_bytes());
    out.extend_from_slice(&stamp.mtime_ns.to_le_bytes());
    out.extend_from_slice(&stamp.ctime_ns.to_le_bytes());
    out.extend_from_slice(&stamp.ino.to_le_bytes());
    out.extend_from_slice(&stamp.owner.uid.to_le_bytes());
    out.extend_from_slice(&stamp.owner.gid.to_le_bytes());
    out.extend_from_slice(&stamp.links.to_le_bytes());
    match &known.node {
        Node::File { id, .. } => out.extend_from_slice(id.as_bytes()),
        Node::Link { target, .. } => put_bytes(out, target),
        Node::Dir { .. } | Node::Opaque { .. } => {}
    }
}

fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    let len = u32::try_from(bytes.len()).expect("no path is 4 GiB long");
    out.extend_from_slice(&len.to_le_bytes());
    out.extend_from_slice(bytes);
}

struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (array, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*array)
    }

    fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_le_bytes)
    }

    fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_le_bytes)
    }

    fn i64(&mut self) -> Option<i64> {
        self.array().map(i64::from_le_bytes)
    }

    fn bytes(&mut self) -> Option<&[u8]> {
        let len = usize::try_from(self.u32()?).ok()?;
        let (bytes, rest) = self.0.split_at_checked(len)?;
        self.0 = rest;
        Some(bytes)
    }

    fn known(&mut self) -> Option<Known> {
        let path: RelPath = self.bytes()?.into();
        let [kind, racy] = self.array()?;
        let stamp = Stamp {
            mode: self.u32()?,
            size: self.u64()?,
            mtime_ns: self.i64()?,
            ctime_ns: self.i64()?,
            ino: self.u64()?,
            owner: Ids {
                uid: self.u32()?,
                gid: self.u32()?,
            },
            links: self.u32()?,
        };
        let (mode, owner) = (stamp.permissions(), Told(Some(stamp.owner)));
        let node = match kind {
            b'd' => Node::Dir { mode, owner },
            b'f' => Node::File {
                id: ObjectId::from_bytes(self.array()?),
                mode,
                owner,
            },
            b'l' => Node::Link {
                target: self.bytes()?.into(),
                owner,
            },
            b'b' => opaque(Why::TooLarge, &stamp),
            b'u' => opaque(Why::Unreadable, &stamp),
            b's' => opaque(Why::Special, &stamp),
            b'm' => opaque(Why::Mount, &stamp),
            b'k' => opaque(Why::Secret, &stamp),
            b'w' => opaque(Why::Written, &stamp),
            _ => return None,
        };
        Some(Known {
            path,
            stamp,
            is_racy: racy != 0,
            node,
        })
    }
}

/// A node that is seen but not kept. What goes on in a mounted file system is none of the tree's,
/// and neither is what others write.
pub(in crate::checkpoint) fn opaque(why: Why, stamp: &Stamp) -> Node {
    let (size, mtime_ns) = match why {
        Why::Mount | Why::Written => (0, 0),
        _ => (stamp.size, stamp.mtime_ns),
    };
    Node::Opaque {
        why,
        size,
        mtime_ns,
        ino: stamp.ino,
        mode: Told(Some(stamp.permissions())),
        owner: Told(Some(stamp.owner)),
    }
}
