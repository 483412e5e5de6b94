//! Keeping the state small: old sessions go, and what was asked to go goes at once.
//!
//! Never a workspace that is in use, never a marked tree while its mark stands, and never the tree
//! before a rollback until it is old itself. Objects are freed by packing what is left anew, and
//! only where the disk has room for that. What else is kept in the state has its share of the same
//! limits: whatever is oldest goes first.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::checkpoint::commit::Checkpoint;
use crate::checkpoint::good_trees::{Good, MARK_REFS, MARKS_BYTES_MAX, good_trees_of};
use crate::checkpoint::options::{CheckpointOptions, MIB};
use crate::checkpoint::restore::reserve;
use crate::checkpoint::store::CheckpointStore;
use crate::checkpoint::unfinished::Unfinished;
use crate::error::{Error, ErrorKind, Hint, Result};
use crate::files::{self, Links, Synced, read_small};
use crate::git::Git;
use crate::host::{Host, timestamp};
use crate::workspace::Workspace;
use crate::workspace::layout::{
    CHECKPOINTS, REFS, ROOT_BYTES_MAX, has_state, session_name, session_of,
};
use crate::workspace::lock::{LockHolder, Locked, WorkspaceLock};

/// Where refs of trees stand that a rollback or a restore replaced.
const KEEP_REFS: &str = "refs/keep";

/// Where it stands what a restore undid: `RESTORE/SESSION` below it, by the names of their refs.
/// What it replaced holds the contents of that session, and goes with it.
const UNDONE_REFS: &str = "refs/undone";

/// Packs above this number are packed into one: every snapshot makes a pack, and every look-up asks
/// all of them.
const PACKS_MAX: usize = 50;

/// What the directory of a repository is called that was set aside, before its number.
const DAMAGED_PREFIX: &[u8] = b"git.damaged-";

/// How much of the state is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RetentionLimits {
    /// Sessions, marks and kept trees older than this go.
    pub age_max: Duration,
    /// While all that counts is larger than this many bytes, the oldest of it goes.
    pub bytes_max: u64,
}

impl Default for RetentionLimits {
    fn default() -> Self {
        Self {
            age_max: Duration::from_secs(14 * 24 * 60 * 60),
            bytes_max: 2 * 1024 * MIB,
        }
    }
}

/// What pruning did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PruneReport {
    /// Sessions whose checkpoints are gone, in the form that names their refs.
    pub sessions: u64,
    /// Bytes that all that counts took before.
    pub bytes_before: u64,
    /// Bytes that it takes now.
    pub bytes_after: u64,
    /// Workspaces left alone because they are in use.
    pub busy: u64,
}

/// What the state holds beside checkpoints, and which sessions must stay.
pub trait OtherRooms {
    /// Bytes that count of it.
    fn bytes(&self) -> u64;

    /// How old the oldest of it is that may go.
    fn oldest(&self) -> Option<SystemTime>;

    /// Removes that, or leaves it for good where it must stay.
    fn drop_oldest(&mut self);

    /// Whether what is kept of a session must stay.
    fn must_stay(&mut self, session_id: &str) -> bool;
}

impl CheckpointStore {
    /// Keeps `checkpoint`, which a rollback or a restore is about to replace, until it is old:
    /// pruning for size does not take it.
    pub fn keep(&self, checkpoint: &Checkpoint) -> Result<()> {
        let id = checkpoint.id();
        self.git
            .run(&["update-ref", &format!("{KEEP_REFS}/{id}"), &id])
            .map(drop)
    }

    /// Has `replaced`, the checkpoint of the restore `restore_id`, go with the session `undone`
    /// when that is removed.
    pub(super) fn goes_with(
        &self,
        replaced: &Checkpoint,
        restore_id: &str,
        undone: &str,
    ) -> Result<()> {
        let (restore, undone) = (session_name(restore_id)?, session_name(undone)?);
        let name = format!("{UNDONE_REFS}/{restore}/{undone}");
        let arguments = ["update-ref", &name, &replaced.id()];
        self.git.run(&arguments).map(drop)
    }

    /// The ids of a session's checkpoints in the order they were taken.
    pub fn session_checkpoints(&self, session_id: &str) -> Result<Vec<String>> {
        let dir = format!("{REFS}/{}", session_name(session_id)?);
        let mut refs = Shelf {
            dir: self.dir.clone(),
            git: self.git.clone(),
        }
        .refs(&dir)?;
        refs.sort_by_key(|found| found.number());
        Ok(refs.into_iter().map(|found| found.commit).collect())
    }
}

/// The workspaces that hold checkpoints of `session_id`, wherever the caller stands; first the one
/// `here`.
pub fn find_session(
    state_dir: &Path,
    session_id: &str,
    here: Option<&Workspace>,
) -> Result<Vec<Workspace>> {
    let name = session_name(session_id)?;
    let shelves = shelves(state_dir, &CheckpointOptions::default(), None)?;
    let holders = shelves
        .into_iter()
        .filter(|shelf| shelf.git.dir().join(REFS).join(&name).is_dir());
    let mut roots: Vec<_> = holders.filter_map(|shelf| shelf.root()).collect();
    roots.sort_by_key(|root| here.is_none_or(|here| root != here.root()));
    let at = |root| Workspace::at(root, here);
    Ok(roots.into_iter().map(at).collect())
}

/// Removes the checkpoints of one session, and what restores replaced that undid it, with their
/// contents unless others share them. Returns whether there were any.
///
/// # Errors
/// [`ErrorKind::Busy`] while the workspace is in use, [`ErrorKind::NoSpace`] if the disk has no
/// room to write what stays of other sessions anew: then the contents are still there, and go when
/// this is asked again.
pub fn remove_session(
    state_dir: &Path,
    session_id: &str,
    options: &CheckpointOptions,
    host: Arc<dyn Host>,
) -> Result<bool> {
    let name = session_name(session_id)?;
    let mut is_found = false;
    for shelf in shelves(state_dir, options, Some(&host))? {
        let refs = shelf.refs_of(&name)?;
        let aside = shelf.set_aside_with(&name);
        if refs.is_empty() && aside.is_empty() && !shelf.is_uncollected_of(&name) {
            continue;
        }
        is_found = true;
        let busy = |why: &str| {
            let what = format!("the checkpoints of session {session_id:?} {why}");
            Error::new(ErrorKind::Busy, what)
        };
        let _lock = match shelf.lock(state_dir, &*host)? {
            Hold::Taken(lock) => lock,
            Hold::InUse => return Err(busy("are in use; try again later")),
            Hold::Unfinished(died) => {
                let died = died?;
                let why = "are in the workspace of a run that died, and what it began may still \
                           stand in the tree";
                return Err(busy(why).with_hint(Hint::EndDied { session_id: died }));
            }
        };
        let commits: Vec<_> = refs.iter().map(|found| found.commit.as_str()).collect();
        let others = [shelf.refs(KEEP_REFS)?, shelf.refs(MARK_REFS)?].concat();
        let others = others
            .into_iter()
            .filter(|found| commits.contains(&found.commit.as_str()));
        let gone: Vec<_> = refs.iter().cloned().chain(others).collect();
        shelf.forget_marks(|commit| commits.contains(&commit))?;
        shelf.drop_refs(&gone)?;
        for dir in aside {
            fs::remove_dir_all(&dir).map_err(|e| Error::io("remove", &dir, e))?;
        }
        shelf.collect_at_once(state_dir, &format!("session {session_id:?}"))?;
    }
    if is_found && shelves(state_dir, options, Some(&host))?.is_empty() {
        // There is nothing to undo any more.
        reserve::release(state_dir);
        let _others = fs::remove_dir(state_dir.join(CHECKPOINTS));
    }
    Ok(is_found)
}

/// What became of taking a workspace.
enum Hold {
    Taken(WorkspaceLock),
    /// Another process has it.
    InUse,
    /// A run died here, of this session, and what it began is neither undone nor kept.
    Unfinished(Result<String>),
}

/// Removes all checkpoints of `workspace` with their contents, but those that somebody marked: no
/// recovery is under way there, or none of it is needed any more. Where one is, that is left to it.
///
/// # Errors
/// As [`remove_session`].
pub fn remove_ended(state_dir: &Path, workspace: &Workspace, host: Arc<dyn Host>) -> Result<()> {
    let shelves = shelves(state_dir, &CheckpointOptions::default(), Some(&host))?;
    let is_it = |shelf: &Shelf| shelf.root().as_deref() == Some(workspace.root());
    let Some(shelf) = shelves.into_iter().find(is_it) else {
        return Ok(());
    };
    let Hold::Taken(_lock) = shelf.lock(state_dir, &*host)? else {
        return Ok(());
    };
    let marked: Vec<String> = good_trees_of(state_dir, workspace)?
        .into_iter()
        .filter(|tree| tree.good == Good::Marked)
        .map(|tree| tree.checkpoint)
        .collect();
    let is_gone = |commit: &str| !marked.iter().any(|marked| marked == commit);
    shelf.forget_marks(is_gone)?;
    let mut gone = shelf.refs(MARK_REFS)?;
    gone.retain(|found| is_gone(&found.commit));
    for refs in [REFS, KEEP_REFS, UNDONE_REFS] {
        gone.extend(shelf.refs(refs)?);
    }
    shelf.drop_refs(&gone)?;
    for (_, dir) in shelf.set_aside() {
        fs::remove_dir_all(&dir).map_err(|e| Error::io("remove", &dir, e))?;
    }
    shelf.collect_at_once(state_dir, "what ended")
}

/// Brings the state within `limits`, oldest first: the checkpoints of all workspaces, and `rooms`,
/// whose age its keeper has looked at.
///
/// # Errors
/// If the state cannot be read or written.
pub fn prune(
    state_dir: &Path,
    limits: &RetentionLimits,
    options: &CheckpointOptions,
    host: Arc<dyn Host>,
    rooms: &mut dyn OtherRooms,
) -> Result<PruneReport> {
    let checkpoints = state_dir.join(CHECKPOINTS);
    let mut report = PruneReport {
        bytes_before: size(&checkpoints) + rooms.bytes(),
        ..Default::default()
    };
    let oldest = host.now().checked_sub(limits.age_max).unwrap_or(UNIX_EPOCH);
    let mut held = Vec::new();
    for shelf in shelves(state_dir, options, Some(&host))? {
        match shelf.lock(state_dir, &*host)? {
            Hold::Taken(lock) => held.push((shelf, lock)),
            Hold::InUse | Hold::Unfinished(_) => report.busy += 1,
        }
    }
    for (shelf, _lock) in &held {
        let (dropped, is_changed) = shelf.drop_older(oldest, rooms)?;
        report.sessions += dropped;
        if is_changed || shelf.packs() > PACKS_MAX || shelf.is_uncollected() {
            shelf.collect()?;
        }
    }
    let shelves: Vec<_> = held.iter().map(|(shelf, _)| shelf).collect();
    let bytes = size(&checkpoints);
    let (sessions, bytes) = drop_oldest(&shelves, bytes, limits.bytes_max, rooms)?;
    report.sessions += sessions;
    report.bytes_after = bytes + rooms.bytes();
    Ok(report)
}

/// Drops what is oldest on `shelves` and in `rooms` while all of it is more than `bytes_max`, given
/// that all checkpoints have `bytes`. How many sessions it dropped, and how many bytes all
/// checkpoints have then.
fn drop_oldest(
    shelves: &[&Shelf],
    mut bytes: u64,
    bytes_max: u64,
    rooms: &mut dyn OtherRooms,
) -> Result<(u64, u64)> {
    let mut dropped = 0;
    if bytes + rooms.bytes() <= bytes_max {
        return Ok((dropped, bytes));
    }
    let mut all = Vec::new();
    for (at, shelf) in shelves.iter().enumerate() {
        let sessions = shelf.sessions()?.into_iter();
        all.extend(sessions.map(|(name, refs)| (refs.newest, at, Goes::Session(name, refs))));
        let aside = shelf.set_aside().into_iter();
        all.extend(aside.map(|(since, dir)| (since, at, Goes::Aside(dir))));
    }
    // The oldest comes last.
    all.sort_by_key(|(newest, at, _)| std::cmp::Reverse((*newest, *at)));
    while bytes + rooms.bytes() > bytes_max {
        match (all.last().map(|(newest, ..)| *newest), rooms.oldest()) {
            (None, None) => break,
            (Some(ours), Some(other)) if other <= ours => rooms.drop_oldest(),
            (None, Some(_)) => rooms.drop_oldest(),
            _ => {
                let Some((_, at, goes)) = all.pop() else {
                    break;
                };
                let shelf = shelves[at];
                let before = size(&shelf.dir);
                dropped += shelf.drop_one(goes, rooms)?;
                bytes = bytes.saturating_sub(before) + size(&shelf.dir);
            }
        }
    }
    Ok((dropped, bytes))
}

/// What may go from a shelf.
enum Goes {
    /// The checkpoints of a session, by the name of its refs.
    Session(String, SessionRefs),
    /// A repository that was damaged.
    Aside(PathBuf),
}

/// One workspace's directory in the state.
pub(super) struct Shelf {
    pub(super) dir: PathBuf,
    pub(super) git: Git,
}

/// One ref of a private repository.
#[derive(Clone, Debug)]
pub(super) struct Ref {
    pub(super) name: String,
    commit: String,
    at: SystemTime,
}

impl Ref {
    fn number(&self) -> u64 {
        self.name
            .rsplit('/')
            .next()
            .and_then(|number| number.parse().ok())
            .unwrap_or(0)
    }

    /// Of a link: the restore and the session that it undid.
    fn link(&self) -> Option<(&str, &str)> {
        self.name
            .strip_prefix(UNDONE_REFS)?
            .strip_prefix('/')?
            .split_once('/')
    }
}

/// The refs of one session.
#[derive(Debug)]
struct SessionRefs {
    refs: Vec<Ref>,
    newest: SystemTime,
}

/// The directories of all workspaces.
pub(super) fn shelves(
    state_dir: &Path,
    options: &CheckpointOptions,
    host: Option<&Arc<dyn Host>>,
) -> Result<Vec<Shelf>> {
    if !has_state(state_dir)? {
        return Ok(Vec::new());
    }
    let dir = state_dir.join(CHECKPOINTS);
    // git is started elsewhere, so no path of ours may be relative.
    let Ok(dir) = fs::canonicalize(&dir) else {
        return Ok(Vec::new());
    };
    let mut shelves = Vec::new();
    for entry in fs::read_dir(&dir).map_err(|e| Error::io("list", &dir, e))? {
        let dir = entry.map_err(|e| Error::io("list", &dir, e))?.path();
        let git = Git::new(options.git_program.as_deref(), dir.join("git"));
        let git = match host {
            Some(host) => git.for_user_of(host),
            None => git,
        };
        if git.dir().join("HEAD").exists() {
            shelves.push(Shelf { dir, git });
        }
    }
    shelves.sort_by(|a, b| a.dir.cmp(&b.dir));
    Ok(shelves)
}

impl Shelf {
    pub(super) fn root(&self) -> Option<PathBuf> {
        let root = read_small(&self.dir.join("root"), Links::Refuse, ROOT_BYTES_MAX).ok()?;
        Some(PathBuf::from(OsStr::from_bytes(&root)))
    }

    /// Takes the workspace, if nobody has it or needs it.
    fn lock(&self, state_dir: &Path, host: &dyn Host) -> Result<Hold> {
        let key = self.dir.file_name().unwrap_or_default().to_string_lossy();
        let holder = LockHolder {
            pid: std::process::id(),
            command: vec!["recover".to_owned(), "prune".to_owned()],
            since: timestamp(host.now()),
            ..LockHolder::default()
        };
        match WorkspaceLock::try_key(state_dir, &key, &holder)? {
            // A run that died may still need its trees.
            Locked::Ours(lock) => match Unfinished::find_in(&self.dir).transpose() {
                Some(died) => Ok(Hold::Unfinished(
                    died.map(|died| died.run().session_id.clone()),
                )),
                None => {
                    self.git.make_sure()?;
                    Ok(Hold::Taken(lock))
                }
            },
            Locked::Theirs(_) => Ok(Hold::InUse),
        }
    }

    pub(super) fn refs(&self, below: &str) -> Result<Vec<Ref>> {
        let format = "--format=%(refname) %(objectname) %(committerdate:unix)";
        let listing = self.git.run(&["for-each-ref", format, below])?;
        let parse = |line: &str| {
            let mut fields = line.split(' ');
            Some(Ref {
                name: fields.next()?.to_owned(),
                commit: fields.next()?.to_owned(),
                at: UNIX_EPOCH + Duration::from_secs(fields.next()?.parse().ok()?),
            })
        };
        Ok(String::from_utf8_lossy(&listing)
            .lines()
            .filter_map(parse)
            .collect())
    }

    /// The refs of the session called `name`, and of each restore that undid it, or one of these.
    fn refs_of(&self, name: &str) -> Result<Vec<Ref>> {
        let links = self.refs(UNDONE_REFS)?;
        let mut names = vec![name.to_owned()];
        let mut at = 0;
        while let Some(undone) = names.get(at).cloned() {
            let restores = links.iter().filter_map(Ref::link);
            let of_it = restores
                .filter(|(restore, of)| *of == undone && !names.iter().any(|name| name == restore));
            let of_it: Vec<_> = of_it.map(|(restore, _)| restore.to_owned()).collect();
            names.extend(of_it);
            at += 1;
        }
        let mut refs = Vec::new();
        for name in &names {
            refs.extend(self.refs(&format!("{REFS}/{name}"))?);
        }
        Ok(refs)
    }

    /// Drops what says of restores what they undid, where nothing of them is left.
    pub(super) fn drop_loose_links(&self) -> Result<()> {
        let links = self.refs(UNDONE_REFS)?;
        if links.is_empty() {
            return Ok(());
        }
        let sessions = self.sessions()?;
        let is_loose = |found: &Ref| {
            let restore = found.link().map(|(restore, _)| restore);
            restore.is_none_or(|restore| !sessions.contains_key(restore))
        };
        let loose: Vec<_> = links.into_iter().filter(is_loose).collect();
        self.drop_refs(&loose)
    }

    fn sessions(&self) -> Result<BTreeMap<String, SessionRefs>> {
        let mut sessions = BTreeMap::new();
        for found in self.refs(REFS)? {
            let name = found.name.rsplit('/').nth(1).unwrap_or_default().to_owned();
            let session = sessions.entry(name).or_insert(SessionRefs {
                refs: Vec::new(),
                newest: found.at,
            });
            session.newest = session.newest.max(found.at);
            session.refs.push(found);
        }
        Ok(sessions)
    }

    /// The repositories that were set aside, and since when.
    pub(super) fn set_aside(&self) -> Vec<(SystemTime, PathBuf)> {
        let entries = fs::read_dir(&self.dir).into_iter().flatten().flatten();
        let aside =
            entries.filter(|entry| entry.file_name().as_bytes().starts_with(DAMAGED_PREFIX));
        let since =
            |entry: fs::DirEntry| Some((entry.metadata().ok()?.modified().ok()?, entry.path()));
        aside.filter_map(since).collect()
    }

    /// Drops one thing, unless it must stay: how many sessions that were.
    fn drop_one(&self, goes: Goes, rooms: &mut dyn OtherRooms) -> Result<u64> {
        match goes {
            Goes::Session(name, _) if must_stay(rooms, &name) => Ok(0),
            Goes::Session(_, session) => {
                self.drop_refs(&session.refs)?;
                self.collect()?;
                Ok(1)
            }
            Goes::Aside(dir) => {
                // One that stays is tried again the next time.
                let _stays = fs::remove_dir_all(dir);
                Ok(0)
            }
        }
    }

    /// Drops what is older than `oldest`: how many sessions, and whether anything at all.
    fn drop_older(&self, oldest: SystemTime, rooms: &mut dyn OtherRooms) -> Result<(u64, bool)> {
        for (since, dir) in self.set_aside() {
            if since < oldest {
                self.drop_one(Goes::Aside(dir), rooms)?;
            }
        }
        let sessions = self.sessions()?;
        let expired = sessions
            .into_iter()
            .filter(|(name, session)| session.newest < oldest && !must_stay(rooms, name));
        let expired: Vec<_> = expired.map(|(_, session)| session).collect();
        let mut gone: Vec<Ref> = expired
            .iter()
            .flat_map(|session| session.refs.iter().cloned())
            .collect();
        let aside = [self.refs(KEEP_REFS)?, self.refs(MARK_REFS)?].concat();
        let aside: Vec<_> = aside
            .into_iter()
            .filter(|found| found.at < oldest)
            .collect();
        self.forget_marks(|commit| aside.iter().any(|found| found.commit == commit))?;
        gone.extend(aside);
        self.drop_refs(&gone)?;
        Ok((expired.len() as u64, !gone.is_empty()))
    }

    /// Removes the lines of marks whose checkpoint `is_gone`.
    fn forget_marks(&self, is_gone: impl Fn(&str) -> bool) -> Result<()> {
        let path = self.dir.join("marks");
        let Ok(text) = read_small(&path, Links::Refuse, MARKS_BYTES_MAX) else {
            return Ok(());
        };
        let text = String::from_utf8_lossy(&text);
        let checkpoint = |line: &str| {
            let mark: Option<super::good_trees::GoodTree> = serde_json::from_str(line).ok();
            mark.map(|mark| mark.checkpoint)
        };
        let kept = text
            .lines()
            .filter(|line| !checkpoint(line).is_some_and(|id| is_gone(&id)));
        let kept: String = kept.flat_map(|line| [line, "\n"]).collect();
        if kept == text {
            Ok(())
        } else {
            files::replace(&path, Synced::Yes, kept.as_bytes())
        }
    }
}

/// Whether the session of these refs must stay. A name that is none of ours is nobody's to hold.
fn must_stay(rooms: &mut dyn OtherRooms, name: &str) -> bool {
    session_of(name).is_some_and(|session_id| rooms.must_stay(&session_id))
}

/// Bytes of all files below `dir`.
pub(crate) fn size(dir: &Path) -> u64 {
    let mut bytes = 0;
    let mut todo = vec![dir.to_owned()];
    while let Some(dir) = todo.pop() {
        for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
            match entry.metadata() {
                Ok(metadata) if metadata.is_dir() => todo.push(entry.path()),
                Ok(metadata) => bytes += metadata.len(),
                Err(_) => {}
            }
        }
    }
    bytes
}
