//! The trees of a session, as its journal names them: what it found, and what each attempt did.
//!
//! Pure but for the reading of the journal. An attempt counts with the number that its entry got.

use std::collections::HashMap;

use crate::audit::{AttemptFinished, AttemptStarted, AuditStore, JournalEvent, SessionOutcome};
use crate::error::Result;

/// The trees of a session.
#[derive(Debug, Default)]
pub(in crate::run) struct SessionTrees {
    /// The tree as the session found it.
    pub(in crate::run) beginning: Option<String>,
    /// Its attempts, in the order in which they ended.
    pub(in crate::run) attempts: Vec<AttemptTrees>,
    /// Whether its last attempt has no end: it was killed, or is under way.
    pub(in crate::run) has_open_attempt: bool,
    /// The restores of it, oldest first: how many attempts had ended, and the session that keeps
    /// what was replaced.
    pub(in crate::run) restores: Vec<(usize, String)>,
}

/// The trees of one attempt.
#[derive(Debug, Default)]
pub(in crate::run) struct AttemptTrees {
    pub(in crate::run) number: u64,
    pub(in crate::run) before: Option<String>,
    pub(in crate::run) acted: Option<String>,
    pub(in crate::run) verified: Option<String>,
    /// Whether its changes were put back, by itself or by a later one.
    pub(in crate::run) is_undone: bool,
    /// Paths of it that are somebody else's.
    pub(in crate::run) foreign: Vec<String>,
    /// Paths of it that could not be put back.
    pub(in crate::run) not_put_back: Vec<String>,
    /// Paths of it that no checkpoint covers, as `path (reason)`.
    pub(in crate::run) not_covered: Vec<String>,
    /// Whether it only ran the command again.
    is_retry: bool,
    /// Whether its changes stayed though it failed.
    is_kept: bool,
    /// Whether it cured the failure.
    is_cure: bool,
    /// Which recovery of the session it is of.
    recovery: usize,
}

impl SessionTrees {
    /// Those of `session_id`.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub(in crate::run) fn read(store: &dyn AuditStore, session_id: &str) -> Result<Self> {
        let mut reading = Reading::default();
        store.read_journal(Some(session_id), &mut |record| {
            reading.add(record.event);
            Ok(())
        })?;
        Ok(reading.trees)
    }

    /// Attempt `number`, the last one of that number.
    pub(in crate::run) fn attempt(&self, number: u64) -> Option<&AttemptTrees> {
        self.attempts
            .iter()
            .rfind(|attempt| attempt.number == number)
    }

    /// The attempts whose changes stayed, oldest first, those of each recovery together.
    pub(in crate::run) fn stayed(&self) -> Vec<Vec<&AttemptTrees>> {
        let stays = |one: &&AttemptTrees| !one.is_undone && (one.is_cure || one.is_kept);
        let attempts: Vec<_> = self.attempts.iter().filter(stays).collect();
        let recoveries = attempts.chunk_by(|one, next| one.recovery == next.recovery);
        recoveries.map(<[_]>::to_vec).collect()
    }
}

impl AttemptTrees {
    /// The tree as it left it, before any undo.
    pub(in crate::run) fn after(&self) -> Option<&String> {
        self.verified.as_ref().or(self.acted.as_ref())
    }
}

#[derive(Default)]
struct Reading {
    trees: SessionTrees,
    /// Attempts that began and have not ended, by their id, or by their number where they have
    /// none.
    open: HashMap<String, AttemptStarted>,
    /// The first attempt since the last end of a recovery.
    since: usize,
    /// How many recoveries ended.
    ended: usize,
}

impl Reading {
    fn add(&mut self, event: JournalEvent) {
        match event {
            event if event.is_removal() => *self = Self::default(),
            JournalEvent::FailureDetected(failure) => {
                let beginning = &mut self.trees.beginning;
                *beginning = beginning.take().or(failure.checkpoint);
            }
            JournalEvent::AttemptStarted(started) => {
                let key = key(&started.attempt_id, started.attempt_number);
                self.open.insert(key, started);
                self.trees.has_open_attempt = true;
            }
            JournalEvent::AttemptFinished(finished) => self.finished(*finished),
            JournalEvent::SessionFinished(finished) => {
                let is_cured = finished.outcome == SessionOutcome::Recovered;
                if finished.put_back.unwrap_or(!is_cured) {
                    let kept = self.trees.attempts[self.since..].iter_mut();
                    kept.filter(|attempt| attempt.is_kept)
                        .for_each(|attempt| attempt.is_undone = true);
                }
                self.since = self.trees.attempts.len();
                self.ended += 1;
            }
            JournalEvent::Restored(restored) => {
                let ended = self.trees.attempts.len();
                self.trees.restores.push((ended, restored.replaced));
            }
            _ => {}
        }
    }

    fn finished(&mut self, finished: AttemptFinished) {
        let key = key(&finished.attempt_id, finished.attempt_number);
        let started = self.open.remove(&key);
        self.trees.has_open_attempt = !self.open.is_empty();
        if finished.undone {
            // What retries left to one another went with the last of them.
            let earlier = self.trees.attempts[self.since..].iter_mut().rev();
            earlier
                .take_while(|attempt| attempt.is_kept && attempt.is_retry)
                .for_each(|attempt| attempt.is_undone = true);
        }
        let is_retry = |started: &AttemptStarted| started.strategy == "retry";
        self.trees.attempts.push(AttemptTrees {
            number: finished.attempt_number,
            is_retry: started.as_ref().is_some_and(is_retry),
            before: started.and_then(|started| started.checkpoint),
            acted: finished.checkpoint_acted,
            verified: finished.checkpoint_verified,
            is_undone: finished.undone,
            foreign: finished.kept_foreign,
            not_put_back: finished.not_put_back,
            not_covered: finished.not_covered,
            is_kept: finished.kept,
            is_cure: finished.success,
            recovery: self.ended,
        });
    }
}

fn key(id: &str, number: u64) -> String {
    match id {
        "" => number.to_string(),
        id => id.to_owned(),
    }
}
