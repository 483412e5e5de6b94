//! One recovery at a time a workspace: a lock that its holder's death releases.
//!
//! A `flock` on a file of the state that is never removed. The file's contents are for people who
//! wait; only the kernel says whether the lock is held.
//!
//! Workspaces that overlap exclude each other: a recovery takes its root alone, and shares the
//! locks of all directories above it. So a repository inside a folder, a submodule in its
//! superproject, a linked work tree inside a checkout wait for each other, in either order, while
//! neighbours do not. Where nothing can be undone (`/`, the home directory and what holds it), a
//! recovery excludes only another one of the same root. A recovery inside of another one has locks
//! of its own, described in `nested`.

use std::fs::{File, OpenOptions};
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;
use serde::{Deserialize, Serialize};

use crate::error::{Error, ErrorKind, Result};
use crate::files::{Links, open_own, open_regular, stands_at};
use crate::host::{Host, Wait};
use crate::workspace::directory::Workspace;
use crate::workspace::layout::{LOCKS, make_in_state};
use crate::workspace::lineage::{self, Kin, parents};
use crate::workspace::locked_file::{is_locked, is_locked_at};
use crate::workspace::onlooker::Farewell;

/// Pause between a waiter's looks. A person does not notice it, and 20 looks a second cost nothing.
const POLL: Duration = Duration::from_millis(50);

/// Text between the key and the outer process in the name of a lock inside of another recovery.
const INSIDE: &str = ".in-";

/// The most that is read of who holds a lock: a command line, of at most 2 MiB, as JSON.
const HOLDER_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// The holder of a workspace.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct LockHolder {
    /// The process.
    pub pid: u32,
    /// Its start in the kernel's own count: distinguishes it from a later process of that id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pid_started: Option<u64>,
    /// Its session.
    pub session_id: Option<String>,
    /// The command it recovers, as argv.
    pub command: Vec<String>,
    /// Since when, RFC 3339.
    pub since: String,
    /// The root of the workspace, as a path.
    pub root: String,
}

impl LockHolder {
    /// Whether that process exists, as far as can be seen from here. A lock may still hold the text
    /// of an earlier holder.
    pub fn is_there(&self) -> bool {
        let started = lineage::started(self.pid);
        started.is_some() && self.pid_started.is_none_or(|at| started == Some(at))
    }
}

/// A held workspace; dropping it, or dying, releases it.
#[derive(Debug)]
pub struct WorkspaceLock {
    file: File,
    /// The directories above, shared with others below them.
    above: Vec<File>,
    /// Notifies the runs that look on, before the lock is free.
    farewell: Option<Farewell>,
}

impl Drop for WorkspaceLock {
    /// Unlocks by name: a child that is being started just then has copies of all that is open, and
    /// closing ours would leave the lock to it until it runs its program.
    fn drop(&mut self) {
        drop(self.farewell.take());
        for file in std::iter::once(&self.file).chain(&self.above) {
            let _ = flock(file, FlockOperation::Unlock);
        }
    }
}

/// The result of an attempt to take a workspace.
#[derive(Debug)]
pub enum Locked {
    /// Taken by us.
    Ours(WorkspaceLock),
    /// Held by another process; its holder, when that could be read.
    Theirs(Option<LockHolder>),
}

impl WorkspaceLock {
    /// Takes the workspace if it is free.
    ///
    /// # Errors
    /// If the lock cannot be asked for.
    pub fn try_acquire(
        state_dir: &Path,
        workspace: &Workspace,
        holder: &LockHolder,
    ) -> Result<Locked> {
        let taken = try_level(state_dir, workspace, holder, "")?;
        Ok(match taken {
            Ok(lock) => match wider_inside(state_dir, workspace, |_| false) {
                None => Locked::Ours(lock.until_told(state_dir, workspace, parents())),
                other => Locked::Theirs(other),
            },
            Err(held) => Locked::Theirs(held.into_iter().flatten().next()),
        })
    }

    /// Takes the workspace, waiting for its holder, at most until `deadline` on the host's
    /// monotonic clock. `on_wait` is called once, when a wait begins.
    ///
    /// # Errors
    /// [`ErrorKind::Interrupted`] when the user asks to stop meanwhile, [`ErrorKind::TimedOut`]
    /// when the deadline passes.
    pub fn acquire(
        state_dir: &Path,
        workspace: &Workspace,
        holder: &LockHolder,
        host: &dyn Host,
        deadline: Option<Duration>,
        on_wait: &mut dyn FnMut(Option<&LockHolder>),
    ) -> Result<Self> {
        let mut attempt = || match Self::try_acquire(state_dir, workspace, holder)? {
            Locked::Ours(lock) => Ok(Ok(lock)),
            Locked::Theirs(other) => Ok(Err(other)),
        };
        wait_for(workspace, host, deadline, on_wait, &mut attempt)
    }

    /// Says anew who holds it, for instance once the session has an id.
    pub fn describe(&mut self, holder: &LockHolder) -> Result<()> {
        let mut holder = holder.clone();
        if holder.pid == std::process::id() {
            holder.pid_started = lineage::started(holder.pid);
        }
        let text = serde_json::to_vec(&holder).map_err(|e| {
            Error::new(ErrorKind::InvalidInput, "failed to describe a lock").with_source(e)
        })?;
        let written = self
            .file
            .set_len(0)
            .and_then(|()| std::io::Seek::rewind(&mut self.file))
            .and_then(|()| self.file.write_all(&text));
        match written {
            // On a full disk the lock holds all the same; only its holder cannot be read.
            Err(e) if e.kind() != std::io::ErrorKind::StorageFull => {
                Err(Error::os("failed to describe a lock", e))
            }
            _ => Ok(()),
        }
    }

    /// The same lock, which on release notifies the runs that look on in `workspace`, but not those
    /// among `parents`, which it is a part of.
    pub(crate) fn until_told(
        self,
        state_dir: &Path,
        workspace: &Workspace,
        parents: Vec<Kin>,
    ) -> Self {
        let mut lock = self;
        lock.farewell = Some(Farewell::new(state_dir, workspace, parents));
        lock
    }

    pub(crate) fn try_key(state_dir: &Path, key: &str, holder: &LockHolder) -> Result<Locked> {
        match take(state_dir, key, FlockOperation::NonBlockingLockExclusive)? {
            Ok(file) => {
                let mut lock = Self {
                    file,
                    above: Vec::new(),
                    farewell: None,
                };
                lock.describe(holder)?;
                Ok(Locked::Ours(lock))
            }
            Err(theirs) => Ok(Locked::Theirs(read_holder(theirs))),
        }
    }
}

/// Opens the lock of that key and locks it, or returns it open if another process holds it.
fn take(state_dir: &Path, key: &str, how: FlockOperation) -> Result<Result<File, File>> {
    loop {
        let (path, file) = open(state_dir, key)?;
        match flock(&file, how) {
            Ok(()) if stands_at(&file, &path) => return Ok(Ok(file)),
            // The file was removed meanwhile, and another may be in its place.
            Ok(()) => {}
            Err(Errno::WOULDBLOCK) => return Ok(Err(file)),
            Err(errno) => return Err(Error::io("lock", &path, errno.into())),
        }
    }
}

/// Takes a workspace at `level`, which is empty but inside of another recovery: its own root alone,
/// and all above it shared. Otherwise says who is in the way, as far as they say who they are.
pub(crate) fn try_level(
    state_dir: &Path,
    workspace: &Workspace,
    holder: &LockHolder,
    level: &str,
) -> Result<Result<WorkspaceLock, Vec<Option<LockHolder>>>> {
    let holder = LockHolder {
        root: workspace.root().display().to_string(),
        ..holder.clone()
    };
    let mut above = Vec::new();
    for key in workspace.keys_above() {
        match take(
            state_dir,
            &(key + level),
            FlockOperation::NonBlockingLockShared,
        )? {
            Ok(file) => above.push(file),
            Err(theirs) => return Ok(Err(vec![read_holder(theirs)])),
        }
    }
    let key = workspace.key() + level;
    match WorkspaceLock::try_key(state_dir, &key, &holder)? {
        Locked::Ours(mut lock) => {
            lock.above = above;
            Ok(Ok(lock))
        }
        // The file's contents may be old: recoveries below only share the lock.
        Locked::Theirs(other) => {
            let root = workspace.root();
            let is_below = |holder: &LockHolder| {
                let inner = Path::new(&holder.root);
                inner != root && inner.starts_with(root)
            };
            let held = held_at(state_dir, level);
            let below: Vec<_> = held.into_iter().filter(is_below).map(Some).collect();
            Ok(Err(if below.is_empty() { vec![other] } else { below }))
        }
    }
}

/// A recovery, nested in another and none of `kin`, that works in a tree around `workspace`. It
/// holds nothing that keeps others from parts of that tree, so each of two looks for the other once
/// it has its own lock: at least one sees the other.
pub(crate) fn wider_inside(
    state_dir: &Path,
    workspace: &Workspace,
    kin: impl Fn(&LockHolder) -> bool,
) -> Option<LockHolder> {
    let files = files(state_dir).into_iter();
    let inside = files.filter(|(_, level)| !level.is_empty());
    let is_wider = |held: &LockHolder| {
        let (theirs, ours) = (Path::new(&held.root), workspace.root());
        theirs != ours && ours.starts_with(theirs)
    };
    let held = held(inside.map(|(path, _)| path));
    held.into_iter().find(|held| is_wider(held) && !kin(held))
}

/// A recovery in a part of `workspace`, outside of any other recovery, and none of `kin`.
pub(crate) fn below_outside(
    state_dir: &Path,
    workspace: &Workspace,
    kin: impl Fn(&LockHolder) -> bool,
) -> Option<LockHolder> {
    let is_below = |held: &LockHolder| {
        let (theirs, ours) = (Path::new(&held.root), workspace.root());
        theirs != ours && theirs.starts_with(ours)
    };
    let held = held_at(state_dir, "");
    held.into_iter().find(|held| is_below(held) && !kin(held))
}

/// Tries until it succeeds, and waits between, at most until `deadline` on the host's monotonic
/// clock. `on_wait` is called once, when a wait begins.
///
/// # Errors
/// As [`WorkspaceLock::acquire`].
pub(crate) fn wait_for<T>(
    workspace: &Workspace,
    host: &dyn Host,
    deadline: Option<Duration>,
    on_wait: &mut dyn FnMut(Option<&LockHolder>),
    attempt: &mut dyn FnMut() -> Result<Result<T, Option<LockHolder>>>,
) -> Result<T> {
    let mut is_told = false;
    loop {
        match attempt()? {
            Ok(taken) => return Ok(taken),
            Err(other) => {
                if !std::mem::replace(&mut is_told, true) {
                    on_wait(other.as_ref());
                }
            }
        }
        let left = deadline.map(|at| at.saturating_sub(host.monotonic()));
        if left.is_some_and(|left| left.is_zero()) {
            return Err(Error::new(
                ErrorKind::TimedOut,
                format!("the deadline passed in {}", workspace.root().display()),
            ));
        }
        if host.sleep(left.map_or(POLL, |left| left.min(POLL))) == Wait::Interrupted {
            return Err(Error::new(
                ErrorKind::Interrupted,
                format!("stopped waiting for {}", workspace.root().display()),
            ));
        }
    }
}

/// Whether a recovery works in the workspace of this key now. Creates no file.
pub(crate) fn is_held(state_dir: &Path, key: &str) -> bool {
    is_locked_at(&state_dir.join(LOCKS).join(format!("{key}.lock")))
}

fn open(state_dir: &Path, key: &str) -> Result<(PathBuf, File)> {
    let dir = make_in_state(state_dir, LOCKS.as_ref())?;
    let path = dir.join(format!("{key}.lock"));
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    let file = open_own(&path, &mut options).map_err(|e| Error::io("open the lock", &path, e))?;
    Ok((path, file))
}

/// The level inside of the recovery that `around` is, as locks there are called.
pub(crate) fn level_inside(around: Kin) -> String {
    format!("{INSIDE}{}-{}", around.pid, around.started)
}

/// The locks of the state, each with its level.
fn files(state_dir: &Path) -> Vec<(PathBuf, String)> {
    let locks = std::fs::read_dir(state_dir.join(LOCKS))
        .into_iter()
        .flatten();
    let with_level = |path: PathBuf| {
        let name = path.file_name()?.to_str()?.strip_suffix(".lock")?;
        let level = name.find('.').map_or("", |dot| &name[dot..]).to_owned();
        Some((path, level))
    };
    locks
        .flatten()
        .filter_map(|lock| with_level(lock.path()))
        .collect()
}

/// The holders of workspaces of their own, inside of another recovery or not.
pub(crate) fn held_everywhere(state_dir: &Path) -> Vec<LockHolder> {
    held(files(state_dir).into_iter().map(|(path, _)| path))
}

/// Removes the free locks inside of recoveries that are over: `is_over` decides that by the id and
/// the start of each one's process.
pub(crate) fn remove_free(state_dir: &Path, is_over: impl Fn(u32, u64) -> bool) {
    for (path, level) in files(state_dir) {
        let process = level
            .strip_prefix(INSIDE)
            .and_then(|level| level.split_once('-'));
        let process = process.and_then(|(pid, at)| Some((pid.parse().ok()?, at.parse().ok()?)));
        if !process.is_some_and(|(pid, started)| is_over(pid, started)) {
            continue;
        }
        // A process that opens it in between notices the removal once it has the lock.
        if let Ok(file) = open_regular(&path, Links::Refuse)
            && flock(&file, FlockOperation::NonBlockingLockExclusive).is_ok()
        {
            let _stays = std::fs::remove_file(&path);
        }
    }
}

/// The holders of workspaces at `level`.
fn held_at(state_dir: &Path, level: &str) -> Vec<LockHolder> {
    let files = files(state_dir).into_iter();
    held(files.filter(|(_, its)| its == level).map(|(path, _)| path))
}

fn held(files: impl Iterator<Item = PathBuf>) -> Vec<LockHolder> {
    let held = files.filter_map(|path| {
        let file = open_regular(&path, Links::Refuse).ok()?;
        is_locked(&file).then(|| read_holder(file))?
    });
    held.collect()
}

fn read_holder(file: File) -> Option<LockHolder> {
    let mut text = Vec::new();
    file.take(HOLDER_BYTES_MAX).read_to_end(&mut text).ok()?;
    serde_json::from_slice(&text).ok()
}
