//! Paths outside every snapshot whose changes are still reported: ignored files and the user's
//! `.git`.
//!
//! Watched by stamp only, within limits, so that "changed, not covered" can be said; never
//! restored.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use crate::checkpoint::repository::head::Head;
use crate::checkpoint::repository::user_git::common_dir;
use crate::checkpoint::tree::manifest::{Identity, Manifest, Node, Why};
use crate::checkpoint::tree::path::{RelPath, display_path, is_within, split};
use crate::checkpoint::tree::root::Inode;
use crate::checkpoint::tree::stamp::Stamp;
use crate::checkpoint::tree::uncopied::Uncopied;
use crate::files::hash::fnv128;
use crate::files::{Links, read_small};
use crate::redaction::is_secret_file_name;

/// Files of the user's git directory that are looked at: a thousand refs cost a few milliseconds.
const GIT_FILES_MAX: usize = 2_000;

/// Names in a git directory that are looked at to find these, directories and noise among them:
/// some tens of milliseconds.
const GIT_NAMES_MAX: usize = 20_000;

/// Small files of the git directory are compared by content up to this size, others by stamp.
const GIT_CONTENT_BYTES_MAX: u64 = 64 * 1024;

/// Links out of the tree that are looked behind: far more than projects have.
const LINKS_MAX: usize = 1_000;

/// Ignored directories that tools fill and can fill again; their contents are not watched.
const BUILD_DIRS: [&[u8]; 32] = [
    b".cache",
    b".direnv",
    b".eggs",
    b".gradle",
    b".mypy_cache",
    b".next",
    b".nox",
    b".nuxt",
    b".parcel-cache",
    b".pytest_cache",
    b".ruff_cache",
    b".svelte-kit",
    b".terraform",
    b".tox",
    b".turbo",
    b".venv",
    b"DerivedData",
    b"Pods",
    b"__pycache__",
    b"_build",
    b"bower_components",
    b"build",
    b"coverage",
    b"dist",
    b"elm-stuff",
    b"node_modules",
    b"obj",
    b"out",
    b"target",
    b"vendor",
    b"venv",
    b"zig-cache",
];

/// Whether an ignored directory of this name is left unwatched.
pub(in crate::checkpoint) fn is_build_dir(name: &[u8]) -> bool {
    BUILD_DIRS.binary_search(&name).is_ok()
        || name.starts_with(b"bazel-")
        || name.starts_with(b"cmake-build-")
}

/// Whether `path` lies in a build directory: also in one that ignores itself, by a rule it holds.
pub(in crate::checkpoint) fn is_in_build_dir(path: &[u8]) -> bool {
    path.split(|byte| *byte == b'/')
        .rev()
        .skip(1)
        .any(is_build_dir)
}

/// Stamps of the paths that no snapshot covers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::checkpoint) struct Watch {
    ignored: BTreeMap<RelPath, Seen>,
    /// Ignored directories whose contents are not watched, by inode.
    closed_dirs: BTreeMap<RelPath, u64>,
    /// Ignored directories in covered ones whose contents are watched, by inode.
    open_dirs: BTreeMap<RelPath, u64>,
    /// Creation times of directories that are watched as such, where the file system records them:
    /// the inode of a removed one is used again.
    made: BTreeMap<RelPath, i64>,
    /// What covered links lead to outside the tree.
    outside: BTreeMap<RelPath, Seen>,
    git: BTreeMap<Vec<u8>, u128>,
    /// Places of mounts that are gone.
    unmounted: BTreeSet<RelPath>,
    /// Covered files that have other names, too.
    shared: BTreeMap<RelPath, Inode>,
    /// The user's HEAD.
    pub(in crate::checkpoint) head: Head,
    /// When the tree was looked at, by the clock that stamps files.
    pub(in crate::checkpoint) seen_ns: Option<i64>,
    /// Whether the limit ended the watch of ignored files early.
    pub(in crate::checkpoint) is_partial: bool,
    /// Whether the limit ended the watch of git's files early.
    is_git_partial: bool,
}

impl Watch {
    /// Notes an ignored file.
    pub(in crate::checkpoint) fn note(&mut self, path: RelPath, stamp: &Stamp) {
        self.ignored.insert(path, seen(stamp));
    }

    /// The ignored paths that were seen.
    pub(in crate::checkpoint) fn ignored_paths(&self) -> impl Iterator<Item = &[u8]> {
        self.ignored.keys().map(|path| &**path)
    }

    /// The ignored files whose names say that they are secret and that `now` does not know as they
    /// are here.
    pub(in crate::checkpoint) fn secrets_not_in(&self, now: &Self) -> Vec<Identity> {
        let is_there = |path: &RelPath, file: Identity| {
            now.ignored
                .get(path)
                .map(identity)
                .is_some_and(|is| is == file)
        };
        let lost = self.secrets().filter(|(path, file)| !is_there(path, *file));
        lost.map(|(_, file)| file).collect()
    }

    /// The ignored files whose names say that they are secret and that were written since then.
    pub(in crate::checkpoint) fn secrets_since(&self, since_ns: i64) -> Vec<Identity> {
        let since = self.secrets().filter(|(_, file)| file.2 >= since_ns);
        since.map(|(_, file)| file).collect()
    }

    fn secrets(&self) -> impl Iterator<Item = (&RelPath, Identity)> {
        let secrets = self.ignored.iter();
        let secrets = secrets.filter(|(path, _)| is_secret_file_name(split(path).1));
        secrets.map(|(path, seen)| (path, identity(seen)))
    }

    /// The ignored files that are what they were but for their permission bits, which are to be as
    /// they were `then`. Nothing of git's.
    pub(in crate::checkpoint) fn bits_since<'w>(
        &'w self,
        then: &'w Self,
    ) -> impl Iterator<Item = Bits> + 'w {
        self.ignored.iter().filter_map(|(path, now)| {
            let was = then.ignored.get(path)?;
            let is_gits = path
                .split(|byte| *byte == b'/')
                .any(|name| name.eq_ignore_ascii_case(b".git"));
            let is_same = (now.1, now.2, now.3) == (was.1, was.2, was.3);
            let is_meant = !is_gits && is_same && now.0 != was.0;
            is_meant.then(|| Bits {
                path: RelPath::clone(path),
                was: (was.0 & 0o7777) as u16,
                now: *now,
            })
        })
    }

    /// Whether everything that is watched was seen.
    pub(in crate::checkpoint) fn is_whole(&self) -> bool {
        !self.is_partial && !self.is_git_partial
    }

    /// Adds what another walker of the same walk noted.
    pub(in crate::checkpoint) fn merge(&mut self, mut other: Self) {
        self.ignored.append(&mut other.ignored);
        self.closed_dirs.append(&mut other.closed_dirs);
        self.open_dirs.append(&mut other.open_dirs);
        self.made.append(&mut other.made);
        self.outside.append(&mut other.outside);
        self.unmounted.append(&mut other.unmounted);
        self.shared.append(&mut other.shared);
        self.is_partial |= other.is_partial;
    }

    /// Notes the file outside the tree that the covered link at `path` leads to: a tool that works
    /// on the tree may write into it.
    pub(in crate::checkpoint) fn note_outside(&mut self, path: RelPath, stamp: &Stamp) {
        if self.outside.len() < LINKS_MAX {
            self.outside.insert(path, seen(stamp));
        }
    }

    /// Notes a place of a mount that is gone.
    pub(in crate::checkpoint) fn note_unmounted(&mut self, path: RelPath) {
        self.unmounted.insert(path);
    }

    /// Notes a covered file that has other names, which changes with them.
    pub(in crate::checkpoint) fn note_shared(&mut self, path: RelPath, inode: Inode) {
        self.shared.insert(path, inode);
    }

    /// Whether the covered file at `path` had other names, and was `inode`.
    pub(in crate::checkpoint) fn shared(&self, path: &[u8], inode: Inode) -> bool {
        self.shared.get(path) == Some(&inode)
    }

    /// Notes an ignored directory whose contents are not watched: only that it is there.
    pub(in crate::checkpoint) fn note_closed_dir(&mut self, path: RelPath, stamp: &Stamp) {
        self.closed_dirs.insert(path, stamp.ino);
    }

    /// Notes an ignored directory whose contents are watched.
    pub(in crate::checkpoint) fn note_open_dir(&mut self, path: RelPath, stamp: &Stamp) {
        self.open_dirs.insert(path, stamp.ino);
    }

    /// The items that were seen, ignored files and directories.
    pub(in crate::checkpoint) fn uncopied(&self) -> impl Iterator<Item = (RelPath, Uncopied)> {
        let made_ns = |path: &RelPath| self.made.get(path).copied();
        let files = self.ignored.iter().map(move |(path, seen)| {
            let (mode, size, mtime_ns, ino) = *seen;
            let file = Some((mode, size, mtime_ns));
            let made_ns = made_ns(path);
            (path.clone(), Uncopied { ino, file, made_ns })
        });
        let dirs = self.closed_dirs.iter().chain(&self.open_dirs);
        let dirs = dirs.map(move |(path, ino)| {
            let (ino, file, made_ns) = (*ino, None, made_ns(path));
            (path.clone(), Uncopied { ino, file, made_ns })
        });
        files.chain(dirs)
    }

    /// Notes when the directory at `path`, which is watched as such, was made.
    pub(in crate::checkpoint) fn note_made(&mut self, path: RelPath, made_ns: Option<i64>) {
        self.made.extend(made_ns.map(|made_ns| (path, made_ns)));
    }

    /// Notes the state of a git directory that appears in the tree at `shown` (such as `.git`): all
    /// of it, except objects, logs, locks and the index's stamps. `index` identifies the index's
    /// contents, when they were read; else its stamp does.
    pub(in crate::checkpoint) fn note_git(
        &mut self,
        git_dir: &Path,
        shown: &str,
        index: Option<u128>,
    ) {
        let common = common_dir(git_dir);
        if common != git_dir {
            // What is this work tree's own counts more than what has the same name in the main one.
            self.note_git_files(&common, shown.to_owned(), Some(git_dir));
        }
        self.note_git_files(git_dir, shown.to_owned(), None);
        if let Some(digest) = index {
            self.git
                .insert(format!("{shown}/index").into_bytes(), digest);
        }
    }

    fn note_git_files(&mut self, dir: &Path, shown: String, except: Option<&Path>) {
        use std::os::unix::ffi::OsStrExt as _;
        let mut todo = vec![(dir.to_owned(), shown.into_bytes())];
        let mut looked_at = 0;
        while let Some((dir, shown)) = todo.pop() {
            for entry in fs::read_dir(&dir).into_iter().flatten().flatten() {
                looked_at += 1;
                if looked_at > GIT_NAMES_MAX {
                    self.is_git_partial = true;
                    return;
                }
                let path = entry.path();
                let name = entry.file_name();
                if is_git_noise(&shown, name.as_bytes()) || is_same_dir(&path, except) {
                    continue;
                }
                if self.git.len() >= GIT_FILES_MAX {
                    self.is_git_partial = true;
                    return;
                }
                let shown = [&shown[..], b"/", name.as_bytes()].concat();
                match entry.file_type() {
                    Ok(kind) if kind.is_dir() => todo.push((path, shown)),
                    _ => self.note_git_file(&path, shown),
                }
            }
        }
    }

    fn note_git_file(&mut self, path: &Path, shown: Vec<u8>) {
        let Ok(stat) = rustix::fs::lstat(path) else {
            return;
        };
        let stamp = Stamp::of(&stat);
        let content = (stamp.size <= GIT_CONTENT_BYTES_MAX)
            .then(|| read_small(path, Links::Follow, GIT_CONTENT_BYTES_MAX).ok())
            .flatten();
        let seen = match content {
            Some(content) => fnv128(&content),
            None => u128::from(stamp.size) << 64 | u128::from(stamp.mtime_ns.cast_unsigned()),
        };
        self.git.insert(shown, seen);
    }
}

/// An ignored file whose permission bits changed, and nothing else of it.
#[derive(Clone, Debug)]
pub(in crate::checkpoint) struct Bits {
    pub(in crate::checkpoint) path: RelPath,
    /// The bits it had.
    pub(in crate::checkpoint) was: u16,
    now: Seen,
}

impl Bits {
    /// Whether the file with `stamp` is still the one that was seen.
    pub(in crate::checkpoint) fn is_still(&self, stamp: &Stamp) -> bool {
        seen(stamp) == self.now
    }
}

/// Mode, size, time and inode of an ignored file.
type Seen = (u32, u64, i64, u64);

fn identity((_, size, mtime_ns, ino): &Seen) -> Identity {
    (*ino, *size, *mtime_ns)
}

fn seen(stamp: &Stamp) -> Seen {
    (stamp.mode, stamp.size, stamp.mtime_ns, stamp.ino)
}

/// Whether git writes a file or directory of this name on any command, or only adds to it.
fn is_git_noise(dir: &[u8], name: &[u8]) -> bool {
    // A branch may be called anything but that.
    let is_reference = dir.split(|byte| *byte == b'/').any(|part| part == b"refs");
    let is_noise = matches!(
        name,
        b"objects" | b"logs" | b"index" | b"gc.pid" | b"gc.log"
    ) || name.starts_with(b"sharedindex.")
        || name.starts_with(b"fsmonitor--daemon");
    name.ends_with(b".lock") || (is_noise && !is_reference)
}

fn is_same_dir(path: &Path, other: Option<&Path>) -> bool {
    other.is_some_and(|other| {
        path.file_name() == other.file_name()
            && fs::canonicalize(path).ok() == fs::canonicalize(other).ok()
    })
}

/// A path that changed and that no checkpoint puts back.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Uncovered {
    /// The path as records name it.
    pub display: String,
    /// Why it is not covered, in words: "ignored", "larger than the limit", "git's own".
    pub reason: &'static str,
}

impl Uncovered {
    pub(in crate::checkpoint) fn new(path: &[u8], reason: &'static str) -> Self {
        Self {
            display: display_path(path),
            reason,
        }
    }
}

/// Why a place is not covered at which another file system was when the session began.
pub(in crate::checkpoint) const MOUNT_GONE: &str = "nothing is mounted there any more";

/// Why a file is not covered to which a link of the tree leads.
const LEADS_OUT: &str = "a link that leads out of the tree";

/// Why a path of this kind is not covered, in words.
pub(in crate::checkpoint) fn reason(why: Why) -> &'static str {
    match why {
        Why::TooLarge => "larger than the limit",
        Why::Unreadable => "may not be read",
        Why::Special => "a pipe, socket or device",
        Why::Mount => "a mount point",
        Why::Secret => "its name says that it is secret",
        Why::Written => "output is written to it meanwhile",
    }
}

/// The uncovered changes between two looks, sorted by path.
pub(in crate::checkpoint) fn uncovered_changes(
    before: (&Manifest, &Watch),
    after: (&Manifest, &Watch),
) -> Vec<Uncovered> {
    let mut found = Vec::new();
    for difference in before.0.differences(after.0) {
        let opaque = [difference.after, difference.before].into_iter().flatten();
        for node in opaque {
            if let Node::Opaque { why, .. } = node {
                let is_gone = *why == Why::Mount && after.1.unmounted.contains(difference.path);
                let reason = if is_gone { MOUNT_GONE } else { reason(*why) };
                found.push(Uncovered::new(difference.path, reason));
                break;
            }
        }
    }
    let is_whole = !before.1.is_partial && !after.1.is_partial;
    for path in changed_keys(&before.1.ignored, &after.1.ignored, is_whole) {
        let is_gone = !after.1.ignored.contains_key(path);
        found.push(Uncovered::new(path, ignored_or_git(path, is_gone)));
    }
    // That one is made is what tools do; that one is gone, or another, is worth a word.
    let closed = before.1.closed_dirs.iter();
    let is_other = |path: &RelPath, ino: &u64| {
        let (then, now) = (before.1.made.get(path), after.1.made.get(path));
        let is_other_time = then.zip(now).is_some_and(|(then, now)| then != now);
        after.1.closed_dirs.get(path) != Some(ino) || is_other_time
    };
    let gone = closed.filter(|(path, ino)| is_other(path, ino));
    let covered = |path: &RelPath| after.0.get(path).is_some();
    for (path, _) in gone.filter(|(path, _)| !covered(path)) {
        let dirs = [&after.1.closed_dirs, &after.1.open_dirs];
        let is_gone = !dirs.iter().any(|dirs| dirs.contains_key(path));
        found.push(Uncovered::new(path, ignored_or_git(path, is_gone)));
    }
    let outside = changed_keys(&before.1.outside, &after.1.outside, false);
    found.extend(outside.map(|path| Uncovered::new(path, LEADS_OUT)));
    let is_whole = !before.1.is_git_partial && !after.1.is_git_partial;
    let repositories = match is_whole {
        true => repositories_gone(&before.1.git, &after.1.git),
        false => Vec::new(),
    };
    let git = changed_keys(&before.1.git, &after.1.git, is_whole);
    let git = git.filter(|path| !repositories.iter().any(|dir| is_within(path, dir)));
    found.extend(git.map(|path| Uncovered::new(path, GITS)));
    for dir in repositories {
        let gone = Uncovered::new(&dir, GITS_GONE);
        found.retain(|one| one.display != gone.display);
        found.push(gone);
    }
    found.sort_by(|a, b| a.display.cmp(&b.display));
    found.dedup();
    found
}

const GITS: &str = "git's own";
const GITS_GONE: &str = "git's own, gone";
const IGNORED: &str = "ignored";
const IGNORED_GONE: &str = "ignored, gone";

/// Why a watched path of the tree is not covered.
fn ignored_or_git(path: &[u8], is_gone: bool) -> &'static str {
    match (path.rsplit(|byte| *byte == b'/').next(), is_gone) {
        (Some(b".git"), true) => GITS_GONE,
        (Some(b".git"), false) => GITS,
        (_, true) => IGNORED_GONE,
        (_, false) => IGNORED,
    }
}

/// Whether a path that is not covered for `reason` was removed, where the record alone tells;
/// `None` where a checkpoint names it too.
pub fn was_removed(reason: &str) -> Option<bool> {
    match reason {
        GITS | IGNORED | LEADS_OUT => Some(false),
        GITS_GONE | IGNORED_GONE => Some(true),
        _ => None,
    }
}

/// The directories that had a `HEAD` and have nothing left.
fn repositories_gone(
    before: &BTreeMap<Vec<u8>, u128>,
    after: &BTreeMap<Vec<u8>, u128>,
) -> Vec<Vec<u8>> {
    let mut gone: Vec<Vec<u8>> = Vec::new();
    for dir in before.keys().filter_map(|key| key.strip_suffix(b"/HEAD")) {
        let below = [dir, b"/"].concat();
        let left = after.range(below.clone()..).map(|(key, _)| key);
        // That of the index is noted whether or not it is there.
        let mut left = left.take_while(|key| key.starts_with(&below));
        let is_left = left.any(|key| key[below.len()..] != *b"index");
        if !is_left && !gone.iter().any(|other| is_within(dir, other)) {
            gone.push(dir.to_vec());
        }
    }
    gone
}

/// Keys whose values differ. Where a watch ended early (`is_whole` is false), a key that only one
/// side has says nothing.
fn changed_keys<'a, K: Ord, V: PartialEq>(
    before: &'a BTreeMap<K, V>,
    after: &'a BTreeMap<K, V>,
    is_whole: bool,
) -> impl Iterator<Item = &'a K> {
    let changed = before
        .iter()
        .filter(move |(key, value)| match after.get(key) {
            Some(now) => now != *value,
            None => is_whole,
        });
    let added = after
        .keys()
        .filter(move |key| is_whole && !before.contains_key(key));
    changed.map(|(key, _)| key).chain(added)
}
