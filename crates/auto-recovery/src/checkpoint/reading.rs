//! One pass of a snapshot: a walk joined with the knowledge from before it, and the reading of new
//! content.

use std::collections::BTreeSet;
use std::sync::Arc;

use rustix::io::Errno;

use crate::checkpoint::repository::import::{Importer, Sent};
use crate::checkpoint::store::CheckpointStore;
use crate::checkpoint::tree::cache::{Known, opaque};
use crate::checkpoint::tree::manifest::{Node, ObjectId, Told, Why};
use crate::checkpoint::tree::path::RelPath;
use crate::checkpoint::tree::root::{Way, open_own_file_at, read_link_at};
use crate::checkpoint::tree::scan::{Found, Kind};
use crate::checkpoint::tree::stamp::Stamp;
use crate::error::{Error, Result};

/// One walk joined with the knowledge from before it.
pub(super) struct Reading {
    pub(super) known: Vec<Known>,
    /// Paths of `known` whose content must be read, by index.
    unread: Vec<usize>,
    /// Files that were read, or removed before they could be: until a pass has none, its tree may
    /// never have existed at one moment.
    pub(super) restless: Vec<RelPath>,
    now_ns: i64,
    /// Set if any path differs from its known state.
    pub(super) is_news: bool,
}

/// The id of a file's content until it is read.
const UNREAD: ObjectId = ObjectId::from_bytes([0; ObjectId::LEN]);

impl Reading {
    /// Joins `found` with `base` (both sorted). In a `first` pass a doubtful stamp means reading
    /// again; in later ones the content was read moments ago, and only another stamp does.
    pub(super) fn new(found: &[Found], base: Vec<Known>, now_ns: i64, first: bool) -> Self {
        let mut reading = Self {
            known: Vec::with_capacity(found.len()),
            unread: Vec::new(),
            restless: Vec::new(),
            now_ns,
            is_news: found.len() != base.len(),
        };
        let mut base = base.into_iter().peekable();
        for found in found {
            while base.next_if(|known| known.path < found.path).is_some() {}
            let known = base.next_if(|known| known.path == found.path);
            let known = known.filter(|known| known.is_trusted(found, first));
            reading.is_news |= known.is_none();
            match known {
                Some(known) => reading.known.push(known),
                None => reading.add(found),
            }
        }
        reading
    }

    fn add(&mut self, found: &Found) {
        let stamp = found.stamp;
        let owner = Told(Some(stamp.owner));
        let node = match found.kind {
            Kind::Dir => Node::Dir {
                mode: stamp.permissions(),
                owner,
            },
            Kind::Opaque(why) => opaque(why, &stamp),
            Kind::File => Node::File {
                id: UNREAD,
                mode: stamp.permissions(),
                owner,
            },
            Kind::Link => Node::Link {
                target: Box::default(),
                owner,
            },
        };
        if matches!(found.kind, Kind::File | Kind::Link) {
            self.unread.push(self.known.len());
        }
        self.known.push(Known {
            path: Arc::clone(&found.path),
            stamp,
            is_racy: stamp.is_racy(self.now_ns),
            node,
        });
    }

    /// The files that must be read, links left out.
    pub(super) fn reads(&self) -> Vec<Found> {
        let found = |&at: &usize| {
            let known = &self.known[at];
            let kind = if matches!(known.node, Node::Link { .. }) {
                Kind::Link
            } else {
                Kind::File
            };
            Found {
                path: Arc::clone(&known.path),
                stamp: known.stamp,
                kind,
            }
        };
        self.unread.iter().map(found).collect()
    }

    /// Reads the content that must be read, files into `importer`.
    pub(super) fn read(
        &mut self,
        store: &CheckpointStore,
        importer: &mut Option<Importer>,
        reads: Vec<Found>,
    ) -> Result<()> {
        let mut way = Way::new(&store.root);
        let mut sent = Vec::new();
        let mut gone = BTreeSet::new();
        let unread = std::mem::take(&mut self.unread);
        for (at, found) in unread.into_iter().zip(reads) {
            let outcome = match found.kind {
                Kind::Link => read_link(&mut way, &found).map(Read::Link),
                _ => {
                    if importer.is_none() {
                        *importer = Some(Importer::start(&store.git)?);
                    }
                    let importer = importer.as_mut().expect("it was just started");
                    read_file(&mut way, &found, importer)?
                }
            };
            let known = &mut self.known[at];
            match outcome {
                Ok(Read::Link(target)) => {
                    let owner = known.node.owner();
                    known.node = Node::Link { target, owner };
                }
                Ok(Read::File { stamp, is_torn }) => {
                    self.restless.push(Arc::clone(&known.path));
                    // A torn file keeps a stamp that no file has, so the next walk reads it again.
                    known.stamp = if is_torn { Stamp::default() } else { stamp };
                    known.is_racy = is_torn || stamp.is_racy(self.now_ns);
                    known.node = Node::File {
                        id: UNREAD,
                        mode: stamp.permissions(),
                        owner: Told(Some(stamp.owner)),
                    };
                    sent.push(at);
                }
                Err(Errno::ACCESS | Errno::PERM) => {
                    known.node = opaque(Why::Unreadable, &found.stamp);
                }
                Err(_) => {
                    self.restless.push(Arc::clone(&known.path));
                    gone.insert(at);
                }
            }
        }
        if let Some(importer) = importer {
            let ids = importer.ids(sent.len())?;
            for (at, sent_id) in sent.into_iter().zip(ids) {
                if let Node::File { id, .. } = &mut self.known[at].node {
                    *id = sent_id;
                }
            }
        }
        let mut at = 0;
        self.known.retain(|_| {
            at += 1;
            !gone.contains(&(at - 1))
        });
        Ok(())
    }
}

impl Known {
    /// Whether the knowledge of this path still holds for `found`.
    fn is_trusted(&self, found: &Found, first: bool) -> bool {
        let is_same_kind = match (&self.node, found.kind) {
            (Node::Dir { .. }, Kind::Dir)
            | (Node::File { .. }, Kind::File)
            | (Node::Link { .. }, Kind::Link) => true,
            (Node::Opaque { why, .. }, Kind::Opaque(now)) => *why == now,
            // Unreadable content may be readable by now: for another user, or in an opened
            // directory.
            (Node::Opaque { why, .. }, Kind::File) => *why == Why::Unreadable && !first,
            _ => false,
        };
        let is_same = match found.kind {
            // A directory's times and sizes change with its content; only its mode and its owner
            // are ours.
            Kind::Dir => {
                let access = |stamp: &Stamp| (stamp.mode, stamp.owner);
                access(&self.stamp) == access(&found.stamp)
            }
            _ => self.stamp == found.stamp && !(first && self.is_racy),
        };
        is_same_kind && is_same
    }
}

/// The result of reading a path.
enum Read {
    Link(Box<[u8]>),
    File { stamp: Stamp, is_torn: bool },
}

fn read_link(way: &mut Way<'_>, found: &Found) -> Result<Box<[u8]>, Errno> {
    let (dir, name) = way.parent(&found.path)?;
    read_link_at(dir, name)
}

/// Sends a file's content. The outer error is git's, the inner the file's.
fn read_file(
    way: &mut Way<'_>,
    found: &Found,
    importer: &mut Importer,
) -> Result<Result<Read, Errno>> {
    let opened = way
        .parent(&found.path)
        .and_then(|(dir, name)| open_own_file_at(dir, name));
    let mut file = match opened {
        Ok(file) => file,
        Err(errno) => return Ok(Err(errno)),
    };
    let stamp = match rustix::fs::fstat(&file) {
        Ok(stat) => Stamp::of(&stat),
        Err(errno) => return Ok(Err(errno)),
    };
    if stamp.mode & 0o170_000 != found.stamp.mode & 0o170_000 {
        return Ok(Err(Errno::STALE));
    }
    let sent = importer
        .blob(stamp.size, &mut file)
        .map_err(|e| Error::os("failed to talk to git fast-import", e))?;
    let after = rustix::fs::fstat(&file).map(|stat| Stamp::of(&stat));
    let is_torn = sent == Sent::Torn || after != Ok(stamp);
    Ok(Ok(Read::File { stamp, is_torn }))
}
