//! How a session ended, on screens.

use auto_recovery::audit::SessionOutcome;

/// The word for `outcome`.
pub(crate) fn outcome_name(outcome: SessionOutcome) -> &'static str {
    match outcome {
        SessionOutcome::Recovered => "recovered",
        SessionOutcome::Escalated => "escalated",
        SessionOutcome::Interrupted => "interrupted",
        SessionOutcome::Running => "running",
        SessionOutcome::Unknown => "unknown",
    }
}
