//! Sums over entries that are exact, and stay exact when the sums of parts are merged.
//!
//! Durations are counted in whole milliseconds: floating point sums would depend on the order.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashSet};

use foldhash::fast::RandomState;
use serde::{Deserialize, Serialize};

use super::{Durations, RecoveryStatistics};
use crate::entry::RecoveryAuditEntry;

/// Milliseconds in a second.
const MILLIS: f64 = 1000.0;

/// What the sums need to know of one entry.
#[derive(Clone, Copy, Debug)]
pub struct Observation<'a> {
    /// When the attempt ended, as written.
    pub timestamp: &'a str,
    /// Type of the failure.
    pub error_type: &'a str,
    /// Strategy used.
    pub strategy: &'a str,
    /// Whether it cured the failure.
    pub success: bool,
    /// Whether the tree was put back.
    pub rollback_performed: bool,
    /// How long it took, in whole milliseconds.
    pub duration_ms: u64,
}

/// The few sums that a list of sessions shows. Takes constant memory.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    /// Number of entries.
    pub total: u64,
    /// Entries that succeeded.
    pub successful: u64,
    /// Timestamp of the first entry.
    pub first_timestamp: Option<String>,
    /// Timestamp of the last entry.
    pub last_timestamp: Option<String>,
    /// Whether the last entry succeeded.
    pub last_succeeded: bool,
}

impl Tally {
    /// Counts one more entry, which comes after all that were counted before.
    pub fn add(&mut self, timestamp: &str, success: bool) {
        self.total += 1;
        self.successful += u64::from(success);
        self.last_succeeded = success;
        if self.first_timestamp.is_none() {
            self.first_timestamp = Some(timestamp.to_owned());
        }
        let last = self.last_timestamp.get_or_insert_default();
        last.clear();
        last.push_str(timestamp);
    }

    /// Adds the sums of the entries that come after all of these.
    pub fn merge(&mut self, later: Self) {
        self.total += later.total;
        self.successful += later.successful;
        if self.first_timestamp.is_none() {
            self.first_timestamp = later.first_timestamp;
        }
        if later.last_timestamp.is_some() {
            self.last_timestamp = later.last_timestamp;
            self.last_succeeded = later.last_succeeded;
        }
    }
}

/// All sums of the specification. Takes memory for each different strategy, error type and file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Accumulator {
    pub(super) tally: Tally,
    pub(super) strategies: BTreeMap<String, u64>,
    pub(super) error_types: BTreeMap<String, u64>,
    pub(super) duration_ms: u64,
    pub(super) durations: Durations,
    /// With a fast hash: most of what is looked up is known, and nobody can choose names for its seed.
    pub(super) files: HashSet<Box<str>, RandomState>,
    pub(super) rollbacks: u64,
}

impl Accumulator {
    /// Adds one entry, which comes after all that were added before.
    pub fn add<'f>(
        &mut self,
        entry: Observation<'_>,
        files: impl IntoIterator<Item = Cow<'f, str>>,
    ) {
        self.tally.add(entry.timestamp, entry.success);
        count(&mut self.strategies, entry.strategy, 1);
        count(&mut self.error_types, entry.error_type, 1);
        self.duration_ms = self.duration_ms.saturating_add(entry.duration_ms);
        self.durations.add(entry.duration_ms);
        self.rollbacks += u64::from(entry.rollback_performed);
        for file in files {
            if !self.files.contains(&*file) {
                self.files.insert(file.into());
            }
        }
    }

    /// Adds one entry, which comes after all that were added before.
    pub fn add_entry(&mut self, entry: &RecoveryAuditEntry) {
        let observation = Observation {
            timestamp: &entry.timestamp,
            error_type: &entry.error_type,
            strategy: &entry.strategy,
            success: entry.success,
            rollback_performed: entry.rollback_performed,
            duration_ms: whole_ms(entry.duration_seconds),
        };
        let files = entry.files_modified.iter();
        self.add(observation, files.map(|file| file.as_str().into()));
    }

    /// Adds the sums of the entries that come after all of these.
    pub fn merge(&mut self, later: Self) {
        self.tally.merge(later.tally);
        for (name, number) in &later.strategies {
            count(&mut self.strategies, name, *number);
        }
        for (name, number) in &later.error_types {
            count(&mut self.error_types, name, *number);
        }
        self.duration_ms = self.duration_ms.saturating_add(later.duration_ms);
        self.durations.merge(&later.durations);
        match self.files.is_empty() {
            true => self.files = later.files,
            false => self.files.extend(later.files),
        }
        self.rollbacks += later.rollbacks;
    }

    /// The sums that a list of sessions shows.
    pub fn tally(&self) -> &Tally {
        &self.tally
    }

    /// The statistics of `session_id`, which began at `session_start`.
    pub fn statistics(
        &self,
        session_id: &str,
        session_start: Option<String>,
    ) -> RecoveryStatistics {
        let mut files: Vec<String> = self.files.iter().map(|file| file.to_string()).collect();
        files.sort_unstable();
        let total = self.tally.total;
        RecoveryStatistics {
            session_id: session_id.to_owned(),
            session_start,
            total_attempts: total,
            successful_attempts: self.tally.successful,
            failed_attempts: total - self.tally.successful,
            success_rate: percent(self.tally.successful, total),
            strategies_used: self.strategies.clone(),
            error_type_distribution: self.error_types.clone(),
            total_duration_seconds: seconds(self.duration_ms),
            average_duration_seconds: seconds(rounded_quotient(self.duration_ms, total)),
            files_modified_count: files.len() as u64,
            files_modified: files,
            rollback_count: self.rollbacks,
            first_attempt_timestamp: self.tally.first_timestamp.clone(),
            last_attempt_timestamp: self.tally.last_timestamp.clone(),
        }
    }
}

fn count(counts: &mut BTreeMap<String, u64>, name: &str, number: u64) {
    match counts.get_mut(name) {
        Some(count) => *count += number,
        None => {
            counts.insert(name.to_owned(), number);
        }
    }
}

/// `seconds` in whole milliseconds; 0 for what is no duration.
pub fn whole_ms(seconds: f64) -> u64 {
    // A cast from float saturates, and makes 0 of what is negative or not a number.
    (seconds * MILLIS).round() as u64
}

pub(super) fn seconds(ms: u64) -> f64 {
    ms as f64 / MILLIS
}

/// `part` of `whole` in percent with 2 decimals, halves up; 0 of nothing.
pub(super) fn percent(part: u64, whole: u64) -> f64 {
    let hundredths = rounded_quotient(part.saturating_mul(100 * 100), whole);
    hundredths as f64 / 100.0
}

/// `dividend / divisor` to the nearest whole number, halves up; 0 if divided by 0.
pub(super) fn rounded_quotient(dividend: u64, divisor: u64) -> u64 {
    if divisor == 0 {
        return 0;
    }
    let quotient = (u128::from(dividend) + u128::from(divisor / 2)) / u128::from(divisor);
    // It exceeds the dividend only by rounding, and only for a divisor of 1 it equals it.
    u64::try_from(quotient).unwrap_or(u64::MAX)
}
