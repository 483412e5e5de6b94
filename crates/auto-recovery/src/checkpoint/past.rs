//! The files that were there at a snapshot: they tell later whether something is an only copy.
//!
//! A file that was there before a snapshot, and is none of those in it, came from where no snapshot
//! looks: it had another name (an ignored file, `.git`, `node_modules`) or lay elsewhere. Nothing
//! else has its content, so it is given its name back or left, and never removed. Kept beside the
//! tree, so that a run after a kill knows it, too.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::checkpoint::tree::cache::Known;
use crate::checkpoint::tree::manifest::Node;
use crate::checkpoint::tree::path::RelPath;
use crate::checkpoint::tree::uncopied::Uncopied;
use crate::checkpoint::tree::watch::Watch;

const MAGIC: &[u8] = b"recover past 1\0";

/// The items that were there at a snapshot.
#[derive(Clone, Debug, Default)]
pub(in crate::checkpoint) struct Past {
    /// When it was taken, in nanoseconds since 1970, by the clock that stamps files.
    pub(in crate::checkpoint) seen_ns: Option<i64>,
    /// What no checkpoint holds.
    uncopied: BTreeMap<RelPath, Uncopied>,
    /// The inodes of the files in it, sorted; `None` if an earlier release made it.
    held: Option<Arc<[u64]>>,
    /// The paths of these; known only to the process that took the snapshot.
    places: HashMap<u64, RelPath>,
}

impl Past {
    /// What `watch` and the stamps of the tree say.
    pub(in crate::checkpoint) fn of(watch: &Watch, known: &[Known]) -> Self {
        let mut uncopied: BTreeMap<RelPath, Uncopied> = watch.uncopied().collect();
        for known in known {
            if let Node::Opaque {
                size,
                mtime_ns,
                ino,
                ..
            } = &known.node
                && !known.node.is_mount()
            {
                let file = Some((known.stamp.mode, *size, *mtime_ns));
                let (ino, made_ns) = (*ino, None);
                let one = Uncopied { ino, file, made_ns };
                uncopied.insert(known.path.clone(), one);
            }
        }
        let is_held = |known: &&Known| !known.node.is_opaque();
        let held = known.iter().filter(is_held);
        let places: HashMap<u64, RelPath> = held
            .map(|known| (known.stamp.ino, known.path.clone()))
            .collect();
        let mut held: Vec<u64> = places.keys().copied().collect();
        held.sort_unstable();
        Self {
            seen_ns: watch.seen_ns,
            uncopied,
            held: Some(held.into()),
            places,
        }
    }

    /// What is known of the snapshot of a release that noted nothing.
    pub(in crate::checkpoint) fn before(taken_at: SystemTime) -> Self {
        let since = taken_at.duration_since(UNIX_EPOCH).unwrap_or_default();
        Self {
            seen_ns: i64::try_from(since.as_nanos()).ok(),
            ..Self::default()
        }
    }

    /// The same, seen at another moment at which the tree was no other.
    pub(in crate::checkpoint) fn at(self, seen_ns: Option<i64>) -> Self {
        Self {
            seen_ns: seen_ns.or(self.seen_ns),
            ..self
        }
    }

    /// What no checkpoint holds, by path.
    pub(in crate::checkpoint) fn uncopied(&self) -> impl Iterator<Item = (&RelPath, &Uncopied)> {
        self.uncopied.iter()
    }

    /// Whether no checkpoint holds what was at `path`.
    pub(in crate::checkpoint) fn has_seen(&self, path: &[u8]) -> bool {
        self.uncopied.contains_key(path)
    }

    /// Whether what was at `path`, and no checkpoint holds, was the same inode in `other`.
    pub(in crate::checkpoint) fn is_same_in(&self, other: &Self, path: &[u8]) -> bool {
        let ino = |past: &Self| past.uncopied.get(path).map(|one| one.ino);
        ino(self) == ino(other)
    }

    /// Whether the inode is that of something it holds; `None` if that is not known.
    pub(in crate::checkpoint) fn holds(&self, ino: u64) -> Option<bool> {
        let held = self.held.as_ref()?;
        Some(held.binary_search(&ino).is_ok())
    }

    /// The path that the inode had among those that it holds.
    pub(in crate::checkpoint) fn place(&self, ino: u64) -> Option<&RelPath> {
        self.places.get(&ino)
    }

    /// As a text that [`Past::decode`] reads: records that end with NUL, `t NS` (when),
    /// `i INO MODE SIZE MTIME MADE PATH` (a file), `d INO MADE PATH` (a directory), `h INO STEP …`
    /// (what it holds: the first inode, then the step to each next).
    pub(in crate::checkpoint) fn encode(&self) -> Vec<u8> {
        let mut out = MAGIC.to_vec();
        let mut put = |head: String, path: &[u8]| {
            out.extend_from_slice(head.as_bytes());
            out.extend_from_slice(path);
            out.push(0);
        };
        if let Some(seen_ns) = self.seen_ns {
            put(format!("t {seen_ns}"), b"");
        }
        for (path, Uncopied { ino, file, made_ns }) in &self.uncopied {
            let made = made_ns.map_or("-".to_owned(), |made| made.to_string());
            match file {
                Some((mode, size, mtime_ns)) => {
                    put(format!("i {ino} {mode} {size} {mtime_ns} {made} "), path);
                }
                None => put(format!("d {ino} {made} "), path),
            }
        }
        if let Some(held) = &self.held {
            let mut last = 0;
            let steps = held.iter().map(|ino| {
                let step = ino - std::mem::replace(&mut last, *ino);
                format!(" {step}")
            });
            let steps: String = steps.collect();
            put(format!("h{steps}"), b"");
        }
        out
    }

    /// What [`Past::encode`] wrote; `None` if it cannot be read.
    pub(in crate::checkpoint) fn decode(text: &[u8]) -> Option<Self> {
        let mut past = Self::default();
        for record in text.strip_prefix(MAGIC)?.split(|byte| *byte == 0) {
            match record {
                [] => {}
                [b't', b' ', ns @ ..] => past.seen_ns = Some(number(ns)?),
                [b'h', steps @ ..] => past.held = Some(held(steps)?.into()),
                [kind @ (b'i' | b'd'), b' ', rest @ ..] => {
                    let (path, one) = uncopied(*kind == b'i', rest)?;
                    past.uncopied.insert(path, one);
                }
                // What a later release notes beside.
                _ => {}
            }
        }
        Some(past)
    }
}

fn held(steps: &[u8]) -> Option<Vec<u64>> {
    let mut last: u64 = 0;
    let steps = steps
        .split(|byte| *byte == b' ')
        .filter(|step| !step.is_empty());
    steps
        .map(|step| {
            last = last.checked_add(number(step)?)?;
            Some(last)
        })
        .collect()
}

fn uncopied(is_file: bool, record: &[u8]) -> Option<(RelPath, Uncopied)> {
    let mut fields = record.splitn(if is_file { 6 } else { 3 }, |byte| *byte == b' ');
    let ino = number(fields.next()?)?;
    let file = match is_file {
        true => Some((
            number(fields.next()?)?,
            number(fields.next()?)?,
            number(fields.next()?)?,
        )),
        false => None,
    };
    let made_ns = match fields.next()? {
        b"-" => None,
        made => Some(number(made)?),
    };
    let path = fields.next()?.into();
    Some((path, Uncopied { ino, file, made_ns }))
}

fn number<T: std::str::FromStr>(digits: &[u8]) -> Option<T> {
    std::str::from_utf8(digits).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_again_and_what_is_damaged_is_nothing() {
        let file = Uncopied {
            ino: 7,
            file: Some((0o100_600, 5, -3)),
            made_ns: None,
        };
        let dir = Uncopied {
            ino: 9,
            file: None,
            made_ns: Some(11),
        };
        let of = |path: &[u8], one| (RelPath::from(path), one);
        let past = Past {
            seen_ns: Some(42),
            uncopied: [of(b"a b\n", file), of(b"\xff/node_modules", dir)].into(),
            held: Some([1, 2, 900, u64::MAX].into()),
            places: HashMap::new(),
        };
        let text = past.encode();
        let read = Past::decode(&text).unwrap();
        assert_eq!(read.seen_ns, Some(42));
        assert_eq!(read.uncopied, past.uncopied);
        assert_eq!(read.held, past.held);
        assert_eq!((read.holds(900), read.holds(3)), (Some(true), Some(false)));
        let none = Past::decode(MAGIC).unwrap();
        assert_eq!((none.holds(1), none.seen_ns), (None, None));
        for broken in [&b"recover past 2\0"[..], b"", b"recover past 1\0t x\0"] {
            assert!(Past::decode(broken).is_none());
        }
        for end in MAGIC.len()..text.len() {
            drop(Past::decode(&text[..end]));
        }
    }
}
