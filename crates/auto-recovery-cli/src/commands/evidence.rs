//! What the journal says of a session, sorted by the attempt it belongs to.

use std::collections::BTreeMap;

use auto_recovery::Result;
use auto_recovery::audit::{
    AttemptFinished, AttemptStarted, AuditStore, Damage, FailureDetected, JournalEvent,
    JournalRecord, JournalSummary, Restored, SessionFinished, SessionOutcome, SessionStarted,
};

/// The journal of one session.
#[derive(Default)]
pub(crate) struct Evidence {
    records: Vec<JournalRecord>,
    /// Where the last word about the beginning of each attempt stands in `records`.
    started: BTreeMap<u64, usize>,
    /// The same about its end.
    finished: BTreeMap<u64, usize>,
}

/// A failure of a session, and what recipes did about it.
pub(crate) struct Faced<'a> {
    pub(crate) found: &'a FailureDetected,
    /// The recipes that ran, each with the number of its attempt and whether that was the cure.
    pub(crate) ran: Vec<(&'a str, u64, Option<bool>)>,
}

impl Evidence {
    /// What the journal says of `session`, and what of it could not be read.
    pub(crate) fn of(store: &dyn AuditStore, session: &str) -> Result<(Self, Vec<Damage>)> {
        let mut evidence = Self::default();
        let damage = store.read_journal(Some(session), &mut |record| {
            evidence.add(record);
            Ok(())
        })?;
        Ok((evidence, damage))
    }

    /// Adds the next record. What came before a removal is of another life of the session.
    pub(crate) fn add(&mut self, record: JournalRecord) {
        let place = self.records.len();
        match &record.event {
            event if event.is_removal() => {
                *self = Self::default();
                return;
            }
            JournalEvent::AttemptStarted(event) => {
                self.started.insert(event.attempt_number, place);
            }
            JournalEvent::AttemptFinished(event) => {
                self.finished.insert(event.attempt_number, place);
            }
            _ => {}
        }
        self.records.push(record);
    }

    /// All records.
    pub(crate) fn records(&self) -> Vec<&JournalRecord> {
        self.records.iter().collect()
    }

    /// The records about attempt `number`, and those about the session as a whole.
    pub(crate) fn records_of(&self, number: u64) -> Vec<&JournalRecord> {
        self.records
            .iter()
            .filter(|record| match &record.event {
                JournalEvent::AttemptStarted(event) => event.attempt_number == number,
                JournalEvent::AttemptFinished(event) => event.attempt_number == number,
                _ => true,
            })
            .collect()
    }

    /// How attempt `number` began.
    pub(crate) fn started(&self, number: u64) -> Option<&AttemptStarted> {
        match &self.records[*self.started.get(&number)?].event {
            JournalEvent::AttemptStarted(event) => Some(event),
            _ => None,
        }
    }

    /// The attempt that began after attempt `last` and has no end on record: it is under way, or
    /// `recover` died in it.
    pub(crate) fn without_end(&self, last: u64) -> Option<&AttemptStarted> {
        let (number, _) = self.started.last_key_value()?;
        let has_end = *number <= last || self.finished.contains_key(number);
        self.started(*number).filter(|_| !has_end)
    }

    /// How attempt `number` ended.
    pub(crate) fn finished(&self, number: u64) -> Option<&AttemptFinished> {
        match &self.records[*self.finished.get(&number)?].event {
            JournalEvent::AttemptFinished(event) => Some(event),
            _ => None,
        }
    }

    /// Where the output of attempt `number` is kept.
    pub(crate) fn output_file(&self, number: u64) -> Option<&str> {
        self.finished(number)?.output_file.as_deref()
    }

    /// Where the output of the first failure is kept.
    pub(crate) fn first_output_file(&self) -> Option<&str> {
        self.failure()?.output_file.as_deref()
    }

    /// How the session began.
    pub(crate) fn session_started(&self) -> Option<&SessionStarted> {
        self.records.iter().find_map(|record| match &record.event {
            JournalEvent::SessionStarted(event) => Some(event),
            _ => None,
        })
    }

    /// The times that the tree was put back since the session last began, and to what.
    pub(crate) fn put_back(&self) -> impl Iterator<Item = (&str, &Restored)> {
        let is_start =
            |record: &JournalRecord| matches!(record.event, JournalEvent::SessionStarted(_));
        let start = self.records.iter().rposition(is_start).unwrap_or(0);
        self.records[start..]
            .iter()
            .filter_map(|record| match &record.event {
                JournalEvent::Restored(restored) => Some((record.at.as_str(), restored)),
                _ => None,
            })
    }

    /// The failure that it began with.
    pub(crate) fn failure(&self) -> Option<&FailureDetected> {
        self.records.iter().find_map(|record| match &record.event {
            JournalEvent::FailureDetected(event) => Some(&**event),
            _ => None,
        })
    }

    /// The failures of its last recovery in turn: the one it began with, and each that an attempt
    /// turned it into. With how many there were before.
    pub(crate) fn failures(&self) -> (Vec<Faced<'_>>, usize) {
        let mut faced: Vec<Faced<'_>> = Vec::new();
        let mut earlier = 0;
        for record in &self.records {
            let found = match &record.event {
                JournalEvent::FailureDetected(found) => {
                    earlier += faced.len();
                    faced.clear();
                    found
                }
                JournalEvent::FailureChanged(found) => found,
                JournalEvent::AttemptStarted(started) => {
                    if let (Some(now), Some(recipe)) = (faced.last_mut(), &started.recipe) {
                        let ended = self.finished(started.attempt_number);
                        let cured = ended.map(|ended| ended.success);
                        now.ran.push((recipe, started.attempt_number, cured));
                    }
                    continue;
                }
                _ => continue,
            };
            let ran = Vec::new();
            faced.push(Faced { found, ran });
        }
        (faced, earlier)
    }

    /// How the session ended, as lists of sessions say it, where its last entry was a success if
    /// `last_succeeded`.
    pub(crate) fn outcome(&self, last_succeeded: bool) -> SessionOutcome {
        let mut summary = JournalSummary::default();
        for record in &self.records {
            summary.apply(&record.at, &record.event);
        }
        summary.outcome(last_succeeded)
    }

    /// The record of how the session ended.
    pub(crate) fn session_finished(&self) -> Option<&SessionFinished> {
        self.records
            .iter()
            .rev()
            .find_map(|record| match &record.event {
                JournalEvent::SessionFinished(event) => Some(event),
                _ => None,
            })
    }
}
