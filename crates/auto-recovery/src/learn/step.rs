//! What is tried, by name: the same name in every session of a project.
//!
//! - `recipe:NAME` is a recipe, `given:` and 16 hex digits a command somebody gave, by its hash;
//! - `retry#1`, `retry#2`, … are runs of the command again, each a step of its own;
//! - `rollback` is the way back;
//! - a second try of anything else is a step too: `given:1f…#2`.

use crate::integrity::hex;
use crate::learn::class::hash_of;
use crate::plan::{Candidate, Plan, PlannedUnit};
use crate::strategy::RecoveryStrategyType::{self, Retry, Rollback};

/// Tries of one strategy that have names of their own. The later ones are as the last.
const TRIES_MAX: u32 = 8;

/// Pieces of a plan that are compared: the work grows with the cube of their number, and no plan
/// that anybody wrote by hand has as many.
pub(super) const UNITS_MAX: usize = 64;

/// What is tried as one piece of a plan, tries included.
pub type Unit = PlannedUnit;

/// The name of the action of a strategy of `kind`, without the number of its try. `recorded` is its
/// action as records have it.
pub fn step_name(kind: &RecoveryStrategyType, recipe: Option<&str>, recorded: &str) -> String {
    match (recipe, kind) {
        (Some(recipe), _) => format!("recipe:{recipe}"),
        (None, Retry) => "retry".to_owned(),
        (None, Rollback) => "rollback".to_owned(),
        (None, kind) => {
            let hash = hash_of(b"given", &[kind.as_str(), recorded]);
            format!("given:{}", hex(&hash[..8]))
        }
    }
}

/// The step that try `number` of `name` is.
pub(super) fn nth(name: &str, number: u32) -> String {
    match number.min(TRIES_MAX) {
        number if name == "retry" => format!("{name}#{number}"),
        0 | 1 => name.to_owned(),
        number => format!("{name}#{number}"),
    }
}

/// The units of `plan`, which was made of `candidates`; `masked` is a text as records have it.
pub fn units_of(
    plan: &Plan,
    candidates: &[Candidate],
    masked: &dyn Fn(&str) -> String,
) -> Vec<Unit> {
    let mut units: Vec<Unit> = Vec::with_capacity(plan.steps.len());
    for chosen in &plan.steps {
        let candidate = &candidates[chosen.candidate];
        let recipe = candidate.recipe.as_ref();
        let name = step_name(
            &candidate.kind,
            recipe.map(|recipe| &*recipe.name),
            &masked(&candidate.recorded),
        );
        let tries = if candidate.ends_early {
            1
        } else {
            chosen.max_attempts
        };
        let before = units.iter().filter(|unit| unit.name == name);
        units.push(Unit {
            first: 1 + before.map(|unit| unit.tries).sum::<u32>(),
            tries: tries.clamp(1, TRIES_MAX),
            kind: candidate.kind.clone(),
            tier: recipe.map(|recipe| recipe.tier),
            asked: candidate.asked,
            typed: candidate.typed,
            name,
        });
    }
    units
}

/// The steps that `unit` is, in order. One on record may say any numbers: whoever made the record
/// need not have been this program.
pub(super) fn steps_of(unit: &Unit) -> Vec<String> {
    let tries = unit.tries.clamp(1, TRIES_MAX);
    let numbers = (0..tries).map(|number| unit.first.saturating_add(number));
    numbers.map(|number| nth(&unit.name, number)).collect()
}

/// The steps of `units`, in order.
pub(super) fn all_steps(units: &[Unit]) -> Vec<String> {
    units.iter().flat_map(steps_of).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use RecoveryStrategyType::{Alternative, Fix};

    #[test]
    fn a_unit_on_record_has_no_more_tries_than_one_of_ours() {
        let of = |first, tries| {
            steps_of(&Unit {
                name: "a".to_owned(),
                first,
                tries,
                kind: Fix,
                tier: None,
                asked: true,
                typed: false,
            })
        };
        assert_eq!(of(1, 2), ["a", "a#2"]);
        assert_eq!(of(1, u32::MAX).len(), TRIES_MAX as usize);
        assert_eq!(of(u32::MAX, 3), ["a#8", "a#8", "a#8"]);
        assert_eq!(of(1, 0), ["a"]);
    }

    #[test]
    fn steps_have_names() {
        let lock = step_name(&Fix, Some("cargo-lock"), "cargo update");
        assert_eq!(lock, "recipe:cargo-lock");
        let given = step_name(&Fix, None, "./mend");
        assert_eq!(given.len(), "given:".len() + 16);
        assert_ne!(given, step_name(&Alternative, None, "./mend"));
        assert_ne!(given, step_name(&Fix, None, "./mend "));
        let cases = [
            ("retry", 1, "retry#1"),
            ("retry", 3, "retry#3"),
            ("a", 1, "a"),
        ];
        for (name, number, expected) in [&cases[..], &[("a", 2, "a#2"), ("a", 99, "a#8")]].concat()
        {
            assert_eq!(nth(name, number), expected);
        }
    }
}
