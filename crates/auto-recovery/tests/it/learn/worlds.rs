//! What the learned order costs in simulated worlds, against the goals. The worlds compare orders;
//! they say nothing of anybody's projects.
#![expect(clippy::print_stderr, reason = "figures are for those who read them")]

use auto_recovery::testing::{Random, Rounds};

use super::policy::{Calibration, Cost, Story, live};
use super::world::{Kind, World};

/// Worlds of each kind.
const WORLDS: Rounds = Rounds {
    ordinary: 2,
    long: 40,
};

/// Failures of a world that is looked at for long.
const LATE: Rounds = Rounds {
    ordinary: 600,
    long: 3000,
};

/// The same.
fn late() -> usize {
    usize::try_from(LATE.count()).unwrap()
}

/// Whether the worlds are enough, and long enough, for the goals that are about long times.
fn is_long() -> bool {
    late() == 3000
}

/// The seed of the first world of each kind; the next ones follow.
const SEED: u64 = 310_000;

/// What came of many worlds of a kind.
struct Result {
    stories: Vec<Story>,
}

impl Result {
    fn of(kind: Kind, count: usize, caps: bool) -> Self {
        let live_one = |number| {
            let mut dice = Random::new(SEED + number);
            let world = World::new(kind, &mut dice);
            live(&world, count, &mut dice, caps)
        };
        let numbers: Vec<u64> = (0..WORLDS.count()).collect();
        let stories = std::thread::scope(|scope| {
            let halves = numbers.chunks(numbers.len().div_ceil(2));
            let halves: Vec<_> = halves
                .map(|half| scope.spawn(|| half.iter().map(|one| live_one(*one)).collect()))
                .collect();
            let all = halves.into_iter().map(|half| half.join().unwrap());
            all.collect::<Vec<Vec<Story>>>().concat_stories()
        });
        Self { stories }
    }

    /// Mean regret over the failures `from..to`: learned, shipped, cheapest first.
    fn regret(&self, from: usize, to: usize) -> [f64; 3] {
        let costs = || self.stories.iter().flat_map(|story| &story.costs[from..to]);
        let mean = |of: &dyn Fn(&Cost) -> f64| {
            costs().map(|cost| of(cost) - cost.best).sum::<f64>() / costs().count() as f64
        };
        let best = costs().map(|cost| cost.best).sum::<f64>() / costs().count() as f64;
        eprintln!("best possible {best:.0} s");
        [
            mean(&|cost| cost.learned),
            mean(&|cost| cost.shipped),
            mean(&|cost| cost.cheapest),
        ]
    }

    /// The share by which the total time over the first `count` is more than that of the shipped
    /// order: of all worlds, and the share of worlds where that is more than 1 %.
    fn harm(&self, count: usize) -> (f64, f64) {
        let of_story = |story: &Story| {
            let costs = &story.costs[..count];
            let sum = |of: &dyn Fn(&Cost) -> f64| costs.iter().map(of).sum::<f64>();
            (sum(&|cost| cost.learned), sum(&|cost| cost.shipped))
        };
        let sums: Vec<(f64, f64)> = self.stories.iter().map(of_story).collect();
        let all = sums
            .iter()
            .fold((0.0, 0.0), |sum, one| (sum.0 + one.0, sum.1 + one.1));
        let worse = sums
            .iter()
            .filter(|(learned, shipped)| learned / shipped > 1.01)
            .count();
        (all.0 / all.1 - 1.0, worse as f64 / sums.len() as f64)
    }

    fn calibration(&self) -> Calibration {
        let all = self.stories.iter().map(|story| story.calibration);
        all.fold(Calibration::default(), |sum, one| Calibration {
            sure: sum.sure + one.sure,
            faster: sum.faster + one.faster,
            intervals: sum.intervals + one.intervals,
            covered: sum.covered + one.covered,
        })
    }
}

trait Concat {
    fn concat_stories(self) -> Vec<Story>;
}

impl Concat for Vec<Vec<Story>> {
    fn concat_stories(self) -> Vec<Story> {
        self.into_iter().flatten().collect()
    }
}

fn row(kind: Kind, what: &str, [learned, shipped, cheapest]: [f64; 3]) {
    eprintln!(
        "{kind:?} {what} (seeds {SEED}..+{}): regret {learned:.1} s, shipped {shipped:.1} s \
         ({:+.0} %), cheapest first {cheapest:.1} s ({:+.0} %)",
        WORLDS.count(),
        (learned / shipped - 1.0) * 100.0,
        (learned / cheapest - 1.0) * 100.0,
    );
}

/// The order is learned where there is something to learn.
fn check_learns(kind: Kind) {
    let worlds = Result::of(kind, late(), true);
    for count in [30, 100, 300, 1000]
        .into_iter()
        .filter(|count| *count < late())
    {
        row(kind, &count.to_string(), worlds.regret(0, count));
    }
    let early = worlds.regret(0, 300);
    let all = worlds.regret(0, late());
    row(kind, &late().to_string(), all);
    let calibration = worlds.calibration();
    let share = |part: u64, of: u64| part as f64 / of as f64;
    let faster = share(calibration.faster, calibration.sure);
    let covered = share(calibration.covered, calibration.intervals);
    eprintln!(
        "{kind:?}: faster {faster:.3} of {}, covered {covered:.3}",
        calibration.sure
    );
    let most = if is_long() { 0.6 } else { 0.8 };
    assert!(early[0] <= most * early[1], "shipped, 300");
    // Cheapest first is told the true costs, which tell much in these worlds.
    assert!(
        !is_long() || all[0] <= 0.65 * all[2],
        "cheapest first, 3000"
    );
    assert!(faster >= 0.8, "advice that is 80 % sure");
}

#[test]
fn it_learns_where_steps_are_independent() {
    check_learns(Kind::Independent);
}

#[test]
fn it_learns_where_causes_are_common() {
    check_learns(Kind::Correlated);
}

#[test]
fn it_does_next_to_no_harm_where_the_shipped_order_is_right() {
    let worlds = Result::of(Kind::Null, late(), true);
    let measured = [(300, 0.015), (late(), 0.01)].map(|(count, most)| {
        let (harm, worse) = worlds.harm(count);
        eprintln!(
            "Null {count}: total {:+.2} %, worse by 1 % in {worse:.2}",
            harm * 100.0
        );
        (count, harm, most, worse)
    });
    for (count, harm, most, worse) in measured {
        assert!(harm <= most, "{count}");
        assert!(count != 3000 || worse <= 0.05, "{count}");
    }
}

#[test]
fn it_does_next_to_no_harm_in_bursts_and_would_without_the_cap() {
    let check = |caps| {
        let worlds = Result::of(Kind::NullInBursts, late(), caps);
        let (harm, worse) = worlds.harm(late());
        eprintln!(
            "NullInBursts capped {caps}: total {:+.2} %, worse by 1 % in {worse:.2}",
            harm * 100.0
        );
        harm
    };
    let capped = check(true);
    assert!(capped <= 0.015);
    // The control, which a few worlds are too few to show.
    if is_long() {
        let uncapped = check(false);
        assert!(uncapped > capped, "the control");
    }
}

#[test]
fn it_learns_anew_after_a_shift() {
    let worlds = Result::of(Kind::Shifted, late(), true);
    let half = late() / 2;
    let after = worlds.regret(half + 150, late().min(half + 400));
    row(Kind::Shifted, "150 to 400 after", after);
    assert!(after[0] <= 0.5 * after[1]);
}

#[test]
fn a_forged_neighbour_does_no_harm() {
    let worlds = Result::of(Kind::Forged, 300, true);
    let regret = worlds.regret(0, 300);
    row(Kind::Forged, "300", regret);
    let (_, worse) = worlds.harm(300);
    eprintln!("Forged: worse by 1 % than shipped in {worse:.2}");
    assert!(regret[0] <= 0.75 * regret[1]);
    assert!(worse <= 0.02);
}

#[test]
fn it_learns_from_two_failures_a_day() {
    let worlds = Result::of(Kind::TwoADay, 300, true);
    let regret = worlds.regret(0, 300);
    row(Kind::TwoADay, "300", regret);
    let most = if is_long() { 0.65 } else { 0.8 };
    assert!(regret[0] <= most * regret[1]);
}
