//! A checkpoint: one snapshot as a commit of the private repository.
//!
//! The commit's root holds `tree/` (the files, under their own names, so that git can show
//! patches), `side` (what a git tree does not say), `rules` (what belonged to the snapshot) and
//! `past` (which files were there). It has no parent: each checkpoint can be kept or pruned by
//! itself.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::checkpoint::past::Past;
use crate::checkpoint::repository::blobs::Blobs;
use crate::checkpoint::side_list;
use crate::checkpoint::tree::manifest::{Manifest, ObjectId};
use crate::checkpoint::tree::path::display_path;
use crate::checkpoint::tree::rules::{Protected, Rules};
use crate::checkpoint::tree::watch::Watch;
use crate::error::{Error, ErrorKind, Hint, Result};
use crate::files::hash::fnv128;
use crate::git::Git;

/// A snapshot of a working tree.
#[derive(Clone, Debug)]
pub struct Checkpoint {
    pub(super) id: ObjectId,
    pub(super) fingerprint: u128,
    pub(super) session: String,
    pub(super) label: String,
    pub(super) taken_at: SystemTime,
    pub(super) manifest: Arc<Manifest>,
    pub(super) rules: Arc<Rules>,
    /// What was watched; known only to the process that took the snapshot.
    pub(super) watch: Option<Arc<Watch>>,
    /// Which files were there.
    pub(super) past: Arc<Past>,
    pub(super) warnings: Vec<String>,
}

impl Checkpoint {
    /// Its id: a commit of the private repository, as 40 hexadecimal digits.
    pub fn id(&self) -> String {
        self.id.to_string()
    }

    /// Names the content: equal for two snapshots of the same workspace exactly when their trees
    /// are equal in everything that a checkpoint covers, and in the stamps of the files it leaves
    /// out.
    pub fn fingerprint(&self) -> String {
        format!("{:032x}", self.fingerprint)
    }

    /// The session it was taken in.
    pub fn session(&self) -> &str {
        &self.session
    }

    /// What its taker called it.
    pub fn label(&self) -> &str {
        &self.label
    }

    /// When it was taken, to the second.
    pub fn taken_at(&self) -> SystemTime {
        self.taken_at
    }

    /// How many files and links it holds.
    pub fn files(&self) -> usize {
        let held = |entry: &&_| {
            let entry: &super::tree::manifest::Entry = entry;
            !entry.node.is_dir() && !entry.node.is_opaque()
        };
        self.manifest.entries.iter().filter(held).count()
    }

    /// The commit that the user's HEAD was at, empty for none; known only to the process that took
    /// the snapshot.
    pub fn head(&self) -> Option<&str> {
        let head = &self.watch.as_ref()?.head;
        Some(head.commit.as_deref().unwrap_or_default())
    }

    /// When its tree was looked at, in nanoseconds since 1970, by the clock that stamps files;
    /// known only to the process that took the snapshot.
    pub fn seen_ns(&self) -> Option<i64> {
        self.watch.as_ref()?.seen_ns
    }

    /// How many of `paths` it holds no file for.
    pub(super) fn lacks(&self, paths: impl Iterator<Item = impl AsRef<[u8]>>) -> usize {
        paths
            .filter(|path| self.manifest.get(path.as_ref()).is_none())
            .count()
    }

    /// Whether `protected` names any path in it, or any ignored one that was watched.
    pub fn has_any(&self, protected: &Protected) -> bool {
        let mut held = self.manifest.entries.iter();
        let watched = || {
            let watch = self.watch.as_ref();
            watch.is_some_and(|watch| watch.ignored_paths().any(|path| protected.matches(path)))
        };
        held.any(|entry| protected.matches(&entry.path)) || watched()
    }

    /// Whether something stands in it at `path`, as records name it.
    pub fn names(&self, path: &str) -> bool {
        let is_escaped = path.contains("\\x");
        let mut entries = self.manifest.entries.iter();
        self.manifest.get(path.as_bytes()).is_some()
            || (is_escaped && entries.any(|entry| display_path(&entry.path) == path))
    }

    /// What should be said of it: paths that kept changing, an index that could not be read.
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// Whether two checkpoints hold the same tree.
    pub fn is_same_tree(&self, other: &Self) -> bool {
        self.fingerprint == other.fingerprint
    }
}

/// Names a content by the ids of its tree and its side list.
pub(super) fn fingerprint(tree: Option<ObjectId>, side: Option<ObjectId>) -> u128 {
    let bytes = |id: Option<ObjectId>| id.map_or([0; ObjectId::LEN], |id| *id.as_bytes());
    fnv128(&[bytes(tree), bytes(side)].concat())
}

/// The message of a checkpoint's commit.
pub(super) fn message(label: &str, session: &str) -> String {
    let label = label.replace('\n', " ");
    format!("{label}\n\nSession: {session}\n")
}

/// What to say of a checkpoint that is not there.
pub(super) fn absent(id: &str) -> Error {
    let context = format!("no checkpoint {id:?} in this workspace");
    Error::new(ErrorKind::NotFound, context).with_hint(Hint::MakeCheckpoint)
}

/// Reads the checkpoint `id` back.
///
/// # Errors
/// [`ErrorKind::NotFound`] when the repository has no such checkpoint.
pub(super) fn load(git: &Git, id: &str) -> Result<Checkpoint> {
    let absent = || absent(id);
    let commit_id = ObjectId::from_hex(id.as_bytes()).ok_or_else(absent)?;
    let mut blobs = Blobs::start(git)?;
    let commit = blobs.read(id)?.ok_or_else(absent)?;
    let side = blobs.read(&format!("{id}:side"))?.ok_or_else(absent)?;
    let rules = blobs.read(&format!("{id}:rules"))?.ok_or_else(absent)?;
    let root = blobs.read(&format!("{id}^{{tree}}"))?.ok_or_else(absent)?;
    let past = blobs.read(&format!("{id}:past"))?;
    let listing = git.run(&["ls-tree", "-r", "-z", "--full-tree", id, "tree/"])?;
    let manifest = side_list::decode(&side, &listing, |id| {
        let target = blobs.read(&id.to_string())?;
        target.map(Vec::into_boxed_slice).ok_or_else(|| {
            Error::new(
                ErrorKind::Damaged,
                format!("the target {id} of a link is missing"),
            )
        })
    })?;
    blobs.finish()?;
    let (label, session, taken_at) = read_commit(&String::from_utf8_lossy(&commit));
    let past = past.and_then(|past| Past::decode(&past));
    Ok(Checkpoint {
        id: commit_id,
        fingerprint: fingerprint(child(&root, b"tree"), child(&root, b"side")),
        session,
        label,
        taken_at,
        manifest: Arc::new(manifest),
        rules: Arc::new(Rules::decode(&rules)?),
        watch: None,
        past: Arc::new(past.unwrap_or_else(|| Past::before(taken_at))),
        warnings: Vec::new(),
    })
}

/// Label, session and time of a commit as git stores it.
fn read_commit(text: &str) -> (String, String, SystemTime) {
    let (head, message) = text.split_once("\n\n").unwrap_or((text, ""));
    let seconds = head
        .lines()
        .find_map(|line| line.strip_prefix("committer "))
        .and_then(|line| line.rsplit(' ').nth(1))
        .and_then(|seconds| seconds.parse().ok())
        .unwrap_or(0);
    let (label, session) = message.split_once("\n\nSession: ").unwrap_or((message, ""));
    let taken_at = UNIX_EPOCH + Duration::from_secs(seconds);
    (label.to_owned(), session.trim_end().to_owned(), taken_at)
}

/// The id of the entry `name` in a tree as git stores it: `MODE NAME`, NUL, twenty bytes, and on.
fn child(tree: &[u8], name: &[u8]) -> Option<ObjectId> {
    let mut rest = tree;
    while let Some(end) = memchr::memchr(0, rest) {
        let (head, tail) = (&rest[..end], &rest[end + 1..]);
        let (id, next) = tail.split_first_chunk::<{ ObjectId::LEN }>()?;
        if head.split(|byte| *byte == b' ').nth(1) == Some(name) {
            return Some(ObjectId::from_bytes(*id));
        }
        rest = next;
    }
    None
}
