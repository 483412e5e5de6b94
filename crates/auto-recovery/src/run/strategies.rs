//! From a failed run of the command to what is tried against it: the plan, and the strategies that
//! carry it out.

use std::borrow::Cow;

use crate::detect::NO_RULE;
use crate::error::Result;
use crate::manager::PlannedStrategy;
use crate::plan::Planner;
use crate::recipe::Situation;
use crate::run::helpers::commands::CommandStrategy;
use crate::run::helpers::mended::MendedStrategy;
use crate::run::helpers::retrying::RetryStrategy;
use crate::run::helpers::rollback::RollbackStrategy;
use crate::run::helpers::told::Told;
use crate::run::learned::learned;
use crate::run::planning::{PlannedAction, PlannedStep, RunPlan};
use crate::run::request::{Policy, StrategyCommand};
use crate::run::state::budget::RetryBudget;
use crate::run::tree::guarded::GuardedTree;
use crate::run::under_way::{Failed, Run};
use crate::strategy::{RecoveryStrategyType, Strategy};
use crate::tier::RecipeRef;

/// Output of a run in which a recipe looks for announced commands, half of it at either end: 256
/// KiB is far more than task runners print around one command.
const SITUATION_BYTES_MAX: usize = 256 * 1024;

/// What is tried against `failed` under `policy`.
pub(super) fn make_plan(run: &Run, failed: &Failed, policy: &Policy) -> Result<RunPlan> {
    let request = &run.runner.request;
    let output = failed
        .ran
        .as_ref()
        .map(|ran| ran.capture.interleaved().into_owned());
    let output = output.unwrap_or_default();
    let output = String::from_utf8_lossy(&both_ends(&output)).into_owned();
    let situation = Situation {
        argv: &request.words(),
        failure: Some(&failed.failure),
        category: failed.category,
        output: &output,
    };
    let took = failed.ran.as_ref().map(|ran| ran.duration);
    let learned = learned(run);
    let planner: &dyn Planner = match &learned {
        Some(learned) => learned,
        None => &*request.tries.planner,
    };
    let mut plan = request.plan_by(&situation, policy, took.unwrap_or_default(), planner)?;
    if failed.ran.is_none() {
        plan.without_advice(failed.category, request);
    } else if failed.rule != NO_RULE {
        plan.tell_lasting(failed.category, &failed.failure.error_type, request);
    }
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

/// The beginning and the end of `output`, which are all of it up to [`SITUATION_BYTES_MAX`].
fn both_ends(output: &[u8]) -> Cow<'_, [u8]> {
    if output.len() <= SITUATION_BYTES_MAX {
        return Cow::Borrowed(output);
    }
    let half = SITUATION_BYTES_MAX / 2;
    let (head, tail) = (&output[..half], &output[output.len() - half..]);
    Cow::Owned([head, b"\n", tail].concat())
}

/// What tries that nobody asked for are paid from.
pub(super) fn budget(run: &Run) -> RetryBudget {
    RetryBudget::new(&run.runner.request.state.dir, run.runner.host.clone())
}

/// The strategies of `plan`, in its order. Going back takes a `tree`; commands are `told` what is
/// known.
pub(super) fn strategies_of(
    run: &Run,
    plan: &RunPlan,
    tree: Option<&GuardedTree>,
    told: &Told,
) -> Vec<PlannedStrategy> {
    let planned = |step: &PlannedStep| {
        let strategy = strategy_of(run, step, tree, told)?;
        Some(PlannedStrategy {
            strategy,
            propensity: step.propensity,
        })
    };
    plan.steps.iter().filter_map(planned).collect()
}

fn strategy_of(
    run: &Run,
    step: &PlannedStep,
    tree: Option<&GuardedTree>,
    told: &Told,
) -> Option<Box<dyn Strategy>> {
    let runner = run.runner.clone();
    let own = &runner.request.tries.recipes;
    let is_users = |recipe: &RecipeRef| own.iter().any(|own| own.name == recipe.name);
    let of_command = |command: &StrategyCommand, recipe: Option<&RecipeRef>| CommandStrategy {
        runner: run.runner.clone(),
        kind: step.kind.clone(),
        command: command.clone(),
        recipe: recipe.cloned(),
        told: recipe.is_none_or(is_users).then(|| told.clone()),
        left: None,
        refusal: None,
    };
    Some(match &step.action {
        PlannedAction::Given(command) => Box::new(of_command(command, None)),
        PlannedAction::Recipe { recipe, command } => Box::new(of_command(command, Some(recipe))),
        PlannedAction::Mended { recipe } => Box::new(MendedStrategy {
            kind: step.kind.clone(),
            recipe: recipe.clone(),
            runner,
        }),
        PlannedAction::Again {
            asked,
            within,
            wait_max,
            only_if_flaky,
        } => Box::new(RetryStrategy {
            max_attempts: step.max_attempts,
            budget: (!asked).then(|| budget(run)),
            within: within.map(|within| (within, runner.first_failed_at().saturating_add(within))),
            wait_max: *wait_max,
            only_if_flaky: *only_if_flaky,
            made: 0,
            runner,
        }),
        PlannedAction::Back(target) => {
            Box::new(RollbackStrategy::new(tree?.clone(), target.clone(), runner))
        }
    })
}
