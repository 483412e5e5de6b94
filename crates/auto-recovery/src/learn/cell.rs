//! What became of one step against one failure, day by day.
//!
//! A failure that shows eight times in an hour teaches one lesson: the trials of a day count as one
//! together, by their average. The newest days are kept each; older ones are folded into sums that
//! are aged to the last of them. All is kept in whole numbers, so that no order of arrival and no
//! way through a file changes a bit.

use serde::{Deserialize, Serialize};

use crate::learn::day::{Day, Moment};

/// Days after which a trial counts half.
const HALF_LIFE_DAYS: f64 = 90.0;

/// Days that are kept each, about a month of failing every day.
const DAYS_MAX: usize = 24;

/// Cures in a row that are remembered.
const REMEMBERED_MIN: u32 = 2;

/// What 1 is in sums.
pub(super) const ONE: i64 = 1_000_000;

/// The trials of a step against a failure.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Cell {
    /// The newest days, in order: number, trials, cures, and the sum of the logarithms of seconds.
    #[serde(rename = "d")]
    days: Vec<(i32, u32, u32, i64)>,
    /// Older days, folded.
    #[serde(rename = "o", default, skip_serializing_if = "Old::is_empty")]
    old: Old,
    /// The last trial and the last cure, in seconds since 1970.
    #[serde(rename = "t")]
    last: (i64, i64),
}

/// Days that were folded together.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Old {
    /// The last of them, to which the sums are aged.
    day: i32,
    /// Aged sums: days, cures, logarithms.
    sums: (i64, i64, i64),
    /// Days and cures, not aged.
    counts: (i64, i64),
}

impl Old {
    fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// Counts, aged: days, cures, and the sum of the logarithms of seconds. In thousand-millionths, so
/// that they come to the same in whatever order they are added.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Counts {
    n: i64,
    s: i64,
    logs: i64,
    /// Days and cures as they are, in millionths.
    pub(super) plain: (i64, i64),
}

/// What 1 is in [`Counts`].
const FINE: f64 = 1e9;

impl Counts {
    /// The counts that `n`, `s` and `logs`, in millionths, come to where each weighs `weight`.
    pub(super) fn weighed((n, s, logs): (i64, i64, i64), weight: f64, plain: (i64, i64)) -> Self {
        let fine = |sum: i64| (sum as f64 / ONE as f64 * weight * FINE).round() as i64;
        Self {
            n: fine(n),
            s: fine(s),
            logs: fine(logs),
            plain,
        }
    }

    /// How many days.
    pub(super) fn n(&self) -> f64 {
        self.n as f64 / FINE
    }

    /// How many cures.
    pub(super) fn s(&self) -> f64 {
        self.s as f64 / FINE
    }

    /// The sum of the logarithms of seconds.
    pub(super) fn logs(&self) -> f64 {
        self.logs as f64 / FINE
    }

    /// The three, in millionths.
    pub(super) fn rough(&self) -> (i64, i64, i64) {
        let rough = |sum: i64| (sum + 500).div_euclid(1000);
        (rough(self.n), rough(self.s), rough(self.logs))
    }

    pub(super) fn add(&mut self, other: &Self) {
        self.n += other.n;
        self.s += other.s;
        self.logs += other.logs;
        self.plain.0 += other.plain.0;
        self.plain.1 += other.plain.1;
    }

    /// The same, with at most `max` trials.
    pub(super) fn at_most(mut self, max: f64) -> Self {
        if self.n() > max {
            let share = max / self.n();
            let cut = |sum: i64| (sum as f64 * share).round() as i64;
            (self.n, self.s, self.logs) = (cut(self.n), cut(self.s), cut(self.logs));
        }
        self
    }

    /// How often it cured, and how often it was tried.
    pub(super) fn whole(&self) -> [u64; 2] {
        let whole = |value: i64| u64::try_from((value + ONE / 2).div_euclid(ONE)).unwrap_or(0);
        [whole(self.plain.1), whole(self.plain.0)]
    }
}

impl Cell {
    /// Counts a trial. `false` if its day was folded before: then all must be counted anew.
    #[must_use]
    pub(super) fn add(&mut self, at: Moment, won: bool, seconds: f64) -> bool {
        let day = at.day().0;
        if !self.old.is_empty() && day <= self.old.day {
            return false;
        }
        let log = log_of(seconds);
        match self.days.binary_search_by_key(&day, |one| one.0) {
            Ok(place) => {
                let (_, count, cures, logs) = &mut self.days[place];
                *count += 1;
                *cures += u32::from(won);
                *logs += log;
            }
            Err(place) => self.days.insert(place, (day, 1, u32::from(won), log)),
        }
        self.last.0 = self.last.0.max(at.0);
        if won {
            self.last.1 = self.last.1.max(at.0);
        }
        true
    }

    /// Folds the days that are too many, oldest first.
    pub(super) fn fold(&mut self) {
        let too_many = self.days.len().saturating_sub(DAYS_MAX);
        for (day, count, cures, logs) in self.days.drain(..too_many) {
            let aged = half_lives(day - self.old.day);
            let age = |sum: i64| (sum as f64 * aged).round() as i64;
            let (n, s, sum) = self.old.sums;
            let cured = average(i64::from(cures) * ONE, count);
            self.old.sums = (
                age(n) + ONE,
                age(s) + cured,
                age(sum) + average(logs, count),
            );
            self.old.counts.0 += ONE;
            self.old.counts.1 += cured;
            self.old.day = day;
        }
    }

    /// The last day of a trial.
    pub(super) fn last_day(&self) -> Day {
        let last = self.days.last().map(|one| one.0);
        Day(last.unwrap_or(self.old.day))
    }

    /// When it cured last, if it was tried at least twice since yesterday and cured each time. A
    /// single cure may be chance, and a failure that comes back is often of the same cause.
    pub(super) fn cured_each_time(&self, today: Day) -> Option<Moment> {
        let late = self.days.iter().filter(|one| Day(one.0).until(today) <= 1);
        let (tried, cured) = late.fold((0, 0), |sum, one| (sum.0 + one.1, sum.1 + one.2));
        (tried >= REMEMBERED_MIN && cured == tried).then_some(Moment(self.last.1))
    }

    /// Trials, each for itself.
    pub(super) fn trials(&self) -> u64 {
        let kept: u64 = self.days.iter().map(|one| u64::from(one.1)).sum();
        kept + u64::try_from(self.old.counts.0 / ONE).unwrap_or(0)
    }

    /// The counts as they weigh on `today`. `factor` is what a day weighs besides its age.
    pub(super) fn counts(&self, today: Day, factor: &dyn Fn(Day) -> f64) -> Counts {
        let mut sums = Counts::default();
        if !self.old.is_empty() {
            let day = Day(self.old.day);
            let weight = half_lives(day.until(today)) * factor(day);
            sums.add(&Counts::weighed(self.old.sums, weight, self.old.counts));
        }
        for &(day, count, cures, logs) in &self.days {
            let day = Day(day);
            let weight = half_lives(day.until(today)) * factor(day);
            let cured = average(i64::from(cures) * ONE, count);
            let of_day = (ONE, cured, average(logs, count));
            sums.add(&Counts::weighed(of_day, weight, (ONE, cured)));
        }
        sums
    }
}

/// What a trial weighs `days` days later.
pub(super) fn half_lives(days: i32) -> f64 {
    (-f64::from(days.max(0)) / HALF_LIFE_DAYS).exp2()
}

/// The logarithm of `seconds`, in millionths. A thousandth of a second to a day.
pub(super) fn log_of(seconds: f64) -> i64 {
    (seconds.clamp(0.001, 86_400.0).ln() * ONE as f64).round() as i64
}

fn average(sum: i64, count: u32) -> i64 {
    (sum as f64 / f64::from(count.max(1))).round() as i64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::learn::day::DAY_SECONDS;

    fn at(day: i64) -> Moment {
        Moment(day * DAY_SECONDS + 7)
    }

    fn counts(cell: &Cell, today: i32) -> Counts {
        cell.counts(Day(today), &|_| 1.0)
    }

    #[test]
    fn the_trials_of_a_day_count_as_one() {
        let mut burst = Cell::default();
        for won in [true, false, false, true] {
            assert!(burst.add(at(100), won, 10.0));
        }
        let sums = counts(&burst, 100);
        assert_eq!((sums.n(), sums.s(), sums.whole()), (1.0, 0.5, [1, 1]));
        assert_eq!(burst.trials(), 4);
        assert!(burst.add(at(101), true, 10.0));
        assert_eq!(counts(&burst, 101).whole(), [2, 2]);
    }

    #[test]
    fn what_is_old_counts_less_and_the_future_counts_once() {
        let mut cell = Cell::default();
        assert!(cell.add(at(100), true, 1.0));
        assert_eq!(counts(&cell, 190).n(), 0.5);
        assert_eq!(counts(&cell, 280).n(), 0.25);
        assert_eq!(counts(&cell, 10).n(), 1.0);
    }

    #[test]
    fn folding_changes_nothing_that_counts() {
        let (mut folded, mut kept) = (Cell::default(), Cell::default());
        for day in 0..200 {
            let (won, seconds) = (day % 3 == 0, 1.0 + f64::from(day % 7));
            assert!(folded.add(at(i64::from(day)), won, seconds));
            assert!(kept.add(at(i64::from(day)), won, seconds));
            folded.fold();
        }
        assert_eq!(folded.days.len(), DAYS_MAX);
        let (of_folded, of_kept) = (counts(&folded, 230), counts(&kept, 230));
        assert!(
            (of_folded.n() - of_kept.n()).abs() < 1e-3,
            "{of_folded:?} {of_kept:?}"
        );
        assert!((of_folded.s() - of_kept.s()).abs() < 1e-3);
        assert!((of_folded.logs() - of_kept.logs()).abs() < 1e-3);
        assert_eq!(of_folded.plain, of_kept.plain);
        // Counted at once, it is the same to the bit.
        kept.fold();
        assert_eq!(folded, kept);
        assert!(!folded.add(at(3), true, 1.0), "a day that was folded");
    }

    #[test]
    fn a_cell_is_the_same_from_a_file() {
        let mut cell = Cell::default();
        for day in 0..40 {
            assert!(cell.add(at(day), day % 2 == 0, 3.3));
            cell.fold();
        }
        let text = serde_json::to_string(&cell).unwrap();
        assert_eq!(serde_json::from_str::<Cell>(&text).unwrap(), cell);
    }
}
