//! One recovery at a time a workspace: waiting for another, or refusing to.

use std::time::Duration;

use crate::audit::{JournalEvent, SessionFinished};
use crate::checkpoint::{LockHolder, Locked, Workspace, WorkspaceLock};
use crate::error::{Error, ErrorKind, Result};
use crate::host::timestamp;
use crate::patience::impatiently;
use crate::run::event::RunEvent;
use crate::run::under_way::Run;

/// How long a record that nothing depends on may keep a command waiting.
const BY_THE_WAY: Duration = Duration::from_secs(1);

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

/// Records that the command passed once another recovery had ended. It passed also where that
/// cannot be recorded.
pub(super) fn record_pass_after_waiting(run: &Run) {
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
pub(super) fn record_by_the_way(run: &Run, session_id: Option<&str>, event: JournalEvent) {
    let store = &run.runner.request.store;
    let record = || store.record(session_id, event);
    let _not_recorded = impatiently(&*run.runner.host, BY_THE_WAY, record);
}

pub(super) fn holder(run: &Run) -> LockHolder {
    LockHolder {
        pid: std::process::id(),
        session_id: run.runner.request.session_id.clone(),
        command: run.runner.request.words(),
        since: timestamp(run.runner.host.now()),
        ..LockHolder::default()
    }
}

fn in_words(holder: Option<&LockHolder>) -> String {
    match holder {
        Some(holder) => {
            let command = crate::run::request::display_command(&holder.command);
            let place = match holder.root.as_str() {
                "" => String::new(),
                root => format!(" in {root}"),
            };
            format!("pid {}, `{command}`{place}", holder.pid)
        }
        None => "which does not say who it is".to_owned(),
    }
}
