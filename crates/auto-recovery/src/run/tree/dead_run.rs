//! Leftovers of a run that was killed here: its processes, its undo, its changes.
//!
//! Its processes are ended and its undo is finished wherever every path is as it was before or
//! after the attempt. Where a path is neither, its change cannot be attributed: the command runs
//! first. If it passes, that result counts, and the leftover is named. If it fails, the user's
//! setting decides. Nothing here ever turns a passing command into a failure.

use std::sync::Arc;
use std::time::Duration;

use rustix::io::Errno;
use rustix::process::{Pid, test_kill_process};

use crate::audit::session_id::short;
use crate::audit::{JournalEvent, Restored, SessionFinished, SessionOutcome};
use crate::checkpoint::{
    AskedBy, Beside, CheckpointStore, Inbox, Refused, RestoreReport, Uncovered, Unfinished,
    UnfinishedState, Wanted, put_back, some_names,
};
use crate::error::{Error, ErrorKind, Result};
use crate::host::{Host, Wait};
use crate::interrupt::Interrupt;
use crate::process;
use crate::run::advice::Advice;
use crate::run::event::RunEvent;
use crate::run::request::RunRequest;
use crate::run::runner::mark_of_run;
use crate::run::tree::claiming::{holder, record_by_the_way};
use crate::run::tree::options::checkpoint_options;
use crate::run::tree_rules::OnLeftover;
use crate::run::under_way::Run;
use crate::workspace::{Locked, Workspace, WorkspaceLock};

/// Paths that a message names; more are counted.
const PATHS_SHOWN: usize = 10;

/// Number of tries, and the pause between them, for a lock that its dead holder left held for a
/// moment: 2 s in all.
const ORPHANED_LOCK_POLLS: u32 = 200;
const ORPHANED_LOCK_POLL: Duration = Duration::from_millis(10);

/// Changes of a dead run that cannot be distinguished from later ones.
pub(in crate::run) struct Leftover {
    workspace: Workspace,
    session_id: String,
    is_restore: bool,
    /// The paths, or why they cannot be known.
    paths: Result<Vec<String>>,
}

/// Puts in order what a dead run left, before the command runs on a tree that is half-way; returns
/// what cannot be. A command that passes must pay for no lock, so nothing is locked unless a dead
/// run left word.
pub(in crate::run) fn look(run: &Run) -> Option<Leftover> {
    look_and(run, put_in_order)
}

/// Puts in order what a run left that died while this one waited for it. This one holds the
/// workspace itself by now.
pub(in crate::run) fn look_while_claimed(run: &Run) -> Option<Leftover> {
    look_and(run, |run, workspace, _| {
        put_in_order_claimed(run, workspace)
    })
}

fn look_and(
    run: &Run,
    put_in_order: impl FnOnce(&Run, &Workspace, &Unfinished) -> Result<Option<Leftover>>,
) -> Option<Leftover> {
    let request = &run.runner.request;
    let workspace = request.workspace().ok()?;
    let unknown = |error| {
        Some(Leftover {
            workspace: workspace.clone(),
            session_id: String::new(),
            is_restore: false,
            paths: Err(error),
        })
    };
    match Unfinished::find(&request.state.dir, &workspace) {
        Ok(None) => None,
        Ok(Some(unfinished)) => match put_in_order(run, &workspace, &unfinished) {
            Ok(leftover) => leftover,
            Err(error) => Some(Leftover {
                session_id: unfinished.run().session_id.clone(),
                is_restore: unfinished.run().is_restore,
                paths: Err(error),
                workspace,
            }),
        },
        // A state that cannot even be looked at is reported when it is needed.
        Err(error) if error.kind() == ErrorKind::Io => None,
        Err(error) => unknown(error),
    }
}

fn put_in_order(run: &Run, workspace: &Workspace, found: &Unfinished) -> Result<Option<Leftover>> {
    let Some(_lock) = take_from(run, workspace, found.run().pid)? else {
        return Ok(None);
    };
    put_in_order_claimed(run, workspace)
}

/// The same, while the workspace is held.
fn put_in_order_claimed(run: &Run, workspace: &Workspace) -> Result<Option<Leftover>> {
    let request = &run.runner.request;
    // Another run may have been faster.
    let Some(unfinished) = Unfinished::find(&request.state.dir, workspace)? else {
        return Ok(None);
    };
    let session_id = unfinished.run().session_id.clone();
    end_processes(
        &session_id,
        &unfinished.run().run_id,
        request.limits.grace,
        &run.runner.interrupt,
        &*run.runner.host,
    )?;
    let store = open_store(run, workspace)?;
    let is_restore = unfinished.run().is_restore;
    let Some(unfinished) = unless_of_another_tree(run, unfinished, &store) else {
        return Ok(None);
    };
    let state = match unfinished.assess(&store) {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            let who = who_died(&session_id, is_restore);
            let what = format!(
                "{who} died here, and the checkpoints that tell what it changed are gone: what it \
                 left is left as it is"
            );
            conclude(run, unfinished, "it died; its checkpoints are gone", false);
            run.observe(&RunEvent::Cleaned { what: &what });
            return Ok(None);
        }
        state => state?,
    };
    let what = match (state, is_restore) {
        (UnfinishedState::Clean, false) => {
            let but = match unfinished.not_covered(&store)? {
                all if all.is_empty() => String::new(),
                some => format!(", but for what is{}", &not_covered(&some)[1..]),
            };
            let session = short(&session_id);
            format!("session {session} died here; the tree is as it was{but}")
        }
        (UnfinishedState::Clean, true) => {
            "a restore died here; it had put everything back".to_owned()
        }
        (UnfinishedState::Finishable(paths), is_restore) => {
            let report = unfinished.finish(&store, Some(&who_is_beside(run, workspace)?))?;
            let paths = shown(&paths);
            let who = who_died(&session_id, is_restore);
            let done = if is_restore { "put back" } else { "undone" };
            format!("{who} died here; {done}: {paths}{}", left_out(&report))
        }
        (UnfinishedState::Conflicting(paths), is_restore) => {
            return Ok(Some(Leftover {
                workspace: workspace.clone(),
                session_id,
                is_restore,
                paths: Ok(paths),
            }));
        }
    };
    conclude(
        run,
        unfinished,
        "it died; a later run here put things in order",
        true,
    );
    run.observe(&RunEvent::Cleaned { what: &what });
    Ok(None)
}

/// Returns the record, unless it is of another tree than the present one: then it is reported once,
/// and forgotten.
fn unless_of_another_tree(
    run: &Run,
    unfinished: Unfinished,
    store: &CheckpointStore,
) -> Option<Unfinished> {
    let Some(why) = unfinished.is_of_another_tree(store) else {
        return Some(unfinished);
    };
    let session_id = unfinished.run().session_id.clone();
    let who = who_died(&session_id, unfinished.run().is_restore);
    let says = format!("{who} died here, and {why}: what it left is left as it is");
    let advice = Advice::RestoreWholeTree { session_id };
    let what = run.runner.request.advise(says, &advice);
    conclude(run, unfinished, &format!("it died; {why}"), false);
    run.observe(&RunEvent::Cleaned { what: &what });
    None
}

/// The paths that runs beside may have changed, which are not put back. For the holder of the
/// workspace.
fn who_is_beside(run: &Run, workspace: &Workspace) -> Result<Inbox> {
    let mut inbox = Inbox::open(&run.runner.request.state.dir, workspace)?;
    inbox.look();
    Ok(inbox)
}

/// Forgets the dead run, whose session ends on record where this run can record it.
fn conclude(run: &Run, unfinished: Unfinished, reason: &str, is_put_back: bool) {
    let request = &run.runner.request;
    let died = unfinished.run();
    if !died.is_restore && died.store == request.state.store.url() {
        let event = SessionFinished {
            outcome: SessionOutcome::Interrupted,
            reason: reason.to_owned(),
            put_back: Some(is_put_back),
            ..SessionFinished::default()
        };
        let event = JournalEvent::SessionFinished(event);
        // The tree is in order whether or not that can be recorded.
        record_by_the_way(run, Some(&died.session_id), event);
    }
    // One that cannot be removed is looked at once more by the next run.
    let _stays = unfinished.end();
}

fn open_store(run: &Run, workspace: &Workspace) -> Result<Arc<CheckpointStore>> {
    let request = &run.runner.request;
    let search_path = request.command.search_path.as_deref();
    let options = checkpoint_options(&request.state.store_paths, workspace, search_path);
    CheckpointStore::open(
        &request.state.dir,
        workspace,
        options,
        run.runner.host.clone(),
    )
}

impl Leftover {
    /// Reports it to the observer.
    pub(in crate::run) fn warn(&self, run: &Run) {
        run.observe(&RunEvent::Leftover {
            what: &self.in_words(&run.runner.request),
        });
    }

    /// Puts the tree back as the dead attempt found it, if that is wanted, keeping what it
    /// replaces. Returns whether it did. To be called by the holder of the workspace.
    ///
    /// # Errors
    /// [`ErrorKind::Refused`] if a person shall decide.
    pub(in crate::run) fn put_back(&self, run: &Run) -> Result<bool> {
        let request = &run.runner.request;
        let unfinished = match Unfinished::find(&request.state.dir, &self.workspace) {
            // Another process settled it meanwhile.
            Ok(None) => return Ok(false),
            Ok(Some(unfinished)) => unfinished,
            Err(error) => return Err(error),
        };
        if request.tree.on_leftover == OnLeftover::Stop {
            let context = format!("{}; nothing was changed", self.in_words(request));
            return Err(Error::new(ErrorKind::Refused, context));
        }
        let store = open_store(run, &self.workspace)?;
        let Some(unfinished) = unless_of_another_tree(run, unfinished, &store) else {
            return Ok(false);
        };
        let beside = who_is_beside(run, &self.workspace)?;
        let target = store.load(&unfinished.run().before)?;
        let wanted = Wanted::Tree(target.clone());
        let state_dir = &request.state.dir;
        let by = AskedBy::Run {
            died: &unfinished,
            beside: &beside,
        };
        let put = put_back(state_dir, &store, &wanted, by)?;
        let taken_back_by = put.taken_back_by.unwrap_or_default();
        let says = format!(
            "{} died here in the middle of an attempt; put back as it was before: {}{}{}",
            self.who(),
            shown(&put.restored),
            not_put_back(&put.refused),
            kept(&put.beside) + &stays(&put.foreign) + &not_covered(&put.not_covered)
        );
        let session_id = taken_back_by.clone();
        let what = request.advise(says, &Advice::TakeBack { session_id });
        let event = JournalEvent::Restored(Restored {
            attempt_number: None,
            checkpoint: target.id(),
            replaced: taken_back_by,
            paths: put.restored.len() as u64,
        });
        if !self.is_restore && unfinished.run().store == request.state.store.url() {
            record_by_the_way(run, Some(&self.session_id), event);
        }
        let reason = "it died; a later run here put the tree back";
        conclude(run, unfinished, reason, true);
        run.observe(&RunEvent::Cleaned { what: &what });
        Ok(true)
    }

    fn who(&self) -> String {
        who_died(&self.session_id, self.is_restore)
    }

    fn in_words(&self, request: &RunRequest) -> String {
        let who = self.who();
        let says = match &self.paths {
            Ok(paths) => format!(
                "{who} died here in the middle of an attempt, and these paths are neither as they \
                 were before it nor as it left them: {}",
                shown(paths)
            ),
            Err(error) if self.session_id.is_empty() => {
                let why = error.chain();
                return format!(
                    "a run may have died here, and what it left cannot be known: {why}"
                );
            }
            Err(error) => format!(
                "{who} died here, and what it left cannot be put in order: {}",
                error.chain()
            ),
        };
        let session_id = self.session_id.clone();
        request.advise(says, &Advice::RestoreOrAccept { session_id })
    }
}

fn who_died(session_id: &str, is_restore: bool) -> String {
    match is_restore {
        true => "a restore".to_owned(),
        false => format!("session {}", short(session_id)),
    }
}

/// The lock on `workspace`, where the process `pid` left word; `None` if that is still at work.
///
/// A process that was killed while it started another one leaves its lock to the copy of itself
/// that is about to become the other: for milliseconds its holder is one that would not clean up.
fn take_from(run: &Run, workspace: &Workspace, pid: u32) -> Result<Option<WorkspaceLock>> {
    let state_dir = &run.runner.request.state.dir;
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

/// Whether the process exists; a signal to another user's is refused, so that one exists.
fn is_alive(pid: u32) -> bool {
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw);
    pid.is_some_and(|pid| test_kill_process(pid) != Err(Errno::SRCH))
}

/// Ends what the dead run still has running: everything it started carries its id.
pub(in crate::run) fn end_processes(
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
    let context = format!(
        "end what session {} left running here: {left}",
        short(session_id)
    );
    Err(Error::new(ErrorKind::Busy, context))
}

fn not_put_back(refused: &[Refused]) -> String {
    let paths = refused.iter();
    let paths: Vec<_> = paths
        .map(|one| format!("{} ({})", one.display, one.reason))
        .collect();
    match paths.is_empty() {
        true => String::new(),
        false => format!("; could not be put back: {}", shown(&paths)),
    }
}

fn stays(foreign: &[String]) -> String {
    match foreign.is_empty() {
        true => String::new(),
        false => format!("; left as it is now: {}", shown(foreign)),
    }
}

/// The paths that a finished undo did not put back.
fn left_out(report: &RestoreReport) -> String {
    not_put_back(&report.refused) + &kept(&report.beside) + &not_covered(&report.not_covered)
}

fn not_covered(paths: &[Uncovered]) -> String {
    let paths: Vec<_> = paths.iter().map(|one| one.display.clone()).collect();
    match paths.is_empty() {
        true => String::new(),
        false => format!("; not covered: {}", shown(&paths)),
    }
}

fn kept(beside: &[Beside]) -> String {
    let paths = beside.iter();
    let paths: Vec<_> = paths
        .map(|one| format!("{} ({} ran)", one.display, one.who))
        .collect();
    match paths.is_empty() {
        true => String::new(),
        false => format!("; kept what may have changed meanwhile: {}", shown(&paths)),
    }
}

fn shown(paths: &[String]) -> String {
    some_names(paths, PATHS_SHOWN)
}
