//! Recording a recovery: the intent before an attempt, the outcome after it, the end.
//!
//! A record that cannot be written stops the recovery, unless the caller chose to go on without.

use std::time::Duration;

use crate::attempt::RecoveryAttempt;
use crate::audit::{
    Appended, AttemptFinished, AttemptStarted, FailureDetected, JournalEvent, SessionFinished,
    SessionOutcome,
};
use crate::error::Result;
use crate::exit::EXIT_TIMED_OUT;
use crate::host::timestamp;
use crate::logger::AttemptRecord;
use crate::manager::step::Step;
use crate::manager::tree::Before;
use crate::manager::tried::{Aftermath, Confirmation, Tried, Turn, Verdict, Without};
use crate::manager::under_way::Recovering;
use crate::manager::{Event, OnAuditFailure, RecoveryEnd};
use crate::strategy::RecoveryStrategyType;

impl Recovering<'_> {
    /// Records the failure and what will be tried.
    pub(super) fn record_start(&mut self, steps: &[Step<'_>]) -> Result<()> {
        let incident = &self.incident;
        let event = FailureDetected {
            failure: incident.failure.clone(),
            category: incident.category,
            rule: incident.rule.clone(),
            exit_code: incident.exit_code,
            signal: incident.signal,
            timed_out: incident.timed_out,
            output_file: incident.output_file.clone(),
            checkpoint: incident.checkpoint.clone(),
            plan: steps.iter().map(Step::in_words).collect(),
            skipped: incident.skipped.clone(),
            advice: incident.advice.clone(),
        };
        self.journal(JournalEvent::FailureDetected(Box::new(event)))
    }

    /// Records the failure that an attempt turned the first one into, and what is tried against
    /// it.
    pub(super) fn record_ground(&mut self, steps: &[Step<'_>], tried: &Tried) -> Result<()> {
        let event = FailureDetected {
            failure: self.current.clone(),
            category: self.incident.category,
            rule: self.incident.rule.clone(),
            exit_code: tried.exit_code,
            signal: tried.signal,
            timed_out: false,
            output_file: tried.output_file.clone(),
            checkpoint: tried.verified.checkpoint.clone(),
            plan: steps.iter().map(Step::in_words).collect(),
            skipped: self.incident.skipped.clone(),
            advice: self.incident.advice.clone(),
        };
        self.journal(JournalEvent::FailureChanged(Box::new(event)))
    }

    /// Records that an attempt is about to begin.
    pub(super) fn record_intent(
        &mut self,
        turn: &Turn<'_, '_>,
        number: u64,
        before: &Before,
    ) -> Result<()> {
        let recipe = turn.step.candidate.recipe.as_ref();
        self.journal(JournalEvent::AttemptStarted(AttemptStarted {
            attempt_number: number,
            attempt_id: self.attempt_id.clone(),
            strategy: turn.step.candidate.kind.to_string(),
            strategy_attempt: turn.strategy_attempt,
            category: self.incident.category,
            action: turn.step.candidate.action.clone(),
            recipe: recipe.map(|recipe| recipe.name.clone()),
            tier: recipe.map(|recipe| recipe.tier),
            checkpoint: before.checkpoint.clone(),
            propensity: Some(turn.step.propensity),
        }))
    }

    /// Records an attempt: its entry first, then what the entry has no field for.
    pub(super) fn record_attempt(
        &mut self,
        turn: &Turn<'_, '_>,
        number: u64,
        tried: &Tried,
    ) -> Result<()> {
        let attempt = RecoveryAttempt {
            attempt_number: number,
            strategy: turn.step.candidate.kind.clone(),
            success: tried.verdict.is_cure(),
            error_before: Some(self.faced.clone()),
            error_after: if tried.verdict.is_cure() {
                None
            } else {
                tried.failure.clone()
            },
            changes_made: tried.changes_made.clone(),
            timestamp: timestamp(self.parts.host.now()),
            duration_seconds: seconds(tried.times.all),
            message: tried.message.clone(),
        };
        let is_rollback = turn.step.candidate.kind == RecoveryStrategyType::Rollback;
        let went_back = tried.verdict.is_cure() && is_rollback;
        let record = AttemptRecord {
            files_modified: tried.files_modified.clone(),
            rollback_performed: tried.aftermath == Aftermath::Undone || went_back,
            next_action: tried.after.next_action().to_owned(),
        };
        let appended = self.log(&attempt, record)?;
        let Some(appended) = appended else {
            self.attempts.push(attempt);
            return Ok(());
        };
        // Another process may have recorded in this session since the attempt began.
        let attempt_number = appended.attempt_number;
        self.parts.numbers.went_to(attempt_number);
        self.attempts.push(RecoveryAttempt {
            attempt_number,
            ..attempt
        });
        let finished = finished(appended, &self.attempt_id, tried);
        self.journal(JournalEvent::AttemptFinished(Box::new(finished)))
    }

    /// Records how the recovery ended, and returns how long it took.
    pub(super) fn record_end(
        &mut self,
        end: RecoveryEnd,
        strategy: &RecoveryStrategyType,
        flaky: bool,
        reason: &str,
    ) -> Result<Duration> {
        let outcome = match end {
            RecoveryEnd::Recovered => SessionOutcome::Recovered,
            RecoveryEnd::Escalated | RecoveryEnd::DeadlinePassed => SessionOutcome::Escalated,
            RecoveryEnd::Interrupted => SessionOutcome::Interrupted,
        };
        let spent = in_ms(self.parts.host.monotonic().saturating_sub(self.started));
        self.journal(JournalEvent::SessionFinished(SessionFinished {
            outcome,
            strategy: (outcome == SessionOutcome::Recovered).then(|| strategy.to_string()),
            attempts: self.attempts.len() as u64,
            exit_code: match end {
                RecoveryEnd::Recovered => self.last_exit.map(|_| 0),
                RecoveryEnd::DeadlinePassed => Some(EXIT_TIMED_OUT),
                RecoveryEnd::Escalated | RecoveryEnd::Interrupted => self.last_exit,
            },
            reason: reason.to_owned(),
            flaky,
            duration_seconds: seconds(spent),
            checkpoint: None,
            put_back: Some(self.put_back),
        }))?;
        if let (Some(logger), Some(session_id)) = (self.parts.audit_logger, &self.session_id) {
            logger.seal_after_recovery(session_id);
        }
        Ok(spent)
    }

    fn journal(&mut self, event: JournalEvent) -> Result<()> {
        let (Some(logger), Some(session_id)) =
            (self.parts.audit_logger, self.session_id.as_deref())
        else {
            return Ok(());
        };
        let written = logger.store().record(Some(session_id), event);
        self.written(written).map(drop)
    }

    fn log(
        &mut self,
        attempt: &RecoveryAttempt,
        record: AttemptRecord,
    ) -> Result<Option<Appended>> {
        let (Some(logger), Some(session_id)) =
            (self.parts.audit_logger, self.session_id.as_deref())
        else {
            return Ok(None);
        };
        let written = logger.log_numbered(attempt, session_id, record);
        self.written(written)
    }

    /// Applies the policy for records that cannot be written.
    fn written<T>(&mut self, written: Result<T>) -> Result<Option<T>> {
        match (written, self.parts.settings.on_audit_failure) {
            (Ok(value), _) => Ok(Some(value)),
            (Err(error), OnAuditFailure::Stop) => Err(error.context(
                "record the recovery; it stops here, because nothing may happen unrecorded",
            )),
            (Err(error), OnAuditFailure::Continue) => {
                self.parts.observe(&Event::NotRecorded { error: &error });
                Ok(None)
            }
        }
    }
}

fn finished(appended: Appended, attempt_id: &str, tried: &Tried) -> AttemptFinished {
    AttemptFinished {
        attempt_number: appended.attempt_number,
        attempt_id: attempt_id.to_owned(),
        entry_id: appended.entry_id,
        success: tried.verdict.is_cure(),
        act_seconds: Some(seconds(tried.times.act)),
        verification_seconds: tried.times.verification.map(seconds),
        strategy_exit_code: tried.strategy_exit_code,
        exit_code: tried.exit_code,
        signal: tried.signal,
        failure: if tried.verdict.is_cure() {
            None
        } else {
            tried.failure.clone()
        },
        checkpoint_acted: tried.acted.checkpoint.clone(),
        checkpoint_verified: tried.verified.checkpoint.clone(),
        undone: tried.aftermath == Aftermath::Undone,
        kept: tried.aftermath == Aftermath::Kept,
        confirmed: match &tried.confirmation {
            Confirmation::Seen => Some(true),
            Confirmation::PassedWithout(Without::Undone(_)) => Some(false),
            Confirmation::PassedWithout(Without::Any(_)) | Confirmation::None => None,
        },
        stood_in: tried.verdict == Verdict::StoodIn,
        flaky: tried.verdict == Verdict::Flaky,
        files_modified: tried.files_modified.clone(),
        verification_modified: tried.verified.files_modified.clone(),
        foreign: tried.before.foreign.clone(),
        left_behind: tried.before.left.clone(),
        kept_foreign: tried.kept_foreign.clone(),
        not_put_back: tried.not_put_back.clone(),
        holding_uncovered: tried.holding.clone(),
        moved_aside: tried.moved_aside.clone(),
        not_covered: tried.not_covered.clone(),
        protected: [&tried.acted.protected[..], &tried.verified.protected].concat(),
        left_running: tried.left_running.clone(),
        output_file: tried.output_file.clone(),
    }
}

/// Seconds with milliseconds, as entries hold them. Rounded up: what was tried took some time.
fn seconds(duration: Duration) -> f64 {
    in_ms(duration).as_millis() as f64 / 1_000.0
}

/// `duration` in whole milliseconds, rounded up: so nothing takes no time at all.
fn in_ms(duration: Duration) -> Duration {
    let milliseconds = duration.as_nanos().div_ceil(1_000_000);
    Duration::from_millis(u64::try_from(milliseconds).unwrap_or(u64::MAX))
}
