//! The texts of entries and journal records that may hold what a program wrote, and masking them.
//!
//! Ids, times, numbers and words of ours stay, and so does what a session is found by: host, user,
//! project, workspace, directory, the files of ours that are named. Every other text is given to
//! the redactor. The fields are listed in full, so that a new one does not compile before somebody
//! said what it is.

use serde_json::Value;

use crate::audit::journal::{
    AttemptFinished, AttemptStarted, ChainStarted, FailureDetected, JournalEvent, LeftBehind,
    Restored, SealNotPublished, SessionCleared, SessionFinished, SessionHeld, SessionPruned,
    SessionReleased, SessionStarted,
};
use crate::entry::RecoveryAuditEntry;
use crate::failure::Failure;
use crate::redaction::Redactor;

/// Masks the secrets in `entry`.
pub(super) fn redact_entry(entry: &mut RecoveryAuditEntry, redactor: &Redactor) {
    redact(&mut Texts::of_entry(entry), redactor);
}

/// Masks the secrets in `event`.
pub(super) fn redact_event(event: &mut JournalEvent, redactor: &Redactor) {
    if let JournalEvent::SessionStarted(started) = event
        && let Some(command) = &mut started.command
    {
        *command = redactor.redact_words(command);
    }
    redact(&mut Texts::of_event(event), redactor);
}

/// Masks the secrets in `failure`.
pub(crate) fn redact_failure(failure: &mut Failure, redactor: &Redactor) {
    let mut texts = Texts::default();
    texts.failure(failure);
    redact(&mut texts, redactor);
}

/// Masks the secrets in `texts`: looked through at once, and one by one only if there are any.
fn redact(texts: &mut Texts<'_>, redactor: &Redactor) {
    let size = texts.0.iter().map(|text| text.len() + 1).sum();
    let mut all = Vec::with_capacity(size);
    for text in &texts.0 {
        all.extend_from_slice(text.as_bytes());
        all.push(b'\n');
    }
    let is_clean = redactor.find(&all).is_empty() && !texts.0.iter().any(|text| may_be_cut(text));
    if is_clean {
        return;
    }
    for text in &mut texts.0 {
        if let std::borrow::Cow::Owned(masked) = redactor.redact_text(text) {
            **text = masked;
        }
    }
}

/// Whether a piece of a secret may stand where `text` was cut.
fn may_be_cut(text: &str) -> bool {
    text.len() >= 1024 || text.contains('…')
}

/// The texts of one record.
#[derive(Default)]
struct Texts<'a>(Vec<&'a mut String>);

impl<'a> Texts<'a> {
    fn of_entry(entry: &'a mut RecoveryAuditEntry) -> Self {
        let RecoveryAuditEntry {
            entry_id: _,
            timestamp: _,
            session_id: _,
            error_type,
            strategy,
            attempt_number: _,
            success: _,
            changes_made,
            files_modified,
            rollback_performed: _,
            next_action,
            duration_seconds: _,
            error_message,
            recovery_message,
        } = entry;
        let mut texts = Self(vec![
            error_type,
            strategy,
            next_action,
            error_message,
            recovery_message,
        ]);
        texts.0.extend(changes_made);
        texts.0.extend(files_modified);
        texts
    }

    fn of_event(event: &'a mut JournalEvent) -> Self {
        let mut texts = Self::default();
        match event {
            JournalEvent::SessionStarted(started) => texts.started(started),
            JournalEvent::FailureDetected(detected) | JournalEvent::FailureChanged(detected) => {
                texts.detected(detected);
            }
            JournalEvent::AttemptStarted(started) => texts.attempt_started(started),
            JournalEvent::AttemptFinished(finished) => texts.attempt_finished(finished),
            JournalEvent::SessionFinished(finished) => texts.finished(finished),
            JournalEvent::SessionPruned(pruned) => texts.pruned(pruned),
            JournalEvent::SessionHeld(held) => texts.held(held),
            JournalEvent::AlertSaid(said) => {
                texts.0.push(&mut said.about);
                texts.0.extend(&mut said.reason);
            }
            JournalEvent::ChainStarted(ChainStarted { reason, .. })
            | JournalEvent::SealNotPublished(SealNotPublished { reason, .. }) => {
                texts.0.push(reason);
            }
            // Numbers, ids and names of files of ours.
            JournalEvent::SessionCleared(SessionCleared { .. })
            | JournalEvent::SessionReleased(SessionReleased { .. })
            | JournalEvent::Restored(Restored { .. })
            | JournalEvent::KeysDestroyed(_)
            | JournalEvent::TrailRemoved(_)
            | JournalEvent::TrailSealed(_)
            | JournalEvent::TrailImported(_)
            | JournalEvent::TailQuarantined(_)
            | JournalEvent::SealSigned(_)
            | JournalEvent::SealWitnessed(_)
            | JournalEvent::Other => {}
        }
        texts
    }

    fn started(&mut self, started: &'a mut SessionStarted) {
        let SessionStarted {
            command: _,
            cwd: _,
            workspace: _,
            project: _,
            host: _,
            user: _,
            pid: _,
            version: _,
        } = started;
    }

    fn detected(&mut self, detected: &'a mut FailureDetected) {
        let FailureDetected {
            failure,
            category: _,
            rule: _,
            exit_code: _,
            signal: _,
            timed_out: _,
            output_file: _,
            checkpoint: _,
            plan,
            skipped,
            // Names of steps are hashes, and those of recipes.
            advice: _,
        } = detected;
        self.failure(failure);
        self.0.extend(plan);
        self.0.extend(skipped);
    }

    fn attempt_started(&mut self, started: &'a mut AttemptStarted) {
        let AttemptStarted {
            attempt_number: _,
            attempt_id: _,
            strategy: _,
            strategy_attempt: _,
            category: _,
            action,
            recipe: _,
            tier: _,
            checkpoint: _,
            propensity: _,
        } = started;
        self.0.push(action);
    }

    fn attempt_finished(&mut self, finished: &'a mut AttemptFinished) {
        let AttemptFinished {
            attempt_number: _,
            attempt_id: _,
            entry_id: _,
            success: _,
            act_seconds: _,
            verification_seconds: _,
            strategy_exit_code: _,
            exit_code: _,
            signal: _,
            failure,
            checkpoint_acted: _,
            checkpoint_verified: _,
            undone: _,
            kept: _,
            confirmed: _,
            stood_in: _,
            flaky: _,
            files_modified,
            verification_modified,
            foreign,
            left_behind,
            kept_foreign,
            not_put_back,
            holding_uncovered,
            moved_aside,
            not_covered,
            protected,
            left_running,
            output_file: _,
        } = finished;
        if let Some(failure) = failure {
            self.failure(failure);
        }
        for LeftBehind {
            path,
            attempt_number: _,
            reason,
        } in left_behind
        {
            self.0.extend([path, reason]);
        }
        for list in [
            files_modified,
            verification_modified,
            foreign,
            kept_foreign,
            not_put_back,
            holding_uncovered,
            moved_aside,
            not_covered,
            protected,
            left_running,
        ] {
            self.0.extend(list);
        }
    }

    fn finished(&mut self, finished: &'a mut SessionFinished) {
        let SessionFinished {
            outcome: _,
            strategy: _,
            attempts: _,
            exit_code: _,
            reason,
            flaky: _,
            duration_seconds: _,
            checkpoint: _,
            put_back: _,
        } = finished;
        self.0.push(reason);
    }

    fn pruned(&mut self, pruned: &'a mut SessionPruned) {
        let SessionPruned {
            trail: _,
            sha256: _,
            reason,
            user: _,
            host: _,
            archive: _,
        } = pruned;
        self.0.push(reason);
    }

    fn held(&mut self, held: &'a mut SessionHeld) {
        let SessionHeld {
            reason,
            user: _,
            host: _,
        } = held;
        self.0.extend(reason);
    }

    fn failure(&mut self, failure: &'a mut Failure) {
        let Failure {
            error_type,
            message,
            source,
            context,
            stack_trace,
            file_path,
            line_number: _,
        } = failure;
        self.0.extend([error_type, message, source]);
        self.0.extend(stack_trace);
        self.0.extend(file_path);
        context.values_mut().for_each(|value| self.value(value));
    }

    /// The texts in `value`. Names of its fields stay.
    fn value(&mut self, value: &'a mut Value) {
        match value {
            Value::String(text) => self.0.push(text),
            Value::Array(values) => values.iter_mut().for_each(|value| self.value(value)),
            Value::Object(fields) => fields.values_mut().for_each(|value| self.value(value)),
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }
}
