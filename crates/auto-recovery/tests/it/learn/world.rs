//! A world of failures with known chances: classes by Zipf, projects, failures of each class, and
//! five steps against them. What an order costs is computed exactly, from the true chances.

use auto_recovery::RecoveryStrategyType::{self, Alternative, Fix, Retry};
use auto_recovery::learn::{Class, FailureKey, Unit};
use auto_recovery::recipe::Tier;
use auto_recovery::testing::Random;
use auto_recovery::{Category, Failure};

/// Seconds of a person who has to look.
pub(super) const PERSON: f64 = 600.0;

const CLASSES: usize = 30;
pub(super) const PROJECTS: usize = 5;
const FAILURES: usize = 8;

/// The steps: a retry, a recipe, a script, an agent, an alternative.
pub(super) const STEPS: [&str; 5] = [
    "retry",
    "recipe:own",
    "given:script",
    "given:agent",
    "given:other",
];

/// The log-odds of each step on average: what costs more does more.
const ODDS: [f64; 5] = [-2.2, -1.8, -1.6, 0.3, -1.6];

/// Seconds of each step itself, and how much they vary from class to class.
const OWN: [(f64, f64); 5] = [
    (1.0, 0.0),
    (5.0, 0.3),
    (10.0, 0.3),
    (90.0, 0.3),
    (10.0, 0.3),
];

/// What is special about a world.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Whether a step cures does not depend on the others.
    Independent,
    /// A failure has one of three causes, and they decide which step cures it.
    Correlated,
    /// The shipped order is right.
    Null,
    /// The same, and a failure comes eight times a day.
    NullInBursts,
    /// At half of the time, half of the classes change.
    Shifted,
    /// One of the projects is forged: there, the worst step always cures at once.
    Forged,
    /// Two failures a day, not twenty.
    TwoADay,
}

/// One failure with all that is true of it.
#[derive(Clone, Debug)]
pub(super) struct Truth {
    pub(super) project: usize,
    pub(super) key: FailureKey,
    pub(super) units: Vec<Unit>,
    /// Seconds of each unit.
    pub(super) costs: Vec<f64>,
    /// How likely each cause is, and the chance of each unit against it.
    pub(super) causes: Vec<(f64, Vec<f64>)>,
}

impl Truth {
    /// Seconds to the end of `order`, places in the units, exactly.
    pub(super) fn expected(&self, order: &[usize]) -> f64 {
        let of_cause = |(share, chances): &(f64, Vec<f64>)| {
            let mut reached = 1.0;
            let mut sum = 0.0;
            for place in order {
                sum += reached * self.costs[*place];
                reached *= 1.0 - chances[*place];
            }
            share * (sum + reached * PERSON)
        };
        self.causes.iter().map(of_cause).sum()
    }

    /// The chance of the unit at `place` when it is tried first.
    pub(super) fn chance(&self, place: usize) -> f64 {
        self.causes
            .iter()
            .map(|(share, chances)| share * chances[place])
            .sum()
    }

    /// The best that an order can do which obeys the rules of the product.
    pub(super) fn best(&self) -> f64 {
        let mut best = f64::INFINITY;
        let all: Vec<usize> = (0..self.units.len()).collect();
        self.try_all(&mut Vec::new(), &all, &mut best);
        best
    }

    fn try_all(&self, order: &mut Vec<usize>, left: &[usize], best: &mut f64) {
        let may_end = left.iter().all(|place| !self.units[*place].asked);
        if may_end {
            *best = best.min(self.expected(order));
        }
        for place in left {
            let passed = left.iter().filter(|one| *one < place);
            if passed.clone().any(|one| !self.may_pass(*place, *one)) {
                continue;
            }
            let rest: Vec<usize> = left.iter().copied().filter(|one| one != place).collect();
            order.push(*place);
            self.try_all(order, &rest, best);
            order.pop();
        }
    }

    /// The rules, written down a second time: a retry risks least, then recipes; a given command
    /// may pass anything; what stands in passes nothing that verifies.
    fn may_pass(&self, place: usize, other: usize) -> bool {
        let (unit, other) = (&self.units[place], &self.units[other]);
        match (&unit.kind, &other.kind) {
            (Alternative, _) => false,
            (Retry, _) => true,
            (_, Retry) => unit.asked,
            _ => true,
        }
    }

    /// Cheapest first, by the true costs, within the rules.
    pub(super) fn cheapest(&self) -> Vec<usize> {
        let mut order: Vec<usize> = Vec::new();
        let mut left: Vec<usize> = (0..self.units.len()).collect();
        while !left.is_empty() {
            let free = left.iter().filter(|place| {
                let mut before = left.iter().filter(|one| one < place);
                before.all(|one| self.may_pass(**place, *one))
            });
            let next = free
                .copied()
                .min_by(|a, b| self.costs[*a].total_cmp(&self.costs[*b]));
            let next = next.expect("the first is always free");
            left.retain(|place| *place != next);
            order.push(next);
        }
        order
    }
}

/// A world: its failures, and how likely each is.
pub(super) struct World {
    pub(super) kind: Kind,
    /// By class, project and failure.
    truths: Vec<Vec<Vec<Truth>>>,
    /// The same after the shift.
    shifted: Vec<Vec<Vec<Truth>>>,
    weights: Vec<f64>,
}

/// A chance with the log-odds `odds`.
fn chance(odds: f64) -> f64 {
    1.0 / (1.0 + (-odds).exp())
}

impl World {
    pub(super) fn new(kind: Kind, dice: &mut Random) -> Self {
        let categories: Vec<Vec<f64>> = (0..5)
            .map(|_| ODDS.iter().map(|odds| odds + 2.0 * normal(dice)).collect())
            .collect();
        let speeds: Vec<f64> = (0..PROJECTS)
            .map(|_| 20.0 * (0.7 * normal(dice)).exp())
            .collect();
        let classes = |dice: &mut Random| -> Vec<Vec<Vec<Truth>>> {
            let of = |class: usize| truths_of(kind, class, (&categories, &speeds), dice);
            (0..CLASSES).map(of).collect()
        };
        let truths = classes(dice);
        let mut shifted = truths.clone();
        if kind == Kind::Shifted {
            let new = classes(dice);
            for (class, of_class) in new.into_iter().enumerate() {
                // The steps that are available stay, and so does the order that is shipped.
                if class % 2 == 0 {
                    shift(&mut shifted[class], &of_class);
                }
            }
        }
        Self {
            kind,
            truths,
            shifted,
            weights: (1..=CLASSES).map(|rank| 1.0 / rank as f64).collect(),
        }
    }

    /// A failure that happens.
    pub(super) fn draw(&self, dice: &mut Random, is_shifted: bool) -> &Truth {
        let sum: f64 = self.weights.iter().sum();
        let mut at = unit(dice) * sum;
        let mut class = 0;
        while class + 1 < CLASSES && at > self.weights[class] {
            at -= self.weights[class];
            class += 1;
        }
        let all = if is_shifted {
            &self.shifted
        } else {
            &self.truths
        };
        let project = (unit(dice) * PROJECTS as f64) as usize;
        let failure = (unit(dice) * FAILURES as f64) as usize;
        &all[class][project.min(PROJECTS - 1)][failure.min(FAILURES - 1)]
    }
}

fn shift(old: &mut [Vec<Truth>], new: &[Vec<Truth>]) {
    for (old, new) in old.iter_mut().flatten().zip(new.iter().flatten()) {
        for ((_, old), (_, new)) in old.causes.iter_mut().zip(&new.causes) {
            for (place, chance) in old.iter_mut().enumerate() {
                *chance = new.get(place).copied().unwrap_or(*chance);
            }
        }
    }
}

/// The failures of a class in every project.
fn truths_of(
    kind: Kind,
    class: usize,
    (categories, speeds): (&[Vec<f64>], &[f64]),
    dice: &mut Random,
) -> Vec<Vec<Truth>> {
    let category = class % 5;
    let odds: Vec<f64> = categories[category]
        .iter()
        .map(|odds| odds + 1.6 * normal(dice))
        .collect();
    let causes: Vec<Vec<f64>> = (0..3)
        .map(|_| (0..5).map(|_| 1.8 * normal(dice)).collect())
        .collect();
    let available = available(dice);
    let ratios = falling(available.len(), dice);
    let shipped = shipped(Category::ALL[category], &available);
    let own: Vec<f64> = OWN
        .iter()
        .map(|(seconds, spread)| seconds * (spread * normal(dice)).exp())
        .collect();
    let mut projects = Vec::new();
    for (project, speed) in speeds.iter().enumerate() {
        let odds: Vec<f64> = odds.iter().map(|odds| odds + 0.5 * normal(dice)).collect();
        let costs = costs(&shipped, &own, *speed);
        let mut failures = Vec::new();
        for failure in 0..FAILURES {
            let odds: Vec<f64> = odds.iter().map(|odds| odds + 0.5 * normal(dice)).collect();
            let of = |cause: &[f64]| -> Vec<f64> {
                let of_step = |step: &usize| chance(odds[*step] + cause[*step]).clamp(0.01, 0.97);
                shipped.iter().map(of_step).collect()
            };
            let is_null = matches!(kind, Kind::Null | Kind::NullInBursts);
            let causes = match kind {
                _ if is_null => vec![(1.0, by_ratio(&ratios, &costs))],
                Kind::Correlated => causes.iter().map(|cause| (1.0 / 3.0, of(cause))).collect(),
                _ => vec![(1.0, of(&[0.0; 5]))],
            };
            failures.push(Truth {
                project,
                key: key(class, category, failure),
                units: shipped.iter().map(|step| unit_of(*step)).collect(),
                costs: costs.clone(),
                causes,
            });
        }
        projects.push(failures);
    }
    projects
}

fn key(class: usize, category: usize, failure: usize) -> FailureKey {
    let category = Category::ALL[category];
    let message = ["a", "b", "c", "d", "e", "f", "g", "h"][failure];
    let failure = Failure::new(format!("E{class}"), message, "tool");
    FailureKey {
        class: Class::of(category, &failure),
        ..FailureKey::of(category, &failure)
    }
}

/// Three to five of the steps.
fn available(dice: &mut Random) -> Vec<usize> {
    let mut steps: Vec<usize> = (0..5).collect();
    let drop = (unit(dice) * 3.0) as usize;
    for _ in 0..drop.min(2) {
        let place = (unit(dice) * steps.len() as f64) as usize;
        steps.remove(place.min(steps.len() - 1));
    }
    steps
}

/// The order of the product: what is given before recipes.
fn shipped(category: Category, available: &[usize]) -> Vec<usize> {
    let order: &[usize] = match category {
        Category::Transient => &[0, 2, 3, 1, 4],
        Category::CodeQuality => &[2, 3, 1, 4, 0],
        Category::TestFailure | Category::Unknown => &[2, 3, 1, 0, 4],
        Category::Dependency => &[4, 2, 3, 1, 0],
    };
    order
        .iter()
        .copied()
        .filter(|step| available.contains(step))
        .collect()
}

fn unit_of(step: usize) -> Unit {
    let kinds: [RecoveryStrategyType; 5] = [Retry, Fix, Fix, Fix, Alternative];
    Unit {
        name: STEPS[step].to_owned(),
        first: 1,
        tries: 1,
        kind: kinds[step].clone(),
        tier: (step == 1).then_some(Tier::Safe),
        asked: step > 1,
        typed: false,
    }
}

/// Seconds of each of `steps`, which take their `own`, where a verification takes `speed`.
fn costs(steps: &[usize], own: &[f64], speed: f64) -> Vec<f64> {
    steps.iter().map(|step| own[*step] + speed).collect()
}

/// Chances for their cost that fall from step to step by a tenth to a half.
fn falling(steps: usize, dice: &mut Random) -> Vec<f64> {
    let mut ratio = 1.0;
    (0..steps)
        .map(|_| {
            let this = ratio;
            ratio *= 0.5 + 0.4 * unit(dice);
            this
        })
        .collect()
}

/// Chances by which the order of `costs` is right.
fn by_ratio(ratios: &[f64], costs: &[f64]) -> Vec<f64> {
    let pairs = || ratios.iter().zip(costs);
    let highest = pairs()
        .map(|(ratio, cost)| ratio * cost)
        .fold(0.0, f64::max);
    pairs()
        .map(|(ratio, cost)| 0.7 * ratio * cost / highest)
        .collect()
}

/// From 0 to 1.
pub(super) fn unit(dice: &mut Random) -> f64 {
    (dice.bits() >> 11) as f64 / (1_u64 << 53) as f64
}

/// Normally distributed.
pub(super) fn normal(dice: &mut Random) -> f64 {
    (0..12).map(|_| unit(dice)).sum::<f64>() - 6.0
}
