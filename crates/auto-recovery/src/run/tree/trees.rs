//! Outside of runs: mark a tree as good, put one back, tell what an attempt changed.
//!
//! Each claims the workspace first, so none works on a tree that a recovery is changing. A restore
//! keeps what it replaces and can itself be taken back.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::audit::session_id::short;
use crate::audit::{AuditStore, JournalEvent, LeftBehind, Restored};
use crate::checkpoint::{
    self, AskedBy, Checkpoint, CheckpointStore, Good, Preview, PutBack, Step, Uncovered,
    Unfinished, Wanted, check_checkpoint, find_session,
};
use crate::error::{Error, ErrorKind, Hint, Result};
use crate::host::{Host, new_id, timestamp};
use crate::interrupt::Interrupt;
use crate::process::DEFAULT_GRACE;
use crate::redaction::Redactor;
use crate::run::tree::attempt_diff::AttemptDiff;
use crate::run::tree::dead_run::end_processes;
use crate::run::tree::left_behind;
use crate::run::tree::options::checkpoint_options;
use crate::run::tree::session_patch::{SessionPatch, Span};
use crate::run::tree::session_trees::{AttemptTrees, SessionTrees};
use crate::workspace::{LockHolder, Locked, Workspace, WorkspaceLock};

/// The place of trees and records.
#[derive(Clone)]
pub struct Place {
    /// The state directory.
    pub state_dir: PathBuf,
    /// The store of the record.
    pub store: Arc<dyn AuditStore>,
    /// The files or the directory that the store is kept in; left out of checkpoints.
    pub store_paths: Vec<PathBuf>,
    /// The user's home directory, which is never checkpointed.
    pub home: Option<PathBuf>,
    /// The user who became root by `sudo`, if this is root: that user's repositories count as
    /// root's.
    pub sudo_uid: Option<u32>,
    /// Clock, sleep and randomness.
    pub host: Arc<dyn Host>,
    /// Masks secrets in diffs and patches.
    pub redactor: Arc<Redactor>,
}

/// A tree that was marked as good.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Marked {
    /// Its checkpoint.
    pub checkpoint: String,
    /// The workspace.
    pub root: PathBuf,
    /// Number of files and links it holds.
    pub files: usize,
    /// Warnings about it.
    pub warnings: Vec<String>,
}

/// A tree that was put back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TreeRestored {
    /// The workspace.
    pub root: PathBuf,
    /// The checkpoint it was put back to.
    pub checkpoint: String,
    /// The paths that were put back, and those that were not.
    pub put: PutBack,
    /// Items that an attempt is known to have left and no checkpoint holds.
    pub left_behind: Vec<LeftBehind>,
    /// The session that keeps what an earlier restore of the same session replaced.
    pub earlier: Option<String>,
    /// Other workspaces that the session worked in; nothing was put back there.
    pub others: Vec<PathBuf>,
}

/// A tree as a restore would change it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TreePreview {
    /// The workspace.
    pub root: PathBuf,
    /// The checkpoint that it would be put back to.
    pub checkpoint: String,
    /// The paths that would change, and those that would be left.
    pub preview: Preview,
    /// Items that an attempt is known to have left and no checkpoint holds.
    pub left_behind: Vec<LeftBehind>,
    /// Other workspaces that the session worked in; nothing would change there.
    pub others: Vec<PathBuf>,
}

/// A session, as a restore meets it.
struct Met {
    /// The workspace that is meant.
    workspace: Workspace,
    /// The others that it worked in.
    others: Vec<PathBuf>,
    /// Its trees, as its journal records them.
    trees: SessionTrees,
}

/// The restore that is asked for.
#[derive(Clone, Copy, Debug)]
pub struct RestoreRequest<'a> {
    /// The session.
    pub session_id: &'a str,
    /// Which tree of it.
    pub tree: SessionTree,
    /// Whether the whole tree is put back, later changes included.
    pub whole: bool,
    /// The current directory: where several workspaces have checkpoints of the session, its
    /// workspace is meant.
    pub cwd: &'a Path,
}

/// Which tree of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SessionTree {
    /// As the session found it.
    Beginning,
    /// As this attempt left it, before any undo.
    After(u64),
}

impl SessionTree {
    fn attempt(self) -> Option<u64> {
        match self {
            Self::Beginning => None,
            Self::After(number) => Some(number),
        }
    }
}

impl Place {
    pub(super) fn workspace(&self, cwd: &Path) -> Result<Workspace> {
        Workspace::find_for(cwd, self.home.as_deref(), self.sudo_uid)
    }

    /// Marks the tree that `cwd` lies in as good, for a later rollback, under a name if it has a
    /// `label`; also accepts it as it is after a run died here.
    ///
    /// # Errors
    /// If it cannot be checkpointed, or a recovery works here.
    pub fn mark(&self, cwd: &Path, label: Option<&str>) -> Result<Marked> {
        let workspace = self.workspace(cwd)?;
        workspace.checkpointable()?;
        let _lock = self.claim(&workspace)?;
        self.end_processes(&workspace)?;
        let store = self.open(&workspace)?;
        let mut session = store.begin_session(&new_id("mark"))?;
        let checkpoint = session.snapshot("marked as good")?;
        store.mark_labelled(&checkpoint, Good::Marked, label)?;
        self.settle(&workspace)?;
        Ok(Marked {
            checkpoint: checkpoint.id(),
            root: workspace.root().to_owned(),
            files: checkpoint.files(),
            warnings: [
                workspace.foreign_repository().as_slice(),
                checkpoint.warnings(),
            ]
            .concat(),
        })
    }

    /// Puts back what a session did in its workspace, or what came after one of its attempts.
    /// Paths that are not as the session left them any more are kept and named.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] if the session, the attempt or its checkpoint is not there; if a
    /// recovery works in the workspace.
    pub fn restore(&self, request: &RestoreRequest<'_>) -> Result<TreeRestored> {
        let Met {
            workspace,
            others,
            mut trees,
        } = self.session(request)?;
        let lock = self.claim(&workspace)?;
        self.end_processes(&workspace)?;
        let store = self.open(&workspace)?;
        let wanted = self.wanted(&store, request, &trees)?;
        let died = Unfinished::find(&self.state_dir, &workspace)?;
        let by = AskedBy::Person {
            died: died.as_ref(),
        };
        let checkpoint = wanted.checkpoint().map(Checkpoint::id);
        let put = checkpoint::put_back(&self.state_dir, &store, &wanted, by)?;
        let left_behind = left_behind(&store, request.tree, &trees, &wanted, &put.not_covered);
        let checkpoint = checkpoint.unwrap_or_default();
        let earlier = match trees.beginning.is_some() || put.taken_back_by.is_some() {
            true => trees.restores.pop().map(|(_, replaced)| replaced),
            false => self.last_restore_to(&checkpoint)?,
        };
        let restored = TreeRestored {
            root: workspace.root().to_owned(),
            checkpoint,
            put,
            left_behind,
            earlier: earlier.filter(|earlier| self.worked_in(earlier, workspace.root())),
            others,
        };
        if let Some(replaced) = &restored.put.taken_back_by {
            let event = Restored {
                attempt_number: request.tree.attempt(),
                checkpoint: restored.checkpoint.clone(),
                replaced: replaced.clone(),
                paths: restored.put.restored.len() as u64,
            };
            // A tree that a restore replaced has a name of its own, and no record to add to.
            let recorded = trees.beginning.is_some().then_some(request.session_id);
            self.store.record(recorded, JournalEvent::Restored(event))?;
        }
        drop(lock);
        Ok(restored)
    }

    /// Previews [`Place::restore`]. Nothing is changed.
    ///
    /// # Errors
    /// As [`Place::restore`], but that a recovery may be at work.
    pub fn preview(&self, request: &RestoreRequest<'_>) -> Result<TreePreview> {
        let Met {
            workspace,
            others,
            trees,
        } = self.session(request)?;
        let store = self.open(&workspace)?;
        let wanted = self.wanted(&store, request, &trees)?;
        let preview = checkpoint::preview(&store, &wanted)?;
        let named = &preview.not_covered;
        Ok(TreePreview {
            root: workspace.root().to_owned(),
            checkpoint: wanted.checkpoint().map(Checkpoint::id).unwrap_or_default(),
            left_behind: left_behind(&store, request.tree, &trees, &wanted, named),
            preview,
            others,
        })
    }

    /// The workspace meant by a request, and the session's trees by its journal: the workspace that
    /// has the tree asked for; of several, preferably that of the current directory.
    fn session(&self, request: &RestoreRequest<'_>) -> Result<Met> {
        let session_id = request.session_id;
        let here = self.workspace(request.cwd).ok();
        let mut found = find_session(&self.state_dir, session_id, here.as_ref())?;
        if found.is_empty() {
            let context = format!(
                "session {} has no checkpoints: nothing was tried in it, they are older than the \
                 state keeps them, they went when it ended, as was asked, or something removed them",
                short(session_id)
            );
            return Err(Error::new(ErrorKind::NotFound, context));
        }
        let trees = SessionTrees::read(&*self.store, session_id)?;
        let attempt = request
            .tree
            .attempt()
            .and_then(|number| trees.attempt(number));
        let wanted = attempt.and_then(AttemptTrees::after);
        let has = |workspace: &Workspace| {
            let has =
                |id: &String| check_checkpoint(&self.state_dir, workspace, id, &self.host).is_ok();
            wanted.is_some_and(has)
        };
        let meant = match found.len() {
            1 => 0,
            _ => found.iter().position(has).unwrap_or(0),
        };
        let workspace = found.remove(meant);
        let root = workspace.root();
        if !root.symlink_metadata().is_ok_and(|found| found.is_dir()) {
            let root = root.display();
            let context = format!(
                "the workspace of session {}, {root}, is not there any more: if it was \
                 moved, `mv NEW_PLACE {root}`, then this again",
                short(session_id)
            );
            return Err(Error::new(ErrorKind::NotFound, context));
        }
        let others = found.iter().map(|other| other.root().to_owned()).collect();
        Ok(Met {
            workspace,
            others,
            trees,
        })
    }

    /// The session that keeps what the last restore to `checkpoint` replaced: what a restore kept
    /// has no journal of its own.
    fn last_restore_to(&self, checkpoint: &str) -> Result<Option<String>> {
        let mut last = None;
        self.store.read_journal(None, &mut |record| {
            if let JournalEvent::Restored(restored) = record.event
                && restored.checkpoint == checkpoint
            {
                last = Some(restored.replaced);
            }
            Ok(())
        })?;
        Ok(last)
    }

    /// Whether a session worked in the workspace at `root`: its checkpoints are kept.
    pub fn worked_in(&self, session_id: &str, root: &Path) -> bool {
        let found = find_session(&self.state_dir, session_id, None);
        found.is_ok_and(|found| found.iter().any(|one| one.root() == root))
    }

    /// The tree, or the steps, that a restore is about.
    fn wanted(
        &self,
        store: &Arc<CheckpointStore>,
        request: &RestoreRequest<'_>,
        trees: &SessionTrees,
    ) -> Result<Wanted> {
        let session_id = request.session_id;
        if let SessionTree::After(number) = request.tree {
            let after = trees.attempt(number).and_then(AttemptTrees::after);
            let id = after.ok_or_else(|| no_tree(session_id, request.tree))?;
            let tree = store.load(id)?;
            if request.whole {
                return Ok(Wanted::Tree(tree));
            }
            let from = trees.attempts.iter().rposition(|one| one.number == number);
            let steps = steps(store, trees, from.unwrap_or_default());
            return Ok(match steps.is_empty() {
                true => Wanted::Tree(tree),
                false => Wanted::AfterFirst(steps),
            });
        }
        let taken = store.session_checkpoints(session_id)?;
        // What it found first may have been another workspace.
        let beginning = trees.beginning.as_ref();
        let beginning = beginning.filter(|id| store.load(id).is_ok());
        let first = beginning.or(taken.first());
        let first = first.ok_or_else(|| no_tree(session_id, request.tree))?;
        // After an attempt that was killed, or could not be put back, later changes cannot be
        // distinguished.
        let died = Unfinished::find(&self.state_dir, store.workspace())?;
        let is_unsettled = died.is_some_and(|died| died.run().session_id == session_id);
        if request.whole || trees.has_open_attempt || is_unsettled {
            return Ok(Wanted::Tree(store.load(first)?));
        }
        let steps = match trees.beginning {
            Some(_) => steps(store, trees, 0),
            None => restore_step(store, &taken).into_iter().collect(),
        };
        Ok(match steps.is_empty() {
            true => Wanted::Tree(store.load(first)?),
            false => Wanted::BeforeSteps(steps),
        })
    }

    /// The changes of attempt `number` of a session. `None` where no checkpoint has them.
    ///
    /// # Errors
    /// If the record or the checkpoints cannot be read.
    pub fn diff(&self, session_id: &str, number: u64) -> Result<Option<AttemptDiff>> {
        let trees = SessionTrees::read(&*self.store, session_id)?;
        let Some(attempt) = trees.attempt(number) else {
            return Ok(None);
        };
        let (Some(before), Some(acted)) = (&attempt.before, &attempt.acted) else {
            return Ok(None);
        };
        let found = find_session(&self.state_dir, session_id, None)?;
        let has = |workspace: &&Workspace| {
            check_checkpoint(&self.state_dir, workspace, acted, &self.host).is_ok()
        };
        let Some(workspace) = found.iter().find(has) else {
            return Ok(None);
        };
        let store = self.open(workspace)?;
        let (Ok(before), Ok(acted)) = (store.load(before), store.load(acted)) else {
            return Ok(None);
        };
        let verified = attempt.verified.as_deref();
        let verified = verified.and_then(|id| store.load(id).ok());
        Ok(Some(AttemptDiff {
            verified: verified.filter(|tree| !tree.is_same_tree(&acted)),
            store,
            before,
            acted,
            redactor: Arc::clone(&self.redactor),
        }))
    }

    /// The patch of attempt `number` of a session; without a number, that of the changes that
    /// stayed: its cures, together with the ground they built upon, as far as they make one
    /// difference. `None` where nothing stayed, or no checkpoint has it.
    ///
    /// # Errors
    /// If the record or the checkpoints cannot be read.
    pub fn patch(&self, session_id: &str, number: Option<u64>) -> Result<Option<SessionPatch>> {
        let trees = SessionTrees::read(&*self.store, session_id)?;
        let mut recoveries = match number {
            Some(number) => trees
                .attempt(number)
                .map(|one| vec![one])
                .into_iter()
                .collect(),
            None => trees.stayed(),
        };
        let Some(last) = recoveries.pop() else {
            return Ok(None);
        };
        let Some(acted) = last.last().and_then(|last| last.acted.as_ref()) else {
            return Ok(None);
        };
        let found = find_session(&self.state_dir, session_id, None)?;
        let has = |workspace: &&Workspace| {
            check_checkpoint(&self.state_dir, workspace, acted, &self.host).is_ok()
        };
        let Some(workspace) = found.iter().find(has) else {
            return Ok(None);
        };
        let store = self.open(workspace)?;
        let loaded = |id: &Option<String>| id.as_ref().and_then(|id| store.load(id).ok());
        let load = |attempts: &[&AttemptTrees]| -> Option<Vec<Span>> {
            let steps = attempts.iter();
            steps
                .map(|one| Some((loaded(&one.before)?, loaded(&one.acted)?)))
                .collect()
        };
        let Some(mut steps) = load(&last) else {
            return Ok(None);
        };
        let mut left_out = Vec::new();
        for recovery in recoveries.iter().rev() {
            match load(recovery).filter(|_| left_out.is_empty()) {
                Some(earlier) if SessionPatch::are_one(&store, &earlier, &steps) => {
                    steps.splice(0..0, earlier);
                }
                _ => left_out.extend(recovery.iter().map(|one| one.number)),
            }
        }
        left_out.sort_unstable();
        let patch = SessionPatch::of(&store, &steps, left_out);
        Ok(patch.map(|patch| patch.masked_by(&self.redactor)))
    }

    pub(super) fn open(&self, workspace: &Workspace) -> Result<Arc<CheckpointStore>> {
        let options = checkpoint_options(&self.store_paths, workspace, None);
        CheckpointStore::open(&self.state_dir, workspace, options, self.host.clone())
    }

    pub(super) fn claim(&self, workspace: &Workspace) -> Result<WorkspaceLock> {
        let holder = LockHolder {
            pid: std::process::id(),
            since: timestamp(self.host.now()),
            ..LockHolder::default()
        };
        match WorkspaceLock::try_acquire(&self.state_dir, workspace, &holder)? {
            Locked::Ours(lock) => Ok(lock),
            Locked::Theirs(other) => {
                let who = other
                    .filter(LockHolder::is_there)
                    .map(|other| format!(" (pid {})", other.pid))
                    .unwrap_or_default();
                let root = workspace.root().display();
                let context = format!("a recovery works in {root}{who}: wait until it has ended");
                Err(Error::new(ErrorKind::Busy, context))
            }
        }
    }

    /// Ends what a run that died here left running: it would change the tree once more.
    pub(super) fn end_processes(&self, workspace: &Workspace) -> Result<()> {
        match Unfinished::find(&self.state_dir, workspace)? {
            Some(unfinished) => {
                let died = unfinished.run();
                let interrupt = Interrupt::none();
                let host = &*self.host;
                end_processes(
                    &died.session_id,
                    &died.run_id,
                    DEFAULT_GRACE,
                    &interrupt,
                    host,
                )
            }
            None => Ok(()),
        }
    }

    /// A request for a tree also decides what a run that died here left open.
    fn settle(&self, workspace: &Workspace) -> Result<()> {
        match Unfinished::find(&self.state_dir, workspace)? {
            Some(unfinished) => unfinished.end(),
            None => Ok(()),
        }
    }
}

/// Leftovers, outside every checkpoint, of the attempts that are taken back.
fn left_behind(
    store: &CheckpointStore,
    tree: SessionTree,
    trees: &SessionTrees,
    wanted: &Wanted,
    named: &[Uncovered],
) -> Vec<LeftBehind> {
    let all = &trees.attempts;
    let at = |number| all.iter().rposition(|one| one.number == number);
    let first = tree.attempt().and_then(at).map_or(0, |at| at + 1);
    // The first attempt whose tree could be kept may have met what the one before it left.
    let beginning = trees.beginning.as_ref().filter(|_| first == 0);
    let beginning = beginning.and_then(|id| store.load(id).ok());
    let before = beginning.as_ref().or(wanted.checkpoint());
    left_behind::by_attempts(store, &all[first..], before, named)
}

/// The steps of attempts and restores from the attempt at `first` on, as far as this workspace
/// still keeps their trees.
fn steps(store: &CheckpointStore, trees: &SessionTrees, first: usize) -> Vec<Step> {
    let loaded = |id: &Option<String>| id.as_ref().and_then(|id| store.load(id).ok());
    let step = |attempt: &AttemptTrees| {
        Some(Step {
            before: loaded(&attempt.before)?,
            after: loaded(&attempt.verified).or_else(|| loaded(&attempt.acted))?,
            is_undone: attempt.is_undone,
            foreign: attempt.foreign.iter().cloned().collect(),
            stayed: attempt.not_put_back.iter().cloned().collect(),
            is_restore: false,
        })
    };
    let mut steps = Vec::new();
    for (index, attempt) in trees.attempts.iter().enumerate().skip(first) {
        steps.extend(step(attempt));
        let restores = trees.restores.iter();
        for (_, replaced) in restores.filter(|(ended, _)| *ended == index + 1) {
            let taken = store.session_checkpoints(replaced).unwrap_or_default();
            steps.extend(restore_step(store, &taken));
        }
    }
    steps
}

/// The step of a restore, by the two checkpoints that it took; none for one of an older release.
fn restore_step(store: &CheckpointStore, taken: &[String]) -> Option<Step> {
    let [before, .., after] = taken else {
        return None;
    };
    Some(Step {
        before: store.load(before).ok()?,
        after: store.load(after).ok()?,
        is_undone: false,
        foreign: HashSet::new(),
        stayed: HashSet::new(),
        is_restore: true,
    })
}

fn no_tree(session_id: &str, tree: SessionTree) -> Error {
    let which = match tree {
        SessionTree::Beginning => "its beginning".to_owned(),
        SessionTree::After(number) => format!("attempt {number}"),
    };
    let context = format!("session {} keeps no tree of {which}", short(session_id));
    Error::new(ErrorKind::NotFound, context).with_hint(Hint::ListAttempts {
        session_id: session_id.to_owned(),
    })
}
