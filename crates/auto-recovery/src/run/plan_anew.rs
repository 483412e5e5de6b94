//! The replanner of a run: what is tried once an attempt changed which failure the command shows.

use crate::failure::Failure;
use crate::manager::{NewPlan, Replanner};
use crate::run::helpers::told::Told;
use crate::run::learned::record_of;
use crate::run::strategies::{make_plan, strategies_of};
use crate::run::tree::guarded::GuardedTree;
use crate::run::tree_rules::Checkpoints;
use crate::run::under_way::{Failed, LastFailed, Run};
use crate::strategy::HandlerResult;

/// Plans against what the verifier saw last.
pub(super) struct PlanAnew {
    run: Run,
    tree: Option<GuardedTree>,
    told: Told,
    seen: LastFailed,
    /// What the plan was made for.
    planned: Option<Failed>,
}

impl PlanAnew {
    pub(super) fn new(run: Run, tree: Option<GuardedTree>, told: Told, seen: LastFailed) -> Self {
        Self {
            run,
            tree,
            told,
            seen,
            planned: None,
        }
    }
}

impl Replanner for PlanAnew {
    fn plan_anew(&mut self, _failure: &Failure) -> HandlerResult<NewPlan> {
        let Some(failed) = self.seen.take() else {
            return Ok(NewPlan::default());
        };
        let request = &self.run.runner.request;
        let policy = (request.tries.policy)(failed.category, &failed.failure);
        let mut plan = make_plan(&self.run, &failed, &policy).map_err(|error| error.chain())?;
        if request.tree.checkpoints != Checkpoints::Off && self.tree.is_none() {
            plan.steps.retain(|step| !step.changes_files());
        }
        let made = NewPlan {
            category: Some(failed.category),
            rule: failed.rule.clone(),
            strategies: strategies_of(&self.run, &plan, self.tree.as_ref(), &self.told),
            advice: plan
                .advice
                .as_ref()
                .and_then(|(advice, _)| record_of(advice)),
            skipped: plan.skipped,
        };
        self.planned = Some(failed);
        Ok(made)
    }

    fn turned_to(&mut self, failure: &Failure) -> HandlerResult<()> {
        if let Some(failed) = self.planned.take() {
            let runner = &self.run.runner;
            let kept = runner.face(failure, &failed.rule, failed.exit, failed.ran.as_ref());
            kept.map_err(|error| error.chain())?;
        }
        Ok(())
    }
}
