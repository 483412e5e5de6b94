//! Lists of sessions: what is told of each, and in which order.

use std::cmp::Reverse;

use serde::Serialize;

use crate::audit::{SessionHeld, SessionOutcome};
use crate::statistics::instant;

/// What is known of one session without reading all of its entries.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct SessionSummary {
    /// The session.
    pub session_id: String,
    /// When it began: the earlier of the journal's time and the first entry's.
    pub session_start: Option<String>,
    /// Time of its newest entry.
    pub last_attempt_timestamp: Option<String>,
    /// How many entries it has.
    pub total_attempts: u64,
    /// How many of them succeeded.
    pub successful_attempts: u64,
    /// How it ended.
    pub outcome: SessionOutcome,
    /// The command that was run, as argv.
    pub command: Option<Vec<String>>,
    /// Where it ran.
    pub cwd: Option<String>,
    /// The workspace it belongs to, by the name of its directory.
    pub project: Option<String>,
    /// The machine it ran on.
    pub host: Option<String>,
    /// The user it ran as.
    pub user: Option<String>,
    /// The root of the workspace it belongs to, as its recorder named it.
    #[serde(skip)]
    pub workspace: Option<String>,
    /// How many bytes its entries have, each with a line's end.
    #[serde(skip)]
    pub bytes: u64,
    /// Who wants it kept, and why.
    #[serde(skip)]
    pub held: Option<SessionHeld>,
}

/// Puts sessions in the order in which they are listed: newest first.
pub fn sort_newest_first(sessions: &mut [SessionSummary]) {
    sessions.sort_by_cached_key(|session| {
        let start = session.session_start.as_deref().and_then(instant);
        Reverse((start, session.session_id.clone()))
    });
}
