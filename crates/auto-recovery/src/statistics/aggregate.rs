//! Statistics over many sessions. Sums of parts merge in any order into those of the whole.

use std::collections::{BTreeMap, HashSet};

use serde::Serialize;

use super::accumulator::{count, percent, rounded_quotient, seconds};
use super::time::{earlier, later};
use super::{Accumulator, Durations};

/// How a session ended, as far as sums are concerned.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SessionEnd {
    /// It was recovered, after this many milliseconds if that is known.
    Recovered(Option<u64>),
    /// A person was asked.
    Escalated,
    /// Neither, or nobody said.
    #[default]
    Other,
}

/// Sums over sessions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Aggregate {
    attempts: u64,
    successful: u64,
    strategies: BTreeMap<String, u64>,
    error_types: BTreeMap<String, u64>,
    duration_ms: u64,
    files: HashSet<Box<str>>,
    rollbacks: u64,
    first_timestamp: Option<String>,
    last_timestamp: Option<String>,
    durations: Durations,
    sessions: u64,
    recovered: u64,
    escalated: u64,
    flaky: u64,
    recoveries: Durations,
}

impl Aggregate {
    /// Adds a session with these sums, which ended like this and in which so many attempts passed by
    /// plain retry.
    pub fn add_session(&mut self, sums: Accumulator, end: SessionEnd, flaky: u64) {
        self.sessions += 1;
        self.flaky += flaky;
        match end {
            SessionEnd::Recovered(ms) => {
                self.recovered += 1;
                ms.into_iter().for_each(|ms| self.recoveries.add(ms));
            }
            SessionEnd::Escalated => self.escalated += 1,
            SessionEnd::Other => {}
        }
        self.attempts += sums.tally.total;
        self.successful += sums.tally.successful;
        add_counts(&mut self.strategies, &sums.strategies);
        add_counts(&mut self.error_types, &sums.error_types);
        self.duration_ms = self.duration_ms.saturating_add(sums.duration_ms);
        add_files(&mut self.files, sums.files);
        self.rollbacks += sums.rollbacks;
        self.durations.merge(&sums.durations);
        self.stretch(sums.tally.first_timestamp, sums.tally.last_timestamp);
    }

    /// Adds the sums over other sessions.
    pub fn merge(&mut self, others: Self) {
        self.attempts += others.attempts;
        self.successful += others.successful;
        add_counts(&mut self.strategies, &others.strategies);
        add_counts(&mut self.error_types, &others.error_types);
        self.duration_ms = self.duration_ms.saturating_add(others.duration_ms);
        add_files(&mut self.files, others.files);
        self.rollbacks += others.rollbacks;
        self.durations.merge(&others.durations);
        self.sessions += others.sessions;
        self.recovered += others.recovered;
        self.escalated += others.escalated;
        self.flaky += others.flaky;
        self.recoveries.merge(&others.recoveries);
        self.stretch(others.first_timestamp, others.last_timestamp);
    }

    fn stretch(&mut self, first: Option<String>, last: Option<String>) {
        let ours = self.first_timestamp.as_deref();
        self.first_timestamp = earlier(ours, first.as_deref()).map(str::to_owned);
        let ours = self.last_timestamp.as_deref();
        self.last_timestamp = later(ours, last.as_deref()).map(str::to_owned);
    }

    /// The statistics.
    pub fn statistics(&self) -> AggregateStatistics {
        let (success_rate_low, success_rate_high) = wilson(self.successful, self.attempts);
        let after = |percent| self.durations.percentile(percent).map(seconds);
        let recovery = |percent| self.recoveries.percentile(percent).map(seconds);
        AggregateStatistics {
            total_attempts: self.attempts,
            successful_attempts: self.successful,
            failed_attempts: self.attempts - self.successful,
            success_rate: percent(self.successful, self.attempts),
            strategies_used: self.strategies.clone(),
            error_type_distribution: self.error_types.clone(),
            total_duration_seconds: seconds(self.duration_ms),
            average_duration_seconds: seconds(rounded_quotient(self.duration_ms, self.attempts)),
            files_modified_count: self.files.len() as u64,
            rollback_count: self.rollbacks,
            first_attempt_timestamp: self.first_timestamp.clone(),
            last_attempt_timestamp: self.last_timestamp.clone(),
            sessions: self.sessions,
            recovered_sessions: self.recovered,
            escalated_sessions: self.escalated,
            flaky_attempts: self.flaky,
            success_rate_low,
            success_rate_high,
            duration_p50_seconds: after(50),
            duration_p95_seconds: after(95),
            duration_p99_seconds: after(99),
            recovery_p50_seconds: recovery(50),
            recovery_p95_seconds: recovery(95),
        }
    }
}

/// Statistics over sessions. Times are RFC 3339, durations seconds, rates percent.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct AggregateStatistics {
    /// Number of entries.
    pub total_attempts: u64,
    /// Entries that succeeded.
    pub successful_attempts: u64,
    /// Entries that did not.
    pub failed_attempts: u64,
    /// Successful entries, in percent with 2 decimals; 0 for none.
    pub success_rate: f64,
    /// Entries by strategy.
    pub strategies_used: BTreeMap<String, u64>,
    /// Entries by error type.
    pub error_type_distribution: BTreeMap<String, u64>,
    /// Sum of durations.
    pub total_duration_seconds: f64,
    /// Mean duration.
    pub average_duration_seconds: f64,
    /// Number of different files that were modified.
    pub files_modified_count: u64,
    /// Entries after which the tree was put back.
    pub rollback_count: u64,
    /// The earliest time of an entry.
    pub first_attempt_timestamp: Option<String>,
    /// The latest time of an entry.
    pub last_attempt_timestamp: Option<String>,
    /// Number of sessions.
    pub sessions: u64,
    /// Sessions that ended recovered: that the journal says so of or, where it does not say, whose last
    /// entry succeeded.
    pub recovered_sessions: u64,
    /// Sessions that ended with a person being asked.
    pub escalated_sessions: u64,
    /// Attempts that passed by plain retry.
    pub flaky_attempts: u64,
    /// Lower bound of the success rate: Wilson's interval at 95 %.
    pub success_rate_low: f64,
    /// Upper bound of the success rate.
    pub success_rate_high: f64,
    /// The duration that half of the attempts did not exceed, as [`Durations::percentile`]; `None` for
    /// none. So are the others.
    pub duration_p50_seconds: Option<f64>,
    /// The duration that 95 % did not exceed.
    pub duration_p95_seconds: Option<f64>,
    /// The duration that 99 % did not exceed.
    pub duration_p99_seconds: Option<f64>,
    /// The time after which half of the recovered sessions were.
    pub recovery_p50_seconds: Option<f64>,
    /// The time after which 95 % of them were.
    pub recovery_p95_seconds: Option<f64>,
}

fn add_counts(all: &mut BTreeMap<String, u64>, more: &BTreeMap<String, u64>) {
    for (name, number) in more {
        count(all, name, *number);
    }
}

fn add_files(all: &mut HashSet<Box<str>>, more: HashSet<Box<str>>) {
    match all.is_empty() {
        true => *all = more,
        false => all.extend(more),
    }
}

/// The interval that holds the true rate of `successes` in `total` with 95 % confidence, in percent with
/// 2 decimals; everything is possible of nothing. After E. B. Wilson, "Probable Inference, the Law of
/// Succession, and Statistical Inference", 1927.
fn wilson(successes: u64, total: u64) -> (f64, f64) {
    /// The 0.975 quantile of the normal distribution.
    const Z: f64 = 1.959_963_984_540_054;
    if total == 0 {
        return (0.0, 100.0);
    }
    let n = total as f64;
    let rate = successes as f64 / n;
    let scale = 1.0 + Z * Z / n;
    let centre = (rate + Z * Z / (2.0 * n)) / scale;
    let margin = Z / scale * (rate * (1.0 - rate) / n + Z * Z / (4.0 * n * n)).sqrt();
    let percent = |rate: f64| (rate.clamp(0.0, 1.0) * 10_000.0).round() / 100.0;
    (percent(centre - margin), percent(centre + margin))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wilsons_interval_is_that_of_the_tables() {
        // As R's prop.test(correct = FALSE) gives it.
        for (successes, total, expected) in [
            (0, 10, (0.0, 27.75)),
            (5, 10, (23.66, 76.34)),
            (10, 10, (72.25, 100.0)),
            (70, 100, (60.42, 78.11)),
            (1, 1, (20.65, 100.0)),
            (0, 0, (0.0, 100.0)),
        ] {
            assert_eq!(wilson(successes, total), expected, "{successes} of {total}");
        }
    }
}
