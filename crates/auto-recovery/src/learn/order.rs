//! The order of steps by chance over cost, within what may move.
//!
//! A step of ours moves ahead of another only if it is not riskier; what somebody gave is theirs to
//! weigh, and may move ahead of anything. What stands in for the command never moves ahead of a
//! step that proves itself by running it. The way back stays last, and what was typed for this run
//! keeps its order among itself, as do the tries of one strategy.

use crate::learn::estimate::Estimate;
use crate::learn::step::Unit;
use crate::strategy::RecoveryStrategyType::{Alternative, Retry, Rollback};
use crate::tier::Tier;

/// How risky a step is: running the command again, then the tiers of recipes.
fn risk(unit: &Unit) -> u8 {
    match (&unit.kind, unit.tier) {
        (Retry, _) => 0,
        (_, Some(Tier::Safe)) => 1,
        (_, Some(Tier::Moderate)) => 2,
        (_, Some(Tier::Network)) => 3,
        // What a command does that somebody gave is not known.
        (_, None) => 4,
    }
}

/// Whether `unit` may move ahead of `other`, which is shipped before it.
pub(super) fn may_pass(unit: &Unit, other: &Unit) -> bool {
    if unit.name == other.name || unit.kind == Rollback {
        return false;
    }
    if unit.kind == Alternative && other.kind != Alternative {
        return false;
    }
    if unit.typed && other.typed {
        return false;
    }
    unit.asked || risk(unit) <= risk(other)
}

/// The chance and the cost of the steps of some units, one after the other.
#[derive(Clone, Copy, Debug)]
struct Joined {
    chance: f64,
    cost: f64,
}

impl Joined {
    fn of<'a>(steps: impl Iterator<Item = &'a Estimate>) -> Self {
        let (mut missed, mut cost) = (1.0, 0.0);
        for step in steps {
            cost += missed * step.seconds;
            missed *= 1.0 - step.chance;
        }
        Self {
            chance: 1.0 - missed,
            cost,
        }
    }

    /// Whether it has more chance for its cost than `other`; by less than one in a thousand is
    /// none.
    fn beats(&self, other: &Self) -> bool {
        self.chance * other.cost > other.chance * self.cost * 1.001
    }
}

/// The places of `units` in the best order by the estimates in `known`, of the steps of each. Ties
/// keep the shipped order.
pub(super) fn best_order(units: &[Unit], known: &[Vec<Estimate>]) -> Vec<usize> {
    let mut left: Vec<usize> = (0..units.len()).collect();
    let mut order = Vec::with_capacity(units.len());
    while !left.is_empty() {
        let mut best: Option<(Joined, Vec<usize>)> = None;
        for unit in &left {
            // With all that it may not pass, it is one piece.
            let piece = with_what_holds(units, &left, *unit);
            let joined = Joined::of(piece.iter().flat_map(|place| &known[*place]));
            if best.as_ref().is_none_or(|(best, _)| joined.beats(best)) {
                best = Some((joined, piece));
            }
        }
        let Some((_, piece)) = best else {
            break;
        };
        left.retain(|place| !piece.contains(place));
        order.extend(piece);
    }
    order
}

/// `unit` and those of `left`, shipped before it, that it may not pass, and those that these may
/// not; in the shipped order.
fn with_what_holds(units: &[Unit], left: &[usize], unit: usize) -> Vec<usize> {
    let mut piece = vec![unit];
    for place in left.iter().rev().filter(|place| **place < unit) {
        if piece
            .iter()
            .any(|of| !may_pass(&units[*of], &units[*place]))
        {
            piece.push(*place);
        }
    }
    piece.sort_unstable();
    piece
}

/// `order` with `unit` as far to the front as it may go.
pub(super) fn to_front(units: &[Unit], order: &[usize], unit: usize) -> Vec<usize> {
    let at = order.iter().position(|place| *place == unit).unwrap_or(0);
    // What stands before it in the order and is shipped after it has moved of itself.
    let holds = |place: &usize| *place < unit && !may_pass(&units[unit], &units[*place]);
    let after = order[..at]
        .iter()
        .rposition(holds)
        .map_or(0, |place| place + 1);
    let mut moved = order.to_vec();
    moved.remove(at);
    moved.insert(after, unit);
    moved
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::strategy::RecoveryStrategyType::{self, Fix};

    fn unit(name: &str, kind: RecoveryStrategyType, tier: Option<Tier>) -> Unit {
        Unit {
            name: name.to_owned(),
            first: 1,
            tries: 1,
            asked: tier.is_none() && kind != Retry,
            kind,
            tier,
            typed: false,
        }
    }

    fn known(steps: &[(f64, f64)]) -> Vec<Vec<Estimate>> {
        let estimate = |(chance, seconds): &(f64, f64)| Estimate {
            chance: *chance,
            deviation: 0.1,
            seconds: *seconds,
            trials: 20.0,
            trials_of_all: 20.0,
        };
        steps.iter().map(|step| vec![estimate(step)]).collect()
    }

    #[test]
    fn steps_go_by_chance_over_cost_and_ties_stay() {
        let units = ["a", "b", "c"].map(|name| unit(name, Fix, None));
        let check = |steps: &[(f64, f64)], expected: &[usize]| {
            assert_eq!(best_order(&units, &known(steps)), expected, "{steps:?}");
        };
        check(&[(0.5, 10.0), (0.5, 10.0), (0.5, 10.0)], &[0, 1, 2]);
        check(&[(0.1, 10.0), (0.5, 10.0), (0.5, 1.0)], &[2, 1, 0]);
        check(&[(0.5, 100.0), (0.1, 1.0), (0.0, 1.0)], &[1, 0, 2]);
    }

    #[test]
    fn what_may_not_pass_stays_behind() {
        let good_last = known(&[(0.1, 10.0), (0.9, 1.0)]);
        let check = |first: Unit, second: Unit, moves| {
            let units = [first, second];
            let expected: &[usize] = if moves { &[1, 0] } else { &[0, 1] };
            assert_eq!(best_order(&units, &good_last), expected, "{units:?}");
            let at_front = to_front(&units, &[0, 1], 1);
            assert_eq!(at_front, expected, "{units:?}");
        };
        let recipe = |tier| unit(tier_name(tier), Fix, Some(tier));
        let retry = || unit("retry", Retry, None);
        let given = || unit("given:1", Fix, None);
        check(recipe(Tier::Network), recipe(Tier::Safe), true);
        check(recipe(Tier::Safe), recipe(Tier::Network), false);
        check(retry(), recipe(Tier::Safe), false);
        check(recipe(Tier::Safe), retry(), true);
        check(given(), recipe(Tier::Network), true);
        check(retry(), given(), true);
        check(given(), unit("given:2", Alternative, None), false);
        check(unit("given:2", Alternative, None), given(), true);
        check(given(), unit("rollback", Rollback, None), false);
        let typed = |name| Unit {
            typed: true,
            ..unit(name, Fix, None)
        };
        check(typed("a"), typed("b"), false);
        check(typed("a"), given(), true);
    }

    fn tier_name(tier: Tier) -> &'static str {
        tier.as_str()
    }

    #[test]
    fn what_is_held_by_a_bad_step_comes_with_it_where_that_pays() {
        let retry = unit("retry", Retry, None);
        let safe = unit("recipe:a", Fix, Some(Tier::Safe));
        let units = [unit("given:1", Fix, None), retry, safe];
        let check = |steps: &[(f64, f64)], expected: &[usize]| {
            assert_eq!(best_order(&units, &known(steps)), expected, "{steps:?}");
        };
        check(&[(0.3, 100.0), (0.0, 1.0), (0.9, 1.0)], &[1, 2, 0]);
        check(&[(0.3, 10.0), (0.0, 100.0), (0.9, 1.0)], &[0, 1, 2]);
    }
}
