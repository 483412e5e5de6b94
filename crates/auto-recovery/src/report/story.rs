//! What the record says of a session, gathered for people: what failed, where, what was planned,
//! what each attempt was, and how it ended.

use std::collections::BTreeMap;

use crate::audit::{
    AttemptFinished, AttemptStarted, AuditStore, Damage, FailureDetected, JournalEvent,
    JournalRecord, JournalSummary, Restored, SessionFinished, SessionOutcome, SessionStarted,
};
use crate::entry::RecoveryAuditEntry;
use crate::error::Result;
use crate::statistics::RecoveryStatistics;

/// What a session was about.
#[derive(Default)]
pub(super) struct Story {
    pub(super) statistics: RecoveryStatistics,
    /// How it ended, as far as that is known.
    pub(super) outcome: SessionOutcome,
    pub(super) started: SessionStarted,
    /// The failures of its last recovery: the one it began with, then each that an attempt turned
    /// it into.
    pub(super) failures: Vec<FailureDetected>,
    /// When the first of them was seen.
    pub(super) failed_at: Option<String>,
    /// The recoveries under the same id before the last one.
    pub(super) earlier_recoveries: u64,
    /// How each attempt began and ended, by its number.
    pub(super) attempts: BTreeMap<u64, Told>,
    pub(super) finished: Option<SessionFinished>,
    pub(super) finished_at: Option<String>,
    /// The times that the tree was put back since its last recovery began, and to what.
    pub(super) put_back: Vec<(String, Restored)>,
    /// The last attempt that has an entry.
    pub(super) last: Option<Last>,
}

/// What the journal says of one attempt.
#[derive(Default)]
pub(super) struct Told {
    pub(super) started: Option<AttemptStarted>,
    /// Without its list of files, which the entry has.
    pub(super) finished: Option<AttemptFinished>,
}

/// The last attempt, by which a session without a recorded end is judged.
pub(super) struct Last {
    pub(super) number: u64,
    pub(super) strategy: String,
    pub(super) success: bool,
    error_type: String,
    error_message: String,
}

impl Last {
    fn of(entry: &RecoveryAuditEntry) -> Self {
        Self {
            number: entry.attempt_number,
            strategy: entry.strategy.clone(),
            success: entry.success,
            error_type: entry.error_type.clone(),
            error_message: entry.error_message.clone(),
        }
    }
}

impl Story {
    /// Reads the record of `session_id`. Returns what of it could not be read, too.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub(super) fn read(store: &dyn AuditStore, session_id: &str) -> Result<(Self, Vec<Damage>)> {
        let mut story = Self::default();
        let mut summary = JournalSummary::default();
        let of_journal = store.read_journal(Some(session_id), &mut |record| {
            summary.apply(&record.at, &record.event);
            story.add(record);
            Ok(())
        })?;
        store.read_last(session_id, 1, &mut |stored| {
            story.last = Some(Last::of(&stored.entry()));
            Ok(())
        })?;
        story.outcome = summary.outcome(story.last.as_ref().is_some_and(|last| last.success));
        let (statistics, mut damage) = store.read_statistics(session_id)?;
        story.statistics = statistics;
        Damage::join(&mut damage, of_journal);
        Ok((story, damage))
    }

    fn add(&mut self, record: JournalRecord) {
        match record.event {
            event if event.is_removal() => *self = Self::default(),
            JournalEvent::SessionStarted(started) => {
                self.earlier_recoveries += u64::from(!self.failures.is_empty());
                self.started = started;
                self.failures.clear();
                self.put_back.clear();
                (self.finished, self.finished_at) = (None, None);
            }
            JournalEvent::FailureDetected(detected) => {
                self.failures = vec![*detected];
                self.failed_at = Some(record.at);
            }
            JournalEvent::FailureChanged(detected) => self.failures.push(*detected),
            JournalEvent::AttemptStarted(started) => {
                let number = started.attempt_number;
                self.attempts.entry(number).or_default().started = Some(started);
            }
            JournalEvent::AttemptFinished(finished) => {
                let mut finished = *finished;
                finished.files_modified = Vec::new();
                let number = finished.attempt_number;
                self.attempts.entry(number).or_default().finished = Some(finished);
            }
            JournalEvent::SessionFinished(finished) => {
                self.finished = Some(finished);
                self.finished_at = Some(record.at);
            }
            JournalEvent::Restored(restored) => self.put_back.push((record.at, restored)),
            _ => {}
        }
    }

    /// How attempt `number` began.
    pub(super) fn started(&self, number: u64) -> Option<&AttemptStarted> {
        self.attempts.get(&number)?.started.as_ref()
    }

    /// How attempt `number` ended.
    pub(super) fn finished(&self, number: u64) -> Option<&AttemptFinished> {
        self.attempts.get(&number)?.finished.as_ref()
    }

    /// The attempt that began and has no end on record.
    pub(super) fn without_end(&self) -> Option<&AttemptStarted> {
        let (number, told) = self.attempts.last_key_value()?;
        let is_later = self.last.as_ref().is_none_or(|last| *number > last.number);
        let started = told.started.as_ref();
        started.filter(|_| is_later && told.finished.is_none())
    }

    /// The failure that its last recovery began with.
    pub(super) fn failure(&self) -> Option<&FailureDetected> {
        self.failures.first()
    }

    /// Type and message of the failure that it is about: the first one, or that of the last entry
    /// where attempts were only logged.
    pub(super) fn about(&self) -> Option<(&str, &str)> {
        if let Some(detected) = self.failure() {
            let failure = &detected.failure;
            return Some((&failure.error_type, &failure.message));
        }
        let last = self.last.as_ref()?;
        Some((&last.error_type, &last.error_message))
    }
}
