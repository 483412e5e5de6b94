//! One recovery at a time a workspace: a lock that its holder's death releases.
//!
//! A `flock` on a file of the state that is never removed. What stands in the file is for people
//! who wait; whether the lock is held, only the kernel says.
//!
//! Workspaces that overlap exclude each other: whoever takes a root takes it alone, and shares the
//! locks of all directories above it. So a repository inside a folder, a submodule in its
//! superproject, a linked work tree inside a checkout wait for each other, in either order, while
//! neighbours do not. Where nothing can be undone (`/`, the home directory and what holds it), a
//! recovery excludes only another one of the same root.

use std::fs::{File, OpenOptions};
use std::io::{Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;
use serde::{Deserialize, Serialize};

use crate::checkpoint::layout::make_private_dir;
use crate::checkpoint::workspace::Workspace;
use crate::error::{Error, ErrorKind, Result};
use crate::host::{Host, Wait};

/// How often a waiter looks again. A person does not notice it, and 20 looks a second cost nothing.
const POLL: Duration = Duration::from_millis(50);

/// The directory of locks in a state directory.
const LOCKS: &str = "locks";

/// Who holds a workspace.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct LockHolder {
    /// The process.
    pub pid: u32,
    /// Its session.
    pub session_id: Option<String>,
    /// What it recovers, as argv.
    pub command: Vec<String>,
    /// Since when, RFC 3339.
    pub since: String,
    /// The root of the workspace, as a path.
    pub root: String,
}

/// A held workspace; dropping it, or dying, releases it.
#[derive(Debug)]
pub struct WorkspaceLock {
    file: File,
    /// The directories above, shared with others below them.
    _above: Vec<File>,
}

/// What an attempt to take a workspace came to.
#[derive(Debug)]
pub enum Locked {
    /// It is ours.
    Ours(WorkspaceLock),
    /// Somebody else holds it; who, when that could be read.
    Theirs(Option<LockHolder>),
}

impl WorkspaceLock {
    /// Takes the workspace if nobody holds it.
    pub fn try_acquire(
        state_dir: &Path,
        workspace: &Workspace,
        holder: &LockHolder,
    ) -> Result<Locked> {
        let holder = LockHolder {
            root: workspace.root().display().to_string(),
            ..holder.clone()
        };
        let mut above = Vec::new();
        for key in workspace.keys_above() {
            let (path, file) = open(state_dir, &key)?;
            match flock(&file, FlockOperation::NonBlockingLockShared) {
                Ok(()) => above.push(file),
                Err(Errno::WOULDBLOCK) => return Ok(Locked::Theirs(read_holder(file))),
                Err(errno) => return Err(Error::io("lock", &path, errno.into())),
            }
        }
        match Self::try_key(state_dir, &workspace.key(), &holder)? {
            Locked::Ours(lock) => Ok(Locked::Ours(Self {
                _above: above,
                ..lock
            })),
            // What stands in the file may be old: whoever works below only shares it.
            Locked::Theirs(other) => Ok(Locked::Theirs(
                holder_below(state_dir, workspace.root()).or(other),
            )),
        }
    }

    /// Takes the workspace, waiting for whoever holds it, at most until `deadline` on the host's
    /// monotonic clock. `on_wait` is told once, when a wait begins.
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
        let mut is_told = false;
        loop {
            match Self::try_acquire(state_dir, workspace, holder)? {
                Locked::Ours(lock) => return Ok(lock),
                Locked::Theirs(other) => {
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

    /// Says anew who holds it, for instance once the session has an id.
    pub fn describe(&mut self, holder: &LockHolder) -> Result<()> {
        let text = serde_json::to_vec(holder).map_err(|e| {
            Error::new(ErrorKind::InvalidInput, "failed to describe a lock").with_source(e)
        })?;
        let written = self
            .file
            .set_len(0)
            .and_then(|()| std::io::Seek::rewind(&mut self.file))
            .and_then(|()| self.file.write_all(&text));
        match written {
            // On a full disk the lock holds all the same; nobody can read by whom.
            Err(e) if e.kind() != std::io::ErrorKind::StorageFull => {
                Err(Error::os("failed to describe a lock", e))
            }
            _ => Ok(()),
        }
    }

    pub(super) fn try_key(state_dir: &Path, key: &str, holder: &LockHolder) -> Result<Locked> {
        let (path, file) = open(state_dir, key)?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {
                let mut lock = Self {
                    file,
                    _above: Vec::new(),
                };
                lock.describe(holder)?;
                Ok(Locked::Ours(lock))
            }
            Err(Errno::WOULDBLOCK) => Ok(Locked::Theirs(read_holder(file))),
            Err(errno) => Err(Error::io("lock", &path, errno.into())),
        }
    }
}

/// Whether a recovery works in the workspace of this key now. Nothing is made for the question.
pub(super) fn is_held(state_dir: &Path, key: &str) -> bool {
    let file = File::open(state_dir.join(LOCKS).join(format!("{key}.lock")));
    file.is_ok_and(|file| is_locked(&file))
}

fn is_locked(file: &File) -> bool {
    flock(file, FlockOperation::NonBlockingLockShared) == Err(Errno::WOULDBLOCK)
}

fn open(state_dir: &Path, key: &str) -> Result<(PathBuf, File)> {
    let dir = state_dir.join(LOCKS);
    make_private_dir(&dir)?;
    let path = dir.join(format!("{key}.lock"));
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(&path)
        .map_err(|e| Error::io("open the lock", &path, e))?;
    Ok((path, file))
}

/// Who works in a workspace below `root`.
fn holder_below(state_dir: &Path, root: &Path) -> Option<LockHolder> {
    let locks = std::fs::read_dir(state_dir.join(LOCKS)).ok()?;
    let held = locks.flatten().filter_map(|lock| {
        let file = File::open(lock.path()).ok()?;
        is_locked(&file).then(|| read_holder(file))?
    });
    let is_below = |holder: &LockHolder| {
        let inner = Path::new(&holder.root);
        inner != root && inner.starts_with(root)
    };
    held.into_iter().find(is_below)
}

fn read_holder(mut file: File) -> Option<LockHolder> {
    let mut text = String::new();
    file.read_to_string(&mut text).ok()?;
    serde_json::from_str(&text).ok()
}
