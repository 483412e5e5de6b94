//! Rollback: put the tree back to the last one that was good.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use crate::checkpoint::{
    Checkpoint, Good, RestoreReport, check_checkpoint, check_revision, some_names,
};
use crate::error::{Hint, Result};
use crate::host::Host;
use crate::run::advice::Advice;
use crate::run::runner::Runner;
use crate::run::tree::guarded::{Guarded, GuardedTree};
use crate::run::tree::marked::named_checkpoint;
use crate::run::tree_rules::RollbackTarget;
use crate::strategy::{Call, HandlerResult, Outcome, RecoveryStrategyType, Strategy};
use crate::workspace::Workspace;

/// Paths that a message names; more are counted.
const PATHS_SHOWN: usize = 10;

/// Makes sure that `target` names something, before anything runs, and returns it by its id, with
/// what else the name could have meant. Whether there is a good tree is only known when it is
/// needed.
pub(in crate::run) fn check(
    state_dir: &Path,
    workspace: &Workspace,
    target: &RollbackTarget,
    host: &Arc<dyn Host>,
) -> Result<(RollbackTarget, Option<String>)> {
    let mut instead_of = None;
    let mut meant = target.clone();
    let checked = match target {
        RollbackTarget::LastGood => Ok(()),
        RollbackTarget::Checkpoint(typed) => {
            match named_checkpoint(state_dir, workspace, typed, host) {
                Ok(Some(named)) => {
                    meant = RollbackTarget::Checkpoint(named.checkpoint);
                    instead_of = named.instead_of;
                    Ok(())
                }
                Ok(None) => check_checkpoint(state_dir, workspace, typed, host),
                Err(error) => Err(error),
            }
        }
        RollbackTarget::GitRevision(revision) => check_revision(workspace, revision, host),
    };
    let checked = checked.map(|()| (meant, instead_of));
    checked.map_err(|error| {
        let error = error.context("there is nothing to go back to by that name");
        error.with_hint(Hint::NameWayBack)
    })
}

/// Goes back to a checkpoint of this workspace, or to a revision of the user's repository. What it
/// replaces was checkpointed before it acts.
pub(in crate::run) struct RollbackStrategy {
    tree: GuardedTree,
    target: RollbackTarget,
    runner: Arc<Runner>,
}

impl RollbackStrategy {
    pub(in crate::run) fn new(
        tree: GuardedTree,
        target: RollbackTarget,
        runner: Arc<Runner>,
    ) -> Self {
        Self {
            tree,
            target,
            runner,
        }
    }
}

impl Strategy for RollbackStrategy {
    fn kind(&self) -> RecoveryStrategyType {
        RecoveryStrategyType::Rollback
    }

    fn action(&self) -> String {
        match &self.target {
            RollbackTarget::LastGood => "to the last good tree".to_owned(),
            RollbackTarget::Checkpoint(id) => format!("to checkpoint {id}"),
            RollbackTarget::GitRevision(revision) => format!("to git:{revision}"),
        }
    }

    fn max_attempts(&self) -> Option<u32> {
        Some(1)
    }

    fn act(&mut self, _call: &Call<'_>) -> HandlerResult<Outcome> {
        let request = &self.runner.request;
        let mut guarded = self.tree.lock();
        let Some((target, said)) = find(&mut guarded, &self.target)? else {
            let says = "there is no good tree to go back to";
            return Ok(Outcome::not_possible(
                request.advise(says, &Advice::MarkTree),
            ));
        };
        // Going behind commits is for those who say so.
        if self.target == RollbackTarget::LastGood
            && let Some(why) = guarded.is_behind(&target)?
        {
            let says = format!("not rolled back to {said}: {why}");
            let checkpoint = target.id();
            return Ok(Outcome::not_possible(
                request.advise(says, &Advice::RollBackTo { checkpoint }),
            ));
        }
        let report = guarded.go_to(&target)?;
        let paths = report.restored.len();
        let noun = if paths == 1 { "path" } else { "paths" };
        let mut message = format!("rolled back to {said}, {paths} {noun}");
        message.push_str(&left_as_it_is(&report));
        Ok(Outcome::success(message.clone()).with_changes(vec![message]))
    }
}

/// What a rollback did not put back, in words.
fn left_as_it_is(report: &RestoreReport) -> String {
    let beside = report.beside.iter().map(|one| one.display.clone());
    let refused = report.refused.iter();
    let refused = refused.map(|one| format!("{} ({})", one.display, one.reason));
    let uncovered = report.not_covered.iter();
    let uncovered = uncovered.map(|one| format!("{} ({})", one.display, one.reason));
    let told = [
        ("kept what a run beside may have changed", beside.collect()),
        ("could not be put back", refused.collect()),
        ("not covered", uncovered.collect::<Vec<_>>()),
    ];
    let told = told.iter().filter(|(_, paths)| !paths.is_empty());
    told.map(|(what, paths)| format!("; {what}: {}", some_names(paths, PATHS_SHOWN)))
        .collect()
}

/// The checkpoint that `target` means, and what it is called.
fn find(guarded: &mut Guarded, target: &RollbackTarget) -> Result<Option<(Checkpoint, String)>> {
    Ok(match target {
        RollbackTarget::LastGood => match guarded.last_good()? {
            Some(mark) => {
                let why = match &mark.good {
                    Good::Passed { .. } => "the tree at which the command passed",
                    Good::Marked => "the tree that was marked as good",
                };
                let age = guarded
                    .store
                    .age(&mark)
                    .map(age_in_words)
                    .unwrap_or_default();
                Some((guarded.store.load(&mark.checkpoint)?, format!("{why}{age}")))
            }
            None => None,
        },
        RollbackTarget::Checkpoint(id) => {
            Some((guarded.store.load(id)?, format!("checkpoint {id}")))
        }
        RollbackTarget::GitRevision(revision) => Some((
            guarded.import_revision(revision)?,
            format!("git:{revision}"),
        )),
    })
}

/// `, 5 min ago`: how old the tree is that the work goes back to.
fn age_in_words(age: Duration) -> String {
    const MINUTE: u64 = 60;
    const HOUR: u64 = 60 * MINUTE;
    const DAY: u64 = 24 * HOUR;
    let (count, unit) = match age.as_secs() {
        seconds @ 0..MINUTE => (seconds, "s"),
        seconds @ MINUTE..HOUR => (seconds / MINUTE, "min"),
        seconds @ HOUR..DAY => (seconds / HOUR, "h"),
        seconds => (seconds / DAY, "days"),
    };
    format!(", {count} {unit} ago")
}
