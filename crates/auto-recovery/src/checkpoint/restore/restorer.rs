//! Carrying out a plan: what is written first, then what is removed, deepest first, then the modes
//! of directories.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::io;

use rustix::io::Errno;

use crate::checkpoint::commit::Checkpoint;
use crate::checkpoint::repository::blobs::Blobs;
use crate::checkpoint::restore::compare::{self, stands};
use crate::checkpoint::restore::item::{Expect, Item, Moved};
use crate::checkpoint::restore::reserve;
use crate::checkpoint::restore::restored::Refused;
use crate::checkpoint::restore::temp;
use crate::checkpoint::restore::tree_writer::{Access, Given, OPENED, TreeWriter};
use crate::checkpoint::store::CheckpointStore;
use crate::checkpoint::tree::cache::Known;
use crate::checkpoint::tree::manifest::{Node, ObjectId, Told};
use crate::checkpoint::tree::path::{RelPath, ancestors, display_path, is_within, split};
use crate::checkpoint::tree::stamp::{Ids, Stamp};
use crate::checkpoint::tree::watch::{Bits, Uncovered};
use crate::error::{ErrorKind, Result};

/// Contents that are ordered from git before the first of them is wanted: 64 questions of 41 bytes
/// fit into any pipe.
const ORDERED_MAX: usize = 64;

/// Why something is left that was there before, and under another name.
const OLDER: &str = "it is older than that, and nothing else has it: left where it is";

/// Why something is not as it was, though it has its name back.
const CHANGED: &str = "it has its name back, and was changed meanwhile";

/// Infix in the name of a directory that is moved aside.
const ASIDE: &[u8] = b".kept-by-recover-";

/// Directories of one name that may have been moved aside: far more than accumulate.
const ASIDE_MAX: u32 = 1000;

/// Stamps of the files at the snapshot of the present, sorted by path: a file that still has its
/// stamp is unchanged, and need not be read.
pub(in crate::checkpoint) type Seen<'a> = &'a [Known];

pub(in crate::checkpoint) struct Restorer<'a> {
    pub(in crate::checkpoint) store: &'a CheckpointStore,
    pub(in crate::checkpoint) to: &'a Checkpoint,
    pub(in crate::checkpoint) seen: Seen<'a>,
    /// The stamps of files that were put back.
    pub(in crate::checkpoint) put: HashMap<RelPath, Stamp>,
    /// Files that were written in place, by inode, for their other names.
    pub(in crate::checkpoint) rewritten: HashSet<u64>,
    /// Files that were replaced, and had other names.
    pub(in crate::checkpoint) had_names: Vec<Uncovered>,
    pub(in crate::checkpoint) writer: TreeWriter<'a>,
    pub(in crate::checkpoint) blobs: Blobs,
    /// The name of temporary files: the same when a killed restore is run again.
    pub(in crate::checkpoint) temp: Vec<u8>,
    pub(in crate::checkpoint) foreign: BTreeSet<RelPath>,
    /// Directories that stay, because of their contents.
    pub(in crate::checkpoint) holding: BTreeSet<RelPath>,
    pub(in crate::checkpoint) moved_aside: Vec<(String, String)>,
    /// Uncovered items under another name; one that cannot get its own back stays there.
    pub(in crate::checkpoint) moved: Vec<Moved>,
    pub(in crate::checkpoint) renamed_back: Vec<(String, String)>,
    /// The names that these have back.
    named_back: BTreeSet<RelPath>,
    /// Those that they had meanwhile.
    pub(in crate::checkpoint) vacated: BTreeSet<RelPath>,
    pub(in crate::checkpoint) acted: BTreeSet<RelPath>,
    pub(in crate::checkpoint) not_covered: Vec<Uncovered>,
    /// Refusals of the system, by path, in its words.
    pub(in crate::checkpoint) refused: BTreeMap<RelPath, String>,
}

/// The state found at a path that may be touched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::checkpoint) enum Stands {
    /// As in the snapshot of the present.
    AsExpected,
    /// Anything, or what a restore that was killed left.
    Somehow,
}

impl<'a> Restorer<'a> {
    pub(in crate::checkpoint) fn new(
        store: &'a CheckpointStore,
        to: &'a Checkpoint,
        seen: Seen<'a>,
    ) -> Result<Self> {
        Ok(Self {
            store,
            to,
            seen,
            put: HashMap::new(),
            rewritten: HashSet::new(),
            had_names: Vec::new(),
            writer: TreeWriter::new(&store.root),
            blobs: Blobs::start(&store.git)?,
            temp: temp::name(&to.id()),
            foreign: BTreeSet::new(),
            holding: BTreeSet::new(),
            moved_aside: Vec::new(),
            moved: Vec::new(),
            renamed_back: Vec::new(),
            named_back: BTreeSet::new(),
            vacated: BTreeSet::new(),
            acted: BTreeSet::new(),
            not_covered: Vec::new(),
            refused: BTreeMap::new(),
        })
    }

    /// Puts back `items` (sorted by path), then sets directories to their modes.
    pub(in crate::checkpoint) fn apply(&mut self, items: &[Item]) -> Result<()> {
        let acted = self.act(items);
        // Also after an error: no directory stays open that was not.
        let closed = self.set_dir_modes(items);
        acted.and(closed)
    }

    pub(in crate::checkpoint) fn act(&mut self, items: &[Item]) -> Result<()> {
        let is_dir = |item: &&Item| matches!(item.to, Some(Node::Dir { .. }));
        let (below_moved, dirs): (Vec<&Item>, Vec<&Item>) = items
            .iter()
            .filter(is_dir)
            .partition(|item| self.is_moved(&item.path));
        for item in dirs {
            self.with_room(item, items, |this| this.make_dir(item))?;
        }
        // Names come first: contents may belong where what is only called so stands.
        self.clear_names(items)?;
        self.give_names_back();
        for item in below_moved {
            self.with_room(item, items, |this| this.make_dir(item))?;
        }
        let is_content =
            |item: &&Item| matches!(item.to, Some(Node::File { .. } | Node::Link { .. }));
        let contents: Vec<&Item> = items.iter().filter(is_content).collect();
        for some in contents.chunks(ORDERED_MAX) {
            self.order(some)?;
            for item in some {
                self.with_room(item, items, |this| this.put(item, items))?;
            }
        }
        for item in items {
            if let Some(Node::Opaque { mode, owner, .. }) = &item.to {
                let result = self.give_access_back(item, *mode, *owner);
                self.unless_refused(item, result)?;
            }
        }
        self.remove_all(items.iter().filter(|item| item.to.is_none()))
    }

    /// Removes what an attempt made under a name that something else had.
    fn clear_names(&mut self, items: &[Item]) -> Result<()> {
        let in_the_way = |item: &&Item| {
            let mut moved = self.moved.iter();
            item.to.is_none() && moved.any(|moved| is_within(&item.path, &moved.was))
        };
        let in_the_way: Vec<&Item> = items.iter().filter(in_the_way).collect();
        self.remove_all(in_the_way.into_iter())
    }

    /// Orders the contents that `items` will want, so that git looks them up while we write.
    pub(in crate::checkpoint) fn order(&mut self, items: &[&Item]) -> Result<()> {
        let wanted = items
            .iter()
            .filter_map(|item| match (&item.from, &item.to) {
                (Expect::Node(Some(Node::File { id: a, .. })), Some(Node::File { id, .. })) => {
                    (a != id).then_some(*id)
                }
                (Expect::Node(_), Some(Node::File { id, .. })) => Some(*id),
                _ => None,
            });
        let wanted: Vec<ObjectId> = wanted.collect();
        self.blobs.order(&wanted)
    }

    /// Gives what is not kept the bits and the owner back that it had.
    pub(in crate::checkpoint) fn give_access_back(
        &mut self,
        item: &Item,
        mode: Told<u16>,
        owner: Told<Ids>,
    ) -> Result<()> {
        let Some(mode) = mode.0 else {
            return Ok(());
        };
        if self.may_touch(item)?.is_none() {
            return Ok(());
        }
        let given = self.writer.set_access(&item.path, Access { mode, owner });
        self.settle_given(item, given.map_err(io::Error::from))
    }

    /// Gives ignored files the bits back that they had; those that have them, as records name them.
    fn give_bits_back(&mut self, all: &[Bits]) -> Vec<String> {
        let given = all.iter().filter(|bits| {
            let stamp = self.writer.stamp(&bits.path).ok().flatten();
            let is_still = stamp.is_some_and(|stamp| bits.is_still(&stamp));
            is_still && self.writer.set_mode(&bits.path, bits.was).is_ok()
        });
        given.map(|bits| display_path(&bits.path)).collect()
    }

    /// Gives what is not covered the name back that it had. What cannot have it keeps the new one.
    pub(in crate::checkpoint) fn give_names_back(&mut self) {
        let Self {
            writer,
            renamed_back,
            named_back,
            vacated,
            moved,
            refused,
            ..
        } = self;
        moved.retain(|moved| {
            let renamed = writer.rename_to_new(&moved.now, &moved.was);
            if renamed.is_ok() {
                if !moved.is_held {
                    renamed_back.push((display_path(&moved.now), display_path(&moved.was)));
                }
                if moved.is_changed {
                    refused.insert(moved.was.clone(), CHANGED.to_owned());
                }
                named_back.insert(moved.was.clone());
                vacated.insert(moved.now.clone());
            }
            // What a checkpoint holds is put back from there.
            renamed.is_err() && !moved.is_held
        });
        let stays = self.moved.iter().map(|moved| moved.now.clone());
        self.holding.extend(stays);
    }

    /// Acts; on a full disk makes room first: our reserve, and what is to go anyway.
    pub(in crate::checkpoint) fn with_room(
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

    /// Continues after an error that is about `item` alone. A full disk and a repository that does
    /// not answer stop everything: the next run finishes.
    pub(in crate::checkpoint) fn unless_refused(
        &mut self,
        item: &Item,
        result: Result<()>,
    ) -> Result<()> {
        match result {
            Err(error) if !matches!(error.kind(), ErrorKind::NoSpace | ErrorKind::Tool) => {
                let reason = error.innermost();
                self.refused.insert(item.path.clone(), reason);
                Ok(())
            }
            result => result,
        }
    }

    /// Takes over what gets its name back, what is left for its age and what others write, and
    /// gives `bits` back; the paths that have them.
    pub(in crate::checkpoint) fn begin(
        &mut self,
        (moved, older, written): (Vec<Moved>, Vec<RelPath>, Vec<RelPath>),
        bits: &[Bits],
    ) -> Vec<String> {
        self.moved = moved;
        self.foreign.extend(written);
        let left = older.into_iter().map(|path| (path, OLDER.to_owned()));
        self.refused.extend(left);
        self.give_bits_back(bits)
    }

    /// What could not be put back. Only the topmost is named of paths that stay for their age.
    pub(in crate::checkpoint) fn refusals(&self) -> Vec<Refused> {
        let is_older = |path: &[u8]| self.refused.get(path).is_some_and(|why| why == OLDER);
        let is_named = |(path, reason): &(&RelPath, &String)| {
            *reason != OLDER || !ancestors(path).any(is_older)
        };
        let refused = |(path, reason): (&RelPath, &String)| Refused {
            display: display_path(path),
            reason: reason.clone(),
        };
        self.refused.iter().filter(is_named).map(refused).collect()
    }

    /// Whether it is decided that a path stays as it is.
    pub(in crate::checkpoint) fn is_settled(&self, path: &RelPath) -> bool {
        self.foreign.contains(path)
            || self.holding.contains(path)
            || self.refused.contains_key(path)
            || self.named_back.contains(path)
            || self.is_moved(path)
    }

    /// Whether a path is at or below an uncovered one that still has another name.
    pub(in crate::checkpoint) fn is_moved(&self, path: &RelPath) -> bool {
        let mut moved = self.moved.iter();
        moved.any(|moved| is_within(path, &moved.now))
    }

    pub(in crate::checkpoint) fn make_dir(&mut self, item: &Item) -> Result<()> {
        if self.may_touch(item)?.is_none() {
            return Ok(());
        }
        let owner = item.to.as_ref().map_or(Told(None), Node::owner);
        let stamp = self.writer.stamp(&item.path)?;
        let is_dir = stamp.is_some_and(|stamp| compare::file_type(&stamp).is_dir());
        let made = match stamp {
            Some(_) if is_dir => self.writer.give(&item.path, owner),
            Some(_) => {
                let removed = self.writer.remove_file(&item.path);
                removed.and_then(|()| self.writer.make_dir(&item.path, owner))
            }
            None => self.writer.make_dir(&item.path, owner),
        };
        self.settle_given(item, made.map_err(io::Error::from))
    }

    pub(in crate::checkpoint) fn put(&mut self, item: &Item, items: &[Item]) -> Result<()> {
        let Some(found) = self.may_touch(item)? else {
            return Ok(());
        };
        let stamp = self.writer.stamp(&item.path)?;
        if stamp.is_some_and(|stamp| compare::file_type(&stamp).is_dir()) {
            let below = items.iter().filter(|below| {
                below.path != item.path && below.to.is_none() && is_within(&below.path, &item.path)
            });
            self.remove_all(below)?;
            match self.writer.remove_dir(&item.path) {
                Ok(()) => {}
                Err(Errno::NOTEMPTY | Errno::EXIST) => self.move_aside(item)?,
                Err(errno) => return self.settle(item, Err(errno.into())),
            }
        }
        match &item.to {
            Some(Node::Link { target, owner }) => {
                let stamp = self.writer.stamp(&item.path)?;
                let at = (&*item.path, stamp.as_ref());
                let put = self.writer.put_link(at, &self.temp, target, *owner);
                self.settle_given(item, put)
            }
            Some(Node::File { id, mode, owner }) => {
                let access = Access {
                    mode: *mode,
                    owner: *owner,
                };
                self.put_file(item, *id, access, found)
            }
            _ => Ok(()),
        }
    }

    /// Removes what shall not be, deepest first.
    pub(in crate::checkpoint) fn remove_all<'i>(
        &mut self,
        items: impl DoubleEndedIterator<Item = &'i Item>,
    ) -> Result<()> {
        for item in items.rev() {
            let removed = self.remove(item);
            self.unless_refused(item, removed)?;
        }
        Ok(())
    }

    pub(in crate::checkpoint) fn remove(&mut self, item: &Item) -> Result<()> {
        if self.may_touch(item)?.is_none() {
            return Ok(());
        }
        let stamp = self.writer.stamp(&item.path)?;
        let is_dir = stamp.is_some_and(|stamp| compare::file_type(&stamp).is_dir());
        let removed = if is_dir {
            self.writer.remove_dir(&item.path)
        } else {
            self.writer.remove_file(&item.path)
        };
        match removed {
            Err(Errno::NOTEMPTY | Errno::EXIST) => {
                self.holds_what_is_not_covered(item);
                Ok(())
            }
            removed => self.settle(item, removed.map_err(io::Error::from)),
        }
    }

    /// Reports a directory that cannot be removed, because another process or an ignore rule keeps
    /// something in it. If something in it was refused, that is named already.
    pub(in crate::checkpoint) fn holds_what_is_not_covered(&mut self, item: &Item) {
        let is_named = self.refused.keys().any(|path| is_within(path, &item.path));
        if is_named {
            self.foreign.insert(item.path.clone());
        } else {
            self.holding.insert(item.path.clone());
        }
    }

    /// Renames a directory that holds uncovered files, so that its place can be restored.
    pub(in crate::checkpoint) fn move_aside(&mut self, item: &Item) -> Result<()> {
        for number in 1..=ASIDE_MAX {
            let aside = [&item.path, ASIDE, number.to_string().as_bytes()].concat();
            match self.writer.rename_to_new(&item.path, &aside) {
                Ok(()) => {
                    let names = (display_path(&item.path), display_path(&aside));
                    self.moved_aside.push(names);
                    return Ok(());
                }
                Err(Errno::EXIST | Errno::NOTEMPTY) => {}
                Err(errno) => {
                    return Err(self.writer.error("move aside", &item.path, errno.into()));
                }
            }
        }
        Err(self
            .writer
            .error("move aside", &item.path, Errno::EXIST.into()))
    }

    /// Settles the result of putting something whose owner may be another than it shall have.
    pub(in crate::checkpoint) fn settle_given(
        &mut self,
        item: &Item,
        given: io::Result<Given>,
    ) -> Result<()> {
        let is_whole = given.as_ref().map(|given| *given == Given::Whole);
        if let (Ok(Given::NotTheOwner { is_dropped }), Some(owner)) =
            (&given, item.to.as_ref().and_then(|to| to.owner().0))
        {
            let lends = if *is_dropped {
                ", and so it is not setuid or setgid any more"
            } else {
                ""
            };
            let Ids { uid, gid } = owner;
            let reason = format!("not given back to user {uid}, group {gid}{lends}");
            self.refused.insert(item.path.clone(), reason);
        }
        match is_whole {
            Ok(true) | Err(_) => self.settle(item, given.map(drop)),
            Ok(false) => {
                self.acted.insert(item.path.clone());
                Ok(())
            }
        }
    }

    /// Settles an act by its result: a path that moved away under it is foreign.
    pub(in crate::checkpoint) fn settle(
        &mut self,
        item: &Item,
        result: io::Result<()>,
    ) -> Result<()> {
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
                _ => Err(self.writer.error("put back", &item.path, error)),
            },
        }
    }

    /// Gives directories the modes of the target, deepest first: those that were to change, those
    /// that were opened, and those that an earlier, killed restore left open.
    pub(in crate::checkpoint) fn set_dir_modes(&mut self, items: &[Item]) -> Result<()> {
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
        let by_path: HashMap<&[u8], &Item> = items.iter().map(|item| (&*item.path, item)).collect();
        let item = |path: &[u8]| by_path.get(path).copied();
        let target = |path: &[u8]| match item(path).map_or(to.get(path), |item| item.to.as_ref()) {
            Some(Node::Dir { mode, .. }) => Some(*mode),
            _ => None,
        };
        for dir in dirs.into_iter().rev() {
            let Ok(Some(stamp)) = self.writer.stamp(dir) else {
                continue;
            };
            let Some(mode) = target(dir) else { continue };
            let is_left_open = stamp.permissions() == mode | OPENED;
            let is_dir = compare::file_type(&stamp).is_dir();
            if is_dir && stamp.permissions() != mode && (item(dir).is_some() || is_left_open) {
                let set = self.writer.set_mode(dir, mode);
                let set = set.map_err(|e| self.writer.error("set the mode of", dir, e.into()));
                if let Some(item) = item(dir) {
                    self.unless_refused(item, set)?;
                }
            }
        }
        self.writer
            .close(target)
            .map_err(|e| self.writer.error("set modes below", b"", e.into()))
    }

    /// The items that are not as they shall be, though no other process changed them.
    pub(in crate::checkpoint) fn unfinished(&mut self, items: &[Item]) -> Result<Vec<Item>> {
        let mut left = Vec::new();
        self.writer.look_again();
        for item in items {
            if self.is_settled(&item.path) || self.is_as_put(&item.path)? {
                continue;
            }
            let Self { writer, blobs, .. } = self;
            match stands(writer, blobs, &item.path, item.to.as_ref()) {
                Ok(true) => {}
                Ok(false) => left.push(item.clone()),
                Err(error) => self.unless_refused(item, Err(error))?,
            }
        }
        let closed = self.writer.close(|_| None);
        closed.map_err(|e| self.writer.error("set modes below", b"", e.into()))?;
        Ok(left)
    }
}
