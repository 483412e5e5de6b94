//! One walk over the tree: what is covered with its stamp, and what is only watched.
//!
//! It looks and never opens a file's content, save the ignore files of a session's first walk.

use std::collections::BTreeSet;
use std::io::Read as _;
use std::os::fd::OwnedFd;
use std::sync::Arc;

use rustix::fs::{Dir, FileType};
use rustix::io::Errno;

use crate::checkpoint::manifest::{Manifest, Node, Why};
use crate::checkpoint::options::{CheckpointLimits, MIB};
use crate::checkpoint::path::{RelPath, ancestors, join, split, to_os};
use crate::checkpoint::root::{Root, open_file_at, stamp_at};
use crate::checkpoint::rules::{Chain, Rules};
use crate::checkpoint::stamp::Stamp;
use crate::checkpoint::tracked::Tracked;
use crate::checkpoint::watch::{Watch, is_build_dir};
use crate::error::{Error, Result};

/// Ignore files larger than this are read no further.
const IGNORE_FILE_BYTES_MAX: u64 = MIB;

/// What the temporary files of a restore are called; a walk does not see them.
pub(super) const TEMP_PREFIX: &[u8] = b".recover-restore-";

/// What a walk needs to know.
pub(super) struct Scanner<'a> {
    pub(super) root: &'a Root,
    pub(super) limits: &'a CheckpointLimits,
    /// Directories, relative to the root, that are not part of the tree.
    pub(super) excluded: &'a [Vec<u8>],
    pub(super) tracked: &'a Tracked,
    /// Trees whose paths are covered even when ignored.
    pub(super) kept: &'a [&'a Manifest],
    /// The session's last snapshot, whose decisions about sizes hold.
    pub(super) last: Option<&'a Manifest>,
    /// Files that the session left out for their size.
    pub(super) left_out: &'a BTreeSet<RelPath>,
}

/// What a walk found.
#[derive(Debug, Default)]
pub(super) struct Scan {
    /// Covered paths, sorted.
    pub(super) found: Vec<Found>,
    pub(super) watch: Watch,
}

/// One covered path.
#[derive(Clone, Debug)]
pub(super) struct Found {
    pub(super) path: RelPath,
    pub(super) stamp: Stamp,
    pub(super) kind: Kind,
}

/// What stands at a covered path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Dir,
    File,
    Link,
    Opaque(Why),
}

/// The rules of a walk: to be collected by it, or given.
pub(super) enum RuleSource<'a> {
    Collect(&'a mut Rules),
    Frozen(&'a Rules),
}

impl RuleSource<'_> {
    fn rules(&self) -> &Rules {
        match self {
            Self::Collect(rules) => rules,
            Self::Frozen(rules) => rules,
        }
    }
}

impl Scanner<'_> {
    /// Walks the tree.
    pub(super) fn scan(&self, rules: RuleSource<'_>) -> Result<Scan> {
        let mut walk = Walk {
            scanner: self,
            rules,
            scan: Scan::default(),
            todo: vec![Todo::default()],
            ignored_dirs: BTreeSet::new(),
        };
        while let Some(dir) = walk.todo.pop() {
            walk.list(&dir)?;
        }
        Ok(walk.finish())
    }

    fn is_covered_anyway(&self, rules: &Rules, path: &[u8]) -> bool {
        self.tracked.contains(path)
            || self
                .kept
                .iter()
                .any(|manifest| manifest.get(path).is_some())
            || rules.is_protected(path)
    }

    /// Whether an ignored directory is worth listing: something in it is covered, or it is watched.
    fn enters(&self, rules: &Rules, path: &[u8], watch: &Watch) -> bool {
        self.tracked.has_below(path)
            || self.kept.iter().any(|manifest| manifest.has_below(path))
            || ((rules.protects() || watch.has_room(self.limits.watched_max))
                && !is_build_dir(split(path).1))
    }

    fn kind(&self, path: &RelPath, stamp: &Stamp) -> Kind {
        match FileType::from_raw_mode(stamp.mode) {
            FileType::Directory => Kind::Dir,
            FileType::Symlink => Kind::Link,
            FileType::RegularFile if self.is_left_out(path, stamp) => Kind::Opaque(Why::TooLarge),
            FileType::RegularFile => Kind::File,
            _ => Kind::Opaque(Why::Special),
        }
    }

    /// What a session once held it keeps holding, and what it once left out stays left out.
    fn is_left_out(&self, path: &RelPath, stamp: &Stamp) -> bool {
        let is_held = || {
            matches!(
                self.last.and_then(|last| last.get(path)),
                Some(Node::File { .. })
            )
        };
        self.left_out.contains(path) || (stamp.size > self.limits.file_bytes_max && !is_held())
    }
}

/// A directory still to be listed.
#[derive(Default)]
struct Todo {
    path: RelPath,
    stamp: Stamp,
    chain: Chain,
    is_ignored: bool,
}

/// A name in a directory, before it is looked at.
struct Name {
    name: Box<[u8]>,
    /// Whether it is a directory, where listing says so.
    is_dir: Option<bool>,
}

/// A walk under way.
struct Walk<'s, 'r> {
    scanner: &'s Scanner<'s>,
    rules: RuleSource<'r>,
    scan: Scan,
    todo: Vec<Todo>,
    /// Ignored directories that hold something covered.
    ignored_dirs: BTreeSet<RelPath>,
}

impl Walk<'_, '_> {
    fn list(&mut self, dir: &Todo) -> Result<()> {
        let is_root = dir.path.is_empty();
        match self.list_readable(dir) {
            Ok(()) => Ok(()),
            // It was there a moment ago; the next walk tells what took its place.
            Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) if !is_root => Ok(()),
            Err(Errno::ACCESS) if !is_root => {
                self.scan.found.retain(|found| found.path != dir.path);
                if !dir.is_ignored {
                    let kind = Kind::Opaque(Why::Unreadable);
                    let (path, stamp) = (Arc::clone(&dir.path), dir.stamp);
                    self.scan.found.push(Found { path, stamp, kind });
                }
                Ok(())
            }
            Err(errno) => {
                let path = self.scanner.root.path().join(to_os(&dir.path));
                Err(Error::io("list", &path, errno.into()))
            }
        }
    }

    fn list_readable(&mut self, dir: &Todo) -> Result<(), Errno> {
        let fd = self.scanner.root.open_dir_to_list(&dir.path)?;
        let names = names_in(&fd)?;
        if let RuleSource::Collect(rules) = &mut self.rules
            && !dir.is_ignored
            && names.iter().any(|name| *name.name == *b".gitignore")
            && let Ok(file) = open_file_at(&fd, b".gitignore")
        {
            let mut text = Vec::new();
            // What cannot be read ignores nothing.
            let _partial = file.take(IGNORE_FILE_BYTES_MAX).read_to_end(&mut text);
            rules.add(&dir.path, text);
        }
        let chain = self.rules.rules().chain(&dir.chain, &dir.path);
        for name in names {
            self.visit(dir, &fd, &chain, &name)?;
        }
        Ok(())
    }

    fn visit(&mut self, dir: &Todo, fd: &OwnedFd, chain: &Chain, name: &Name) -> Result<(), Errno> {
        let path = join(&dir.path, &name.name);
        if self.is_outside(&path, &name.name) {
            return Ok(());
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
        let rules = self.rules.rules();
        let is_ignored = dir.is_ignored || rules.is_ignored_in(chain, &path, is_dir);
        let is_covered = !is_ignored || (!is_dir && self.scanner.is_covered_anyway(rules, &path));
        if !is_covered && !self.is_worth_a_look(&path, is_dir) {
            return Ok(());
        }
        let stamp = match stamp {
            Some(stamp) => Some(stamp),
            None => stamp_at(fd, &name.name)?,
        };
        // Nothing: gone since it was listed.
        if let Some(stamp) = stamp {
            self.add(
                dir,
                chain,
                Looked {
                    path: path.into(),
                    stamp,
                    is_ignored,
                    is_covered,
                },
            );
        }
        Ok(())
    }

    /// Whether an ignored path is entered or watched.
    fn is_worth_a_look(&mut self, path: &[u8], is_dir: bool) -> bool {
        if is_dir {
            return self
                .scanner
                .enters(self.rules.rules(), path, &self.scan.watch);
        }
        let has_room = self.scan.watch.has_room(self.scanner.limits.watched_max);
        self.scan.watch.is_partial |= !has_room;
        has_room
    }

    fn add(&mut self, dir: &Todo, chain: &Chain, looked: Looked) {
        let Looked {
            path,
            stamp,
            is_ignored,
            is_covered,
        } = looked;
        let kind = self.scanner.kind(&path, &stamp);
        if kind == Kind::Dir {
            self.todo.push(Todo {
                path: Arc::clone(&path),
                stamp,
                chain: Arc::clone(chain),
                is_ignored,
            });
        }
        if is_covered {
            if dir.is_ignored {
                self.ignored_dirs
                    .extend(ancestors(&path).map(RelPath::from));
            }
            self.scan.found.push(Found { path, stamp, kind });
        } else if kind != Kind::Dir {
            self.scan
                .watch
                .note(path, &stamp, self.scanner.limits.watched_max);
        }
    }

    /// Whether `path` is no part of the tree: git's own, our own, or left behind by a restore.
    fn is_outside(&mut self, path: &[u8], name: &[u8]) -> bool {
        if name.eq_ignore_ascii_case(b".git") {
            if path.len() > name.len() {
                self.watch_nested(path);
            }
            return true;
        }
        name.starts_with(TEMP_PREFIX) || self.scanner.excluded.iter().any(|dir| dir == path)
    }

    /// Nested repositories: files in them are covered like any others, their git is watched.
    fn watch_nested(&mut self, path: &[u8]) {
        let limit = self.scanner.limits.watched_max;
        let root = self.scanner.root;
        for name in [&b"HEAD"[..], b"packed-refs"] {
            let path = join(path, name);
            if let Ok(Some(stamp)) = root.stamp(&path) {
                self.scan.watch.note(path.into(), &stamp, limit);
            }
        }
        if let Ok(Some(stamp)) = root.stamp(path) {
            // A directory's times move with every lock file in it; its identity is enough.
            let stamp = Stamp {
                size: 0,
                mtime_ns: 0,
                ..stamp
            };
            self.scan.watch.note(path.into(), &stamp, limit);
        }
    }

    fn finish(self) -> Scan {
        let mut scan = self.scan;
        for path in self.ignored_dirs {
            if let Ok(Some(stamp)) = self.scanner.root.stamp(&path) {
                scan.found.push(Found {
                    path,
                    stamp,
                    kind: Kind::Dir,
                });
            }
        }
        scan.found.sort_unstable_by(|a, b| a.path.cmp(&b.path));
        scan.found.dedup_by(|a, b| a.path == b.path);
        scan
    }
}

/// A path that was looked at.
struct Looked {
    path: RelPath,
    stamp: Stamp,
    is_ignored: bool,
    is_covered: bool,
}

fn names_in(dir: &OwnedFd) -> Result<Vec<Name>, Errno> {
    let mut names = Vec::new();
    for entry in Dir::read_from(dir)? {
        let entry = entry?;
        let name = entry.file_name().to_bytes();
        if name != b"." && name != b".." {
            let is_dir = match entry.file_type() {
                FileType::Unknown => None,
                known => Some(known.is_dir()),
            };
            names.push(Name {
                name: name.into(),
                is_dir,
            });
        }
    }
    Ok(names)
}
