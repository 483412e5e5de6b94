//! The recovery of a failed run: plan, guard the tree, let the manager work, end.

use std::sync::{Arc, PoisonError};

use rustix::io::Errno;

use crate::audit::{RecoveryAuditLogger, SessionStarted};
use crate::checkpoint::{ProtectGlob, Workspace, scripts_of};
use crate::error::{Error, ErrorKind, Result};
use crate::exit::EXIT_TIMED_OUT;
use crate::failure::{Category, Context};
use crate::host::new_id;
use crate::manager::{
    AutoRecoveryManager, Event, Incident, ManagerSettings, Observer, OnAuditFailure, Recovery,
    RecoveryEnd,
};
use crate::recipe::Situation;
use crate::run::breaker::{self, Breaker};
use crate::run::budget::RetryBudget;
use crate::run::commands::{CommandStrategy, Rerun, RetryStrategy};
use crate::run::escalation::{ApprovalCommand, escalate};
use crate::run::event::{RunEvent, RunObserver};
use crate::run::guard::Claim;
use crate::run::outcome::{RunExit, RunOutcome};
use crate::run::planning::{PlannedAction, PlannedStep, RunPlan};
use crate::run::request::{Policy, StrategyCommand};
use crate::run::retention::prune_state;
use crate::run::rollback::RollbackStrategy;
use crate::run::runner::{code_of, signal_of};
use crate::run::tree::GuardedTree;
use crate::run::under_way::{Failed, Run};
use crate::strategy::{RecoveryStrategyType, Strategy};

/// Output of the first run in which a recipe looks for announced commands: 256 KiB is far more than
/// task runners print around one command.
const SITUATION_BYTES_MAX: usize = 256 * 1024;

/// Recovers `failed`; without a claim on the workspace, only shows what would be tried.
pub(super) fn recover(run: &Run, failed: Failed, claim: Option<Claim>) -> Result<RunOutcome> {
    let request = &run.runner.request;
    let policy = (request.policy)(failed.category, &failed.failure);
    let mut plan = make_plan(run, &failed, &policy)?;
    let Some(claim) = claim else {
        let steps: Vec<_> = plan.steps.iter().map(PlannedStep::in_words).collect();
        run.observe(&RunEvent::Plan {
            steps: &steps,
            skipped: &plan.skipped,
        });
        return Ok(not_recovered_yet(run, failed));
    };
    let session_id = request
        .session_id
        .clone()
        .unwrap_or_else(|| new_id("session"));
    run.runner.begin_session(&session_id, &policy)?;
    let incident = match incident(run, &failed) {
        Ok(incident) => incident,
        Err(error) => return explain_or_fail(run, failed, error),
    };
    let logger = match begin_record(run, &session_id, &claim) {
        Ok(logger) => logger,
        Err(error) if is_unwritable(&error) => return explain_or_fail(run, failed, error),
        Err(error) => return Err(error),
    };
    let guarded = guarded_files(run, &policy, claim.workspace());
    let tree = guard_tree(run, &claim, (&session_id, &guarded), &mut plan)?;
    let breaker = tree.as_ref().map(|tree| breaker(run, &failed, tree));
    let by_itself = restrain(&mut plan, breaker.as_ref());
    let mut manager = manager(run, &policy, logger, &session_id);
    add_strategies(&mut manager, run, &plan, tree.as_ref());
    if !request.checkpoint {
        plan.skipped
            .push("undo: there is no checkpoint (--no-checkpoint)".to_owned());
    }
    let incident = Incident {
        skipped: plan.skipped.clone(),
        checkpoint: tree.as_ref().map(GuardedTree::ground),
        ..incident
    };
    let category = incident.category;
    let had_tree = tree.is_some();
    manager.tree = tree.clone().map(|tree| Box::new(tree) as _);
    let recovery = manager.recover(incident, &Context::new());
    if let Some(tree) = &tree {
        tree.end(recovery.is_ok())?;
    }
    let recovery = recovery?;
    if by_itself {
        learn(run, &recovery, breaker.as_ref());
    }
    drop(claim);
    tidy_state(run, &session_id);
    let saw_all = tree.as_ref().is_none_or(GuardedTree::saw_all);
    let undone = had_tree && saw_all && !request.keep_failed_changes;
    let ending = Ending {
        failed: &failed,
        category,
        undone,
        skipped: &plan.skipped,
    };
    conclude(run, recovery, &ending)
}

/// Brings the state within its limits. That it cannot be is told, and fails nothing.
fn tidy_state(run: &Run, session_id: &str) {
    let request = &run.runner.request;
    let host = &run.runner.host;
    if let Err(error) = prune_state(&request.state_dir, &*request.store, session_id, host) {
        let what = format!("remove what is old from the state: {}", error.chain());
        run.observe(&RunEvent::HelperFailed { what: &what });
    }
}

fn breaker(run: &Run, failed: &Failed, tree: &GuardedTree) -> Breaker {
    let request = &run.runner.request;
    let argv = request.words();
    let host = run.runner.host.clone();
    let what = (&argv[..], &*request.cwd);
    Breaker::new(
        &request.state_dir,
        host,
        what,
        &failed.failure,
        &tree.fingerprint(),
    )
}

/// Takes out of the plan what comes from `recover` itself, once that has failed too often here.
/// Returns whether anything of it is left.
fn restrain(plan: &mut RunPlan, breaker: Option<&Breaker>) -> bool {
    let by_itself = plan.steps.iter().any(PlannedStep::is_own_doing);
    let Some(count) = breaker.filter(|_| by_itself).and_then(Breaker::is_open) else {
        return by_itself;
    };
    plan.steps.retain(|step| !step.is_own_doing());
    let minutes = breaker::WINDOW.as_secs() / 60;
    plan.skipped.push(format!(
        "what recover tries by itself: this failure on this very tree was escalated {count} times \
         within {minutes} min; change something, or ask for it with --fix, --retry or --alternative"
    ));
    false
}

/// Remembers what came of what `recover` did by itself.
fn learn(run: &Run, recovery: &Recovery, breaker: Option<&Breaker>) {
    if recovery.flaky {
        budget(run).refund();
    }
    match (breaker, recovery.end) {
        (Some(breaker), RecoveryEnd::Recovered) => breaker.recovered(),
        (Some(breaker), RecoveryEnd::Escalated) => breaker.escalated(),
        _ => {}
    }
}

fn budget(run: &Run) -> RetryBudget {
    RetryBudget::new(&run.runner.request.state_dir, run.runner.host.clone())
}

fn make_plan(run: &Run, failed: &Failed, policy: &Policy) -> Result<RunPlan> {
    let request = &run.runner.request;
    let output = failed
        .ran
        .as_ref()
        .map(|ran| ran.capture.interleaved().into_owned());
    let output = output.unwrap_or_default();
    let output = String::from_utf8_lossy(&output[..output.len().min(SITUATION_BYTES_MAX)]);
    let situation = Situation {
        argv: &request.words(),
        failure: Some(&failed.failure),
        category: failed.category,
        output: &output,
    };
    let mut plan = request.plan(&situation, policy)?;
    if let Err(why) = run.runner.can_run_again() {
        let only_alternatives = |step: &PlannedStep| {
            step.kind == RecoveryStrategyType::Alternative
                && matches!(step.action, PlannedAction::Given(_))
        };
        plan.steps.retain(only_alternatives);
        plan.skipped
            .push(format!("what runs the command again: {why}"));
    }
    Ok(plan)
}

/// The exit and result of a dry run: as if nothing had helped, and nobody was asked.
fn not_recovered_yet(run: &Run, failed: Failed) -> RunOutcome {
    run.untried(failed, "dry run: nothing was tried")
}

/// Opens the record of the session. `None` if it cannot be written and the user chose to go on.
fn begin_record(
    run: &Run,
    session_id: &str,
    claim: &Claim,
) -> Result<Option<Arc<RecoveryAuditLogger>>> {
    let request = &run.runner.request;
    let logger = RecoveryAuditLogger::new(request.store.clone(), run.runner.host.clone(), None);
    let root = claim.workspace().root();
    let started = SessionStarted {
        command: Some(request.words()),
        cwd: Some(request.cwd.display().to_string()),
        workspace: Some(root.display().to_string()),
        project: root
            .file_name()
            .map(|name| name.to_string_lossy().into_owned()),
        host: request.identity.host.clone(),
        user: request.identity.user.clone(),
        pid: std::process::id(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
    };
    match logger.begin_session(Some(session_id), started) {
        Ok(_) => Ok(Some(Arc::new(logger))),
        Err(error) if request.on_audit_failure == OnAuditFailure::Continue => {
            let reason = error.chain();
            run.observe(&RunEvent::Step(&Event::NotRecorded { reason: &reason }));
            Ok(None)
        }
        Err(error) => Err(error.context(format!("record the recovery{UNTRIED}"))),
    }
}

/// What the manager is told of the failure; keeps its output where helpers and people find it.
fn incident(run: &Run, failed: &Failed) -> Result<Incident> {
    let mut incident = Incident::new(failed.failure.clone(), failed.category, failed.rule.clone());
    if let Some(ran) = &failed.ran {
        run.runner.keep_failure(&failed.failure, ran)?;
        incident.exit_code = code_of(ran);
        incident.signal = signal_of(ran);
        incident.timed_out = ran.timed_out;
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
    if plan.steps.is_empty() || !run.runner.request.checkpoint {
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
                let why = error.chain();
                plan.skipped.push(format!(
                    "what changes files: {why}; --no-checkpoint tries it without an undo"
                ));
            }
            Ok(None)
        }
        Err(error) => Err(error.context(format!("take a checkpoint of the tree{UNTRIED}"))),
    }
}

/// Says which globs protect nothing: a typing error, or a glob that is meant from elsewhere.
fn warn_of_unmatched(run: &Run, tree: &GuardedTree) {
    for (glob, other) in tree.unmatched(&run.runner.request.protect) {
        let hint = other.map(|other| format!(": `{other}` would"));
        let hint = hint.unwrap_or_default();
        let what = format!("`--protect {glob}` matches nothing in this tree{hint}");
        run.observe(&RunEvent::Warning { what: &what });
    }
}

/// What no attempt may change though nobody said so: the configuration, and the scripts that mend
/// and decide.
fn guarded_files(run: &Run, policy: &Policy, workspace: &Workspace) -> Vec<ProtectGlob> {
    let request = &run.runner.request;
    let given = policy.fixes.iter().chain(&policy.alternatives);
    let asked = request.approve.iter().chain(&request.on_escalate);
    let words = |command: &StrategyCommand| -> Vec<String> {
        let words = command.argv.iter();
        words
            .map(|word| word.to_string_lossy().into_owned())
            .collect()
    };
    let scripts = given
        .chain(asked)
        .flat_map(|command| scripts_of(&words(command), &request.cwd, workspace.root()));
    let files = request.guarded_files.iter().cloned().chain(scripts);
    files.map(|file| ProtectGlob::of_file(&file)).collect()
}

/// What stands behind what could not be done, where that is the end.
const UNTRIED: &str = "; nothing was tried";

/// The end of a run for which nothing was tried because of `error`: the command's own, with a
/// warning, where files cannot be read or written; else the error.
pub(super) fn explain_or_fail(run: &Run, failed: Failed, error: Error) -> Result<RunOutcome> {
    if !matches!(error.kind(), ErrorKind::Io | ErrorKind::NoSpace) {
        return Err(error);
    }
    let why = error.chain().replacen(UNTRIED, "", 1);
    run.observe(&RunEvent::NoState { why: &why });
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
    errno(error).is_some_and(|errno| REFUSALS.contains(&errno))
}

/// What the operating system said, where that is the reason of an error.
fn errno(error: &Error) -> Option<Errno> {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(error) = cause {
        if let Some(error) = error.downcast_ref::<std::io::Error>() {
            return Errno::from_io_error(error);
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
    session_id: &str,
) -> AutoRecoveryManager {
    let request = &run.runner.request;
    let settings = ManagerSettings {
        max_attempts: policy.max_attempts,
        base_delay: policy.base_delay,
        max_delay: policy.max_delay,
        jitter: policy.jitter,
        // What there is to try is added as strategies; nothing is tried that is not there.
        enable_fix_generation: true,
        enable_alternatives: true,
        enable_rollback: true,
        audit_dir: None,
        enable_audit_logging: logger.is_some(),
        deadline: run.runner.deadline(),
        keep_progress: request.keep_progress,
        keep_failed_changes: request.keep_failed_changes,
        on_audit_failure: request.on_audit_failure,
    };
    let mut manager = AutoRecoveryManager::with_logger(settings, logger, run.runner.host.clone());
    manager.current_session_id = Some(session_id.to_owned());
    manager.verifier = Some(Box::new(Rerun {
        runner: run.runner.clone(),
    }));
    manager.observer = Some(Box::new(Steps(run.observer.clone())));
    manager
}

fn add_strategies(
    manager: &mut AutoRecoveryManager,
    run: &Run,
    plan: &RunPlan,
    tree: Option<&GuardedTree>,
) {
    let has = |kind| plan.steps.iter().any(|step| step.kind == kind);
    manager.settings.enable_fix_generation = has(RecoveryStrategyType::Fix);
    manager.settings.enable_alternatives = has(RecoveryStrategyType::Alternative);
    manager.settings.enable_rollback = has(RecoveryStrategyType::Rollback);
    for step in &plan.steps {
        let runner = run.runner.clone();
        let kind = step.kind.clone();
        let strategy: Box<dyn Strategy> = match &step.action {
            PlannedAction::Given(command) => Box::new(CommandStrategy {
                runner,
                kind,
                command: command.clone(),
                recipe: None,
                left: Vec::new(),
            }),
            PlannedAction::Recipe { recipe, command } => Box::new(CommandStrategy {
                runner,
                kind,
                command: command.clone(),
                recipe: Some(recipe.clone()),
                left: Vec::new(),
            }),
            PlannedAction::Again { asked } => {
                let max_attempts = Some(step.max_attempts);
                Box::new(RetryStrategy {
                    runner,
                    max_attempts,
                    budget: (!asked).then(|| budget(run)),
                })
            }
            PlannedAction::Back(target) => match tree {
                Some(tree) => Box::new(RollbackStrategy::new(tree.clone(), target.clone())),
                None => continue,
            },
        };
        manager.add_strategy(strategy);
    }
    if let Some(command) = &run.runner.request.approve {
        manager.approver = Some(Box::new(ApprovalCommand {
            runner: run.runner.clone(),
            command: command.clone(),
            tree: tree.cloned(),
        }));
    }
}

/// What the end of a run depends on besides the recovery.
struct Ending<'a> {
    failed: &'a Failed,
    category: Category,
    /// Whether what failed attempts changed was put back.
    undone: bool,
    skipped: &'a [String],
}

/// Ends the run: tells whoever watches, calls the one who must help, says how to exit.
fn conclude(run: &Run, recovery: Recovery, ending: &Ending<'_>) -> Result<RunOutcome> {
    let failed = ending.failed;
    let attempts = recovery.result.attempts.len();
    let exit = match recovery.end {
        RecoveryEnd::Recovered if recovery.flaky && run.runner.request.fail_on_flaky => failed.exit,
        RecoveryEnd::Recovered => RunExit::Code(0),
        RecoveryEnd::DeadlinePassed => RunExit::Code(EXIT_TIMED_OUT),
        RecoveryEnd::Interrupted => match run.runner.interrupt.raised() {
            Some(signal) => RunExit::Signal(signal),
            None => failed.exit,
        },
        RecoveryEnd::Escalated => run.runner.last_failure().unwrap_or(failed.exit),
    };
    if recovery.end == RecoveryEnd::Recovered {
        show_recovered(run, &recovery, ending.category);
    } else {
        if recovery.end != RecoveryEnd::Interrupted {
            for why in ending.skipped.iter().chain(&recovery.stopped) {
                run.observe(&RunEvent::NotTried { why });
            }
        }
        run.show_not_ended();
        run.observe(&RunEvent::NotRecovered {
            why: not_recovered(run, recovery.end),
            attempts,
            duration: run.elapsed(),
            tree_is_as_it_was: attempts == 0 || (ending.undone && recovery.not_covered.is_empty()),
            session_id: recovery.session_id.as_deref(),
        });
        if recovery.end != RecoveryEnd::Interrupted {
            escalate(run, failed, &recovery);
        }
    }
    let Recovery {
        result,
        session_id,
        flaky,
        ..
    } = recovery;
    let session_id = session_id.or_else(|| run.runner.session_id());
    Ok(RunOutcome {
        exit,
        session_id,
        result,
        flaky,
    })
}

fn show_recovered(run: &Run, recovery: &Recovery, category: Category) {
    let files = &recovery.files_modified;
    let is_test = |file: &&String| {
        let file = file.to_lowercase();
        file.split('/')
            .any(|part| part.contains("test") || part.contains("spec"))
    };
    let changed_tests: Vec<String> = match category {
        Category::TestFailure => files.iter().filter(is_test).cloned().collect(),
        _ => Vec::new(),
    };
    run.observe(&RunEvent::Recovered {
        strategy: recovery.result.strategy_used.as_str(),
        attempts: recovery.result.attempts.len(),
        duration: run.elapsed(),
        flaky: recovery.flaky,
        left_running: &recovery.left_running,
        changed_tests: &changed_tests,
        changed: !files.is_empty(),
        session_id: recovery.session_id.as_deref(),
    });
}

fn not_recovered(run: &Run, end: RecoveryEnd) -> &'static str {
    match end {
        RecoveryEnd::DeadlinePassed if !run.runner.not_ended().is_empty() => {
            "stopped beside what could not be ended"
        }
        RecoveryEnd::Recovered => "recovered",
        RecoveryEnd::Escalated => "escalated",
        RecoveryEnd::DeadlinePassed => "the deadline passed",
        RecoveryEnd::Interrupted => "interrupted",
    }
}

/// Passes the manager's steps on to the run's observer.
struct Steps(Arc<std::sync::Mutex<dyn RunObserver>>);

impl Observer for Steps {
    fn observe(&mut self, event: &Event<'_>) {
        let mut observer = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        observer.observe(&RunEvent::Step(event));
    }
}
