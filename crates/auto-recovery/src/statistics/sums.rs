//! From sums to statistics: the same rates, means and roundings for the sums of any store.

use std::collections::BTreeMap;

use super::{AggregateStatistics, Durations, RecoveryStatistics};

/// Milliseconds in a second.
const MILLIS: f64 = 1000.0;

/// Sums over entries.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EntrySums {
    /// Number of entries.
    pub total: u64,
    /// Number of those that succeeded.
    pub successful: u64,
    /// Number of those of each strategy.
    pub strategies: BTreeMap<String, u64>,
    /// Number of those of each error type.
    pub error_types: BTreeMap<String, u64>,
    /// Sum of their durations, each in whole milliseconds.
    pub duration_ms: u64,
    /// Number of those after which the tree was put back.
    pub rollbacks: u64,
    /// Time of the first.
    pub first_timestamp: Option<String>,
    /// Time of the last.
    pub last_timestamp: Option<String>,
}

impl EntrySums {
    /// The statistics of `session_id`, which began at `session_start` and whose entries name
    /// `files`.
    pub fn statistics(
        self,
        session_id: &str,
        session_start: Option<String>,
        mut files: Vec<String>,
    ) -> RecoveryStatistics {
        files.sort_unstable();
        RecoveryStatistics {
            session_id: session_id.to_owned(),
            session_start,
            total_attempts: self.total,
            successful_attempts: self.successful,
            failed_attempts: self.total - self.successful,
            success_rate: percent(self.successful, self.total),
            strategies_used: self.strategies,
            error_type_distribution: self.error_types,
            total_duration_seconds: seconds(self.duration_ms),
            average_duration_seconds: seconds(rounded_quotient(self.duration_ms, self.total)),
            files_modified_count: files.len() as u64,
            files_modified: files,
            rollback_count: self.rollbacks,
            first_attempt_timestamp: self.first_timestamp,
            last_attempt_timestamp: self.last_timestamp,
        }
    }
}

/// Sums over sessions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AggregateSums {
    /// The sums of their entries. The times are the earliest of the sessions' first and the latest
    /// of their last entries.
    pub entries: EntrySums,
    /// Durations of attempts.
    pub durations: Durations,
    /// Number of different files that entries name.
    pub files: u64,
    /// The [`MOST_MODIFIED_MAX`](super::MOST_MODIFIED_MAX) files that entries name most often, with
    /// their counts: the most first, then by name.
    pub most_modified_files: Vec<(String, u64)>,
    /// Number of sessions.
    pub sessions: u64,
    /// Number of sessions that ended recovered.
    pub recovered: u64,
    /// Number of sessions that ended with a person being asked.
    pub escalated: u64,
    /// Number of recoveries that passed by plain retry.
    pub flaky: u64,
    /// Durations of recoveries, where known.
    pub recoveries: Durations,
}

impl AggregateSums {
    /// The statistics.
    pub fn statistics(self) -> AggregateStatistics {
        let entries = self.entries;
        let (success_rate_low, success_rate_high) = wilson(entries.successful, entries.total);
        let after = |percent| self.durations.percentile(percent).map(seconds);
        let recovery = |percent| self.recoveries.percentile(percent).map(seconds);
        AggregateStatistics {
            total_attempts: entries.total,
            successful_attempts: entries.successful,
            failed_attempts: entries.total - entries.successful,
            success_rate: percent(entries.successful, entries.total),
            strategies_used: entries.strategies,
            error_type_distribution: entries.error_types,
            total_duration_seconds: seconds(entries.duration_ms),
            average_duration_seconds: seconds(rounded_quotient(entries.duration_ms, entries.total)),
            files_modified_count: self.files,
            most_modified_files: self.most_modified_files,
            rollback_count: entries.rollbacks,
            first_attempt_timestamp: entries.first_timestamp,
            last_attempt_timestamp: entries.last_timestamp,
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

/// Longest duration that is counted, in milliseconds: the largest in a database's column.
const MS_MAX: u64 = i64::MAX as u64;

/// `seconds` in whole milliseconds, at most [`i64::MAX`]; 0 for a number that is no duration.
pub fn whole_ms(seconds: f64) -> u64 {
    // A cast from float saturates, and turns a negative number or NaN into 0.
    ((seconds * MILLIS).round() as u64).min(MS_MAX)
}

fn seconds(ms: u64) -> f64 {
    ms as f64 / MILLIS
}

/// `part` of `whole` in percent with 2 decimals, halves up; 0 of nothing.
fn percent(part: u64, whole: u64) -> f64 {
    let hundredths = rounded_quotient(part.saturating_mul(100 * 100), whole);
    hundredths as f64 / 100.0
}

/// `dividend / divisor` to the nearest whole number, halves up; 0 if divided by 0.
fn rounded_quotient(dividend: u64, divisor: u64) -> u64 {
    if divisor == 0 {
        return 0;
    }
    let quotient = (u128::from(dividend) + u128::from(divisor / 2)) / u128::from(divisor);
    // It exceeds the dividend only by rounding, and only for a divisor of 1 it equals it.
    u64::try_from(quotient).unwrap_or(u64::MAX)
}

/// The interval that holds the true rate of `successes` in `total` with 95 % confidence, in percent
/// with 2 decimals; everything is possible of nothing. After E. B. Wilson, "Probable Inference, the
/// Law of Succession, and Statistical Inference", 1927.
pub fn wilson(successes: u64, total: u64) -> (f64, f64) {
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
        // The values of R's prop.test(correct = FALSE).
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
