//! A recovery inside of another one: which locks it may pass, and who it queues with.
//!
//! A lock in the way is passed only if its holder is an ancestor of this process; if several share
//! it, only if all of them are. Behind it the same rules hold once more, among the recoveries
//! inside: they have locks of their own, `KEY.in-PID-STARTED`, named after the innermost recovery
//! around them. So those that a strategy starts at once, as `make -j` does, queue on each other,
//! and none of them waits for the one around it.

use std::path::Path;
use std::time::Duration;

use crate::error::{Error, ErrorKind, Result};
use crate::host::Host;
use crate::workspace::directory::Workspace;
use crate::workspace::layout::has_state;
use crate::workspace::lineage::{self, Kin, ancestors, parents};
use crate::workspace::lock::{
    LockHolder, WorkspaceLock, below_outside, held_everywhere, level_inside, remove_free,
    try_level, wait_for, wider_inside,
};

/// Recoveries around one another. The system's own limits end such a thing before that.
const DEPTH_MAX: usize = 64;

/// The part of a workspace that a run inside of a recovery gets.
#[derive(Debug)]
pub enum Claimed {
    /// The whole: it was free.
    Whole(WorkspaceLock),
    /// A part held by a recovery around this process; alone among those inside.
    Inside(WorkspaceLock),
}

impl WorkspaceLock {
    /// Takes the workspace for a run that says it is a part of session `parent`, if its only
    /// holders are recoveries that this process descends from; otherwise returns another holder.
    ///
    /// # Errors
    /// [`ErrorKind::Busy`] if it is that very session that holds it, and this process does not
    /// descend from it as far as can be seen: it may wait for this run, and would for ever.
    pub fn try_claim_inside(
        state_dir: &Path,
        workspace: &Workspace,
        holder: &LockHolder,
        parent: &str,
    ) -> Result<Result<Claimed, Option<LockHolder>>> {
        let line = parents();
        let mut level = String::new();
        for _ in 0..DEPTH_MAX {
            let held = match try_level(state_dir, workspace, holder, &level)? {
                Ok(lock) => {
                    let is_kin = |held: &LockHolder| place_in(&line, held).is_some();
                    let is_whole = level.is_empty();
                    let other = match is_whole {
                        true => wider_inside(state_dir, workspace, is_kin),
                        false => below_outside(state_dir, workspace, is_kin),
                    };
                    if other.is_some() {
                        return Ok(Err(other));
                    }
                    let lock = lock.until_told(state_dir, workspace, line);
                    return Ok(Ok(match is_whole {
                        true => Claimed::Whole(lock),
                        false => Claimed::Inside(lock),
                    }));
                }
                Err(held) => held,
            };
            match innermost(&line, &held) {
                Some(around) => level = level_inside(around),
                None => {
                    let is_other = |held: &Option<LockHolder>| {
                        let held = held.as_ref();
                        held.and_then(|held| place_in(&line, held)).is_none()
                    };
                    let other = held.into_iter().find(is_other).flatten();
                    check_kinship(state_dir, workspace, &line, other.as_ref(), parent)?;
                    return Ok(Err(other));
                }
            }
        }
        let context = format!("{DEPTH_MAX} recoveries run inside of one another: start fewer");
        Err(Error::new(ErrorKind::Refused, context))
    }

    /// The same, waiting as [`WorkspaceLock::acquire`] does.
    ///
    /// # Errors
    /// As both.
    pub fn claim_inside(
        state_dir: &Path,
        workspace: &Workspace,
        (holder, parent): (&LockHolder, &str),
        host: &dyn Host,
        deadline: Option<Duration>,
        on_wait: &mut dyn FnMut(Option<&LockHolder>),
    ) -> Result<Claimed> {
        let mut attempt = || Self::try_claim_inside(state_dir, workspace, holder, parent);
        wait_for(workspace, host, deadline, on_wait, &mut attempt)
    }
}

/// Whether this process descends from a recovery at work in a tree that overlaps with `workspace`.
pub fn is_inside_recovery(state_dir: &Path, workspace: &Workspace) -> bool {
    if !has_state(state_dir).is_ok_and(|has| has) {
        return false;
    }
    let line = parents();
    let root = workspace.root();
    let overlaps = |held: &LockHolder| {
        let theirs = Path::new(&held.root);
        theirs.starts_with(root) || root.starts_with(theirs)
    };
    let mut held = held_everywhere(state_dir).into_iter();
    held.any(|held| overlaps(&held) && place_in(&line, &held).is_some())
}

/// Removes the locks of recoveries nested in ones that are over; this process may be one of those.
pub fn forget_locks_inside(state_dir: &Path) {
    let own = ancestors().into_iter().next();
    remove_free(state_dir, |pid, started| {
        let is_own = own.is_some_and(|own| own.is(pid, Some(started)));
        is_own || lineage::started(pid) != Some(started)
    });
}

/// Position of the holder `held` in `line`.
fn place_in(line: &[Kin], held: &LockHolder) -> Option<usize> {
    line.iter()
        .position(|kin| kin.is(held.pid, held.pid_started))
}

/// The nearest in `line` of those who hold what is wanted, if all of them are in it.
fn innermost(line: &[Kin], held: &[Option<LockHolder>]) -> Option<Kin> {
    let places: Option<Vec<_>> = held
        .iter()
        .map(|held| place_in(line, held.as_ref()?))
        .collect();
    places?.into_iter().min().map(|place| line[place])
}

/// Refuses where `other`, which is in the way, claims the very session that this run claims to be a
/// part of, but no process of that session is an ancestor of this one.
fn check_kinship(
    state_dir: &Path,
    workspace: &Workspace,
    line: &[Kin],
    other: Option<&LockHolder>,
    parent: &str,
) -> Result<()> {
    let is_parent = |held: &LockHolder| held.session_id.as_deref() == Some(parent);
    let Some(other) = other.filter(|other| is_parent(other)) else {
        return Ok(());
    };
    let mut held = held_everywhere(state_dir).into_iter().filter(is_parent);
    if held.any(|held| place_in(line, &held).is_some()) {
        return Ok(());
    }
    let (root, pid) = (workspace.root().display(), other.pid);
    let context = format!(
        "session {parent} (pid {pid}) works in {root}, RECOVER_SESSION_ID says that this run is a \
         part of it, and its process does not descend from that one: unset RECOVER_SESSION_ID to \
         wait for the session to end"
    );
    Err(Error::new(ErrorKind::Busy, context))
}
