//! How long an order takes to the end, and how sure it is that one is faster than another.

use crate::learn::estimate::Estimate;

/// The least certainty for which the order changes, in standard deviations: 80 %.
pub(super) const SURE_DEVIATIONS: f64 = 0.84;
/// The least that must be gained: a second, and this share of all.
pub(super) const GAIN_SECONDS_MIN: f64 = 1.0;
pub(super) const GAIN_SHARE_MIN: f64 = 0.02;

/// Seconds to the end of `order`, in which somebody has to look for `person` seconds if nothing
/// helps.
pub(super) fn to_the_end(order: &[&Estimate], person: f64) -> f64 {
    let after = order.iter().rev();
    after.fold(person, |rest, step| {
        step.seconds + (1.0 - step.chance) * rest
    })
}

/// The derivative of [`to_the_end`] by the chance of each step of `order`: with a step that cures,
/// all that comes after it is spared.
fn by_chance(order: &[&Estimate], person: f64) -> Vec<f64> {
    let mut slopes = vec![0.0; order.len()];
    let mut rest = person;
    for (slope, step) in slopes.iter_mut().zip(order).rev() {
        *slope = -rest;
        rest = step.seconds + (1.0 - step.chance) * rest;
    }
    let mut reached = 1.0;
    for (slope, step) in slopes.iter_mut().zip(order) {
        *slope *= reached;
        reached *= 1.0 - step.chance;
    }
    slopes
}

/// The gain of `new` over `shipped` in seconds, and its standard deviation. Both are places in
/// `all`.
pub(super) fn gain(all: &[Estimate], shipped: &[usize], new: &[usize], person: f64) -> (f64, f64) {
    let of = |order: &[usize]| -> Vec<&Estimate> { order.iter().map(|at| &all[*at]).collect() };
    let (of_shipped, of_new) = (of(shipped), of(new));
    let gain = to_the_end(&of_shipped, person) - to_the_end(&of_new, person);
    let mut slopes = vec![0.0; all.len()];
    for (place, slope) in shipped.iter().zip(by_chance(&of_shipped, person)) {
        slopes[*place] += slope;
    }
    for (place, slope) in new.iter().zip(by_chance(&of_new, person)) {
        slopes[*place] -= slope;
    }
    let parts = slopes.iter().zip(all);
    let variance: f64 = parts
        .map(|(slope, step)| (slope * step.deviation).powi(2))
        .sum();
    (gain, variance.sqrt())
}

/// How likely it is that a gain with this deviation is one.
pub(super) fn certainty(gain: f64, deviation: f64) -> f64 {
    if deviation <= 0.0 {
        return if gain > 0.0 { 1.0 } else { 0.5 };
    }
    normal(gain / deviation)
}

/// The distribution function of the normal distribution, to six places (Abramowitz and Stegun,
/// 26.2.17).
fn normal(x: f64) -> f64 {
    const B: [f64; 5] = [
        0.319_381_530,
        -0.356_563_782,
        1.781_477_937,
        -1.821_255_978,
        1.330_274_429,
    ];
    let t = 1.0 / (1.0 + 0.231_641_9 * x.abs());
    let sum = B.iter().rev().fold(0.0, |sum, b| (sum + b) * t);
    let tail = (-x * x / 2.0).exp() / (2.0 * std::f64::consts::PI).sqrt() * sum;
    if x >= 0.0 { 1.0 - tail } else { tail }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(chance: f64, seconds: f64) -> Estimate {
        Estimate {
            chance,
            deviation: 0.1,
            seconds,
            trials: 10.0,
            trials_of_all: 10.0,
        }
    }

    #[test]
    fn the_time_to_the_end_is_what_one_counts_by_hand() {
        let (a, b) = (step(0.5, 10.0), step(0.25, 20.0));
        // 10, then in half of the cases 20, then in three of eight the person's 600.
        assert_eq!(to_the_end(&[&a, &b], 600.0), 10.0 + 10.0 + 225.0);
        assert_eq!(to_the_end(&[&b, &a], 600.0), 20.0 + 7.5 + 225.0);
        assert_eq!(to_the_end(&[], 600.0), 600.0);
    }

    #[test]
    fn slopes_are_those_of_small_changes() {
        let steps = [step(0.4, 10.0), step(0.2, 30.0), step(0.7, 5.0)];
        let order = [2, 0, 1];
        let (base, by) = (gain(&steps, &[0, 1, 2], &order, 600.0), 1e-6);
        let mut variance = 0.0;
        for place in 0..3 {
            let mut other = steps;
            other[place].chance += by;
            let slope = (gain(&other, &[0, 1, 2], &order, 600.0).0 - base.0) / by;
            variance += (slope * 0.1_f64).powi(2);
        }
        assert!(
            (variance.sqrt() - base.1).abs() < 1e-3,
            "{base:?} {}",
            variance.sqrt()
        );
    }

    #[test]
    fn certainty_is_the_normal_distribution() {
        for (x, expected) in [(0.0, 0.5), (0.84, 0.7995), (1.645, 0.95), (-1.0, 0.1587)] {
            assert!((certainty(x, 1.0) - expected).abs() < 1e-4, "{x}");
        }
        assert_eq!(certainty(1.0, 0.0), 1.0);
    }
}
