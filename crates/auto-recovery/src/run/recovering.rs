//! The recovery of a failed run: plan, guard the tree, let the manager work, end.

use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use rustix::io::Errno;

use crate::attempt::RecoveryResult;
use crate::audit::SessionStarted;
use crate::checkpoint::{self, ProtectGlob};
use crate::error::{Error, ErrorKind, Result};
use crate::failure::{Category, Context};
use crate::logger::RecoveryAuditLogger;
use crate::manager::{
    AutoRecoveryManager, Event, Incident, ManagerSettings, Observer, OnAuditFailure, Recovery,
    RecoveryEnd,
};
use crate::mutex;
use crate::run::advice::{Advice, Wish};
use crate::run::concluding::{Ending, conclude, why_exchanged};
use crate::run::event::{RunEvent, RunObserver};
use crate::run::helpers::commands::Rerun;
use crate::run::helpers::escalation::{ApprovalCommand, escalate};
use crate::run::helpers::told::Told;
use crate::run::learned::{count_session, record_of, tell_advice};
use crate::run::outcome::{RunEnd, RunOutcome};
use crate::run::plan_anew::PlanAnew;
use crate::run::planning::{PlannedStep, RunPlan};
use crate::run::request::Policy;
use crate::run::runner::{code_of, signal_of};
use crate::run::state::breaker::{self, Breaker};
use crate::run::state::masked_output::MaskedPatch;
use crate::run::state::prune::prune_state;
use crate::run::strategies::{budget, make_plan, strategies_of};
use crate::run::tree::claiming::Claim;
use crate::run::tree::guarded::GuardedTree;
use crate::run::tree::protect::{guarded_files, warn_of_unmatched};
use crate::run::tree::session_patch::SessionPatch;
use crate::run::tree::staging::Staging;
use crate::run::tree_rules::Checkpoints;
use crate::run::under_way::{Failed, LastFailed, Run};
use crate::workspace::Workspace;

/// Recovers `failed`; without a claim on the workspace, only shows what would be tried.
pub(super) fn recover(run: &Run, failed: Failed, claim: Option<Claim>) -> Result<RunOutcome> {
    let request = &run.runner.request;
    let policy = (request.tries.policy)(failed.category, &failed.failure);
    let mut plan = make_plan(run, &failed, &policy)?;
    let Some(mut claim) = claim else {
        show_plan(run, &plan);
        return Ok(not_recovered_yet(run, failed));
    };
    tell_advice(run, &plan);
    if failed.ran.is_none() && plan.steps.is_empty() {
        return Ok(not_started(run, failed, &plan.skipped));
    }
    let runner = &run.runner;
    let session_id = runner.announce_session().to_owned();
    let begun = begin_session(run, &session_id, (&policy, &mut claim));
    let incident = match begun.and_then(|()| incident(run, &failed)) {
        Ok(incident) => incident,
        Err(error) => return explain_or_fail(run, failed, error),
    };
    let logger = match begin_record(run, &session_id, claim.workspace()) {
        Ok(logger) => logger,
        Err(error) if is_unwritable(&error) => return explain_or_fail(run, failed, error),
        Err(error) => return Err(error),
    };
    let guarded = guarded_files(run, &policy, claim.workspace());
    let tree = guard_tree(run, &claim, (&session_id, &guarded), &mut plan)?;
    let staging = Staging::look(run, tree.as_ref());
    let breaker = breaker(run, &failed, tree.as_ref());
    let by_itself = restrain(run, &mut plan, breaker.as_ref());
    let told = Told::new(&run.runner, tree.as_ref(), claim.workspace(), &guarded);
    let mut manager = manager(run, &policy, logger, (&session_id, &told));
    give_helpers(&mut manager, run, (tree.as_ref(), &told));
    let incident = planned(incident, &plan, tree.as_ref());
    let category = incident.category;
    manager.tree = tree.clone().map(|tree| Box::new(tree) as _);
    let strategies = strategies_of(run, &plan, tree.as_ref(), &told);
    let recovery = manager.recover_as_planned(incident, &Context::new(), strategies);
    if let Some(tree) = &tree {
        tree.end(recovery.is_ok())?;
    }
    let recovery = recovery?;
    let patch = keep_patch(run, &recovery, tree.as_ref());
    let changed_itself = Staging::settle(staging, run, tree.as_ref(), recovery.end);
    if by_itself {
        learn(run, &failed, &recovery, breaker.as_ref());
    }
    count_session(run, &session_id, claim.workspace());
    let ended = claim.is_ours().then(|| claim.workspace().clone());
    drop(claim);
    if let Some(workspace) = ended {
        forget_checkpoints(run, &recovery, &workspace);
    }
    tidy_state(run, &session_id);
    let saw_all = tree.as_ref().is_none_or(GuardedTree::saw_all);
    let undone = tree.is_some() && saw_all && !request.tree.keep_failed_changes;
    let ending = Ending {
        failed: &failed,
        category,
        undone,
        skipped: &plan.skipped,
        patch,
        changed_itself,
        mended_before: plan.steps.iter().any(PlannedStep::follows_a_mend),
        told: &told,
    };
    conclude(run, recovery, ending)
}

/// Shows what would be tried.
fn show_plan(run: &Run, plan: &RunPlan) {
    let steps: Vec<_> = plan.steps.iter().map(PlannedStep::in_words).collect();
    let skipped = &plan.skipped;
    run.observe(&RunEvent::Plan {
        steps: &steps,
        skipped,
    });
}

/// `incident` with what is tried against it, and what not.
fn planned(incident: Incident, plan: &RunPlan, tree: Option<&GuardedTree>) -> Incident {
    Incident {
        skipped: plan.skipped.clone(),
        advice: plan
            .advice
            .as_ref()
            .and_then(|(advice, _)| record_of(advice)),
        checkpoint: tree.map(GuardedTree::ground),
        ..incident
    }
}

/// Puts `failed`, which the deadline cut off, on record. Nothing is tried any more, so the tree is
/// not claimed.
///
/// # Errors
/// If it cannot be recorded.
pub(super) fn recover_late(run: &Run, failed: &Failed) -> Result<RunOutcome> {
    let runner = &run.runner;
    let policy = (runner.request.tries.policy)(failed.category, &failed.failure);
    // What a kind of failure may take longer for is not tried.
    let policy = Policy {
        deadline: None,
        ..policy
    };
    let workspace = runner.request.workspace()?;
    let session_id = runner.announce_session().to_owned();
    runner.begin_session(&session_id, &policy, &workspace)?;
    let incident = incident(run, failed)?;
    let category = incident.category;
    let told = Told::new(runner, None, &workspace, &[]);
    let recovery = runner.with_grace(|| {
        let logger = begin_record(run, &session_id, &workspace)?;
        let mut manager = manager(run, &policy, logger, (&session_id, &told));
        manager.settings.deadline = Some(runner.host.monotonic());
        manager.recover_as_planned(incident, &Context::new(), Vec::new())
    })?;
    tidy_state(run, &session_id);
    let ending = Ending {
        failed,
        category,
        undone: true,
        skipped: &[],
        patch: None,
        changed_itself: false,
        mended_before: false,
        told: &told,
    };
    conclude(run, recovery, ending)
}

/// From here on, the session has outputs and limits, and those who wait know of it.
fn begin_session(
    run: &Run,
    session_id: &str,
    (policy, claim): (&Policy, &mut Claim),
) -> Result<()> {
    run.runner
        .begin_session(session_id, policy, claim.workspace())?;
    warn_of_disk(run);
    claim.describe(run, session_id)
}

/// Says where what strategy commands are given reaches a disk, though texts are encrypted.
fn warn_of_disk(run: &Run) {
    let outputs = run.runner.outputs();
    if outputs.is_some_and(|outputs| outputs.are_given_in_plain()) {
        let what = "no directory is in memory here: what fix commands are given is on the disk, \
                    unencrypted, until the run ends";
        run.observe(&RunEvent::Warning { what });
    }
}

/// Keeps the cure's changes as a patch, where that is wanted. One that cannot be kept is reported.
fn keep_patch(run: &Run, recovery: &Recovery, tree: Option<&GuardedTree>) -> Option<PathBuf> {
    if !run.runner.request.record.keep_patch || recovery.files_modified.is_empty() {
        return None;
    }
    let (tree, outputs) = (tree?, run.runner.outputs()?);
    let cure = tree.cure();
    if let Some(line) = cure.as_ref().and_then(SessionPatch::beyond_repository) {
        let what = format!("not in the patch: {line}");
        run.observe(&RunEvent::Warning { what: &what });
        if cure.is_some_and(|cure| cure.paths().is_empty()) {
            return None;
        }
    }
    let mut masked = 0;
    let kept = outputs.keep_cure(|out| {
        let mut out = MaskedPatch::new(&run.runner.redactor, out);
        tree.write_cure(&mut out)?;
        masked = out
            .finish()
            .map_err(|error| Error::os("write the patch", error))?;
        Ok(())
    });
    match kept {
        Ok(path) => {
            if masked > 0 {
                let what = format!(
                    "secrets are masked in the patch of the cure, which cannot be applied as it is: {}",
                    path.display()
                );
                run.observe(&RunEvent::Warning { what: &what });
            }
            Some(path)
        }
        Err(error) => {
            let what = format!("keep the patch of the cure: {}", error.chain());
            run.observe(&RunEvent::HelperFailed { what: &what });
            None
        }
    }
}

/// Brings the state within its limits. A failure to do so is reported, and fails nothing.
fn tidy_state(run: &Run, session_id: &str) {
    let request = &run.runner.request;
    let host = &run.runner.host;
    if let Err(error) = prune_state(&request.state.dir, &*request.state.store, session_id, host) {
        let what = format!(
            "remove what is old from the state: {}",
            request.chain(&error)
        );
        run.observe(&RunEvent::HelperFailed { what: &what });
    }
}

/// Removes the checkpoints of `workspace`, unless they are to be kept. As long as they may hold the
/// only copy of something, they stay.
fn forget_checkpoints(run: &Run, recovery: &Recovery, workspace: &Workspace) {
    let request = &run.runner.request;
    if request.tree.checkpoints != Checkpoints::OfSession {
        return;
    }
    let is_whole = request.tree.keep_failed_changes || recovery.left_changed.is_empty();
    if !is_whole || !recovery.not_covered.is_empty() {
        let what =
            "the checkpoints stay until the next recovery here ends: not all could be put back";
        run.observe(&RunEvent::Warning { what });
        return;
    }
    let host = Arc::clone(&run.runner.host);
    if let Err(error) = checkpoint::remove_ended(&request.state.dir, workspace, host) {
        let what = format!("remove the checkpoints: {}", request.chain(&error));
        run.observe(&RunEvent::HelperFailed { what: &what });
    }
}

/// The breaker for `failed`. What is transient may come back at any time, however often it was
/// waited for, and has none.
fn breaker(run: &Run, failed: &Failed, tree: Option<&GuardedTree>) -> Option<Breaker> {
    let tree = tree.filter(|_| failed.category != Category::Transient)?;
    let request = &run.runner.request;
    let argv = run.runner.shared_words();
    let host = run.runner.host.clone();
    let what = (&argv[..], &*request.command.cwd);
    // No hash of a secret is kept.
    let failure = run.runner.redacted(&failed.failure);
    let tree = tree.fingerprint();
    Some(Breaker::new(
        &request.state.dir,
        host,
        what,
        &failure,
        &tree,
    ))
}

/// Removes from the plan the strategies of `recover` itself, once these have failed too often here.
/// Returns whether anything of it is left.
fn restrain(run: &Run, plan: &mut RunPlan, breaker: Option<&Breaker>) -> bool {
    let by_itself = plan.steps.iter().any(PlannedStep::is_own_doing);
    let breaker = breaker.filter(|_| by_itself);
    let Some((breaker, count)) = breaker.and_then(|one| Some((one, one.is_open()?))) else {
        return by_itself;
    };
    plan.steps.retain(|step| !step.is_own_doing());
    let minutes = breaker::WINDOW.as_secs() / 60;
    let says = format!(
        "what recover tries by itself: this failure on this very tree was not cured {count} times \
         within {minutes} min; change something"
    );
    let place = breaker.place();
    let advice = Advice::AskOrForget { place };
    plan.skipped.push(run.runner.request.advise(says, &advice));
    false
}

/// Remembers the result of a recovery that `recover` made by itself.
fn learn(run: &Run, failed: &Failed, recovery: &Recovery, breaker: Option<&Breaker>) {
    if recovery.flaky {
        budget(run).refund(&failed.failure);
    }
    match (breaker, recovery.end) {
        (Some(breaker), RecoveryEnd::Recovered) => breaker.recovered(),
        (Some(breaker), RecoveryEnd::Escalated) => breaker.escalated(),
        _ => {}
    }
}

/// The exit and result of a dry run: as if nothing had helped, without asking for consent.
fn not_recovered_yet(run: &Run, failed: Failed) -> RunOutcome {
    RunOutcome {
        end: RunEnd::DryRun,
        ..run.untried(failed, "dry run: nothing was tried")
    }
}

/// The end of a run whose program could not be started, which nothing is tried against: most often
/// a typo. That is no recovery, so there is no session; the escalation still runs.
fn not_started(run: &Run, failed: Failed, skipped: &[String]) -> RunOutcome {
    for why in skipped {
        run.observe(&RunEvent::NotTried { why });
    }
    let why = "it could not be started, and there is nothing to try";
    let called = run.runner.request.people.on_escalate.is_some();
    let result = RecoveryResult {
        final_error: Some(failed.failure.clone()),
        escalated_to_human: called,
        ..run.without_attempts(false, why.to_owned())
    };
    escalate(run, &failed, &result, None);
    let mut outcome = run.untried(failed, why);
    outcome.result.escalated_to_human = called;
    outcome
}

/// Opens the record of the session. `None` if it cannot be written and the user chose to go on.
fn begin_record(
    run: &Run,
    session_id: &str,
    workspace: &Workspace,
) -> Result<Option<Arc<RecoveryAuditLogger>>> {
    let request = &run.runner.request;
    let logger =
        RecoveryAuditLogger::new(request.state.store.clone(), run.runner.host.clone(), None);
    let root = workspace.root();
    let started = SessionStarted {
        command: Some(request.words()),
        cwd: Some(request.command.cwd.display().to_string()),
        workspace: Some(root.display().to_string()),
        project: root
            .file_name()
            .map(|name| name.to_string_lossy().into_owned()),
        host: request.record.identity.host.clone(),
        user: request.record.identity.user.clone(),
        pid: std::process::id(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
    };
    match logger.begin_session(Some(session_id), started) {
        Ok(_) => Ok(Some(Arc::new(logger))),
        Err(error) if request.record.on_audit_failure == OnAuditFailure::Continue => {
            run.observe(&RunEvent::Step(&Event::NotRecorded { error: &error }));
            Ok(None)
        }
        Err(error) => Err(error.context(format!("record the recovery{UNTRIED}"))),
    }
}

/// Describes the failure for the manager; keeps its output where helpers and people find it.
fn incident(run: &Run, failed: &Failed) -> Result<Incident> {
    let mut incident = Incident::new(failed.failure.clone(), failed.category, failed.rule.clone());
    incident.began = Some(run.started);
    let (failure, ran) = (&failed.failure, failed.ran.as_ref());
    run.runner.face(failure, &failed.rule, failed.exit, ran)?;
    if let Some(ran) = ran {
        incident.exit_code = code_of(ran);
        incident.signal = signal_of(ran);
        incident.timed_out = ran.timed_out || ran.deadline_passed;
        incident.output_file = run.runner.keep(0, &run.runner.command, ran);
    } else {
        incident.exit_code = Some(failed.exit.shell_code());
    }
    Ok(incident)
}

/// Takes the tree into safety, if anything is going to be tried. Where that cannot be done, what
/// changes files is not tried, and the plan says why.
fn guard_tree(
    run: &Run,
    claim: &Claim,
    (session_id, guarded): (&str, &[ProtectGlob]),
    plan: &mut RunPlan,
) -> Result<Option<GuardedTree>> {
    let takes = run.runner.request.tree.checkpoints != Checkpoints::Off;
    if !takes {
        let advice = Advice::Because(Wish::NoCheckpoint);
        let why = run
            .runner
            .request
            .advise("undo: there is no checkpoint", &advice);
        plan.skipped.push(why);
    }
    if plan.steps.is_empty() || !takes {
        return Ok(None);
    }
    match GuardedTree::open(run, claim, session_id, guarded) {
        Ok(tree) => {
            warn_of_unmatched(run, &tree);
            Ok(Some(tree))
        }
        Err(error) if is_no_fault(&error) || is_unwritable(&error) => {
            let before = plan.steps.len();
            plan.steps.retain(|step| !step.changes_files());
            if plan.steps.len() < before {
                let says = format!("what changes files: {}", error.chain());
                let request = &run.runner.request;
                plan.skipped
                    .push(request.advise(says, &Advice::TryWithoutUndo));
            }
            Ok(None)
        }
        Err(error) => Err(error.context(format!("take a checkpoint of the tree{UNTRIED}"))),
    }
}

/// The end of a message about an impossible step, where that ends the run.
const UNTRIED: &str = "; nothing was tried";

/// The end of a run for which nothing was tried because of `error`: the command's own, with a
/// warning, where files cannot be read or written; else the error.
pub(super) fn explain_or_fail(run: &Run, failed: Failed, error: Error) -> Result<RunOutcome> {
    if !matches!(error.kind(), ErrorKind::Io | ErrorKind::NoSpace) {
        return Err(error);
    }
    let why = run.runner.request.chain(&error).replacen(UNTRIED, "", 1);
    run.observe(&RunEvent::NoState { why: &why });
    if let Some(what) = why_exchanged(run, (failed.end(), failed.category), failed.exit) {
        run.observe(&RunEvent::Note { what: &what });
    }
    Ok(run.untried(failed, &format!("nothing was tried: {why}")))
}

/// Whether an error says that files cannot be made or locked here, rather than that something is
/// wrong with them: a read-only home, a full disk, a file system without locks.
fn is_unwritable(error: &Error) -> bool {
    const REFUSALS: [Errno; 9] = [
        Errno::ACCESS,
        Errno::PERM,
        Errno::ROFS,
        Errno::NOSPC,
        Errno::DQUOT,
        Errno::NOLCK,
        Errno::NOSYS,
        Errno::OPNOTSUPP,
        Errno::FBIG,
    ];
    let is_not_ours = |error: &io::Error| error.kind() == io::ErrorKind::PermissionDenied;
    io_error(error).is_some_and(|error| {
        is_not_ours(error) || Errno::from_io_error(error).is_some_and(|no| REFUSALS.contains(&no))
    })
}

/// The error of the operating system, where that is the reason of an error.
fn io_error(error: &Error) -> Option<&io::Error> {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(error) = cause {
        if let Some(error) = error.downcast_ref::<io::Error>() {
            return Some(error);
        }
        cause = error.source();
    }
    None
}

/// Whether a checkpoint is impossible here, rather than having gone wrong.
fn is_no_fault(error: &Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::Refused
            | ErrorKind::NoSpace
            | ErrorKind::CommandNotFound
            | ErrorKind::NotExecutable
    )
}

fn manager(
    run: &Run,
    policy: &Policy,
    logger: Option<Arc<RecoveryAuditLogger>>,
    (session_id, told): (&str, &Told),
) -> AutoRecoveryManager {
    let request = &run.runner.request;
    let settings = ManagerSettings {
        max_attempts: policy.max_attempts,
        base_delay: policy.base_delay,
        max_delay: policy.max_delay,
        jitter: policy.jitter,
        // What there is to try is planned by the run.
        enable_fix_generation: true,
        enable_alternatives: true,
        enable_rollback: true,
        audit_dir: None,
        enable_audit_logging: logger.is_some(),
        deadline: run.runner.deadline(),
        keep_progress: request.tree.keep_progress,
        keep_failed_changes: request.tree.keep_failed_changes,
        confirm: request.tree.confirm,
        on_audit_failure: request.record.on_audit_failure,
    };
    let mut manager = AutoRecoveryManager::with_logger(settings, logger, run.runner.host.clone());
    manager.current_session_id = Some(session_id.to_owned());
    manager.observer = Some(Box::new(Steps {
        observer: run.observer.clone(),
        tried: run.tried.clone(),
        told: told.clone(),
    }));
    manager
}

/// Gives the manager what proves a cure, what plans anew and who is asked.
fn give_helpers(
    manager: &mut AutoRecoveryManager,
    run: &Run,
    (tree, told): (Option<&GuardedTree>, &Told),
) {
    let seen = LastFailed::default();
    manager.verifier = Some(Box::new(Rerun {
        runner: run.runner.clone(),
        seen: seen.clone(),
    }));
    let anew = PlanAnew::new(run.clone(), tree.cloned(), told.clone(), seen);
    manager.replanner = Some(Box::new(anew));
    if let Some(command) = &run.runner.request.people.approve {
        manager.approver = Some(Box::new(ApprovalCommand {
            runner: run.runner.clone(),
            command: command.clone(),
            tree: tree.cloned(),
            told: told.clone(),
        }));
    }
}

/// Passes the manager's steps on to the run's observer, and counts attempts.
struct Steps {
    observer: Arc<Mutex<dyn RunObserver>>,
    tried: Arc<AtomicUsize>,
    told: Told,
}

impl Observer for Steps {
    fn observe(&mut self, event: &Event<'_>) {
        if let Event::Attempt { .. } = event {
            self.tried.fetch_add(1, Ordering::Relaxed);
        }
        self.told.note(event);
        let mut observer = mutex::lock(&self.observer);
        observer.observe(&RunEvent::Step(event));
    }
}
