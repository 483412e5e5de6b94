//! Files that are watched for their names, on the way back to a tree before them. What an attempt
//! made goes; what was there before has no copy, and is never removed: under another name it gets
//! its own back.
//!
//! Made is what the file system says was made and written since the attempt began. A file that only
//! came, from an ignored directory or from outside of the tree, may be the only copy, and stays. So
//! does a new one where the attempt changed or removed another: it may hold what that held.

use std::collections::{HashMap, HashSet};

use crate::checkpoint::restore::item::Moved;
use crate::checkpoint::tree::manifest::{Identity, Manifest, Node};
use crate::checkpoint::tree::path::RelPath;
use crate::checkpoint::tree::root::Root;

/// The secrets of two trees: the one to go back to, and the present one.
#[derive(Debug)]
pub(in crate::checkpoint) struct SecretsOf {
    /// Files that the attempt made and that hold nothing else's content, by their paths; and second
    /// names of those that still have theirs.
    new: HashSet<RelPath>,
    /// Those that have another name now, by that name.
    moved: HashMap<RelPath, Moved>,
    /// The names that they had.
    wanted: HashSet<RelPath>,
}

/// The fate of a path at which the two trees differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::checkpoint) enum Fate {
    /// As that of any other path.
    Usual,
    /// What stands there makes way for what is wanted.
    Goes,
    /// It is removed, for a file that gets its name back.
    MakesRoom,
}

impl SecretsOf {
    /// Those on the way from the tree `now`, which stands at `root`, to the tree `to`, which was
    /// left at `since_ns` by the clock that stamps files; what was `ignored` then is another now.
    pub(in crate::checkpoint) fn new(
        root: &Root,
        (now, to): (&Manifest, &Manifest),
        (since_ns, ignored): (i64, &[Identity]),
    ) -> Self {
        let is_at = |(inode, ..): Identity, path: &RelPath| {
            let there = now.get(path).and_then(Node::secret);
            let on_disk = || root.stamp(path).ok().flatten();
            there.is_some_and(|(now, ..)| now == inode)
                || on_disk().is_some_and(|stamp| stamp.ino == inode)
        };
        let (still, gone): (Vec<_>, Vec<_>) =
            to.secrets().partition(|(file, was)| is_at(*file, was));
        let still: HashSet<u64> = still.into_iter().map(|((inode, ..), _)| inode).collect();
        let gone: HashMap<Identity, &RelPath> = gone.into_iter().collect();
        let moved = match gone.is_empty() {
            true => HashMap::new(),
            false => moved(root, &gone, now, to),
        };
        let is_lost = is_any_lost((now, to), &moved, ignored);
        let was_gone = |inode: u64| gone.keys().any(|(gone, ..)| *gone == inode);
        let is_new = |(inode, ..): Identity, path: &RelPath| {
            let is_made = || is_made_since(root, path, inode, since_ns);
            still.contains(&inode) || (!is_lost && !was_gone(inode) && is_made())
        };
        let new = now.secrets().filter(|(file, path)| is_new(*file, path));
        let new = new.map(|(_, path)| path.clone()).collect();
        Self {
            new,
            wanted: moved.values().map(|moved| moved.was.clone()).collect(),
            moved,
        }
    }

    /// Those that have another name now.
    pub(in crate::checkpoint) fn moved(&self) -> impl Iterator<Item = &Moved> {
        self.moved.values()
    }

    /// The fate of `path`, at which `now` stands.
    pub(in crate::checkpoint) fn fate(
        &self,
        path: &RelPath,
        now: &Node,
        target: Option<&Node>,
    ) -> Fate {
        let is_new = match now.secret() {
            Some(_) => self.new.contains(path),
            None => matches!(now, Node::File { .. } | Node::Link { .. }),
        };
        match target {
            Some(Node::Opaque { .. }) if is_new && self.wanted.contains(path) => Fate::MakesRoom,
            Some(Node::Opaque { .. }) => Fate::Usual,
            // What has another name waits until it has its own.
            _ if self.moved.contains_key(path) => Fate::Goes,
            _ if is_new && now.secret().is_some() => Fate::Goes,
            _ => Fate::Usual,
        }
    }
}

/// Whether a secret of the tree `to`, or one that was `ignored`, is nowhere in the tree `now` as it
/// was.
fn is_any_lost(
    (now, to): (&Manifest, &Manifest),
    moved: &HashMap<RelPath, Moved>,
    ignored: &[Identity],
) -> bool {
    let is_moved = |was: &RelPath| moved.values().any(|moved| moved.was == *was);
    let is_there = |file: Identity, path: &RelPath| {
        now.get(path).and_then(Node::secret) == Some(file) || is_moved(path)
    };
    let mut then = to.secrets();
    let here: HashSet<Identity> = now.secrets().map(|(file, _)| file).collect();
    then.any(|(file, path)| !is_there(file, path))
        || ignored.iter().any(|file| !here.contains(file))
}

/// Whether the file `inode` at `path` was made and last written since that time.
fn is_made_since(root: &Root, path: &RelPath, inode: u64, since_ns: i64) -> bool {
    let there = root.stamp_and_birth(path).ok().flatten();
    there.is_some_and(|(stamp, made_ns)| {
        // Some file systems tell 1970 where they do not know.
        let made_ns = made_ns.filter(|made_ns| *made_ns > 0);
        let times = [Some(stamp.mtime_ns), made_ns];
        let is_since = times.into_iter().flatten().all(|at| at >= since_ns);
        stamp.ino == inode && is_since
    })
}

/// Which of the files that are `gone` from their names stand at other paths of the tree `now`.
fn moved(
    root: &Root,
    gone: &HashMap<Identity, &RelPath>,
    now: &Manifest,
    to: &Manifest,
) -> HashMap<RelPath, Moved> {
    let mut taken = HashSet::new();
    let differences = to.differences(now).into_iter();
    let moved = differences.filter_map(|difference| {
        let is_file = difference
            .after
            .is_some_and(|node| node.secret().is_some() || matches!(node, Node::File { .. }));
        // Where another uncovered file stood, neither can be had back.
        let is_file = is_file && !difference.before.is_some_and(Node::is_opaque);
        let stamp = root.stamp(difference.path).ok().flatten()?;
        let was = gone.get(&(stamp.ino, stamp.size, stamp.mtime_ns))?;
        // Of several names one goes back.
        let is_it = is_file && taken.insert(stamp.ino);
        is_it.then(|| Moved {
            now: difference.path.clone(),
            was: (*was).clone(),
            is_held: false,
            is_changed: false,
        })
    });
    moved.map(|moved| (moved.now.clone(), moved)).collect()
}
