//! The sessions of a store that rules may still look at.

use auto_recovery::Result;
use auto_recovery::audit::{AuditStore, SessionSummary};

/// The sessions of `store` in which something happened since `since`, RFC 3339, and those that say
/// no time.
///
/// # Errors
/// If the store cannot be read.
pub(super) fn sessions_since(store: &dyn AuditStore, since: &str) -> Result<Vec<SessionSummary>> {
    let (mut sessions, _) = store.read_sessions()?;
    sessions.retain(|session| {
        let times = [&session.last_attempt_timestamp, &session.session_start];
        let last = times.into_iter().flatten().max();
        last.is_none_or(|last| last.as_str() >= since)
    });
    Ok(sessions)
}
