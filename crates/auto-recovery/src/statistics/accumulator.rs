//! Sums over entries that are exact, and stay exact when the sums of parts are merged.
//!
//! Durations are counted in whole milliseconds: floating point sums would depend on the order.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};

use foldhash::fast::RandomState;
use serde::{Deserialize, Serialize};

use super::{Durations, EntrySums, MostModified, RecoveryStatistics, whole_ms};
use crate::entry::RecoveryAuditEntry;

/// The figures of one entry that the sums need.
#[derive(Clone, Copy, Debug)]
pub struct EntryFigures<'a> {
    /// When the attempt ended, as written.
    pub timestamp: &'a str,
    /// Type of the failure.
    pub error_type: &'a str,
    /// Strategy used.
    pub strategy: &'a str,
    /// Number of the attempt within the session.
    pub attempt_number: u64,
    /// Whether it cured the failure.
    pub success: bool,
    /// Whether the tree was put back.
    pub rollback_performed: bool,
    /// Duration in whole milliseconds.
    pub duration_ms: u64,
}

impl<'a> EntryFigures<'a> {
    /// That of `entry`.
    pub fn of(entry: &'a RecoveryAuditEntry) -> Self {
        Self {
            timestamp: &entry.timestamp,
            error_type: &entry.error_type,
            strategy: &entry.strategy,
            attempt_number: entry.attempt_number,
            success: entry.success,
            rollback_performed: entry.rollback_performed,
            duration_ms: whole_ms(entry.duration_seconds),
        }
    }
}

/// Receives the entries of a trail in order.
pub trait EntrySink {
    /// Adds one entry, which names these files and follows all that were added before.
    fn observe<'f>(
        &mut self,
        entry: EntryFigures<'_>,
        files: impl IntoIterator<Item = Cow<'f, str>>,
    );

    /// The same for an entry that is at hand.
    fn add_entry(&mut self, entry: &RecoveryAuditEntry) {
        let files = entry.files_modified.iter();
        self.observe(
            EntryFigures::of(entry),
            files.map(|file| file.as_str().into()),
        );
    }
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
    /// Counts one more entry, which follows all that were counted before.
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
    /// How often each file is named. The hash is fast: most names looked up are known already, and
    /// its random seed keeps names from being chosen to collide.
    pub(super) files: HashMap<Box<str>, u64, RandomState>,
    pub(super) rollbacks: u64,
}

impl EntrySink for Accumulator {
    fn observe<'f>(
        &mut self,
        entry: EntryFigures<'_>,
        files: impl IntoIterator<Item = Cow<'f, str>>,
    ) {
        self.tally.add(entry.timestamp, entry.success);
        count(&mut self.strategies, entry.strategy, 1);
        count(&mut self.error_types, entry.error_type, 1);
        self.duration_ms = self.duration_ms.saturating_add(entry.duration_ms);
        self.durations.add(entry.duration_ms);
        self.rollbacks += u64::from(entry.rollback_performed);
        for file in files {
            match self.files.get_mut(&*file) {
                Some(times) => *times += 1,
                None => drop(self.files.insert(file.into(), 1)),
            }
        }
    }
}

impl Accumulator {
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
            false => {
                for (file, times) in later.files {
                    *self.files.entry(file).or_default() += times;
                }
            }
        }
        self.rollbacks += later.rollbacks;
    }

    /// The files that most entries name, and how often.
    pub(super) fn most_modified_files(&self) -> Vec<(String, u64)> {
        let mut most = MostModified::default();
        for (file, times) in &self.files {
            most.add(file, *times);
        }
        most.finish()
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
        let files = self.files.keys().map(|file| file.to_string());
        self.sums()
            .statistics(session_id, session_start, files.collect())
    }

    /// The sums, without what is known of each file and duration.
    pub(super) fn sums(&self) -> EntrySums {
        EntrySums {
            total: self.tally.total,
            successful: self.tally.successful,
            strategies: self.strategies.clone(),
            error_types: self.error_types.clone(),
            duration_ms: self.duration_ms,
            rollbacks: self.rollbacks,
            first_timestamp: self.tally.first_timestamp.clone(),
            last_timestamp: self.tally.last_timestamp.clone(),
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
