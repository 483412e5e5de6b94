//! An attempt as another program tells it, one JSON object a line: its keys, and the entry that it
//! becomes.

use serde::Deserialize;

use super::RecoveryAuditEntry;

/// An attempt that another program made. A key that is not listed is an error.
#[derive(Clone, Debug, Deserialize)]
#[serde(
    deny_unknown_fields,
    expecting = "an object with the keys of an attempt"
)]
pub struct LogLine {
    session_id: Option<String>,
    strategy: String,
    success: bool,
    error_type: String,
    #[serde(default)]
    error_message: String,
    attempt_number: Option<u64>,
    #[serde(default)]
    changes_made: Vec<String>,
    #[serde(default)]
    files_modified: Vec<String>,
    #[serde(default)]
    rollback_performed: bool,
    next_action: Option<String>,
    #[serde(default)]
    duration_seconds: f64,
    #[serde(default)]
    timestamp: String,
    #[serde(default)]
    recovery_message: String,
}

impl LogLine {
    /// The entry that it says, of `default_session` if it names none, and whether the store gives
    /// its attempt the next number.
    ///
    /// # Errors
    /// The mistake and the right way, in one line.
    pub fn into_entry(self, default_session: &str) -> Result<(RecoveryAuditEntry, bool), String> {
        let Self {
            session_id,
            strategy,
            success,
            error_type,
            error_message,
            attempt_number,
            changes_made,
            files_modified,
            rollback_performed,
            next_action,
            duration_seconds,
            timestamp,
            recovery_message,
        } = self;
        let session_id = session_id.unwrap_or_else(|| default_session.to_owned());
        if strategy.is_empty() {
            return Err("`strategy` is empty: name what was tried, like fix or retry".to_owned());
        }
        if attempt_number == Some(0) {
            return Err("`attempt_number` is 0: attempts are counted from 1".to_owned());
        }
        // Beyond, there would soon be no next one.
        if attempt_number.is_some_and(|number| i64::try_from(number).is_err()) {
            return Err(format!("`attempt_number` is greater than {}", i64::MAX));
        }
        if duration_seconds < 0.0 {
            return Err(format!(
                "`duration_seconds` is {duration_seconds}: it cannot be negative"
            ));
        }
        let next_action = next_action.unwrap_or_else(|| {
            let action = if success { "complete" } else { "continue" };
            action.to_owned()
        });
        let entry = RecoveryAuditEntry {
            entry_id: String::new(),
            timestamp,
            session_id,
            error_type,
            strategy,
            attempt_number: attempt_number.unwrap_or_default(),
            success,
            changes_made,
            files_modified,
            rollback_performed,
            next_action,
            duration_seconds,
            error_message,
            recovery_message,
        };
        Ok((entry, attempt_number.is_none()))
    }
}
