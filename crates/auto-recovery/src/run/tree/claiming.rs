//! One recovery at a time a workspace: waiting for another, or refusing to.

use std::path::PathBuf;
use std::time::Duration;

use crate::audit::{JournalEvent, SessionFinished};
use crate::error::{Error, ErrorKind, Hint, Result};
use crate::host::timestamp;
use crate::patience::impatiently;
use crate::run::event::RunEvent;
use crate::run::under_way::Run;
use crate::workspace::{
    Claimed, LockHolder, Locked, Onlooker, Workspace, WorkspaceLock, forget_locks_inside,
};

/// Limit on the wait of a command for a record that nothing depends on.
const BY_THE_WAY: Duration = Duration::from_secs(1);

/// The right to recover in a workspace, held until dropped.
pub(in crate::run) struct Claim {
    workspace: Workspace,
    state_dir: PathBuf,
    held: Claimed,
    follows_another: bool,
}

impl Claim {
    /// The workspace.
    pub(in crate::run) fn workspace(&self) -> &Workspace {
        &self.workspace
    }

    /// Whether another recovery had the workspace since the command began, so that everything may
    /// be different now.
    pub(in crate::run) fn follows_another(&self) -> bool {
        self.follows_another
    }

    /// Whether this recovery holds the workspace itself, rather than one it runs inside of.
    pub(in crate::run) fn is_ours(&self) -> bool {
        matches!(self.held, Claimed::Whole(_))
    }

    /// Records its session in the lock, so that nested recoveries know the one they are part of.
    pub(in crate::run) fn describe(&mut self, run: &Run, session_id: &str) -> Result<()> {
        let (Claimed::Whole(lock) | Claimed::Inside(lock)) = &mut self.held;
        lock.describe(&LockHolder {
            session_id: Some(session_id.to_owned()),
            root: self.workspace.root().display().to_string(),
            ..holder(run)
        })
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        forget_locks_inside(&self.state_dir);
    }
}

/// Claims the workspace for this recovery, which looked on as `onlooker` since its command began.
/// Waits for another one, unless it is a part of that.
pub(in crate::run) fn claim_workspace(run: &Run, onlooker: Option<Onlooker>) -> Result<Claim> {
    let request = &run.runner.request;
    let workspace = request.workspace()?;
    if let Some(what) = workspace.foreign_repository() {
        run.observe(&RunEvent::Warning { what: &what });
    }
    let claim = |held, follows_another| Claim {
        workspace: workspace.clone(),
        state_dir: request.state.dir.clone(),
        held,
        follows_another,
    };
    let other = match try_claim(run, &workspace)? {
        Ok(held) => {
            let missed_one = onlooker.is_some_and(|onlooker| onlooker.missed_one());
            return Ok(claim(held, missed_one));
        }
        Err(other) => other,
    };
    drop(onlooker);
    let root = workspace.root().display();
    if !request.tree.wait {
        let who = in_words(other.as_ref());
        let context = format!("another recovery works in {root} ({who})");
        return Err(Error::new(ErrorKind::Busy, context).with_hint(Hint::WaitForOther));
    }
    wait_for_claim(run, &workspace).map(|held| claim(held, true))
}

/// Takes the workspace if its only holders are recoveries that this run is a part of; else returns
/// its holder.
fn try_claim(run: &Run, workspace: &Workspace) -> Result<Result<Claimed, Option<LockHolder>>> {
    let request = &run.runner.request;
    let (state_dir, holder) = (&request.state.dir, holder(run));
    match &request.record.parent_session {
        Some(parent) => WorkspaceLock::try_claim_inside(state_dir, workspace, &holder, parent),
        None => Ok(
            match WorkspaceLock::try_acquire(state_dir, workspace, &holder)? {
                Locked::Ours(lock) => Ok(Claimed::Whole(lock)),
                Locked::Theirs(other) => Err(other),
            },
        ),
    }
}

fn wait_for_claim(run: &Run, workspace: &Workspace) -> Result<Claimed> {
    let request = &run.runner.request;
    let (host, deadline) = (&*run.runner.host, run.runner.deadline());
    let (state_dir, holder) = (&request.state.dir, holder(run));
    let mut on_wait = |other: Option<&LockHolder>| {
        run.observe(&RunEvent::WaitingForOther {
            holder: &in_words(other),
        });
    };
    let on_wait = &mut on_wait;
    match &request.record.parent_session {
        Some(parent) => {
            let who = (&holder, parent.as_str());
            WorkspaceLock::claim_inside(state_dir, workspace, who, host, deadline, on_wait)
        }
        None => WorkspaceLock::acquire(state_dir, workspace, &holder, host, deadline, on_wait)
            .map(Claimed::Whole),
    }
}

/// Records that the command passed once another recovery had ended. It passed also where that
/// cannot be recorded.
pub(in crate::run) fn record_pass_after_waiting(run: &Run) {
    let reason = format!("`{}` passes after another recovery", run.runner.command);
    let event = SessionFinished {
        exit_code: Some(0),
        reason,
        ..SessionFinished::default()
    };
    record_by_the_way(run, None, JournalEvent::SessionFinished(event));
}

/// Records what is so whether or not it is on record. A command that may pass is kept waiting for
/// that no longer than a person would take for a hiccup.
pub(in crate::run) fn record_by_the_way(run: &Run, session_id: Option<&str>, event: JournalEvent) {
    let store = &run.runner.request.state.store;
    let record = || store.record(session_id, event);
    let _not_recorded = impatiently(&*run.runner.host, BY_THE_WAY, record);
}

pub(in crate::run) fn holder(run: &Run) -> LockHolder {
    LockHolder {
        pid: std::process::id(),
        session_id: run.runner.request.record.session_id.clone(),
        command: run.runner.shared_words(),
        since: timestamp(run.runner.host.now()),
        ..LockHolder::default()
    }
}

fn in_words(holder: Option<&LockHolder>) -> String {
    match holder.filter(|holder| holder.is_there()) {
        Some(holder) => {
            let command = crate::run::request::display_command(&holder.command);
            let place = match holder.root.as_str() {
                "" => String::new(),
                root => format!(" in {root}"),
            };
            format!("pid {}, `{command}`{place}", holder.pid)
        }
        None => "its process cannot be seen from here".to_owned(),
    }
}
