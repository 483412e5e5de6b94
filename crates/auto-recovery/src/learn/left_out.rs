//! What is best not tried at all: what recover does by itself, where even the best that its counts
//! allow is not worth its time. It comes back by itself, for its counts age.

use crate::learn::estimate::Estimate;
use crate::learn::step::Unit;

/// Trials of the class here, aged, without which nothing is left out.
const TRIALS_MIN: f64 = 5.0;
/// Trials of each step without which not everything is left out.
const TRIALS_TO_GIVE_UP: f64 = 20.0;
/// Standard deviations of the best that the counts allow: 95 %.
const BEST_DEVIATIONS: f64 = 1.64;

/// Whether a step that is `known` so is worth its time, `person` being what is spent without it.
fn is_worthless(known: &Estimate, person: f64) -> bool {
    let best = known.chance + BEST_DEVIATIONS * known.deviation;
    known.trials >= TRIALS_MIN && best * person < known.seconds
}

/// How many tries each unit keeps, by the estimates in `known`: the last of them go first.
pub(super) fn tries_left(units: &[Unit], known: &[Vec<Estimate>], person: f64) -> Vec<usize> {
    let kept = |unit: &Unit, known: &Vec<Estimate>| {
        if unit.asked {
            return known.len();
        }
        let useful = known.iter().rposition(|step| !is_worthless(step, person));
        useful.map_or(0, |place| place + 1)
    };
    let pairs = || units.iter().zip(known);
    let left: Vec<usize> = pairs().map(|(unit, known)| kept(unit, known)).collect();
    if left.iter().any(|tries| *tries > 0) {
        return left;
    }
    // To give up at once takes more.
    let is_sure = |step: &&Estimate| step.trials < TRIALS_TO_GIVE_UP;
    let needed = |(_, known): (&Unit, &Vec<Estimate>)| known.iter().filter(is_sure).count();
    pairs().map(needed).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::strategy::RecoveryStrategyType::Retry;

    fn retries(tries: u32, asked: bool) -> Unit {
        Unit {
            name: "retry".to_owned(),
            first: 1,
            tries,
            kind: Retry,
            tier: None,
            asked,
            typed: false,
        }
    }

    fn step(chance: f64, trials: f64) -> Estimate {
        Estimate {
            chance,
            deviation: 0.01,
            seconds: 30.0,
            trials,
            trials_of_all: trials,
        }
    }

    #[test]
    fn what_is_worth_nothing_is_left_out_from_the_end() {
        let check = |known: &[Estimate], asked, expected| {
            let unit = retries(3, asked);
            let other = Unit {
                name: "given:1".to_owned(),
                asked: true,
                ..retries(1, true)
            };
            let known = [known.to_vec(), vec![step(0.5, 9.0)]];
            assert_eq!(tries_left(&[unit, other], &known, 600.0), [expected, 1]);
        };
        let (good, bad, few) = (step(0.5, 9.0), step(0.01, 9.0), step(0.01, 4.0));
        check(&[good, bad, bad], false, 1);
        check(&[bad, bad, bad], false, 0);
        check(&[bad, bad, bad], true, 3);
        check(&[bad, bad, few], false, 3);
        check(&[bad, good, bad], false, 2);
    }

    #[test]
    fn giving_up_at_once_takes_twenty_trials() {
        let check = |trials, expected| {
            let known = [vec![step(0.01, trials)]];
            assert_eq!(tries_left(&[retries(1, false)], &known, 600.0), [expected]);
        };
        check(19.0, 1);
        check(20.0, 0);
    }
}
