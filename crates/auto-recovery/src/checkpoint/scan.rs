//! One walk over the tree: what is covered with its stamp, and what is only watched.
//!
//! It looks and never opens a file's content, save the ignore files of a session's first walk.

use std::collections::BTreeSet;
use std::io::Read as _;
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

/// A directory still to be listed.
struct Todo {
    path: RelPath,
    stamp: Stamp,
    chain: Chain,
    is_ignored: bool,
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
    pub(super) fn scan(&self, mut rules: RuleSource<'_>) -> Result<Scan> {
        let mut scan = Scan::default();
        let mut ignored_dirs = BTreeSet::new();
        let mut todo = vec![Todo {
            path: Arc::from(&b""[..]),
            stamp: Stamp::default(),
            chain: Chain::default(),
            is_ignored: false,
        }];
        while let Some(dir) = todo.pop() {
            self.list(dir, &mut rules, &mut scan, &mut todo, &mut ignored_dirs)?;
        }
        scan.found
            .extend(ignored_dirs.into_iter().filter_map(|path: RelPath| {
                let stamp = self.root.stamp(&path).ok()??;
                Some(Found {
                    path,
                    stamp,
                    kind: Kind::Dir,
                })
            }));
        scan.found.sort_unstable_by(|a, b| a.path.cmp(&b.path));
        scan.found.dedup_by(|a, b| a.path == b.path);
        Ok(scan)
    }

    fn list(
        &self,
        dir: Todo,
        rules: &mut RuleSource<'_>,
        scan: &mut Scan,
        todo: &mut Vec<Todo>,
        ignored_dirs: &mut BTreeSet<RelPath>,
    ) -> Result<()> {
        let fd = match self.root.open_dir_to_list(&dir.path) {
            Ok(fd) => fd,
            // It was there a moment ago; the next walk tells what took its place.
            Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) if !dir.path.is_empty() => {
                return Ok(());
            }
            Err(Errno::ACCESS) if !dir.path.is_empty() => {
                let kind = Kind::Opaque(Why::Unreadable);
                scan.found.retain(|found| found.path != dir.path);
                scan.found.push(Found {
                    path: dir.path,
                    stamp: dir.stamp,
                    kind,
                });
                return Ok(());
            }
            Err(errno) => return Err(self.error("list", &dir.path, errno)),
        };
        let fail = |errno| self.error("list", &dir.path, errno);
        let mut names = Vec::new();
        for entry in Dir::read_from(&fd).map_err(fail)? {
            let entry = entry.map_err(fail)?;
            let name = entry.file_name().to_bytes();
            if name != b"." && name != b".." {
                names.push((Box::<[u8]>::from(name), entry.file_type()));
            }
        }
        if let RuleSource::Collect(rules) = rules
            && !dir.is_ignored
            && names.iter().any(|(name, _)| **name == *b".gitignore")
            && let Ok(file) = open_file_at(&fd, b".gitignore")
        {
            let mut text = Vec::new();
            // What cannot be read ignores nothing.
            let _partial = file.take(IGNORE_FILE_BYTES_MAX).read_to_end(&mut text);
            rules.add(&dir.path, text);
        }
        let rules = rules.rules();
        let chain = rules.chain(&dir.chain, &dir.path);
        for (name, file_type) in names {
            let path = join(&dir.path, &name);
            if self.is_outside(&path, &name, scan) {
                continue;
            }
            let is_dir = match file_type {
                FileType::Unknown => None,
                known => Some(known == FileType::Directory),
            };
            // Whether it is a directory must be known before rules are asked; most file systems
            // say so while listing.
            let mut stamp = None;
            let is_dir = match is_dir {
                Some(is_dir) => is_dir,
                None => {
                    stamp = stamp_at(&fd, &name).map_err(fail)?;
                    stamp.is_some_and(|stamp| FileType::from_raw_mode(stamp.mode).is_dir())
                }
            };
            let is_ignored = dir.is_ignored || rules.is_ignored_in(&chain, &path, is_dir);
            let is_covered = !is_ignored || (!is_dir && self.is_covered_anyway(rules, &path));
            if is_ignored && is_dir && !self.enters(rules, &path, &name, &scan.watch) {
                continue;
            }
            if is_ignored && !is_covered && !is_dir && !scan.watch.has_room(self.limits.watched_max)
            {
                scan.watch.is_partial = true;
                continue;
            }
            let stamp = match stamp {
                Some(stamp) => Some(stamp),
                None => stamp_at(&fd, &name).map_err(fail)?,
            };
            // Gone since it was listed.
            let Some(stamp) = stamp else { continue };
            let path: RelPath = path.into();
            let kind = self.kind(&path, &stamp);
            if kind == Kind::Dir {
                let (path, chain) = (Arc::clone(&path), Arc::clone(&chain));
                todo.push(Todo {
                    path,
                    stamp,
                    chain,
                    is_ignored,
                });
            }
            if is_covered {
                if is_ignored {
                    ignored_dirs.extend(self.ignored_ancestors(&path, &dir));
                }
                scan.found.push(Found { path, stamp, kind });
            } else if kind != Kind::Dir {
                scan.watch.note(path, &stamp, self.limits.watched_max);
            }
        }
        Ok(())
    }

    /// Whether `path` is no part of the tree: git's own, our own, or left behind by a restore.
    fn is_outside(&self, path: &[u8], name: &[u8], scan: &mut Scan) -> bool {
        if name.eq_ignore_ascii_case(b".git") {
            if path.len() > name.len() {
                self.watch_nested(path, scan);
            }
            return true;
        }
        name.starts_with(TEMP_PREFIX) || self.excluded.iter().any(|excluded| excluded == path)
    }

    /// Nested repositories: files in them are covered like any others, their git is watched.
    fn watch_nested(&self, path: &[u8], scan: &mut Scan) {
        if let Ok(Some(stamp)) = self.root.stamp(path) {
            for name in [&b"HEAD"[..], b"packed-refs"] {
                let path = join(path, name);
                if let Ok(Some(stamp)) = self.root.stamp(&path) {
                    scan.watch
                        .note(path.into(), &stamp, self.limits.watched_max);
                }
            }
            // A directory's times move with every lock file in it; its identity is enough.
            let stamp = Stamp {
                size: 0,
                mtime_ns: 0,
                ..stamp
            };
            scan.watch
                .note(path.into(), &stamp, self.limits.watched_max);
        }
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
    fn enters(&self, rules: &Rules, path: &[u8], name: &[u8], watch: &Watch) -> bool {
        self.tracked.has_below(path)
            || self.kept.iter().any(|manifest| manifest.has_below(path))
            || ((rules.protects() || watch.has_room(self.limits.watched_max))
                && !is_build_dir(name))
    }

    /// The directories above a covered path that are themselves ignored.
    fn ignored_ancestors<'p>(&self, path: &'p [u8], dir: &Todo) -> Vec<RelPath> {
        if !dir.is_ignored {
            return Vec::new();
        }
        let (parent, _) = split(path);
        ancestors(path).chain([parent]).map(RelPath::from).collect()
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
        if self.left_out.contains(path) {
            return true;
        }
        stamp.size > self.limits.file_bytes_max
            && !matches!(
                self.last.and_then(|last| last.get(path)),
                Some(Node::File { .. })
            )
    }

    fn error(&self, what: &str, path: &[u8], errno: Errno) -> Error {
        Error::io(what, &self.root.path().join(to_os(path)), errno.into())
    }
}
