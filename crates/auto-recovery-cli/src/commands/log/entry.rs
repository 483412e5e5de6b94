//! A line of `recover log`: its keys, and the entry that it becomes.

use auto_recovery::RecoveryAuditEntry;
use auto_recovery::audit::{NewEntry, session_id};
use serde::Deserialize;

use crate::commands::not_json::in_words;

/// What a line may say.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LogLine {
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

/// The entry that `line` says. A line without a session belongs to `default_session`.
///
/// # Errors
/// What is wrong with the line and what would be right, in one line.
pub(crate) fn parse(line: &[u8], default_session: &str) -> Result<NewEntry, String> {
    let LogLine {
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
    } = serde_json::from_slice(line).map_err(|error| in_words(&error))?;
    let session_id = session_id.unwrap_or_else(|| default_session.to_owned());
    session_id::encode(&session_id).map_err(|error| error.chain())?;
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
    Ok(NewEntry {
        number_by_store: attempt_number.is_none(),
        entry: RecoveryAuditEntry {
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
        },
    })
}
