//! The sums of one group.

use std::collections::{BTreeMap, HashMap};

use auto_recovery::statistics::{
    AggregateStatistics, AggregateSums, Durations, EntrySums, MostModified, SessionEnd, bucket_of,
};

use super::names::Names;

/// The time of an entry: its moment, if its timestamp is one, and its timestamp.
pub(super) type Moment = (Option<i64>, String);

/// The same, borrowed.
pub(super) type When<'a> = (Option<i64>, &'a str);

/// `moment`, borrowed.
pub(super) fn when(moment: &Moment) -> When<'_> {
    (moment.0, &moment.1)
}

/// What entries have in common that are counted together: the numbers of their strategy and error
/// type, and the bucket of their duration.
pub(super) type Kind = (u32, u32, u32);

/// Some entries of one kind.
#[derive(Clone, Copy, Debug)]
pub(super) struct Counted {
    pub(super) entries: u64,
    pub(super) successes: u64,
    pub(super) rollbacks: u64,
    pub(super) duration_ms: i128,
}

/// The sums of one group.
#[derive(Debug, Default)]
pub(super) struct Group {
    kinds: HashMap<Kind, u64>,
    successes: u64,
    rollbacks: u64,
    duration_ms: i128,
    /// How often each file is named, by its number.
    files: HashMap<u32, u64>,
    sessions: u64,
    recovered: u64,
    escalated: u64,
    flaky: u64,
    /// How many recoveries took how long, by buckets.
    recoveries: HashMap<u32, u64>,
    first: Option<Moment>,
    last: Option<Moment>,
}

impl Group {
    /// Adds entries.
    pub(super) fn add_entries(&mut self, kind: Kind, counted: Counted) {
        *self.kinds.entry(kind).or_default() += counted.entries;
        self.successes += counted.successes;
        self.rollbacks += counted.rollbacks;
        self.duration_ms += counted.duration_ms;
    }

    /// Adds a file that is named so often.
    pub(super) fn add_file(&mut self, number: u32, times: u64) {
        *self.files.entry(number).or_default() += times;
    }

    /// Counts a session: its ending, its number of flaky recoveries.
    pub(super) fn add_session(&mut self, end: SessionEnd, flaky: u64) {
        self.sessions += 1;
        self.flaky += flaky;
        match end {
            SessionEnd::Recovered(ms) => {
                self.recovered += 1;
                if let Some(ms) = ms {
                    *self.recoveries.entry(bucket_of(ms)).or_default() += 1;
                }
            }
            SessionEnd::Escalated => self.escalated += 1,
            SessionEnd::Other => {}
        }
    }

    /// Widens the stretch by the times of a session's first and last entry.
    pub(super) fn stretch(&mut self, first: When<'_>, last: When<'_>) {
        /// Orders a text that is no time last among firsts, and first among lasts.
        fn order<'a>((moment, text): When<'a>) -> (bool, When<'a>) {
            (moment.is_none(), (moment, text))
        }
        let is_first = self
            .first
            .as_ref()
            .is_none_or(|ours| order(first) < order(when(ours)));
        if is_first {
            self.first = Some((first.0, first.1.to_owned()));
        }
        if self.last.as_ref().is_none_or(|ours| last > when(ours)) {
            self.last = Some((last.0, last.1.to_owned()));
        }
    }

    /// Adds the entries of `other`, and nothing of its sessions.
    pub(super) fn add_entries_of(&mut self, other: &Self) {
        for (kind, entries) in &other.kinds {
            *self.kinds.entry(*kind).or_default() += entries;
        }
        for (file, times) in &other.files {
            self.add_file(*file, *times);
        }
        self.successes += other.successes;
        self.rollbacks += other.rollbacks;
        self.duration_ms += other.duration_ms;
    }

    /// Its files: how many, and those named most often.
    pub(super) fn files(&self, names: &Names) -> (u64, MostModified) {
        let mut most = MostModified::default();
        for (file, times) in &self.files {
            most.add(&names.text(*file), *times);
        }
        (self.files.len() as u64, most)
    }

    /// The statistics, given its files. `names` has the texts of strategies and error types.
    pub(super) fn finish(
        self,
        names: &Names,
        (files, most): (u64, MostModified),
    ) -> AggregateStatistics {
        let (mut strategies, mut error_types) = (BTreeMap::new(), BTreeMap::new());
        let (mut total, mut durations) = (0, Durations::default());
        for ((strategy, error_type, bucket), entries) in self.kinds {
            *strategies.entry(strategy).or_default() += entries;
            *error_types.entry(error_type).or_default() += entries;
            durations.add_to_bucket(bucket, entries);
            total += entries;
        }
        let mut recoveries = Durations::default();
        for (bucket, times) in self.recoveries {
            recoveries.add_to_bucket(bucket, times);
        }
        let named = |counts: BTreeMap<u32, u64>| {
            let counts = counts.into_iter();
            counts
                .map(|(number, count)| (names.text(number), count))
                .collect()
        };
        let sums = AggregateSums {
            entries: EntrySums {
                total,
                successful: self.successes,
                strategies: named(strategies),
                error_types: named(error_types),
                duration_ms: u64::try_from(self.duration_ms).unwrap_or(u64::MAX),
                rollbacks: self.rollbacks,
                first_timestamp: self.first.map(|(_, text)| text),
                last_timestamp: self.last.map(|(_, text)| text),
            },
            durations,
            files,
            most_modified_files: most.finish(),
            sessions: self.sessions,
            recovered: self.recovered,
            escalated: self.escalated,
            flaky: self.flaky,
            recoveries,
        };
        sums.statistics()
    }
}
