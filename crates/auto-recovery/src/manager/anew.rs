//! Turning to another failure: whether what an attempt left is the ground for what comes next, and
//! the steps from there.

use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::error::{Error, ErrorKind, Result};
use crate::failure::Failure;
use crate::manager::Event;
use crate::manager::replanner::{GROUNDS_MAX, NewPlan, PlannedStrategy};
use crate::manager::step::Step;
use crate::manager::tried::{Tried, Turn};
use crate::manager::under_way::{Deed, Recovering};
use crate::strategy::RecoveryStrategyType;
use crate::tier::Tier;

impl<'m> Recovering<'m> {
    /// Takes what `tried` left as the ground for what comes next, if it changed which failure there
    /// is and something can be tried against that one.
    pub(super) fn look_for_ground(&mut self, turn: &Turn<'_, '_>, tried: &mut Tried) {
        self.anew = None;
        if !self.may_be_ground(turn, tried) {
            return;
        }
        let Some(failure) = tried.failure.clone() else {
            return;
        };
        if self.parts.replanner.is_some() && self.grounds >= GROUNDS_MAX {
            let place = failure.location();
            let place = place
                .map(|place| format!(" in {place}"))
                .unwrap_or_default();
            let kind = &failure.error_type;
            let why =
                format!("{GROUNDS_MAX} grounds kept, no more is planned: {kind}{place} is next");
            tried.add(&why);
            self.stopped = Some(why);
            return;
        }
        let keeps_progress = self.parts.settings.keep_progress;
        let plan = match self.ask_replanner(&failure) {
            Some(Ok(plan)) => plan,
            Some(Err(why)) => {
                tried.add(&format!("planning anew failed: {why}"));
                return;
            }
            // The plan stays as it was, on the new ground.
            None => {
                tried.is_ground = true;
                self.current = failure;
                return;
            }
        };
        let (skipped, advice) = (plan.skipped, plan.advice);
        let steps = self.steps_anew(plan.strategies, tried.verified.fingerprint.as_deref());
        if steps.is_empty() && !keeps_progress {
            return;
        }
        tried.is_ground = true;
        self.anew = (!steps.is_empty()).then_some(steps);
        self.grounds += 1;
        self.incident.category = plan.category.unwrap_or(self.incident.category);
        self.incident.rule = plan.rule;
        self.incident.skipped = skipped;
        self.incident.advice = advice;
        self.current = failure;
    }

    fn may_be_ground(&self, turn: &Turn<'_, '_>, tried: &Tried) -> bool {
        let parts = &self.parts;
        let recipe = turn.step.candidate.recipe.as_ref();
        let is_safe = recipe.is_some_and(|recipe| recipe.tier == Tier::Safe);
        let is_allowed = match &parts.replanner {
            Some(_) => parts.settings.keep_progress || is_safe,
            None => parts.settings.keep_progress,
        };
        // A tool that mends a file at a time shows the same of the next one.
        let is_next = |failure: &Failure| is_safe && failure.is_elsewhere_than(&self.current);
        let is_other = tried
            .failure
            .as_ref()
            .is_some_and(|failure| !failure.is_same_as(&self.current) || is_next(failure));
        is_allowed
            && is_other
            && !tried.verdict.is_cure()
            && !parts.settings.keep_failed_changes
            && !tried.not_ended
            && tried.touched_nothing_protected()
            && !(parts.tree.is_some() && tried.files_modified.is_empty() && !tried.mended_before)
            && turn.step.candidate.kind != RecoveryStrategyType::Rollback
            && !parts.host.is_interrupted()
    }

    fn ask_replanner(&mut self, failure: &Failure) -> Option<Result<NewPlan, String>> {
        let replanner = self.parts.replanner.as_mut()?;
        let asked = catch_unwind(AssertUnwindSafe(|| replanner.plan_anew(failure)));
        Some(match asked {
            Ok(Ok(plan)) => Ok(plan),
            Ok(Err(error)) => Err(error.to_string()),
            Err(_) => Err("panicked".to_owned()),
        })
    }

    /// The steps of `strategies`, without what is used up and without recipes that were tried on
    /// this very tree.
    fn steps_anew(&self, strategies: Vec<PlannedStrategy>, tree: Option<&str>) -> Vec<Step<'m>> {
        let max_attempts = self.parts.settings.max_attempts;
        let mut steps = Vec::new();
        for PlannedStrategy {
            strategy,
            propensity,
        } in strategies
        {
            let mut step = Step::new(strategy, propensity, max_attempts);
            match &step.candidate.recipe {
                Some(_) if self.done.contains_key(&deed(&step, tree)) => continue,
                Some(_) => {}
                // What somebody gave has its tries in the whole run.
                None => {
                    let used = self.done.get(&deed(&step, None)).copied();
                    step.first = used.unwrap_or(0) + 1;
                    if step.first > step.candidate.max_attempts {
                        continue;
                    }
                }
            }
            steps.push(step);
        }
        steps
    }

    /// Remembers that `step` is tried on `tree`.
    pub(super) fn note_deed(&mut self, step: &Step<'_>, tree: Option<&str>) {
        let tree = tree.filter(|_| step.candidate.recipe.is_some());
        *self.done.entry(deed(step, tree)).or_default() += 1;
    }

    /// Tells everybody of the failure that is faced now, and of the steps against it.
    pub(super) fn turn_to_ground(&mut self, steps: &[Step<'_>], tried: &Tried) -> Result<()> {
        let failure = self.current.clone();
        if let Some(replanner) = self.parts.replanner.as_mut()
            && let Err(error) = replanner.turned_to(&failure)
        {
            let context = format!("keep the failure for what is tried next: {error}");
            return Err(Error::new(ErrorKind::Io, context));
        }
        self.record_ground(steps, tried)?;
        let category = self.incident.category;
        self.parts.observe(&Event::Turned {
            failure: &failure,
            category,
        });
        Ok(())
    }
}

fn deed(step: &Step<'_>, tree: Option<&str>) -> Deed {
    (
        step.candidate.kind.to_string(),
        step.candidate.action.clone(),
        tree.map(str::to_owned),
    )
}
