//! Outside of runs: mark a tree as good, put one back, tell what an attempt changed.
//!
//! Each claims the workspace first, so none works on a tree that a recovery is changing. A restore
//! keeps what it replaces and can itself be taken back.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::audit::{AuditStore, JournalEvent, Restored};
use crate::checkpoint::{
    Checkpoint, CheckpointOptions, CheckpointStore, Good, LockHolder, Locked, Pending, PendingRun,
    RestoreReport, Workspace, WorkspaceLock, find_session,
};
use crate::error::{Error, ErrorKind, Result};
use crate::host::{Host, new_id, timestamp};
use crate::process::{DEFAULT_GRACE, Interrupt};
use crate::run::guard::end_processes;

/// Where trees and records are.
#[derive(Clone)]
pub struct Place {
    /// The state directory.
    pub state_dir: PathBuf,
    /// Where the record goes.
    pub store: Arc<dyn AuditStore>,
    /// The files or the directory that the store is kept in; left out of checkpoints.
    pub store_paths: Vec<PathBuf>,
    /// The user's home directory, which is never checkpointed.
    pub home: Option<PathBuf>,
    /// Clock, sleep and randomness.
    pub host: Arc<dyn Host>,
}

/// A tree that was marked as good.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Marked {
    /// Its checkpoint.
    pub checkpoint: String,
    /// The workspace.
    pub root: PathBuf,
    /// How many files and links it holds.
    pub files: usize,
    /// What should be said of it.
    pub warnings: Vec<String>,
}

/// A tree that was put back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TreeRestored {
    /// The workspace.
    pub root: PathBuf,
    /// The checkpoint it was put back to.
    pub checkpoint: String,
    /// The session that keeps the tree it replaced: restoring that takes it back.
    pub taken_back_by: String,
    /// Paths that were put back, sorted.
    pub restored: Vec<String>,
    /// Paths that somebody changed meanwhile; kept.
    pub foreign: Vec<String>,
    /// Paths that differ and that no checkpoint holds.
    pub not_covered: Vec<String>,
}

/// Which tree of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SessionTree {
    /// As the session found it.
    Beginning,
    /// As this attempt left it, before any undo.
    After(u64),
}

/// What the journal says of the trees of a session.
#[derive(Default)]
struct Trees {
    beginning: Option<String>,
    before: Option<String>,
    acted: Option<String>,
    left: Option<String>,
}

impl Place {
    /// Marks the tree that `cwd` lies in as good, for a later rollback; also accepts it as it is
    /// after a run died here.
    ///
    /// # Errors
    /// If it cannot be checkpointed, or a recovery works here.
    pub fn mark(&self, cwd: &Path) -> Result<Marked> {
        let workspace = Workspace::find(cwd, self.home.as_deref())?;
        workspace.checkpointable()?;
        let _lock = self.claim(&workspace)?;
        self.end_processes(&workspace)?;
        let store = self.open(&workspace)?;
        let mut session = store.begin_session(&new_id("mark"))?;
        let checkpoint = session.snapshot("marked as good")?;
        store.mark_good(&checkpoint, Good::Marked)?;
        self.settle(&workspace)?;
        Ok(Marked {
            checkpoint: checkpoint.id(),
            root: workspace.root().to_owned(),
            files: checkpoint.files(),
            warnings: checkpoint.warnings().to_vec(),
        })
    }

    /// Puts the tree of a session's workspace back.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] if the session, the attempt or its checkpoint is not there; if a
    /// recovery works in the workspace.
    pub fn restore(&self, session_id: &str, tree: SessionTree) -> Result<TreeRestored> {
        let workspace = find_session(&self.state_dir, session_id)?.ok_or_else(|| {
            Error::new(
                ErrorKind::NotFound,
                format!(
                    "session {session_id} has no checkpoints: nothing was tried in it, or they \
                         are older than the state keeps them"
                ),
            )
        })?;
        let trees = self.trees(session_id, tree)?;
        let id = match tree {
            SessionTree::Beginning => trees.beginning.clone(),
            SessionTree::After(_) => trees.left,
        };
        // A tree that a restore replaced has a name of its own, and no record to add to.
        let recorded = trees.beginning.is_some().then_some(session_id);
        let lock = self.claim(&workspace)?;
        self.end_processes(&workspace)?;
        let store = self.open(&workspace)?;
        let id = match (id, tree) {
            (Some(id), _) => id,
            // A restore's own session has no journal of attempts: its first checkpoint is its tree.
            (None, SessionTree::Beginning) => {
                let taken = store.session_checkpoints(session_id)?;
                taken
                    .into_iter()
                    .next()
                    .ok_or_else(|| no_tree(session_id, tree))?
            }
            (None, SessionTree::After(_)) => return Err(no_tree(session_id, tree)),
        };
        let target = store.load(&id)?;
        let restored = self.put_back(&workspace, &store, &target)?;
        let event = Restored {
            attempt_number: match tree {
                SessionTree::Beginning => None,
                SessionTree::After(number) => Some(number),
            },
            checkpoint: restored.checkpoint.clone(),
            replaced: restored.taken_back_by.clone(),
            paths: restored.restored.len() as u64,
        };
        self.store.record(recorded, JournalEvent::Restored(event))?;
        drop(lock);
        Ok(restored)
    }

    fn put_back(
        &self,
        workspace: &Workspace,
        store: &Arc<CheckpointStore>,
        target: &Checkpoint,
    ) -> Result<TreeRestored> {
        let taken_back_by = new_id("restore");
        let mut session = store.begin_session(&taken_back_by)?;
        let now = session.snapshot_covering("before a restore", &[target])?;
        store.keep(&now)?;
        let pending = self.begin_pending(workspace, &taken_back_by, target, &now)?;
        let RestoreReport {
            restored,
            foreign,
            not_covered,
        } = session.restore(target, Some(&now))?;
        pending.end()?;
        Ok(TreeRestored {
            root: workspace.root().to_owned(),
            checkpoint: target.id(),
            taken_back_by,
            restored,
            foreign,
            not_covered: not_covered.into_iter().map(|path| path.display).collect(),
        })
    }

    /// What attempt `number` of a session changed, as a unified diff; `None` where no checkpoint
    /// tells.
    ///
    /// # Errors
    /// If the record or the checkpoints cannot be read.
    pub fn diff(&self, session_id: &str, number: u64) -> Result<Option<Vec<u8>>> {
        let Some(workspace) = find_session(&self.state_dir, session_id)? else {
            return Ok(None);
        };
        let trees = self.trees(session_id, SessionTree::After(number))?;
        let (Some(before), Some(after)) = (trees.before, trees.acted) else {
            return Ok(None);
        };
        let store = self.open(&workspace)?;
        let (before, after) = match (store.load(&before), store.load(&after)) {
            (Ok(before), Ok(after)) => (before, after),
            _ => return Ok(None),
        };
        let mut text = Vec::new();
        store.patch(&before, &after, &mut text)?;
        Ok(Some(text))
    }

    /// The trees that the journal names around `tree`.
    fn trees(&self, session_id: &str, tree: SessionTree) -> Result<Trees> {
        let mut trees = Trees::default();
        let wanted = match tree {
            SessionTree::Beginning => None,
            SessionTree::After(number) => Some(number),
        };
        self.store.read_journal(Some(session_id), &mut |record| {
            match record.event {
                JournalEvent::FailureDetected(failure) if trees.beginning.is_none() => {
                    trees.beginning = failure.checkpoint;
                }
                JournalEvent::AttemptStarted(attempt) if Some(attempt.attempt_number) == wanted => {
                    trees.before = attempt.checkpoint;
                }
                JournalEvent::AttemptFinished(attempt)
                    if Some(attempt.attempt_number) == wanted =>
                {
                    trees.left = attempt
                        .checkpoint_verified
                        .or(attempt.checkpoint_acted.clone());
                    trees.acted = attempt.checkpoint_acted;
                }
                _ => {}
            }
            Ok(())
        })?;
        Ok(trees)
    }

    fn open(&self, workspace: &Workspace) -> Result<Arc<CheckpointStore>> {
        let options = CheckpointOptions {
            exclude: self.store_paths.clone(),
            ..CheckpointOptions::default()
        };
        CheckpointStore::open(&self.state_dir, workspace, options, self.host.clone())
    }

    fn claim(&self, workspace: &Workspace) -> Result<WorkspaceLock> {
        let holder = LockHolder {
            pid: std::process::id(),
            since: timestamp(self.host.now()),
            ..LockHolder::default()
        };
        match WorkspaceLock::try_acquire(&self.state_dir, workspace, &holder)? {
            Locked::Ours(lock) => Ok(lock),
            Locked::Theirs(other) => {
                let who = other
                    .map(|other| format!(" (pid {})", other.pid))
                    .unwrap_or_default();
                let root = workspace.root().display();
                let context = format!("a recovery works in {root}{who}: wait until it has ended");
                Err(Error::new(ErrorKind::Busy, context))
            }
        }
    }

    /// Ends what a run that died here left running: it would change the tree once more.
    fn end_processes(&self, workspace: &Workspace) -> Result<()> {
        match Pending::find(&self.state_dir, workspace)? {
            Some(pending) => {
                let died = pending.run();
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

    /// Leaves word for the next run here, in case this restore dies half-way. Takes the place of
    /// what a run that died left, but for the mark of its processes, which are to be ended still.
    fn begin_pending(
        &self,
        workspace: &Workspace,
        taken_back_by: &str,
        target: &Checkpoint,
        now: &Checkpoint,
    ) -> Result<Pending> {
        let died = Pending::find(&self.state_dir, workspace)?;
        let word = PendingRun {
            session_id: taken_back_by.to_owned(),
            run_id: died.map_or_else(String::new, |died| died.run().run_id.clone()),
            pid: std::process::id(),
            at: timestamp(self.host.now()),
            before: target.id(),
            after: Some(now.id()),
            is_restore: true,
            ..PendingRun::default()
        };
        Pending::begin(&self.state_dir, workspace, word)
    }

    /// Whoever says how the tree shall be has decided what a run that died here left open.
    fn settle(&self, workspace: &Workspace) -> Result<()> {
        match Pending::find(&self.state_dir, workspace)? {
            Some(pending) => pending.end(),
            None => Ok(()),
        }
    }
}

fn no_tree(session_id: &str, tree: SessionTree) -> Error {
    let which = match tree {
        SessionTree::Beginning => "its beginning".to_owned(),
        SessionTree::After(number) => format!("attempt {number}"),
    };
    let context = format!(
        "session {session_id} keeps no tree of {which}: `recover history {session_id}` lists its \
         attempts"
    );
    Error::new(ErrorKind::NotFound, context)
}
