//! The record of a run that may die: what it had changed, so that the next run can finish its undo.
//!
//! `pending.json` stands in the workspace's state from before the first change of a run until its
//! end; one JSON object, replaced durably. Whoever holds the workspace lock and finds it, finds a
//! run that died. It is finished only where every path is as it was before or after the attempt.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::checkpoint::beside::Inbox;
use crate::checkpoint::commit::Checkpoint;
use crate::checkpoint::going_back::Candidate;
use crate::checkpoint::past::Past;
use crate::checkpoint::repository::head;
use crate::checkpoint::restore::plan::NewSecrets;
use crate::checkpoint::restore::restored::RestoreReport;
use crate::checkpoint::session::CheckpointSession;
use crate::checkpoint::store::CheckpointStore;
use crate::checkpoint::tree::path::{RelPath, display_path};
use crate::checkpoint::tree::watch::Uncovered;
use crate::error::{Error, ErrorKind, Result};
use crate::files::{self, Links, Synced, read_small};
use crate::host::timestamp;
use crate::workspace::Workspace;
use crate::workspace::layout::{
    CHECKPOINTS, ROOT_BYTES_MAX, has_state, make_workspace_dir, workspace_dir,
};

/// The newest format version of the record.
const VERSION: u32 = 1;

/// The largest record that is read: its groups at some 40 bytes, and a command line.
const RECORD_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// A process group that a run started.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StartedGroup {
    /// Its id, which is the id of its first process.
    pub pgid: i32,
    /// When that process started, in the kernel's own count: tells it from a later one of that id.
    pub started: Option<u64>,
}

/// A run that has begun to change a tree.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct UnfinishedRun {
    /// Format version.
    pub v: u32,
    /// Its session.
    pub session_id: String,
    /// The mark in the environment of everything it started.
    pub run_id: String,
    /// The store that its record goes to, as a URL without passwords.
    pub store: String,
    /// What it recovers, as argv.
    pub command: Vec<String>,
    /// Its process.
    pub pid: u32,
    /// When that process started, in the kernel's own count.
    pub pid_started: Option<u64>,
    /// When the record was begun, RFC 3339.
    pub at: String,
    /// The tree to go back to, as a checkpoint id.
    pub before: String,
    /// When that was seen, in nanoseconds since 1970, by the clock that stamps files.
    pub since_ns: Option<i64>,
    /// The tree as the attempt left it, once that is known.
    pub after: Option<String>,
    /// The trees that earlier attempts left whose changes are kept as the ground, as checkpoint
    /// ids, oldest first.
    pub grounds: Vec<String>,
    /// The commits that the user's HEAD was at before the attempt and after it, empty for none.
    pub heads: Vec<String>,
    /// Which directory the workspace's root is, by its inode and when it was made.
    pub root: Option<String>,
    /// Whether it is no run but a restore: `before` is the tree that it puts back, `after` the one
    /// that it found.
    pub is_restore: bool,
    /// Process groups that may still run.
    pub groups: Vec<StartedGroup>,
}

/// The record of a run, as it stands in the state.
#[derive(Debug)]
pub struct Unfinished {
    path: PathBuf,
    run: UnfinishedRun,
}

/// What a run that died left of the tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UnfinishedState {
    /// The tree is as it was before.
    Clean,
    /// These paths are still as the attempt left them, all others as they were before.
    Finishable(Vec<String>),
    /// These paths are neither: somebody changed them, or the run died in the middle of an attempt.
    Conflicting(Vec<String>),
}

impl Unfinished {
    /// Records that a run is about to change the tree. Durable when it returns.
    pub fn begin(state_dir: &Path, workspace: &Workspace, run: UnfinishedRun) -> Result<Self> {
        let dir = make_workspace_dir(state_dir, workspace)?;
        let unfinished = Self {
            path: dir.join("pending.json"),
            run: UnfinishedRun {
                v: VERSION,
                root: identity(workspace.root()),
                ..run
            },
        };
        unfinished.write()?;
        Ok(unfinished)
    }

    /// The run that died in `workspace`, if one did. To be asked by the holder of its lock.
    ///
    /// # Errors
    /// [`ErrorKind::Damaged`] or [`ErrorKind::NewerFormat`] when a record stands there that cannot
    /// be understood; it is kept.
    pub fn find(state_dir: &Path, workspace: &Workspace) -> Result<Option<Self>> {
        if !has_state(state_dir)? {
            return Ok(None);
        }
        Self::find_in(&workspace_dir(state_dir, workspace))
    }

    /// The same for the workspace whose state is in `dir`.
    pub(super) fn find_in(dir: &Path) -> Result<Option<Self>> {
        let path = dir.join("pending.json");
        let text = match read_small(&path, Links::Refuse, RECORD_BYTES_MAX) {
            Ok(text) => text,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(e) => return Err(Error::io("read", &path, e)),
        };
        let shown = path.display();
        let run: UnfinishedRun = serde_json::from_slice(&text).map_err(|e| {
            let what =
                format!("the record of a run that died is damaged; look at {shown} and remove it");
            Error::new(ErrorKind::Damaged, what).with_source(e)
        })?;
        if run.v > VERSION {
            let what = format!("{shown} was written by a newer release; use that one");
            return Err(Error::new(ErrorKind::NewerFormat, what));
        }
        Ok(Some(Self { path, run }))
    }

    /// What it says.
    pub fn run(&self) -> &UnfinishedRun {
        &self.run
    }

    /// A new attempt begins: all that goes back to `before` is its changes, and those that earlier
    /// attempts left as `grounds`.
    pub fn note_before(&mut self, before: &Checkpoint, grounds: &[&Checkpoint]) -> Result<()> {
        self.run.before = before.id();
        self.run.since_ns = before.seen_ns();
        let trees = [before].into_iter().chain(grounds.iter().copied());
        self.run.heads = trees
            .filter_map(|tree| tree.head().map(str::to_owned))
            .collect();
        self.run.grounds = grounds.iter().map(|ground| ground.id()).collect();
        self.run.after = None;
        self.write()
    }

    /// The attempt left the tree as `after`.
    pub fn note_after(&mut self, after: &Checkpoint) -> Result<()> {
        self.run.after = Some(after.id());
        self.run.heads.extend(after.head().map(str::to_owned));
        self.write()
    }

    /// Processes were started.
    pub fn note_group(&mut self, group: StartedGroup) -> Result<()> {
        self.run.groups.push(group);
        self.write()
    }

    /// All processes that were started have ended.
    pub fn forget_groups(&mut self) -> Result<()> {
        self.run.groups.clear();
        self.write()
    }

    /// The run has come to its end.
    pub fn end(self) -> Result<()> {
        files::remove_synced(&self.path)
    }

    /// Why the tree is another one now than the run changed: its directory was made anew, or HEAD
    /// moved. What was left in the other one is none of this one's.
    pub fn is_of_another_tree(&self, store: &CheckpointStore) -> Option<String> {
        let root = store.root.path();
        let now = identity(root);
        if self.run.root.is_some() && now.is_some() && self.run.root != now {
            return Some("the directory was made anew since".to_owned());
        }
        let git_dir = store.workspace().git_dir();
        let head = match git_dir {
            Some(git_dir) => head::now(&store.git, git_dir, root).commit,
            None => None,
        };
        let head = head.unwrap_or_default();
        let was = self.run.heads.last()?;
        if self.run.heads.contains(&head) {
            return None;
        }
        let short = |commit: &str| match commit {
            "" => "no commit".to_owned(),
            commit => commit.chars().take(10).collect(),
        };
        let (was, is) = (short(was), short(&head));
        Some(format!("HEAD was {was} then and is {is} now"))
    }

    /// What the run that died left of the tree.
    pub fn assess(&self, store: &Arc<CheckpointStore>) -> Result<UnfinishedState> {
        let (before, left) = self.images(store)?;
        let mut session = store.begin_session(&self.run.session_id)?;
        let mut finishable = Vec::new();
        let mut conflicting = Vec::new();
        let new_secrets = self.new_secrets();
        let mut held = session.hold_against(&before, left.first(), new_secrets.clone())?;
        for ground in left.iter().skip(1) {
            let other = session
                .hold_against(&before, Some(ground), new_secrets.clone())?
                .into_iter();
            let other: BTreeMap<_, _> = other.collect();
            let unknown = held.iter_mut().filter(|(_, is)| *is == Candidate::Neither);
            for (path, candidate) in unknown {
                *candidate = other.get(path).copied().unwrap_or(Candidate::Neither);
            }
        }
        for (path, candidate) in held {
            match candidate {
                Candidate::Before => {}
                Candidate::After => finishable.push(display_path(&path)),
                Candidate::Neither => conflicting.push(display_path(&path)),
            }
        }
        Ok(if !conflicting.is_empty() {
            UnfinishedState::Conflicting(conflicting)
        } else if finishable.is_empty() {
            UnfinishedState::Clean
        } else {
            UnfinishedState::Finishable(finishable)
        })
    }

    /// What of the tree is not as it was before, and is held by no checkpoint.
    ///
    /// # Errors
    /// If the checkpoints cannot be read.
    pub fn not_covered(&self, store: &Arc<CheckpointStore>) -> Result<Vec<Uncovered>> {
        let before = store.load(&self.run.before)?;
        let mut session = store.begin_session(&self.run.session_id)?;
        Ok(session.differing(&before, None)?.1)
    }

    /// Workspaces inside that were cured since the run died, relative to `root`: their trees are
    /// proven.
    pub(super) fn cured_inside(&self, state_dir: &Path, root: &Path) -> Vec<RelPath> {
        let changed = |path: &Path| path.metadata().and_then(|is| is.modified()).ok();
        let Some(died) = changed(&self.path) else {
            return Vec::new();
        };
        let dirs = fs::read_dir(state_dir.join(CHECKPOINTS))
            .into_iter()
            .flatten();
        let cured = dirs.flatten().filter_map(|entry| {
            let root_file = entry.path().join("root");
            let inside = read_small(&root_file, Links::Refuse, ROOT_BYTES_MAX).ok()?;
            let inside = Path::new(OsStr::from_bytes(&inside))
                .strip_prefix(root)
                .ok()?
                .to_owned();
            let is_later = changed(&entry.path().join("marks")).is_some_and(|at| at > died);
            let is_below = !inside.as_os_str().is_empty();
            (is_below && is_later).then(|| RelPath::from(inside.as_os_str().as_bytes()))
        });
        cured.collect()
    }

    /// Puts the tree back as it was before, but for what a run `beside` may have changed. For a
    /// [`UnfinishedState::Finishable`] only.
    pub fn finish(
        &self,
        store: &Arc<CheckpointStore>,
        beside: Option<&Inbox>,
    ) -> Result<RestoreReport> {
        let (before, left) = self.images(store)?;
        let mut session: CheckpointSession = store.begin_session(&self.run.session_id)?;
        let mut all: Option<RestoreReport> = None;
        for from in &left {
            // What is as an older one of them left it is kept by this one, and goes with that.
            let new_secrets = self.new_secrets();
            let report = session.go_back((&before, Some(from)), beside, new_secrets)?;
            all = Some(match all {
                Some(all) => all.followed_by(report),
                None => report,
            });
        }
        Ok(all.unwrap_or_default())
    }

    /// What becomes of files that are watched for their names and that were not there before: an
    /// attempt made them, a restore did not.
    fn new_secrets(&self) -> NewSecrets {
        NewSecrets::of_attempt(self.run.since_ns.filter(|_| !self.run.is_restore))
    }

    /// The tree to go back to, and those that the attempts left, newest first.
    fn images(&self, store: &CheckpointStore) -> Result<(Checkpoint, Vec<Checkpoint>)> {
        let left = self.run.after.iter().chain(self.run.grounds.iter().rev());
        let left: Result<Vec<_>> = left.map(|id| store.load(id)).collect();
        let mut before = store.load(&self.run.before)?;
        // It may have been the same tree for longer.
        before.past = Arc::new(Past::clone(&before.past).at(self.run.since_ns));
        Ok((before, left?))
    }

    fn write(&self) -> Result<()> {
        let text = serde_json::to_vec(&self.run).map_err(|e| {
            Error::new(
                ErrorKind::InvalidInput,
                "failed to write the record of a run",
            )
            .with_source(e)
        })?;
        files::replace(&self.path, Synced::Yes, &text)
    }
}

/// Which directory this is: its inode and when it was made, where the file system tells. One that
/// was made anew may get the same inode.
fn identity(dir: &Path) -> Option<String> {
    let metadata = dir.metadata().ok()?;
    let made = metadata.created().ok().map(timestamp);
    let inode = metadata.ino();
    Some(format!("{inode} {}", made.unwrap_or_default()))
}
