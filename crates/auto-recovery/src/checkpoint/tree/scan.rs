//! One walk over the tree: what is covered with its stamp, and what is only watched.
//!
//! It looks and never opens a file's content, save the ignore files of a session's first walk.

use std::collections::{BTreeSet, HashSet};
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use rustix::fs::FileType;
use rustix::io::Errno;

use crate::checkpoint::options::CheckpointLimits;
use crate::checkpoint::repository::user_git::own_excludes;
use crate::checkpoint::tree::ignore_files::{self, IgnoreBudget};
use crate::checkpoint::tree::manifest::{Identity, Manifest, Why};
use crate::checkpoint::tree::mounts::Mounts;
use crate::checkpoint::tree::names::{Name, names_in};
use crate::checkpoint::tree::opened::Opened;
use crate::checkpoint::tree::path::{RelPath, display_path, join, split, to_os};
use crate::checkpoint::tree::root::{Above, Own, Root, is_git_elsewise, open_file_at, stamp_at};
use crate::checkpoint::tree::rules::{Chain, RuleFile, Rules, longer};
use crate::checkpoint::tree::stamp::Stamp;
use crate::checkpoint::tree::tracked::Tracked;
use crate::checkpoint::tree::watch::{Watch, is_build_dir, is_in_build_dir};
use crate::error::{Error, Result};
use crate::files::FileId;
use crate::workers;
use crate::workspace::{git_dir_of, own_git_dir_of};

/// What a walk needs to know.
pub(in crate::checkpoint) struct Scanner<'a> {
    pub(in crate::checkpoint) root: &'a Root,
    /// What of ours is opened for the walk.
    pub(in crate::checkpoint) opened: &'a Opened,
    pub(in crate::checkpoint) limits: &'a CheckpointLimits,
    /// Directories, relative to the root, that are not part of the tree.
    pub(in crate::checkpoint) excluded: &'a [Vec<u8>],
    /// Files that others write meanwhile.
    pub(in crate::checkpoint) written: &'a HashSet<FileId>,
    /// Other work trees of the same repository, relative to the root: never part of this one.
    pub(in crate::checkpoint) work_trees: &'a [Vec<u8>],
    /// Users whose repositories inside the tree count as such.
    pub(in crate::checkpoint) owners: &'a [u32],
    /// Mount points that are none of the tree.
    pub(in crate::checkpoint) mounts: &'a Mounts,
    /// The user's ignore rules for all projects, which hold in repositories inside the tree too.
    pub(in crate::checkpoint) global_rules: Option<&'a [u8]>,
    pub(in crate::checkpoint) rules: &'a Rules,
    /// Other rules under which paths are covered, too: those of the trees that are gone to.
    pub(in crate::checkpoint) other_rules: &'a [&'a Rules],
    /// The names of the temporary files of restores that have not ended.
    pub(in crate::checkpoint) temps: &'a [Vec<u8>],
    /// Whether `rules` lack the ignore files of the tree, so that the walk reads them.
    pub(in crate::checkpoint) collects: bool,
    pub(in crate::checkpoint) tracked: &'a Tracked,
    /// Trees whose paths are covered even when ignored.
    pub(in crate::checkpoint) kept: &'a [&'a Manifest],
    /// The session's last snapshot, whose decisions about sizes hold.
    pub(in crate::checkpoint) last: Option<&'a Manifest>,
    /// Files of `kept` that are watched for their names, which they may have lost since.
    pub(in crate::checkpoint) secrets: &'a HashSet<Identity>,
    /// Files that the session left out for their size.
    pub(in crate::checkpoint) left_out: &'a BTreeSet<RelPath>,
    /// How much of ignore files was read.
    pub(in crate::checkpoint) ignore_budget: &'a IgnoreBudget,
}

/// What a walk found.
#[derive(Debug, Default)]
pub(in crate::checkpoint) struct Scan {
    /// Covered paths, sorted.
    pub(in crate::checkpoint) found: Vec<Found>,
    pub(in crate::checkpoint) watch: Watch,
    /// The ignore files that a collecting walk read.
    pub(in crate::checkpoint) ignore_files: Vec<Arc<RuleFile>>,
    /// Repositories inside the tree that are not ignored, by their directories.
    pub(in crate::checkpoint) nested: BTreeSet<RelPath>,
    /// Git directories that have other names than `.git`: bare repositories, and such as a `.git`
    /// leads to.
    pub(in crate::checkpoint) git_dirs: BTreeSet<RelPath>,
    /// What a restore that was killed left.
    pub(in crate::checkpoint) temps: Vec<RelPath>,
    /// What stays open while this is held.
    pub(in crate::checkpoint) opened: Option<Opened>,
}

/// One covered path.
#[derive(Clone, Debug)]
pub(in crate::checkpoint) struct Found {
    pub(in crate::checkpoint) path: RelPath,
    pub(in crate::checkpoint) stamp: Stamp,
    pub(in crate::checkpoint) kind: Kind,
}

/// What stands at a covered path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::checkpoint) enum Kind {
    Dir,
    File,
    Link,
    Opaque(Why),
}

impl Scanner<'_> {
    /// Walks the tree, with a few threads when it is large.
    pub(in crate::checkpoint) fn scan(&self) -> Result<Scan> {
        let room = AtomicUsize::new(self.limits.watched_max);
        let walkers = (0..workers::size())
            .map(|_| Walker::new(self, &room))
            .collect();
        let top = Todo {
            others: vec![Other::default(); self.other_rules.len()],
            ..Todo::default()
        };
        let list = |walker: &mut Walker<'_>, dir: Todo, todo: &mut _| walker.list(&dir, todo);
        let mut walkers = workers::work_off(top, walkers, list)?.into_iter();
        let mut all = walkers.next().unwrap_or_else(|| Walker::new(self, &room));
        walkers.for_each(|walker| all.merge(walker));
        Ok(all.finish())
    }

    fn is_covered_anyway(&self, path: &[u8]) -> bool {
        self.tracked.contains(path)
            || self
                .kept
                .iter()
                .any(|manifest| manifest.get(path).is_some())
            || self.rules.is_protected(path)
    }

    /// Whether an ignored directory is worth listing: something in it is covered, or it is watched.
    fn enters(&self, path: &[u8], has_room: bool) -> bool {
        self.tracked.has_below(path)
            || self.kept.iter().any(|manifest| manifest.has_below(path))
            || self.rules.protects_below(path)
            || ((self.rules.protects() || has_room) && !is_build_dir(split(path).1))
    }
}

/// A directory still to be listed.
#[derive(Default)]
struct Todo {
    path: RelPath,
    stamp: Stamp,
    chain: Chain,
    is_ignored: bool,
    /// What the other rules say of it.
    others: Vec<Other>,
    above: Option<Arc<Above>>,
}

/// What some of the other rules say of a directory: the ignore files that hold, and whether it is
/// ignored.
#[derive(Clone, Default)]
struct Other {
    chain: Chain,
    is_ignored: bool,
}

/// One of those who walk.
struct Walker<'a> {
    scanner: &'a Scanner<'a>,
    /// How many ignored files may still be watched, by all together.
    room: &'a AtomicUsize,
    /// How many bytes of ignore files may still be read, by all together.
    scan: Scan,
    /// Ignored directories that hold something covered.
    ignored_dirs: BTreeSet<RelPath>,
    /// Directories that may not be listed.
    unreadable: Vec<Found>,
    /// Why the walk cannot go on.
    refused: Option<Error>,
}

/// A directory that is being listed.
struct Listing<'d> {
    dir: &'d Todo,
    fd: &'d OwnedFd,
    chain: Chain,
    others: Vec<Other>,
    above: Option<Arc<Above>>,
    /// Whether `.git` in these letters is in it.
    has_git: bool,
}

impl<'a> Walker<'a> {
    fn new(scanner: &'a Scanner<'a>, room: &'a AtomicUsize) -> Self {
        Self {
            scanner,
            room,
            scan: Scan::default(),
            ignored_dirs: BTreeSet::new(),
            unreadable: Vec::new(),
            refused: None,
        }
    }

    fn list(&mut self, dir: &Todo, todo: &mut Vec<Todo>) -> Result<()> {
        let is_root = dir.path.is_empty();
        let listed = match self.list_readable(dir, todo) {
            Err(Errno::ACCESS) if !dir.is_ignored && self.scanner.opened.open(&dir.path) => {
                self.list_readable(dir, todo)
            }
            listed => listed,
        };
        match listed {
            Ok(()) => self.refused.take().map_or(Ok(()), Err),
            // It was there a moment ago; the next walk tells what took its place.
            Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) if !is_root => Ok(()),
            Err(Errno::ACCESS) if !is_root => {
                self.unreadable.push(Found {
                    path: Arc::clone(&dir.path),
                    stamp: dir.stamp,
                    kind: Kind::Opaque(Why::Unreadable),
                });
                Ok(())
            }
            Err(errno) => {
                let path = self.scanner.root.path().join(to_os(&dir.path));
                Err(Error::io("list", &path, errno.into()))
            }
        }
    }

    fn list_readable(&mut self, dir: &Todo, todo: &mut Vec<Todo>) -> Result<(), Errno> {
        let scanner = self.scanner;
        let above = dir.above.as_deref();
        let fd = scanner.root.open_dir_to_list(above, &dir.path)?;
        let names = names_in(&fd)?;
        if self.is_git_dir(dir, &names) {
            self.scan.git_dirs.insert(Arc::clone(&dir.path));
            return Ok(());
        }
        let mut chain = scanner.rules.chain(&dir.chain, &dir.path);
        let has_git = names.iter().any(|name| *name.name == *b".git");
        let is_repository = has_git || names.iter().any(|name| is_git_elsewise(&fd, &name.name));
        if !dir.path.is_empty() && is_repository {
            self.enter_repository(dir, &mut chain);
        }
        if self.scanner.collects
            && !dir.is_ignored
            && names.iter().any(|name| *name.name == *b".gitignore")
            && let Some(text) = Self::read_ignore_file(&fd)
        {
            let path = join(&dir.path, b".gitignore");
            if self.has_room_for(&path, &text) {
                let file = self.scanner.rules.file(&dir.path, text);
                self.hold(&mut chain, &path, file);
            }
        }
        let others = scanner.other_rules.iter().zip(&dir.others);
        let others = others.map(|(rules, other)| Other {
            chain: rules.chain(&other.chain, &dir.path),
            is_ignored: other.is_ignored,
        });
        let listing = Listing {
            dir,
            fd: &fd,
            chain,
            others: others.collect(),
            above: Above::nearer(dir.above.as_ref(), &dir.path, &fd),
            has_git,
        };
        for name in names {
            if let Some(looked) = self.visit(&listing, &name)? {
                self.add(&listing, looked, todo);
            }
        }
        Ok(())
    }

    /// Whether a directory is a git directory, whatever its name, and as git knows one. One whose
    /// files git tracks is a part of the project.
    fn is_git_dir(&self, dir: &Todo, names: &[Name]) -> bool {
        let has = |wanted: &[u8]| names.iter().any(|name| *name.name == *wanted);
        let is_one = has(b"HEAD") && has(b"objects") && has(b"refs");
        is_one && !self.scanner.tracked.has_below(&dir.path)
    }

    /// The ignore file of the directory `fd`: what is no file, or cannot be read, ignores nothing.
    fn read_ignore_file(fd: &OwnedFd) -> Option<Vec<u8>> {
        let name = b".gitignore";
        let is_file = |mode| FileType::from_raw_mode(mode) == FileType::RegularFile;
        let named = stamp_at(fd, name).ok().flatten()?;
        let file = open_file_at(fd, name);
        file.ok()
            .filter(|_| is_file(named.mode))
            .map(ignore_files::read)
    }

    /// A repository inside the tree has ignore rules of its own, as git has it.
    fn enter_repository(&mut self, dir: &Todo, chain: &mut Chain) {
        let root = self.scanner.root.path().join(to_os(&dir.path));
        let Some(git_dir) = git_dir_of(&root) else {
            return;
        };
        if !dir.is_ignored {
            self.scan.nested.insert(Arc::clone(&dir.path));
        }
        let owners = self.scanner.owners;
        let is_own = || own_git_dir_of(&root, owners).is_some();
        if self.scanner.collects && !dir.is_ignored && is_own() {
            let global = self.scanner.global_rules.unwrap_or_default();
            let own = own_excludes(&git_dir).unwrap_or_default();
            let path = join(&dir.path, b".git/info/exclude");
            if self.has_room_for(&path, &own) && self.has_room_for(&path, global) {
                let text = [global, b"\n", &own].concat();
                let file = self.scanner.rules.boundary(&dir.path, text);
                self.hold(chain, &path, file);
            }
        }
    }

    /// Adds to `chain` the ignore file at `path`, which was read.
    fn hold(&mut self, chain: &mut Chain, path: &[u8], file: Arc<RuleFile>) {
        if file.is_lost() {
            let root = self.scanner.root.path();
            let refused = ignore_files::too_many(root, &display_path(path));
            self.refused.get_or_insert(refused);
        }
        *chain = longer(chain, Arc::clone(&file));
        self.scan.ignore_files.push(file);
    }

    /// Whether the ignore file at `path` may be as large as `text`. If not, the walk ends.
    fn has_room_for(&mut self, path: &[u8], text: &[u8]) -> bool {
        let root = self.scanner.root.path();
        let counted = self
            .scanner
            .ignore_budget
            .count(root, &display_path(path), text);
        self.refused = counted.err().or(self.refused.take());
        self.refused.is_none()
    }

    /// Looks at a name; `None` when it is not part of the walk.
    fn visit(&mut self, listing: &Listing<'_>, name: &Name) -> Result<Option<Looked>, Errno> {
        let Listing { dir, fd, chain, .. } = listing;
        let path = join(&dir.path, &name.name);
        if self.is_outside(listing, &path, &name.name) {
            return Ok(None);
        }
        // Whether it is a directory must be known before rules are asked; most file systems say so
        // while listing.
        let mut stamp = None;
        let is_dir = match name.is_dir {
            Some(is_dir) => is_dir,
            None => {
                stamp = stamp_at(fd, &name.name)?;
                stamp.is_some_and(|stamp| FileType::from_raw_mode(stamp.mode).is_dir())
            }
        };
        let rules = self.scanner.rules;
        let is_ignored = dir.is_ignored || rules.is_ignored_in(chain, &path, is_dir);
        let others = self.scanner.other_rules.iter().zip(&listing.others);
        let others = others.map(|(rules, other)| {
            other.is_ignored || rules.is_ignored_in(&other.chain, &path, is_dir)
        });
        let ignored_by_others: Vec<bool> = others.collect();
        let is_covered = !is_ignored
            || ignored_by_others.contains(&false)
            || (!is_dir && self.scanner.is_covered_anyway(&path));
        if !is_covered && !self.is_worth_a_look(&path, is_dir) {
            return Ok(None);
        }
        let stamp = match stamp {
            Some(stamp) => Some(stamp),
            None => stamp_at(fd, &name.name)?,
        };
        // No stamp: gone since it was listed.
        Ok(stamp.map(|stamp| Looked {
            path: path.into(),
            stamp,
            is_ignored,
            ignored_by_others,
            is_covered,
        }))
    }

    /// Whether an ignored path is entered or watched.
    fn is_worth_a_look(&mut self, path: &[u8], is_dir: bool) -> bool {
        let has_room = self.room.load(Ordering::Relaxed) > 0;
        if is_dir {
            let (enters, root) = (self.scanner.enters(path, has_room), self.scanner.root);
            if !enters && let Ok(Some((stamp, made_ns))) = root.stamp_and_birth(path) {
                let path: RelPath = path.into();
                self.scan.watch.note_made(Arc::clone(&path), made_ns);
                self.scan.watch.note_closed_dir(path, &stamp);
            }
            return enters;
        }
        if is_in_build_dir(path) {
            return false;
        }
        self.scan.watch.is_partial |= !has_room;
        has_room
    }

    fn add(&mut self, listing: &Listing<'_>, looked: Looked, todo: &mut Vec<Todo>) {
        let Looked {
            path,
            stamp,
            is_ignored,
            ignored_by_others,
            is_covered,
        } = looked;
        let dir = listing.dir;
        let kind = self.scanner.kind(&path, &stamp);
        if kind == Kind::Opaque(Why::Mount) && self.scanner.mounts.is_gone(&path) {
            self.scan.watch.note_unmounted(Arc::clone(&path));
        }
        if kind == Kind::Dir && !is_covered && !dir.is_ignored {
            self.scan.watch.note_open_dir(Arc::clone(&path), &stamp);
        }
        if kind == Kind::Dir {
            todo.push(Todo {
                path: Arc::clone(&path),
                stamp,
                chain: Arc::clone(&listing.chain),
                is_ignored,
                others: others_below(listing, ignored_by_others),
                above: listing.above.clone(),
            });
        }
        if is_covered {
            if dir.is_ignored {
                let mut above = &*dir.path;
                while !above.is_empty() && self.ignored_dirs.insert(above.into()) {
                    above = split(above).0;
                }
            }
            if kind == Kind::File && stamp.links > 1 {
                self.note_shared(listing.fd, &path);
            }
            if kind == Kind::Link {
                self.note_outside(&path);
            }
            self.scan.found.push(Found { path, stamp, kind });
        } else if kind != Kind::Dir && kind != Kind::Opaque(Why::Written) {
            self.watch(path, &stamp);
        }
    }

    /// Notes which file a covered one with other names is.
    fn note_shared(&mut self, dir: &OwnedFd, path: &RelPath) {
        if let Some(inode) = Own::anybodys(dir, split(path).1)
            .ok()
            .and_then(|own| own.inode())
        {
            self.scan.watch.note_shared(Arc::clone(path), inode);
        }
    }

    /// Notes the file outside the tree that a covered link leads to.
    fn note_outside(&mut self, path: &RelPath) {
        let root = self.scanner.root.path();
        let Ok(real) = root.join(to_os(path)).canonicalize() else {
            return;
        };
        if real.starts_with(root) {
            return;
        }
        if let Ok(stat) = rustix::fs::stat(&real)
            && FileType::from_raw_mode(stat.st_mode).is_file()
        {
            let stamp = Stamp::of(&stat);
            self.scan.watch.note_outside(Arc::clone(path), &stamp);
        }
    }

    /// Watches a path, while there is room.
    fn watch(&mut self, path: RelPath, stamp: &Stamp) {
        let fewer = |room: usize| room.checked_sub(1);
        let order = Ordering::Relaxed;
        match self.room.fetch_update(order, order, fewer) {
            Ok(_) => self.scan.watch.note(path, stamp),
            Err(_) => self.scan.watch.is_partial = true,
        }
    }

    /// Whether `path` is no part of the tree: git's own, our own, or left behind by a restore.
    fn is_outside(&mut self, listing: &Listing<'_>, path: &[u8], name: &[u8]) -> bool {
        let is_git = name == b".git" || (!listing.has_git && is_git_elsewise(listing.fd, name));
        if is_git {
            match path.len() > name.len() {
                true => self.watch_nested(path, listing.dir.is_ignored),
                false => self.note_identity(path),
            }
            return true;
        }
        if self.scanner.work_trees.iter().any(|dir| dir == path) {
            self.watch_identity(path);
            return true;
        }
        if self.scanner.temps.iter().any(|temp| temp == name) {
            self.scan.temps.push(path.into());
            return true;
        }
        self.scanner.excluded.iter().any(|dir| dir == path)
    }

    /// Nested repositories: files in them are covered like any others, their git is watched.
    fn watch_nested(&mut self, path: &[u8], is_ignored: bool) {
        let root = self.scanner.root;
        // Of those that are not ignored, the whole git directory is looked at.
        let names = [&b"HEAD"[..], b"packed-refs"].into_iter();
        for name in names.filter(|_| is_ignored) {
            let path = join(path, name);
            if let Ok(Some(stamp)) = root.stamp(&path) {
                self.watch(path.into(), &stamp);
            }
        }
        self.watch_identity(path);
    }

    /// Watches a directory as such: its times move with every file that comes or goes in it.
    fn watch_identity(&mut self, path: &[u8]) {
        if let Some(stamp) = self.identity(path) {
            self.watch(path.into(), &stamp);
        }
    }

    /// Watches the repository itself, for which there is always room.
    fn note_identity(&mut self, path: &[u8]) {
        if let Some(stamp) = self.identity(path) {
            self.scan.watch.note(path.into(), &stamp);
        }
    }

    fn identity(&mut self, path: &[u8]) -> Option<Stamp> {
        let (stamp, made_ns) = self.scanner.root.stamp_and_birth(path).ok().flatten()?;
        self.scan.watch.note_made(path.into(), made_ns);
        Some(Stamp {
            size: 0,
            mtime_ns: 0,
            ..stamp
        })
    }

    fn merge(&mut self, other: Self) {
        self.scan.found.extend(other.scan.found);
        self.scan.watch.merge(other.scan.watch);
        self.scan.ignore_files.extend(other.scan.ignore_files);
        self.scan.nested.extend(other.scan.nested);
        self.scan.git_dirs.extend(other.scan.git_dirs);
        self.scan.temps.extend(other.scan.temps);
        self.ignored_dirs.extend(other.ignored_dirs);
        self.unreadable.extend(other.unreadable);
    }

    fn finish(self) -> Scan {
        let mut scan = self.scan;
        for path in self.ignored_dirs {
            if let Ok(Some(stamp)) = self.scanner.root.stamp(&path) {
                let kind = Kind::Dir;
                scan.found.push(Found { path, stamp, kind });
            }
        }
        scan.found.sort_unstable_by(|a, b| a.path.cmp(&b.path));
        scan.found.dedup_by(|a, b| a.path == b.path);
        for unreadable in self.unreadable {
            let at = scan
                .found
                .binary_search_by(|found| found.path.cmp(&unreadable.path));
            // One that is not found is ignored.
            if let Ok(at) = at {
                scan.found[at] = unreadable;
            }
        }
        scan
    }
}

/// A path that was looked at.
struct Looked {
    path: RelPath,
    stamp: Stamp,
    is_ignored: bool,
    ignored_by_others: Vec<bool>,
    is_covered: bool,
}

/// What the other rules say of a directory in the one that is listed.
fn others_below(listing: &Listing<'_>, ignored: Vec<bool>) -> Vec<Other> {
    let others = listing.others.iter().zip(ignored);
    let others = others.map(|(other, is_ignored)| Other {
        chain: Arc::clone(&other.chain),
        is_ignored,
    });
    others.collect()
}
