//! How a session ended, on screens: nobody is called where a record says `escalated`, so people
//! read that it was not recovered.

use auto_recovery::audit::SessionOutcome;

use crate::output::Tone;

/// The word for `outcome`.
pub(crate) fn outcome_name(outcome: SessionOutcome) -> &'static str {
    match outcome {
        SessionOutcome::Recovered => "recovered",
        SessionOutcome::Escalated => "not recovered",
        SessionOutcome::Interrupted => "interrupted",
        SessionOutcome::Running => "running",
        SessionOutcome::Unknown => "unknown",
    }
}

/// How `outcome` looks.
pub(crate) fn outcome_tone(outcome: SessionOutcome) -> Tone {
    match outcome {
        SessionOutcome::Recovered => Tone::Good,
        SessionOutcome::Escalated => Tone::Bad,
        SessionOutcome::Interrupted => Tone::Doubtful,
        SessionOutcome::Running | SessionOutcome::Unknown => Tone::Plain,
    }
}
