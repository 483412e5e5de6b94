//! Which sessions go. Pure.

use std::fmt;
use std::time::{Duration, SystemTime};

use crate::audit::{SessionOutcome, SessionSummary};
use crate::statistics::instant;

/// Limits on the sessions kept. A rule that is not given removes nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RetentionRules {
    /// Removes sessions whose newest entry is older.
    pub older_than: Option<Duration>,
    /// Keeps this many of the newest sessions whatever the other rules say. On its own it removes
    /// all others.
    pub keep_last: Option<u64>,
    /// While the entries of all have more bytes than this, the oldest session is removed.
    pub max_bytes: Option<u64>,
    /// Only sessions of this project, as if there were no others.
    pub project: Option<String>,
}

/// A session that is to go.
#[derive(Clone, Debug, PartialEq)]
pub struct Selected {
    /// The session.
    pub session: SessionSummary,
    /// The rule that says so.
    pub reason: PruneReason,
}

/// The rule that removes a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PruneReason {
    /// Its newest entry is older than this.
    OlderThan(Duration),
    /// It is not among this many newest sessions.
    NotAmongLast(u64),
    /// All together have more bytes than this.
    MoreBytesThan(u64),
}

impl fmt::Display for PruneReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OlderThan(age) => write!(f, "older than {}", Age(*age)),
            Self::NotAmongLast(count) => write!(f, "not among the last {count}"),
            Self::MoreBytesThan(bytes) => write!(f, "more than {bytes} bytes in all"),
        }
    }
}

/// A duration in the largest unit that it is a whole number of.
struct Age(Duration);

impl fmt::Display for Age {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const UNITS: [(&str, u64); 3] = [("d", 86_400), ("h", 3600), ("m", 60)];
        let seconds = self.0.as_secs();
        let fitting = UNITS
            .iter()
            .find(|(_, unit)| seconds > 0 && seconds.is_multiple_of(*unit));
        match fitting {
            Some((name, unit)) => write!(f, "{}{name}", seconds / unit),
            None => write!(f, "{}s", self.0.as_secs_f64()),
        }
    }
}

impl RetentionRules {
    /// Whether they remove nothing.
    pub fn are_empty(&self) -> bool {
        self.older_than.is_none() && self.keep_last.is_none() && self.max_bytes.is_none()
    }

    /// Selects those of `sessions` to remove at `now`, oldest first.
    pub fn select(&self, sessions: Vec<SessionSummary>, now: SystemTime) -> Vec<Selected> {
        let mut sessions = sessions;
        sessions.retain(|session| self.project.is_none() || session.project == self.project);
        let mut total: u64 = sessions.iter().map(|session| session.bytes).sum();
        sessions.sort_by_cached_key(|session| (age_key(session), session.session_id.clone()));
        let keep_last = usize::try_from(self.keep_last.unwrap_or(0)).unwrap_or(usize::MAX);
        sessions.truncate(sessions.len().saturating_sub(keep_last));
        sessions.retain(may_go);
        let by_age = |session: &SessionSummary| self.by_age(session, now);
        let (mut doomed, left): (Vec<_>, Vec<_>) = sessions
            .into_iter()
            .map(|session| (by_age(&session), session))
            .partition(|(reason, _)| reason.is_some());
        for (_, session) in &doomed {
            total -= session.bytes;
        }
        for (_, session) in left {
            if let Some(max) = self.max_bytes
                && total > max
            {
                total -= session.bytes;
                doomed.push((Some(PruneReason::MoreBytesThan(max)), session));
            }
        }
        let doomed = doomed.into_iter();
        doomed
            .filter_map(|(reason, session)| {
                Some(Selected {
                    reason: reason?,
                    session,
                })
            })
            .collect()
    }

    fn by_age(&self, session: &SessionSummary, now: SystemTime) -> Option<PruneReason> {
        if let Some(age) = self.older_than {
            let limit = now.checked_sub(age)?;
            let limit = limit.duration_since(SystemTime::UNIX_EPOCH).ok()?;
            let limit = i64::try_from(limit.as_micros()).ok()?;
            return (age_key(session) < limit).then_some(PruneReason::OlderThan(age));
        }
        match (self.keep_last, self.max_bytes) {
            // It is not among them, or it would not have come here.
            (Some(count), None) => Some(PruneReason::NotAmongLast(count)),
            _ => None,
        }
    }
}

/// The time of a session's last sign of life, in microseconds since the epoch. One without a time
/// counts as the newest: it cannot be shown to be old.
fn age_key(session: &SessionSummary) -> i64 {
    let last = session.last_attempt_timestamp.as_deref();
    let time = last.or(session.session_start.as_deref());
    time.and_then(instant).unwrap_or(i64::MAX)
}

fn may_go(session: &SessionSummary) -> bool {
    session.held.is_none() && session.outcome != SessionOutcome::Running
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::SessionHeld;

    const DAY: Duration = Duration::from_secs(86_400);

    /// Ten sessions of 100 bytes, `s0` of today, `s9` nine days old.
    fn sessions() -> Vec<SessionSummary> {
        let session = |age: u64| SessionSummary {
            session_id: format!("s{age}"),
            last_attempt_timestamp: Some(format!("2026-01-{:02}T00:00:00Z", 20 - age)),
            total_attempts: 1,
            bytes: 100,
            project: Some(["red", "blue"][age as usize % 2].to_owned()),
            ..SessionSummary::default()
        };
        (0..10).map(session).collect()
    }

    fn check(rules: RetentionRules, expected: &str) {
        let now = SystemTime::UNIX_EPOCH + Duration::from_micros(NOW_US);
        let doomed = rules.select(sessions(), now);
        let ids: Vec<_> = doomed
            .iter()
            .map(|doomed| format!("{} {}", doomed.session.session_id, doomed.reason))
            .collect();
        assert_eq!(ids.join("\n"), expected);
    }

    /// Noon of 2026-01-20.
    const NOW_US: u64 = 1_768_910_400_000_000;

    #[test]
    fn no_rule_removes_nothing() {
        let rules = RetentionRules::default();
        assert!(rules.are_empty());
        check(rules, "");
    }

    #[test]
    fn the_old_go_oldest_first_but_never_the_last() {
        let older_than = Some(8 * DAY);
        let rules = RetentionRules {
            older_than,
            ..RetentionRules::default()
        };
        check(rules.clone(), "s9 older than 8d\ns8 older than 8d");
        let keep_last = Some(9);
        let rules = RetentionRules { keep_last, ..rules };
        check(rules, "s9 older than 8d");
    }

    #[test]
    fn the_last_alone_stay() {
        let rules = RetentionRules {
            keep_last: Some(8),
            ..RetentionRules::default()
        };
        check(rules, "s9 not among the last 8\ns8 not among the last 8");
    }

    #[test]
    fn the_oldest_go_until_the_rest_fits() {
        let rules = RetentionRules {
            max_bytes: Some(850),
            ..RetentionRules::default()
        };
        let expected = "s9 more than 850 bytes in all\ns8 more than 850 bytes in all";
        check(rules.clone(), expected);
        let rules = RetentionRules {
            older_than: Some(9 * DAY),
            ..rules
        };
        check(rules, "s9 older than 9d\ns8 more than 850 bytes in all");
    }

    #[test]
    fn a_project_is_looked_at_as_if_it_were_alone() {
        let rules = RetentionRules {
            keep_last: Some(4),
            project: Some("blue".to_owned()),
            ..RetentionRules::default()
        };
        check(rules, "s9 not among the last 4");
    }

    #[test]
    fn what_is_held_runs_or_has_no_time_stays() {
        let mut sessions = sessions();
        sessions[9].held = Some(SessionHeld::default());
        sessions[8].outcome = SessionOutcome::Running;
        sessions[7].last_attempt_timestamp = Some("no time".to_owned());
        let rules = RetentionRules {
            older_than: Some(6 * DAY),
            max_bytes: Some(0),
            keep_last: Some(6),
            ..RetentionRules::default()
        };
        let now = SystemTime::UNIX_EPOCH + Duration::from_micros(NOW_US);
        let doomed = rules.select(sessions, now);
        let ids: Vec<_> = doomed.iter().map(|one| &*one.session.session_id).collect();
        assert_eq!(
            ids,
            ["s6", "s5"],
            "the one without time is among the last 6"
        );
    }

    #[test]
    fn an_age_is_written_as_people_do() {
        for (seconds, expected) in [
            (7 * 86_400, "7d"),
            (36 * 3600, "36h"),
            (90, "90s"),
            (0, "0s"),
        ] {
            assert_eq!(Age(Duration::from_secs(seconds)).to_string(), expected);
        }
    }
}
