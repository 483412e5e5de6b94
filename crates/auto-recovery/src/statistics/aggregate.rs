//! Sums over many sessions. Sums of parts merge in any order into those of the whole.

use super::time::{earlier, later};
use super::{Accumulator, AggregateStatistics, AggregateSums, Durations, EntrySums, Tally};

/// The end of a session, as far as sums are concerned.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SessionEnd {
    /// It was recovered, after this many milliseconds if that is known.
    Recovered(Option<u64>),
    /// A person was asked.
    Escalated,
    /// Neither, or unknown.
    #[default]
    Other,
}

/// Sums over sessions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Aggregate {
    entries: Accumulator,
    first_timestamp: Option<String>,
    last_timestamp: Option<String>,
    sessions: u64,
    recovered: u64,
    escalated: u64,
    flaky: u64,
    recoveries: Durations,
}

impl Aggregate {
    /// Adds a session: the sums of its entries, its end, its number of attempts that passed by
    /// plain retry.
    pub fn add_session(&mut self, sums: Accumulator, end: SessionEnd, flaky: u64) {
        self.add_end(sums.tally(), end, flaky);
        self.add_entries(sums);
    }

    /// Adds the entries of sessions that [`Self::add_end`] adds.
    pub fn add_entries(&mut self, sums: Accumulator) {
        self.entries.merge(sums);
    }

    /// Counts a session and its end; [`Self::add_entries`] adds its entries.
    pub fn add_end(&mut self, tally: &Tally, end: SessionEnd, flaky: u64) {
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
        stretch(&mut self.first_timestamp, &tally.first_timestamp, earlier);
        stretch(&mut self.last_timestamp, &tally.last_timestamp, later);
    }

    /// Adds the sums of other sessions.
    pub fn merge(&mut self, others: Self) {
        self.entries.merge(others.entries);
        stretch(&mut self.first_timestamp, &others.first_timestamp, earlier);
        stretch(&mut self.last_timestamp, &others.last_timestamp, later);
        self.sessions += others.sessions;
        self.recovered += others.recovered;
        self.escalated += others.escalated;
        self.flaky += others.flaky;
        self.recoveries.merge(&others.recoveries);
    }

    /// The statistics.
    pub fn statistics(&self) -> AggregateStatistics {
        let entries = EntrySums {
            first_timestamp: self.first_timestamp.clone(),
            last_timestamp: self.last_timestamp.clone(),
            ..self.entries.sums()
        };
        let sums = AggregateSums {
            entries,
            durations: self.entries.durations.clone(),
            files: self.entries.files.len() as u64,
            most_modified_files: self.entries.most_modified_files(),
            sessions: self.sessions,
            recovered: self.recovered,
            escalated: self.escalated,
            flaky: self.flaky,
            recoveries: self.recoveries.clone(),
        };
        sums.statistics()
    }
}

/// Replaces `ours` by the one of the two times that `pick` picks. Most often that is ours.
fn stretch(
    ours: &mut Option<String>,
    theirs: &Option<String>,
    pick: impl for<'a> Fn(Option<&'a str>, Option<&'a str>) -> Option<&'a str>,
) {
    let picked = pick(ours.as_deref(), theirs.as_deref());
    if picked != ours.as_deref() {
        *ours = picked.map(str::to_owned);
    }
}
