//! Taking snapshots: the checkpoints of one session.
//!
//! A snapshot is repeated until a walk finds nothing that was not read, so it is the tree at one
//! moment; what keeps changing meanwhile is named as a warning. Within a session the ignore rules,
//! and which files are too large, stay as the first snapshot found them.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::checkpoint::commit::{self, Checkpoint};
use crate::checkpoint::first_rules::{first_rules, other_rules};
use crate::checkpoint::options::MIB;
use crate::checkpoint::past::Past;
use crate::checkpoint::reading::Reading;
use crate::checkpoint::repository::head;
use crate::checkpoint::repository::import::Importer;
use crate::checkpoint::repository::user_git::other_work_trees;
use crate::checkpoint::restore::reserve;
use crate::checkpoint::restore::temp;
use crate::checkpoint::side_list;
use crate::checkpoint::store::CheckpointStore;
use crate::checkpoint::tree::cache::{Cache, Known, manifest_of};
use crate::checkpoint::tree::ignore_files::IgnoreBudget;
use crate::checkpoint::tree::manifest::{Manifest, Node, ObjectId, Why};
use crate::checkpoint::tree::opened::Opened;
use crate::checkpoint::tree::path::{RelPath, display_path, some_names, to_os};
use crate::checkpoint::tree::rules::Rules;
use crate::checkpoint::tree::scan::{Found, Kind, Scan, Scanner};
use crate::checkpoint::tree::stamp::Stamp;
use crate::checkpoint::tree::tracked::{Tracked, TrackedCache};
use crate::checkpoint::tree::watch::Watch;
use crate::error::{Error, ErrorKind, Result};
use crate::files::open_own;
use crate::wording::counted;
use crate::workspace::layout::{REFS, session_name};
use crate::workspace::{git_dir_of, own_git_dir_of};

/// How often a walk is repeated while files change under it.
const ROUNDS_MAX: usize = 4;

/// How many restless paths a warning names.
const NAMED_MAX: usize = 5;

/// The checkpoints of one session.
pub struct CheckpointSession {
    pub(super) store: Arc<CheckpointStore>,
    id: String,
    name: String,
    next: u64,
    pub(super) rules: Option<Arc<Rules>>,
    /// The rules of now, where `rules` are those of another time.
    pub(super) rules_now: Option<Arc<Rules>>,
    tracked: TrackedCache,
    /// The repositories inside the tree, and what their indexes list.
    pub(super) nested: BTreeMap<RelPath, TrackedCache>,
    global_rules: Option<Vec<u8>>,
    left_out: BTreeSet<RelPath>,
    pub(super) cache: Option<Cache>,
    pub(super) last: Option<Checkpoint>,
}

/// What a walk, and the reading it asked for, say.
struct Seen {
    known: Vec<Known>,
    watch: Watch,
    restless: Vec<RelPath>,
    /// Whether anything was read or re-stamped, so that the cache is out of date.
    is_news: bool,
}

impl CheckpointStore {
    /// Begins (or takes up again) the checkpoints of a session. The caller holds the workspace
    /// lock.
    pub fn begin_session(self: &Arc<Self>, session_id: &str) -> Result<CheckpointSession> {
        CheckpointSession::begin(Arc::clone(self), session_id)
    }
}

impl CheckpointSession {
    pub(super) fn begin(store: Arc<CheckpointStore>, session_id: &str) -> Result<Self> {
        let name = session_name(session_id)?;
        let refs = store.git.dir().join(REFS).join(&name);
        remove_stale_locks(&refs);
        let taken = fs::read_dir(&refs).into_iter().flatten().flatten();
        let newest = taken
            .filter_map(|entry| entry.file_name().to_str()?.parse::<u64>().ok())
            .max();
        let cache = Cache::read(&store.cache_path());
        Ok(Self {
            store,
            id: session_id.to_owned(),
            name,
            next: newest.unwrap_or(0) + 1,
            rules: None,
            rules_now: None,
            tracked: TrackedCache::default(),
            nested: BTreeMap::new(),
            global_rules: None,
            left_out: BTreeSet::new(),
            cache,
            last: None,
        })
    }

    /// Takes a snapshot of the tree as it is now. When nothing changed since this session's last
    /// one, that one's id is returned again.
    ///
    /// # Errors
    /// [`ErrorKind::NoSpace`] when the limits of one snapshot or the disk do not allow it.
    pub fn snapshot(&mut self, label: &str) -> Result<Checkpoint> {
        self.snapshot_covering(label, &[])
    }

    /// Like [`CheckpointSession::snapshot`], and covers the paths of `also` even where they are
    /// ignored now: what is about to be replaced by them is saved first.
    pub fn snapshot_covering(&mut self, label: &str, also: &[&Checkpoint]) -> Result<Checkpoint> {
        match self.take(label, also) {
            // The cache may speak of objects that are gone: once more from the files themselves.
            Err(error)
                if matches!(error.kind(), ErrorKind::Tool | ErrorKind::Damaged)
                    && self.cache.take().is_some() =>
            {
                self.take(label, also)
            }
            result => result,
        }
    }

    fn take(&mut self, label: &str, also: &[&Checkpoint]) -> Result<Checkpoint> {
        let mut importer = None;
        let seen = match self.settle(&mut importer, also) {
            Ok(seen) => seen,
            Err(error) => return Err(self.explain(error, importer)),
        };
        let warnings = self.warnings(&seen.restless);
        let known = seen.known;
        let manifest = Arc::new(manifest_of(&known));
        let past = Arc::new(Past::of(&seen.watch, &known));
        let watch = Some(Arc::new(seen.watch));
        if let Some(last) = self.last.as_ref().filter(|last| last.manifest == manifest) {
            // What was read again because its stamp was doubtful turned out to be the same.
            importer.map_or(Ok(()), Importer::finish)?;
            let checkpoint = Checkpoint {
                watch,
                past,
                warnings,
                ..last.clone()
            };
            self.remember(known, seen.is_news);
            self.last = Some(checkpoint.clone());
            return Ok(checkpoint);
        }
        let importer = match importer {
            Some(importer) => importer,
            None => Importer::start(&self.store.git)?,
        };
        let rules = Arc::clone(self.rules.as_ref().expect("the first walk collects them"));
        let beside = (&*rules, &*past);
        let (id, tree, fingerprint, taken_at) = self.commit(importer, label, &manifest, beside)?;
        self.cache.get_or_insert_default().tree = tree;
        self.remember(known, true);
        let checkpoint = Checkpoint {
            id,
            fingerprint,
            session: self.id.clone(),
            label: label.to_owned(),
            taken_at,
            manifest,
            rules,
            watch,
            past,
            warnings,
        };
        self.last = Some(checkpoint.clone());
        Ok(checkpoint)
    }

    /// The tracked paths of the user's index as it is now.
    pub(super) fn tracked_now(&mut self) -> Arc<Tracked> {
        let store = &*self.store;
        let mut tracked = match store.workspace.git_dir() {
            Some(git_dir) => self.tracked.current(&store.git, git_dir, store.root.path()),
            None => Arc::new(Tracked::default()),
        };
        for (dir, cache) in &mut self.nested {
            let root = store.root.path().join(to_os(dir));
            if let Some(git_dir) = own_git_dir_of(&root, store.workspace.owners()) {
                let nested = cache.current(&store.git, &git_dir, &root);
                Arc::make_mut(&mut tracked).with_nested(dir, &nested);
            }
        }
        tracked
    }

    /// How many files that git tracks now, and that are in `now`, are not in `target`: going there
    /// would make them vanish.
    pub fn tracked_lost(&mut self, now: &Checkpoint, target: &Checkpoint) -> usize {
        let tracked = self.tracked_now();
        let there = now.manifest.entries.iter();
        let there = there.filter(|entry| tracked.contains(&entry.path));
        target.lacks(there.map(|entry| &*entry.path))
    }

    /// Commits a tree that stands nowhere, whose new contents `importer` has.
    pub(super) fn commit_as(
        &mut self,
        importer: Importer,
        label: &str,
        manifest: Manifest,
        like: &Checkpoint,
    ) -> Result<Checkpoint> {
        let beside = (&*like.rules, &*like.past);
        let (id, _, fingerprint, taken_at) = self.commit(importer, label, &manifest, beside)?;
        Ok(Checkpoint {
            id,
            fingerprint,
            session: self.id.clone(),
            label: label.to_owned(),
            taken_at,
            manifest: Arc::new(manifest),
            rules: Arc::clone(&like.rules),
            watch: None,
            past: Arc::clone(&like.past),
            warnings: Vec::new(),
        })
    }

    /// Walks and reads until a walk finds nothing left to read.
    fn settle(&mut self, importer: &mut Option<Importer>, also: &[&Checkpoint]) -> Result<Seen> {
        let mut base = self
            .cache
            .as_ref()
            .map(|cache| cache.known.clone())
            .unwrap_or_default();
        let mut is_news = false;
        for round in 1.. {
            let now_ns = self.tick();
            let nested = self.nested.len();
            let mut scan = self.scan(also)?;
            scan.watch.seen_ns = (now_ns > i64::MIN).then_some(now_ns);
            let mut reading = Reading::new(&scan.found, base, now_ns, round == 1);
            // What the index of a repository lists is covered from the next walk on.
            let is_first_seen = self.nested.len() > nested;
            let reads = reading.reads();
            if !reads.is_empty() {
                self.check_limits(&reads)?;
                reading.read(&self.store, importer, reads)?;
            }
            is_news |= reading.is_news;
            if (reading.restless.is_empty() && !is_first_seen) || round == ROUNDS_MAX {
                return Ok(Seen {
                    known: reading.known,
                    watch: scan.watch,
                    restless: reading.restless,
                    is_news,
                });
            }
            base = reading.known;
        }
        unreachable!("the last round returns")
    }

    /// One walk under the session's rules; the first one makes them.
    pub(super) fn scan(&mut self, also: &[&Checkpoint]) -> Result<Scan> {
        let tracked = self.tracked_now();
        let store = &*self.store;
        let last = self.last.as_ref().map(|last| &*last.manifest);
        let kept: Vec<&Manifest> = also
            .iter()
            .map(|also| &*also.manifest)
            .chain(last)
            .collect();
        let secrets = kept.iter().flat_map(|manifest| manifest.secrets());
        let secrets: HashSet<_> = secrets.map(|(identity, _)| identity).collect();
        let frozen = self.rules.clone();
        let ignore_budget = IgnoreBudget::default();
        let first = match &frozen {
            Some(_) => None,
            None => Some(first_rules(store, &mut self.global_rules, &ignore_budget)?),
        };
        let git_dir = store.workspace.git_dir();
        let work_trees = git_dir.map(|git_dir| other_work_trees(git_dir, store.root.path()));
        let work_trees = work_trees.unwrap_or_default();
        let rules = first.as_ref().or(frozen.as_deref());
        let rules = rules.expect("without frozen ones they were just made");
        let mounts = rules.foreign_mounts(store.root.path());
        let opened = Opened::none(&store.root, &store.dir);
        let temps = temp::names(&store.dir);
        let other_rules = other_rules(rules, also);
        let scanner = Scanner {
            root: &store.root,
            opened: &opened,
            limits: &store.options.limits,
            excluded: &store.excluded,
            written: &store.options.written,
            work_trees: &work_trees,
            owners: store.workspace.owners(),
            mounts: &mounts,
            global_rules: self.global_rules.as_deref(),
            rules,
            other_rules: &other_rules,
            temps: &temps,
            collects: first.is_some(),
            tracked: &tracked,
            kept: &kept,
            last,
            secrets: &secrets,
            left_out: &self.left_out,
            ignore_budget: &ignore_budget,
        };
        let mut scan = scanner.scan()?;
        scan.opened = Some(opened);
        if let Some(mut rules) = first {
            scan.ignore_files.drain(..).for_each(|file| rules.add(file));
            self.rules = Some(Arc::new(rules));
        }
        if let Some(git_dir) = git_dir {
            scan.watch.note_git(git_dir, ".git", Some(tracked.digest));
            scan.watch.head = head::now(&store.git, git_dir, store.root.path());
        }
        let large = scan
            .found
            .iter()
            .filter(|found| found.kind == Kind::Opaque(Why::TooLarge));
        self.left_out
            .extend(large.map(|found| Arc::clone(&found.path)));
        self.note_nested(&mut scan);
        self.note_git_dirs(&mut scan);
        Ok(scan)
    }

    /// Watches the repositories inside the tree.
    fn note_nested(&mut self, scan: &mut Scan) {
        let (root, own) = (self.store.root.path(), self.store.workspace.git_dir());
        for dir in &scan.nested {
            self.nested.entry(Arc::clone(dir)).or_default();
            let nested = git_dir_of(&root.join(to_os(dir)));
            // That of a submodule lies in its superproject's, which was looked at.
            let apart = nested.filter(|nested| !own.is_some_and(|own| nested.starts_with(own)));
            if let Some(nested) = apart {
                let shown = format!("{}/.git", display_path(dir));
                scan.watch.note_git(&nested, &shown, None);
            }
        }
    }

    /// Watches the git directories inside the tree that are called otherwise. The user's own was
    /// looked at.
    fn note_git_dirs(&self, scan: &mut Scan) {
        let root = self.store.root.path();
        let own = self.store.workspace.git_dir().map(fs::canonicalize);
        for dir in &scan.git_dirs {
            let git_dir = root.join(to_os(dir));
            let is_own = matches!(&own, Some(Ok(own)) if fs::canonicalize(&git_dir).ok().as_ref() == Some(own));
            if !is_own {
                scan.watch.note_git(&git_dir, &display_path(dir), None);
            }
        }
    }

    /// Refuses before anything is stored what would fill the disk.
    fn check_limits(&self, reads: &[Found]) -> Result<()> {
        let limits = &self.store.options.limits;
        let bytes: u64 = reads.iter().map(|found| found.stamp.size).sum();
        let files = reads.len() as u64;
        let root = self.store.root.path().display();
        let refuse = |what: String| {
            let largest = reads.iter().max_by_key(|found| found.stamp.size);
            let largest = largest
                .map(|found| display_path(&found.path))
                .unwrap_or_default();
            Err(Error::new(
                ErrorKind::NoSpace,
                format!(
                    "no checkpoint of {root}: {what}; ignore what need not be kept (the largest \
                     file is {largest}), or run without checkpoints"
                ),
            ))
        };
        if bytes > limits.new_bytes_max {
            let (have, most) = (bytes / MIB, limits.new_bytes_max / MIB);
            return refuse(format!(
                "{have} MiB are new, and one checkpoint stores at most {most} MiB"
            ));
        }
        if files > limits.new_files_max {
            let most = limits.new_files_max;
            let are = if files == 1 { "is" } else { "are" };
            let files = counted(files, "file");
            return refuse(format!(
                "{files} {are} new, and one checkpoint stores at most {most}"
            ));
        }
        let need = bytes
            .saturating_mul(2)
            .saturating_add(limits.disk_reserve_bytes);
        let free = free_bytes(&self.store)?;
        if free < need {
            let (free, need, dir) = (free / MIB, need / MIB, self.store.state_dir.display());
            let what = format!("{dir} has {free} MiB free, and {need} MiB are needed");
            // What the reserve alone asks for is not to be had from the tree.
            return match bytes >= limits.disk_reserve_bytes {
                true => refuse(what),
                false => Err(Error::new(
                    ErrorKind::NoSpace,
                    format!(
                        "no checkpoint of {root}: {what}; make room there, name another place \
                         with RECOVER_STATE_DIR, or run without checkpoints"
                    ),
                )),
            };
        }
        Ok(())
    }

    /// Writes the commit of `manifest`, by its difference from the tree of the cache.
    fn commit(
        &mut self,
        mut importer: Importer,
        label: &str,
        manifest: &Manifest,
        (rules, past): (&Rules, &Past),
    ) -> Result<(ObjectId, Option<ObjectId>, u128, SystemTime)> {
        let base = self.cache.as_ref().filter(|cache| cache.tree.is_some());
        let base_tree = base.and_then(|cache| cache.tree);
        let base = base
            .map(|cache| manifest_of(&cache.known))
            .unwrap_or_default();
        let now = self.store.host.now();
        let seconds = now
            .duration_since(UNIX_EPOCH)
            .map_or(0, |since| since.as_secs());
        let reference = format!("{REFS}/{}/{}", self.name, self.next);
        let message = commit::message(label, &self.id);
        let sent = importer
            .begin_commit(&reference, seconds, &message, base_tree)
            .and_then(|()| send_differences(&mut importer, &base, manifest))
            .and_then(|()| importer.beside("side", &side_list::encode(manifest)))
            .and_then(|()| importer.beside("rules", &rules.encode()))
            .and_then(|()| importer.beside("past", &past.encode()));
        if let Err(error) = sent {
            return Err(importer.broken(error));
        }
        let ids = (|| {
            let tree = importer.tree("tree")?;
            let side = importer.tree("side")?;
            Ok((importer.end_commit()?, tree, side))
        })();
        let (id, tree, side) = match ids {
            Ok(ids) => ids,
            Err(error) => return Err(self.explain(error, Some(importer))),
        };
        importer.finish()?;
        reserve::keep(&self.store.state_dir);
        self.next += 1;
        let taken_at = UNIX_EPOCH + std::time::Duration::from_secs(seconds);
        Ok((id, tree, commit::fingerprint(tree, side), taken_at))
    }

    /// Keeps what was seen for the next snapshot, on disk when it is news.
    fn remember(&mut self, known: Vec<Known>, is_news: bool) {
        let cache = self.cache.get_or_insert_default();
        cache.known = known;
        if is_news {
            // A cache that cannot be written costs time at the next snapshot, and nothing else.
            let _slower = cache.write(&self.store.cache_path());
        }
    }

    /// The time on the clock that stamps files, by a file of our own that is stamped now. Without
    /// one every stamp counts as doubtful, and all is read.
    pub(super) fn tick(&self) -> i64 {
        let path = self.store.dir.join("clock");
        let mut options = fs::OpenOptions::new();
        options.write(true).create(true).truncate(false);
        let touched = open_own(&path, &mut options);
        let stamped = touched.ok().and_then(|file| {
            let now = rustix::fs::Timespec {
                tv_sec: 0,
                tv_nsec: rustix::fs::UTIME_NOW,
            };
            let times = rustix::fs::Timestamps {
                last_access: now,
                last_modification: now,
            };
            rustix::fs::futimens(&file, &times).ok()?;
            rustix::fs::fstat(&file).ok()
        });
        stamped.map_or(i64::MIN, |stat| Stamp::of(&stat).mtime_ns)
    }

    fn warnings(&self, restless: &[RelPath]) -> Vec<String> {
        let mut warnings: Vec<String> = self.tracked.warning.iter().cloned().collect();
        if !restless.is_empty() {
            let restless: Vec<_> = restless.iter().map(|path| display_path(path)).collect();
            let named = some_names(&restless, NAMED_MAX);
            warnings.push(format!(
                "kept changing while the snapshot was taken: {named}"
            ));
        }
        warnings
    }

    /// What git said, when an import ended early, rather than that a pipe broke.
    fn explain(&self, error: Error, importer: Option<Importer>) -> Error {
        let is_pipe = error.chain().contains("git fast-import");
        match importer {
            Some(importer) if is_pipe => match importer.finish() {
                Err(reason) => reason,
                Ok(()) => error,
            },
            _ => error,
        }
    }
}

/// Removes the lock files that a git which was killed left on this session's refs. Whoever begins a
/// session holds the workspace lock, so no other git is at work there.
fn remove_stale_locks(refs: &Path) {
    for entry in fs::read_dir(refs).into_iter().flatten().flatten() {
        if entry
            .path()
            .extension()
            .is_some_and(|extension| extension == "lock")
        {
            let _stays = fs::remove_file(entry.path());
        }
    }
}

fn free_bytes(store: &CheckpointStore) -> Result<u64> {
    let dir = &store.dir;
    let stat =
        rustix::fs::statvfs(dir).map_err(|e| Error::io("measure the disk of", dir, e.into()))?;
    Ok(stat.f_bavail.saturating_mul(stat.f_frsize))
}

/// Sends what turns the tree of `base` into that of `manifest`: removals first, so that a file may
/// stand where a directory stood.
fn send_differences(
    importer: &mut Importer,
    base: &Manifest,
    manifest: &Manifest,
) -> std::io::Result<()> {
    let differences = base.differences(manifest);
    let in_tree =
        |path: &[u8], node: Option<&Node>| node.is_some_and(|n| side_list::is_in_tree(path, n));
    for difference in &differences {
        let (before, after) = (difference.before, difference.after);
        if in_tree(difference.path, before) && !in_tree(difference.path, after) {
            importer.delete(difference.path)?;
        }
    }
    for difference in &differences {
        match difference.after {
            Some(Node::File { id, mode, .. }) => {
                importer.file(difference.path, side_list::is_executable(*mode), *id)?;
            }
            Some(node @ Node::Link { target, .. })
                if side_list::is_in_tree(difference.path, node) =>
            {
                importer.link(difference.path, target)?;
            }
            _ => {}
        }
    }
    Ok(())
}
