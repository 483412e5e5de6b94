//! One recovery at a time a workspace, and finishing what one that died left undone.

use std::time::Duration;

use rustix::io::Errno;
use rustix::process::{Pid, test_kill_process};

use crate::audit::{JournalEvent, SessionFinished, SessionOutcome};
use crate::checkpoint::{
    CheckpointOptions, CheckpointStore, LockHolder, Locked, Pending, PendingState, Workspace,
    WorkspaceLock,
};
use crate::error::{Error, ErrorKind, Result};
use crate::host::{Host, Wait, timestamp};
use crate::process::{self, Interrupt};
use crate::run::event::RunEvent;
use crate::run::flow::Run;
use crate::run::runner::mark_of_run;

/// Paths that a refusal names; more are counted.
const PATHS_SHOWN: usize = 10;

/// How often and how far apart a lock is asked for that its dead holder left for a moment: 2 s in
/// all.
const ORPHANED_LOCK_POLLS: u32 = 200;
const ORPHANED_LOCK_POLL: Duration = Duration::from_millis(10);

/// The right to recover in a workspace, held until dropped.
pub(super) struct Claim {
    workspace: Workspace,
    /// `None` inside another recovery, which holds it.
    lock: Option<WorkspaceLock>,
    waited: bool,
}

impl Claim {
    /// The workspace.
    pub(super) fn workspace(&self) -> &Workspace {
        &self.workspace
    }

    /// Whether another recovery had to be waited for, so that everything may be different now.
    pub(super) fn waited(&self) -> bool {
        self.waited
    }

    /// Whether this recovery holds the workspace itself, rather than one it runs inside of.
    pub(super) fn is_ours(&self) -> bool {
        self.lock.is_some()
    }
}

/// Claims the workspace for this recovery. Waits for another one, unless that is its own parent.
pub(super) fn claim_workspace(run: &Run) -> Result<Claim> {
    let request = &run.runner.request;
    let workspace = Workspace::find(&request.cwd, request.home.as_deref())?;
    let holder = holder(run);
    let taken = WorkspaceLock::try_acquire(&request.state_dir, &workspace, &holder)?;
    let other = match taken {
        Locked::Ours(lock) => {
            return Ok(Claim {
                workspace,
                lock: Some(lock),
                waited: false,
            });
        }
        Locked::Theirs(other) => other,
    };
    if request.parent_session.is_some() {
        return Ok(Claim {
            workspace,
            lock: None,
            waited: false,
        });
    }
    let root = workspace.root().display();
    if !request.wait {
        let who = in_words(other.as_ref());
        let context =
            format!("another recovery works in {root} ({who}): leave out --no-wait to wait for it");
        return Err(Error::new(ErrorKind::Busy, context));
    }
    let lock = WorkspaceLock::acquire(
        &request.state_dir,
        &workspace,
        &holder,
        &*run.runner.host,
        run.runner.deadline(),
        &mut |other| {
            run.observe(&RunEvent::WaitingForOther {
                holder: &in_words(other),
            })
        },
    )?;
    Ok(Claim {
        workspace,
        lock: Some(lock),
        waited: true,
    })
}

/// Records that the command passed once another recovery had ended.
pub(super) fn record_pass_after_waiting(run: &Run) -> Result<()> {
    let reason = format!("`{}` passes after another recovery", run.runner.command);
    let event = SessionFinished {
        exit_code: Some(0),
        reason,
        ..SessionFinished::default()
    };
    run.runner
        .request
        .store
        .record(None, JournalEvent::SessionFinished(event))
}

/// Finishes what a run that died here left: ends its processes and completes its undo, before the
/// command runs on a tree that is half-way.
///
/// # Errors
/// [`ErrorKind::Refused`] if paths are neither as they were before nor as the run left them;
/// nothing is changed then.
pub(super) fn clean_up(run: &Run) -> Result<()> {
    let request = &run.runner.request;
    let workspace = Workspace::find(&request.cwd, request.home.as_deref())?;
    // Asked before anything is locked: a command that passes must not pay for a lock.
    let Some(pending) = Pending::find(&request.state_dir, &workspace)? else {
        return Ok(());
    };
    let Some(_lock) = take_from(run, &workspace, pending.run().pid)? else {
        return Ok(());
    };
    let Some(pending) = Pending::find(&request.state_dir, &workspace)? else {
        return Ok(());
    };
    let session_id = pending.run().session_id.clone();
    end_processes(
        &session_id,
        &pending.run().run_id,
        request.grace,
        &run.runner.interrupt,
        &*run.runner.host,
    )?;
    let options = CheckpointOptions {
        exclude: request.store_paths.clone(),
        ..CheckpointOptions::default()
    };
    let host = run.runner.host.clone();
    let store = CheckpointStore::open(&request.state_dir, &workspace, options, host)?;
    let is_restore = pending.run().is_restore;
    let what = match (pending.assess(&store)?, is_restore) {
        (PendingState::Clean, false) => {
            format!("session {session_id} died here; the tree is as it was")
        }
        (PendingState::Clean, true) => "a restore died here; it had put everything back".to_owned(),
        (PendingState::Finishable(paths), is_restore) => {
            pending.finish(&store)?;
            let paths = shown(&paths);
            match is_restore {
                true => format!("a restore died here; put back: {paths}"),
                false => format!("session {session_id} died here; undone: {paths}"),
            }
        }
        (PendingState::Conflicting(paths), false) => return Err(refusal(&session_id, &paths)),
        (PendingState::Conflicting(paths), true) => {
            return Err(refusal_after_restore(&session_id, &paths));
        }
    };
    if !is_restore && pending.run().store == request.store.url() {
        let event = SessionFinished {
            outcome: SessionOutcome::Interrupted,
            reason: "it died; a later run here put things in order".to_owned(),
            ..SessionFinished::default()
        };
        request
            .store
            .record(Some(&session_id), JournalEvent::SessionFinished(event))?;
    }
    pending.end()?;
    run.observe(&RunEvent::Cleaned { what: &what });
    Ok(())
}

/// The lock on `workspace`, of which the process `pid` left word; `None` if that is still at work.
///
/// A process that was killed while it started another one leaves its lock to the copy of itself
/// that is about to become the other: for milliseconds it is held by nobody who would clean up.
fn take_from(run: &Run, workspace: &Workspace, pid: u32) -> Result<Option<WorkspaceLock>> {
    let state_dir = &run.runner.request.state_dir;
    for _ in 0..ORPHANED_LOCK_POLLS {
        if let Locked::Ours(lock) = WorkspaceLock::try_acquire(state_dir, workspace, &holder(run))?
        {
            return Ok(Some(lock));
        }
        if is_alive(pid) || run.runner.host.sleep(ORPHANED_LOCK_POLL) == Wait::Interrupted {
            break;
        }
    }
    Ok(None)
}

/// Whether there is such a process; somebody else's is refused, and so exists.
fn is_alive(pid: u32) -> bool {
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw);
    pid.is_some_and(|pid| test_kill_process(pid) != Err(Errno::SRCH))
}

/// Ends what the dead run still has running: everything it started carries its id.
pub(super) fn end_processes(
    session_id: &str,
    run_id: &str,
    grace: Duration,
    interrupt: &Interrupt,
    host: &dyn Host,
) -> Result<()> {
    if run_id.is_empty() {
        return Ok(());
    }
    let marker = mark_of_run(run_id);
    let left = process::end(&[], Some(&marker), grace, interrupt, host)?;
    if left.is_empty() {
        return Ok(());
    }
    let left: Vec<_> = left.iter().map(ToString::to_string).collect();
    let left = left.join(", ");
    let context = format!("end what session {session_id} left running here: {left}");
    Err(Error::new(ErrorKind::Busy, context))
}

fn refusal(session_id: &str, paths: &[String]) -> Error {
    let paths = shown(paths);
    let context = format!(
        "session {session_id} died here in the middle of an attempt, and these paths are neither as \
         they were before it nor as it left them: {paths}; nothing was changed: `recover restore \
         {session_id}` puts the tree back, `recover checkpoint` accepts it as it is"
    );
    Error::new(ErrorKind::Refused, context)
}

fn refusal_after_restore(taken_back_by: &str, paths: &[String]) -> Error {
    let paths = shown(paths);
    let context = format!(
        "a restore died here, and these paths are neither as it found them nor as it was to leave \
         them: {paths}; nothing was changed: `recover restore {taken_back_by}` takes it back, \
         `recover checkpoint` accepts the tree as it is"
    );
    Error::new(ErrorKind::Refused, context)
}

fn shown(paths: &[String]) -> String {
    let shown = paths
        .iter()
        .take(PATHS_SHOWN)
        .cloned()
        .collect::<Vec<_>>()
        .join(", ");
    match paths.len().saturating_sub(PATHS_SHOWN) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

fn holder(run: &Run) -> LockHolder {
    LockHolder {
        pid: std::process::id(),
        session_id: run.runner.request.session_id.clone(),
        command: run.runner.request.words(),
        since: timestamp(run.runner.host.now()),
    }
}

fn in_words(holder: Option<&LockHolder>) -> String {
    match holder {
        Some(holder) => {
            let command = crate::run::request::display_command(&holder.command);
            format!("pid {}, `{command}`", holder.pid)
        }
        None => "which does not say who it is".to_owned(),
    }
}
