//! The way back: putting a tree from one snapshot to another.
//!
//! Only paths at which the two differ are touched, and each only while it still is what the
//! snapshot of the present says: an edit that came after it is foreign, is kept, and is named. What
//! is written comes before what is removed, each path changes in one step, so a restore that was
//! killed is run again to the exact end. What no snapshot holds (see [`Uncovered`]) is never
//! touched.

use std::collections::{BTreeMap, BTreeSet};
use std::io;

use rustix::io::Errno;

use crate::checkpoint::blobs::{Blobs, CopyError};
use crate::checkpoint::commit::Checkpoint;
use crate::checkpoint::hands::{Hands, OPENED};
use crate::checkpoint::live::{self, is_between, stands};
use crate::checkpoint::manifest::{Node, ObjectId};
use crate::checkpoint::moved::Moved;
use crate::checkpoint::path::{RelPath, display_path, is_within, split};
use crate::checkpoint::plan::{Beside, Expect, Item, Plan};
use crate::checkpoint::reserve;
use crate::checkpoint::scan::TEMP_PREFIX;
use crate::checkpoint::store::CheckpointStore;
use crate::checkpoint::watch::Uncovered;
use crate::error::{Error, ErrorKind, Result};

/// How often a restore goes over paths that changed under it.
const ROUNDS_MAX: usize = 3;

/// What is added to the name of a directory that is moved aside.
const ASIDE: &[u8] = b".kept-by-recover-";

/// Directories of one name that may have been moved aside: far more than anybody leaves.
const ASIDE_MAX: u32 = 1000;

/// What a restore did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RestoreReport {
    /// Paths that were put back, as records name them, sorted.
    pub restored: Vec<String>,
    /// Paths that somebody else changed meanwhile: kept as they are, sorted.
    pub foreign: Vec<String>,
    /// Paths that differ and that no checkpoint holds: left as they are, sorted.
    pub not_covered: Vec<Uncovered>,
    /// Directories that stay because they hold what is not covered, sorted.
    pub holding: Vec<String>,
    /// Directories that hold what is not covered and stood where something covered belongs, each
    /// with the name that it has now.
    pub moved_aside: Vec<(String, String)>,
    /// Paths that are not covered, had another name, and have theirs back: that other name first.
    pub renamed_back: Vec<(String, String)>,
    /// Paths that could not be put back, sorted, each with the reason.
    pub refused: Vec<Refused>,
    /// Paths that a run beside may have changed, sorted: kept as they are, each with that run.
    pub beside: Vec<Beside>,
}

/// A path that the system would not let us change.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Refused {
    /// The path as records name it.
    pub display: String,
    /// Why, in the system's words.
    pub reason: String,
}

impl RestoreReport {
    /// Whether the tree is now what was asked for, in everything that checkpoints cover.
    pub fn is_exact(&self) -> bool {
        self.foreign.is_empty()
            && self.not_covered.is_empty()
            && self.refused.is_empty()
            && self.holding.is_empty()
            && self.moved_aside.is_empty()
            && self.beside.is_empty()
    }

    /// Whether `path`, as records name it, is or lies in a directory that got another name.
    pub(super) fn is_moved_aside(&self, path: &str) -> bool {
        let mut asides = self.moved_aside.iter();
        asides.any(|(_, aside)| is_within(path.as_bytes(), aside.as_bytes()))
    }
}

/// Carries out `plan` towards `to`.
pub(super) fn run(
    store: &CheckpointStore,
    to: &Checkpoint,
    mut plan: Plan,
) -> Result<RestoreReport> {
    plan.leave_mounts(&to.rules.foreign_mounts(store.root.path()));
    let mut report = RestoreReport {
        not_covered: plan.not_covered,
        ..RestoreReport::default()
    };
    let mut restorer = Restorer::new(store, to)?;
    restorer.moved = plan.moved;
    let mut items = plan.items;
    let all = items.clone();
    for _ in 0..ROUNDS_MAX {
        if items.is_empty() {
            break;
        }
        restorer.apply(&items)?;
        items = restorer.unfinished(&items)?;
    }
    let restless = items.into_iter().map(|item| item.path);
    let restless = restless.filter(|path| !restorer.refused.contains_key(path));
    restorer.foreign.extend(restless);
    report.not_covered.append(&mut restorer.not_covered);
    report.refused = restorer.refusals();
    let moved = std::mem::take(&mut restorer.moved);
    report.renamed_back = std::mem::take(&mut restorer.renamed_back);
    restorer.blobs.finish()?;
    report.foreign = restorer
        .foreign
        .iter()
        .map(|path| display_path(path))
        .collect();
    let holding = restorer.holding.iter();
    report.holding = holding.map(|path| display_path(path)).collect();
    report.moved_aside.clone_from(&restorer.moved_aside);
    let is_left = |path: &RelPath| {
        restorer.foreign.contains(path)
            || restorer.holding.contains(path)
            || moved.iter().any(|moved| is_within(path, &moved.now))
            || restorer.refused.contains_key(path)
            || report
                .not_covered
                .iter()
                .any(|left| left.display == display_path(path))
    };
    // Of a blind plan most paths turn out to be as they shall be.
    let is_done = |item: &&Item| {
        !is_left(&item.path)
            && (matches!(item.from, Expect::Node(_)) || restorer.acted.contains(&item.path))
    };
    report.restored = all
        .iter()
        .filter(is_done)
        .map(|item| display_path(&item.path))
        .collect();
    report.not_covered.sort_by(|a, b| a.display.cmp(&b.display));
    Ok(report)
}

struct Restorer<'a> {
    store: &'a CheckpointStore,
    to: &'a Checkpoint,
    hands: Hands<'a>,
    blobs: Blobs,
    /// The name of temporary files: the same when a killed restore is run again.
    temp: Vec<u8>,
    foreign: BTreeSet<RelPath>,
    /// Directories that stay, because of what is in them.
    holding: BTreeSet<RelPath>,
    moved_aside: Vec<(String, String)>,
    /// What is not covered and has another name; what cannot get its own back stays there.
    moved: Vec<Moved>,
    renamed_back: Vec<(String, String)>,
    acted: BTreeSet<RelPath>,
    not_covered: Vec<Uncovered>,
    /// What the system refused, by path, in its words.
    refused: BTreeMap<RelPath, String>,
}

impl<'a> Restorer<'a> {
    fn new(store: &'a CheckpointStore, to: &'a Checkpoint) -> Result<Self> {
        let id = to.id();
        Ok(Self {
            store,
            to,
            hands: Hands::new(&store.root),
            blobs: Blobs::start(&store.git)?,
            temp: [TEMP_PREFIX, &id.as_bytes()[..12], b".tmp"].concat(),
            foreign: BTreeSet::new(),
            holding: BTreeSet::new(),
            moved_aside: Vec::new(),
            moved: Vec::new(),
            renamed_back: Vec::new(),
            acted: BTreeSet::new(),
            not_covered: Vec::new(),
            refused: BTreeMap::new(),
        })
    }

    /// Puts back `items` (sorted by path), then sets directories to their modes.
    fn apply(&mut self, items: &[Item]) -> Result<()> {
        let acted = self.act(items);
        // Also after an error: no directory stays open that was not.
        let closed = self.set_dir_modes(items);
        acted.and(closed)
    }

    fn act(&mut self, items: &[Item]) -> Result<()> {
        let mut last_dir = None;
        for item in items {
            let (dir, _) = split(&item.path);
            if last_dir != Some(dir) {
                self.hands.remove_temp(&item.path, &self.temp);
                last_dir = Some(dir);
            }
        }
        let is_dir = |item: &&Item| matches!(item.to, Some(Node::Dir { .. }));
        for item in items.iter().filter(is_dir) {
            self.with_room(item, items, |this| this.make_dir(item))?;
        }
        let is_content =
            |item: &&Item| matches!(item.to, Some(Node::File { .. } | Node::Link { .. }));
        for item in items.iter().filter(is_content) {
            self.with_room(item, items, |this| this.put(item, items))?;
        }
        self.give_names_back();
        self.remove_all(items.iter().filter(|item| item.to.is_none()))
    }

    /// Gives what is not covered the name back that it had. What cannot have it keeps the new one.
    fn give_names_back(&mut self) {
        let Self {
            hands,
            renamed_back,
            moved,
            ..
        } = self;
        moved.retain(|moved| {
            let renamed = hands.rename_to_new(&moved.now, &moved.was);
            if renamed.is_ok() {
                renamed_back.push((display_path(&moved.now), display_path(&moved.was)));
            }
            renamed.is_err()
        });
        let stays = self.moved.iter().map(|moved| moved.now.clone());
        self.holding.extend(stays);
    }

    /// Acts; on a full disk makes room first: our reserve, and what is to go anyway.
    fn with_room(
        &mut self,
        item: &Item,
        items: &[Item],
        mut act: impl FnMut(&mut Self) -> Result<()>,
    ) -> Result<()> {
        let acted = match act(self) {
            Err(error) if error.kind() == ErrorKind::NoSpace => {
                reserve::release(&self.store.state_dir);
                self.remove_all(items.iter().filter(|item| item.to.is_none()))?;
                act(self)
            }
            result => result,
        };
        self.unless_refused(item, acted)
    }

    /// Goes on after an error that is about `item` alone. A full disk and a repository that does
    /// not answer stop everything: the next run finishes.
    fn unless_refused(&mut self, item: &Item, result: Result<()>) -> Result<()> {
        match result {
            Err(error) if !matches!(error.kind(), ErrorKind::NoSpace | ErrorKind::Tool) => {
                let reason = error.innermost();
                self.refused.insert(item.path.clone(), reason);
                Ok(())
            }
            result => result,
        }
    }

    fn refusals(&self) -> Vec<Refused> {
        let refused = |(path, reason): (&RelPath, &String)| Refused {
            display: display_path(path),
            reason: reason.clone(),
        };
        self.refused.iter().map(refused).collect()
    }

    /// Whether `item` may be touched: it is what was expected, or on the way we ourselves left it.
    /// `false` when nothing is to be done or it is foreign.
    fn may_touch(&mut self, item: &Item) -> Result<bool> {
        if self.is_settled(&item.path)
            || stands(
                &mut self.hands,
                &mut self.blobs,
                &item.path,
                item.to.as_ref(),
            )?
        {
            return Ok(false);
        }
        let is_expected = match &item.from {
            Expect::Any => true,
            Expect::Node(from) => {
                stands(&mut self.hands, &mut self.blobs, &item.path, from.as_ref())?
                    || is_between(&mut self.hands, &item.path, from.as_ref(), item.to.as_ref())?
            }
        };
        if !is_expected {
            self.foreign.insert(item.path.clone());
        }
        Ok(is_expected)
    }

    /// Whether it is decided that a path stays as it is.
    fn is_settled(&self, path: &RelPath) -> bool {
        self.foreign.contains(path)
            || self.holding.contains(path)
            || self.refused.contains_key(path)
            || self.is_moved(path)
    }

    /// Whether a path is or lies in what is not covered, and has another name still.
    fn is_moved(&self, path: &RelPath) -> bool {
        let mut moved = self.moved.iter();
        moved.any(|moved| is_within(path, &moved.now))
    }

    fn make_dir(&mut self, item: &Item) -> Result<()> {
        if !self.may_touch(item)? {
            return Ok(());
        }
        let stamp = self.hands.stamp(&item.path)?;
        let is_dir = stamp.is_some_and(|stamp| live::file_type(&stamp).is_dir());
        let mut made = Ok(());
        if !is_dir {
            if stamp.is_some() {
                made = self.hands.remove_file(&item.path);
            }
            made = made.and_then(|()| self.hands.make_dir(&item.path));
        }
        self.settle(item, made.map_err(io::Error::from))
    }

    fn put(&mut self, item: &Item, items: &[Item]) -> Result<()> {
        if !self.may_touch(item)? {
            return Ok(());
        }
        let stamp = self.hands.stamp(&item.path)?;
        if stamp.is_some_and(|stamp| live::file_type(&stamp).is_dir()) {
            let below = items.iter().filter(|below| {
                below.path != item.path && below.to.is_none() && is_within(&below.path, &item.path)
            });
            self.remove_all(below)?;
            match self.hands.remove_dir(&item.path) {
                Ok(()) => {}
                Err(Errno::NOTEMPTY | Errno::EXIST) => self.move_aside(item)?,
                Err(errno) => return self.settle(item, Err(errno.into())),
            }
        }
        match &item.to {
            Some(Node::Link { target }) => {
                let put = self.hands.put_link(&item.path, &self.temp, target);
                self.settle(item, put)
            }
            Some(Node::File { id, mode }) => self.put_file(item, *id, *mode),
            _ => Ok(()),
        }
    }

    fn put_file(&mut self, item: &Item, id: ObjectId, mode: u16) -> Result<()> {
        let stamp = self.hands.stamp(&item.path)?;
        if stamp.is_some_and(|stamp| live::file_type(&stamp).is_file())
            && live::has_content(&mut self.hands, &mut self.blobs, &item.path, id)?
        {
            let set = self.hands.set_mode(&item.path, mode);
            return self.settle(item, set.map_err(io::Error::from));
        }
        let Self {
            hands, blobs, temp, ..
        } = self;
        let mut broken = None;
        let mut fill = |file: &mut std::fs::File| fill(blobs, id, file, &mut broken);
        let mut put = hands.put_file(&item.path, temp, mode, &mut fill);
        if put.as_ref().is_err_and(is_no_space) && stamp.is_some() {
            reserve::release(&self.store.state_dir);
            put = hands.put_file(&item.path, temp, mode, &mut fill);
        }
        let is_file = stamp.is_some_and(|stamp| live::file_type(&stamp).is_file());
        if is_file && put.as_ref().is_err_and(|e| is_no_space(e) || is_refused(e)) {
            // Only what stands there can be written. Of two refusals the first says more.
            put = put.or_else(|first| {
                let overwritten = hands.overwrite_file(&item.path, mode, &mut fill);
                overwritten.map_err(|second| if is_no_space(&second) { second } else { first })
            });
        }
        match broken {
            Some(error) => Err(error),
            None => self.settle(item, put),
        }
    }

    /// Removes what shall not be, deepest first.
    fn remove_all<'i>(&mut self, items: impl DoubleEndedIterator<Item = &'i Item>) -> Result<()> {
        for item in items.rev() {
            let removed = self.remove(item);
            self.unless_refused(item, removed)?;
        }
        Ok(())
    }

    fn remove(&mut self, item: &Item) -> Result<()> {
        if !self.may_touch(item)? {
            return Ok(());
        }
        let stamp = self.hands.stamp(&item.path)?;
        let is_dir = stamp.is_some_and(|stamp| live::file_type(&stamp).is_dir());
        let removed = if is_dir {
            self.hands.remove_dir(&item.path)
        } else {
            self.hands.remove_file(&item.path)
        };
        match removed {
            Err(Errno::NOTEMPTY | Errno::EXIST) => {
                self.holds_what_is_not_covered(item);
                Ok(())
            }
            removed => self.settle(item, removed.map_err(io::Error::from)),
        }
    }

    /// A directory that cannot go, because of what somebody else or an ignore rule keeps in it.
    /// Where something in it was refused, that is named already.
    fn holds_what_is_not_covered(&mut self, item: &Item) {
        let is_named = self.refused.keys().any(|path| is_within(path, &item.path));
        if is_named {
            self.foreign.insert(item.path.clone());
        } else {
            self.holding.insert(item.path.clone());
        }
    }

    /// Gives a directory that holds what is not covered another name, so that what belongs there
    /// comes back.
    fn move_aside(&mut self, item: &Item) -> Result<()> {
        for number in 1..=ASIDE_MAX {
            let aside = [&item.path, ASIDE, number.to_string().as_bytes()].concat();
            match self.hands.rename_to_new(&item.path, &aside) {
                Ok(()) => {
                    let names = (display_path(&item.path), display_path(&aside));
                    self.moved_aside.push(names);
                    return Ok(());
                }
                Err(Errno::EXIST | Errno::NOTEMPTY) => {}
                Err(errno) => return Err(self.hands.error("move aside", &item.path, errno.into())),
            }
        }
        Err(self
            .hands
            .error("move aside", &item.path, Errno::EXIST.into()))
    }

    /// What an act's result means: a path that moved away under it is foreign.
    fn settle(&mut self, item: &Item, result: io::Result<()>) -> Result<()> {
        match result {
            Ok(()) => {
                self.acted.insert(item.path.clone());
                Ok(())
            }
            Err(error) => match Errno::from_io_error(&error) {
                Some(Errno::NOENT | Errno::NOTDIR | Errno::LOOP | Errno::ISDIR) => {
                    self.foreign.insert(item.path.clone());
                    Ok(())
                }
                _ => Err(self.hands.error("put back", &item.path, error)),
            },
        }
    }

    /// Gives directories the modes of the target, deepest first: those that were to change, those
    /// that were opened, and those that an earlier, killed restore left open.
    fn set_dir_modes(&mut self, items: &[Item]) -> Result<()> {
        let mut dirs = BTreeSet::new();
        for item in items
            .iter()
            .filter(|item| !self.foreign.contains(&item.path))
        {
            if matches!(item.to, Some(Node::Dir { .. })) {
                dirs.insert(&*item.path);
            }
            dirs.insert(split(&item.path).0);
        }
        let to = &self.to.manifest;
        let item = |path: &[u8]| items.iter().find(|item| *item.path == *path);
        let target = |path: &[u8]| match item(path).map_or(to.get(path), |item| item.to.as_ref()) {
            Some(Node::Dir { mode }) => Some(*mode),
            _ => None,
        };
        for dir in dirs.into_iter().rev() {
            let Ok(Some(stamp)) = self.hands.stamp(dir) else {
                continue;
            };
            let Some(mode) = target(dir) else { continue };
            let is_left_open = stamp.permissions() == mode | OPENED;
            let is_dir = live::file_type(&stamp).is_dir();
            if is_dir && stamp.permissions() != mode && (item(dir).is_some() || is_left_open) {
                let set = self.hands.set_mode(dir, mode);
                let set = set.map_err(|e| self.hands.error("set the mode of", dir, e.into()));
                if let Some(item) = item(dir) {
                    self.unless_refused(item, set)?;
                }
            }
        }
        self.hands
            .close(target)
            .map_err(|e| self.hands.error("set modes below", b"", e.into()))
    }

    /// The items that are not as they shall be, though nobody else changed them.
    fn unfinished(&mut self, items: &[Item]) -> Result<Vec<Item>> {
        let mut left = Vec::new();
        for item in items {
            if self.is_settled(&item.path) {
                continue;
            }
            let Self { hands, blobs, .. } = self;
            match stands(hands, blobs, &item.path, item.to.as_ref()) {
                Ok(true) => {}
                Ok(false) => left.push(item.clone()),
                Err(error) => self.unless_refused(item, Err(error))?,
            }
        }
        let closed = self.hands.close(|_| None);
        closed.map_err(|e| self.hands.error("set modes below", b"", e.into()))?;
        Ok(left)
    }
}

/// Writes the blob `id` to `file`; a repository that does not give it breaks the whole restore.
fn fill(
    blobs: &mut Blobs,
    id: ObjectId,
    file: &mut std::fs::File,
    broken: &mut Option<Error>,
) -> io::Result<()> {
    let mut give_up = |error| {
        *broken = Some(error);
        io::Error::other("the content is not available")
    };
    let len = match blobs.ask(format!("{id}\n").as_bytes()) {
        Ok(Some(len)) => len,
        Ok(None) => return Err(give_up(live::missing(id))),
        Err(error) => return Err(give_up(error)),
    };
    match blobs.copy(len, file) {
        Ok(()) => Ok(()),
        Err(CopyError::Source(error)) => Err(give_up(error)),
        Err(CopyError::Sink(error)) => Err(error),
    }
}

/// Whether a file could not be replaced, though what stands there may be writable: something is
/// mounted on it, its directory is somebody else's or may not be changed.
fn is_refused(error: &io::Error) -> bool {
    matches!(
        Errno::from_io_error(error),
        Some(Errno::BUSY | Errno::ACCESS | Errno::PERM | Errno::ROFS | Errno::XDEV | Errno::TXTBSY)
    )
}

fn is_no_space(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded
    )
}
