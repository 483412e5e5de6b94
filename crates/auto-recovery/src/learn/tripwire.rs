//! The tripwire: advice that makes things slower ends by itself, for a while.

use serde::{Deserialize, Serialize};

use crate::learn::day::{Day, Moment};

/// Advised recoveries that are looked at together.
const RUNS: usize = 30;
/// Days for which advice is off then.
const OFF_DAYS: i32 = 30;
/// Standard errors by which they must be slower, so that chance does it once in 40 times.
const ERRORS: f64 = 2.0;

/// By how much the last recoveries that followed the advice were slower than what was expected of
/// the shipped order.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Tripwire {
    /// Their ends, and the difference in milliseconds.
    slower: Vec<(i64, i64)>,
    /// The day since which advice is off.
    off: Option<i32>,
}

impl Tripwire {
    pub(super) fn is_empty(&self) -> bool {
        self.slower.is_empty() && self.off.is_none()
    }

    pub(super) fn add(&mut self, at: Moment, slower_seconds: f64) {
        let one = (at.0, (slower_seconds * 1000.0).round() as i64);
        let place = self.slower.partition_point(|known| *known < one);
        self.slower.insert(place, one);
        let too_many = self.slower.len().saturating_sub(RUNS);
        self.slower.drain(..too_many);
        if self.is_slower() {
            self.slower.clear();
            self.off = Some(at.day().0);
        }
    }

    /// The day since which advice is off, if it is off on `today`.
    pub(super) fn off_since(&self, today: Day) -> Option<Day> {
        let off = self.off.map(Day)?;
        (off.until(today) < OFF_DAYS).then_some(off)
    }

    fn is_slower(&self) -> bool {
        if self.slower.len() < RUNS {
            return false;
        }
        let n = RUNS as f64;
        let values = || self.slower.iter().map(|(_, slower)| *slower as f64);
        let mean = values().sum::<f64>() / n;
        let squares: f64 = values().map(|value| (value - mean).powi(2)).sum();
        let error = (squares / (n - 1.0) / n).sqrt();
        mean > 0.0 && mean > ERRORS * error
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::learn::day::DAY_SECONDS;

    #[test]
    fn advice_that_is_slower_ends_for_a_month() {
        let after = |seconds: &dyn Fn(i64) -> f64| {
            let mut trip = Tripwire::default();
            (0..30).for_each(|day| trip.add(Moment(day * DAY_SECONDS), seconds(day)));
            trip
        };
        let slower = after(&|day| 5.0 + (day % 3) as f64);
        assert_eq!(slower.off_since(Day(29)), Some(Day(29)));
        assert_eq!(slower.off_since(Day(58)), Some(Day(29)));
        assert_eq!(slower.off_since(Day(59)), None);
        let unsure = after(&|day| if day % 2 == 0 { 100.0 } else { -99.0 });
        assert_eq!(unsure.off_since(Day(29)), None);
        let faster = after(&|_| -3.0);
        assert_eq!(faster.off_since(Day(29)), None);
    }
}
