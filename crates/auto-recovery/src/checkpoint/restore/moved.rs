//! Only copies among the items that a restore would remove or replace: an ignored file, `.git`,
//! `node_modules`, a work tree, something from outside, under another name.
//!
//! Recognised by inode and by the time that it was made, where the file system tells that: an item
//! that was there before the snapshot that a restore goes back to, and is none of those in it, is
//! such a copy. It gets its name back where that is known, and is left where not. Where nothing
//! tells when a file was made, it is the same only with its size and time.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::os::fd::OwnedFd;
use std::time::UNIX_EPOCH;

use crate::checkpoint::commit::Checkpoint;
use crate::checkpoint::past::Past;
use crate::checkpoint::restore::item::{Expect, Item, Moved, Older};
use crate::checkpoint::tree::manifest::{Node, ObjectId};
use crate::checkpoint::tree::path::{RelPath, is_within, split};
use crate::checkpoint::tree::root::{Root, stamp_and_birth_at};
use crate::checkpoint::tree::stamp::Stamp;
use crate::checkpoint::tree::uncopied::Uncopied;

/// What is older among the `items` of a restore from `from` to `to`, the paths of `also`, and what
/// `from` saw and does not hold.
pub(in crate::checkpoint) fn older<'a>(
    root: &Root,
    (from, to): (&'a Checkpoint, &Checkpoint),
    items: &'a [Item],
    also: impl Iterator<Item = &'a RelPath>,
) -> Older {
    let look = Look::new(root, (from, to));
    let mut older = Older::default();
    let mut seen: HashSet<&RelPath> = HashSet::new();
    let mut linked = Linked::new();
    for item in items.iter().filter(|item| !is_nothing(item)) {
        seen.insert(&item.path);
        look.at(&item.path, Some((item, from)), (&mut older, &mut linked));
    }
    for (ino, (links, names)) in linked {
        // What keeps another name is no only copy.
        let all_go = usize::try_from(links).is_ok_and(|links| names.len() >= links);
        for item in names.into_iter().filter(|_| all_go) {
            look.older_file((item, from), ino, &mut older);
        }
    }
    older.left.sort();
    let new = from.past.uncopied().map(|(path, _)| path);
    let new = new.filter(|path| !to.past.has_seen(path));
    for path in also.chain(new) {
        if !look.gone.is_empty() && seen.insert(path) {
            look.at(path, None, (&mut older, &mut Linked::new()));
        }
    }
    older.moved.sort_by(|a, b| a.now.cmp(&b.now));
    // What lies in a directory that gets its name back goes with it.
    let mut dirs: Vec<RelPath> = Vec::new();
    older.moved.retain(|moved| {
        let goes_along = dirs.last().is_some_and(|dir| is_within(&moved.now, dir));
        if !goes_along && !moved.is_held {
            dirs.push(moved.now.clone());
        }
        !goes_along
    });
    older
        .left
        .retain(|path| !dirs.iter().any(|dir| is_within(path, dir)));
    older
}

/// Whether an item of a plan finds nothing to remove or replace.
fn is_nothing(item: &Item) -> bool {
    matches!(item.from, Expect::Node(None)) || matches!(item.to, Some(Node::Opaque { .. }))
}

/// Files with several names, some of them perhaps made or moved since, by inode: how many names
/// each has, and the items that have it.
type Linked<'l> = BTreeMap<u64, (u32, Vec<&'l Item>)>;

struct Look<'l> {
    root: &'l Root,
    to: &'l Checkpoint,
    past: &'l Past,
    /// What was there before this moment is older; `None` where nothing tells.
    since_ns: Option<i64>,
    /// What no checkpoint holds, and what no longer has its name, by inode.
    gone: HashMap<u64, (&'l RelPath, &'l Uncopied)>,
    /// The contents that the target holds, where its inodes are not known.
    contents: HashSet<ObjectId>,
    /// The directory that was looked into last, with its path.
    dir: RefCell<Option<(Vec<u8>, Option<OwnedFd>)>>,
}

impl<'l> Look<'l> {
    fn new(root: &'l Root, (from, to): (&Checkpoint, &'l Checkpoint)) -> Self {
        let past = &*to.past;
        let uncopied = past.uncopied();
        let other = uncopied.filter(|(path, _)| !past.is_same_in(&from.past, path));
        let gone = other.filter(|(path, one)| match root.stamp(path) {
            Ok(stamp) => stamp.map(|stamp| stamp.ino) != Some(one.ino),
            Err(_) => false,
        });
        let contents = match past.holds(0) {
            Some(_) => HashSet::new(),
            None => {
                let entries = to.manifest.entries.iter();
                let ids = entries.filter_map(|entry| match entry.node {
                    Node::File { id, .. } => Some(id),
                    _ => None,
                });
                ids.collect()
            }
        };
        Self {
            root,
            to,
            past,
            since_ns: past.seen_ns.filter(|_| root.has_our_clock()),
            gone: gone.map(|(path, one)| (one.ino, (path, one))).collect(),
            contents,
            dir: RefCell::default(),
        }
    }

    /// The stamp and birth of the item at `path`. Paths come in order, so that a directory is
    /// opened once.
    fn seen(&self, path: &RelPath) -> Option<(Stamp, Option<i64>)> {
        let (parent, name) = split(path);
        let mut held = self.dir.borrow_mut();
        if held.as_ref().is_none_or(|(known, _)| *known != *parent) {
            *held = Some((parent.to_vec(), self.root.open_dir(parent).ok()));
        }
        let dir = held.as_ref()?.1.as_ref()?;
        stamp_and_birth_at(dir, name).ok().flatten()
    }

    /// Looks what stands at `path`, at which a restore from a snapshot would remove or replace it.
    fn at<'i>(
        &self,
        path: &RelPath,
        item: Option<(&'i Item, &Checkpoint)>,
        (older, linked): (&mut Older, &mut Linked<'i>),
    ) {
        let Some((stamp, made_ns)) = self.seen(path) else {
            return;
        };
        let is_older = self
            .since_ns
            .zip(made_ns)
            .is_some_and(|(since, made)| made < since);
        if let Some((was, one)) = self.gone.get(&stamp.ino)
            && (is_older || self.is_it(one, &stamp, made_ns))
        {
            older.moved.push(Moved {
                now: path.clone(),
                was: RelPath::clone(was),
                is_held: false,
                is_changed: !one.is_still(&stamp, made_ns),
            });
            return;
        }
        let Some((item, from)) = item else { return };
        let is_dir = rustix::fs::FileType::from_raw_mode(stamp.mode).is_dir();
        let is_unknown_dir = is_dir && self.past.holds(stamp.ino).is_none();
        if !is_older || is_unknown_dir {
            return;
        }
        // A name that a file of several got since, as by a link, moved its change time.
        let may_be_new = self.since_ns.is_some_and(|since| stamp.ctime_ns >= since);
        if !is_dir && stamp.links > 1 && may_be_new {
            let names = linked.entry(stamp.ino).or_insert((stamp.links, Vec::new()));
            names.1.push(item);
            return;
        }
        self.older_file((item, from), stamp.ino, older);
    }

    /// Judges an item that is older, and no longer has its place.
    fn older_file(&self, (item, from): (&Item, &Checkpoint), ino: u64, older: &mut Older) {
        match self.past.holds(ino) {
            Some(true) => older.moved.extend(self.held(item, from, ino)),
            None if self.has_content(item, from) => {}
            Some(false) | None => older.left.push(item.path.clone()),
        }
    }

    /// Whether the item with `stamp` is still `one`, where its age does not tell.
    fn is_it(&self, one: &Uncopied, stamp: &Stamp, made_ns: Option<i64>) -> bool {
        let is_known = one.made_ns.is_some() && made_ns.is_some();
        let is_dir = rustix::fs::FileType::from_raw_mode(stamp.mode).is_dir();
        let is_since = is_dir && made_ns.is_some_and(|made_ns| is_made_since(made_ns, self.to));
        one.is_still(stamp, made_ns) && (is_known || !is_since)
    }

    /// The file of `item`, which the target holds under a name that is free.
    fn held(&self, item: &Item, from: &Checkpoint, ino: u64) -> Option<Moved> {
        let was = self.past.place(ino)?;
        let (is, wanted) = (from.manifest.get(&item.path)?, self.to.manifest.get(was)?);
        let is_content = matches!(is, Node::File { .. } | Node::Link { .. });
        let is_free = || matches!(self.root.stamp(was), Ok(None));
        let is_it = item.to.is_none() && is_content && is == wanted && is_free();
        is_it.then(|| Moved {
            now: item.path.clone(),
            was: was.clone(),
            is_held: true,
            is_changed: false,
        })
    }

    /// Whether the target holds the content of `item`.
    fn has_content(&self, item: &Item, from: &Checkpoint) -> bool {
        match from.manifest.get(&item.path) {
            Some(Node::File { id, .. }) => self.contents.contains(id),
            Some(Node::Link { .. }) => true,
            _ => false,
        }
    }
}

/// Whether a directory was made after the snapshot, whose second is known: it may have got the
/// inode of a removed one.
fn is_made_since(made_ns: i64, to: &Checkpoint) -> bool {
    let taken = to.taken_at.duration_since(UNIX_EPOCH);
    let made = u64::try_from(made_ns.div_euclid(1_000_000_000));
    made.is_ok_and(|made| taken.is_ok_and(|taken| made > taken.as_secs()))
}
