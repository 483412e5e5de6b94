//! Lists of sessions: what is told of each, in which order, and one page of them at a time.

use std::cmp::Reverse;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::audit::{Damage, SessionHeld, SessionOutcome};
use crate::error::Result;
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

/// The place of a session in a list. Of two, the newer session has the greater key; one that has no
/// time is older than all that have.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct SessionKey {
    /// When it began, in microseconds since the epoch; `None` if nobody knows.
    pub start_us: Option<i64>,
    /// The session.
    pub session_id: String,
}

impl SessionKey {
    /// The place of `session`.
    pub fn of(session: &SessionSummary) -> Self {
        Self {
            start_us: session.session_start.as_deref().and_then(instant),
            session_id: session.session_id.clone(),
        }
    }
}

/// The beginning of the text of a place in this order of sessions.
const PLACE: &str = "s1-";

/// A place as addresses have it: letters, digits and a hyphen.
impl fmt::Display for SessionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = serde_json::to_string(self).map_err(|_| fmt::Error)?;
        f.write_str(PLACE)?;
        text.bytes().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// A text that names no place in this order is none.
impl FromStr for SessionKey {
    type Err = ();

    fn from_str(text: &str) -> std::result::Result<Self, ()> {
        let digits = text.strip_prefix(PLACE).ok_or(())?;
        let (pairs, []) = digits.as_bytes().as_chunks::<2>() else {
            return Err(());
        };
        let bytes = pairs.iter().map(|pair| {
            let pair = std::str::from_utf8(pair).map_err(drop)?;
            u8::from_str_radix(pair, 16).map_err(drop)
        });
        let bytes = bytes.collect::<std::result::Result<Vec<u8>, ()>>()?;
        serde_json::from_slice(&bytes).map_err(drop)
    }
}

/// Puts sessions in the order in which they are listed: newest first.
pub fn sort_newest_first(sessions: &mut [SessionSummary]) {
    sessions.sort_by_cached_key(|session| Reverse(SessionKey::of(session)));
}

/// Which sessions a list has. The default is all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SessionQuery {
    /// Only those that began at this time or later, in microseconds since the epoch.
    pub since_us: Option<i64>,
    /// Only those that began before this time.
    pub until_us: Option<i64>,
    /// Only those of this project.
    pub project: Option<String>,
    /// Only those of this machine.
    pub host: Option<String>,
    /// Only those whose ids have this in them.
    pub id_piece: Option<String>,
    /// Only those that ended so.
    pub outcome: Option<SessionOutcome>,
}

impl SessionQuery {
    /// Whether a session is asked for that began at this time. One without a time is only asked for
    /// by those who ask for all times.
    pub fn includes_start(&self, start_us: Option<i64>) -> bool {
        match start_us {
            Some(start) => {
                self.since_us.is_none_or(|since| since <= start)
                    && self.until_us.is_none_or(|until| start < until)
            }
            None => self.since_us.is_none() && self.until_us.is_none(),
        }
    }

    /// Whether sessions of `project` and `host` are asked for.
    pub fn includes_traits(&self, project: Option<&str>, host: Option<&str>) -> bool {
        let is = |wanted: &Option<String>, value: Option<&str>| {
            wanted.is_none() || wanted.as_deref() == value
        };
        is(&self.project, project) && is(&self.host, host)
    }

    /// Whether the session `id` is asked for, as far as its id tells.
    pub fn includes_id(&self, id: &str) -> bool {
        let piece = self.id_piece.as_deref();
        piece.is_none_or(|piece| id.contains(piece))
    }

    /// Whether sessions that ended so are asked for.
    pub fn includes_outcome(&self, outcome: SessionOutcome) -> bool {
        self.outcome.is_none_or(|wanted| wanted == outcome)
    }

    /// Whether a session may be asked for whose journal has `recorded` as its outcome. If that is
    /// nothing, it never ended with a person being asked; which of the others it is, its last entry
    /// says and whether its process lives.
    pub fn may_include_recorded(&self, recorded: Option<SessionOutcome>) -> bool {
        match recorded {
            None | Some(SessionOutcome::Unknown) => self.outcome != Some(SessionOutcome::Escalated),
            Some(recorded) => self.includes_outcome(recorded),
        }
    }
}

/// Some sessions of a list, one after the other.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SessionPage {
    /// The sessions, newest first.
    pub sessions: Vec<SessionSummary>,
    /// After which key the next page begins; `None` if this is the last.
    pub next: Option<SessionKey>,
    /// The damage met on the way, which may be of sessions that are on other pages.
    pub damage: Vec<Damage>,
}

impl SessionPage {
    /// The page of `all`, which are in order, that begins behind the key `after`.
    pub(super) fn of_all(
        all: (Vec<SessionSummary>, Vec<Damage>),
        query: &SessionQuery,
        after: Option<&SessionKey>,
        limit: usize,
    ) -> Self {
        let (sessions, damage) = all;
        let keyed = sessions.into_iter().map(|one| (SessionKey::of(&one), one));
        let mut wanted = keyed.filter(|(key, one)| {
            after.is_none_or(|after| key < after)
                && query.includes_id(&key.session_id)
                && query.includes_start(key.start_us)
                && query.includes_traits(one.project.as_deref(), one.host.as_deref())
                && query.includes_outcome(one.outcome)
        });
        let page: Vec<_> = wanted.by_ref().take(limit.max(1)).collect();
        let next = wanted.next().and(page.last()).map(|(key, _)| key.clone());
        Self {
            sessions: page.into_iter().map(|(_, session)| session).collect(),
            next,
            damage,
        }
    }

    /// The page of `limit` sessions that ended as `query` says and follow the key `after`, out of
    /// pages of those that may have: `read` gives the one of this many behind a key.
    ///
    /// # Errors
    /// As `read`.
    pub fn narrowed(
        query: &SessionQuery,
        after: Option<&SessionKey>,
        limit: usize,
        read: &mut dyn FnMut(Option<&SessionKey>, usize) -> Result<Self>,
    ) -> Result<Self> {
        /// Sessions that are read together at least.
        const TOGETHER_MIN: usize = 100;
        let limit = limit.max(1);
        if query.outcome.is_none() {
            return read(after, limit);
        }
        let mut page = Self::default();
        let mut place = after.cloned();
        loop {
            // One more tells whether there is a next page.
            let together = limit.saturating_add(1).max(TOGETHER_MIN);
            let some = read(place.as_ref(), together)?;
            Damage::join(&mut page.damage, some.damage);
            let some_ended = some.sessions.into_iter();
            let mut ended = some_ended.filter(|one| query.includes_outcome(one.outcome));
            let room = limit - page.sessions.len();
            page.sessions.extend(ended.by_ref().take(room));
            if ended.next().is_some() {
                page.next = page.sessions.last().map(SessionKey::of);
                return Ok(page);
            }
            match some.next {
                Some(next) => place = Some(next),
                None => return Ok(page),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_read_as_it_was_written_and_nothing_else_is() {
        for (start_us, id) in [(Some(-1), "a b"), (None, "ä\"{}"), (Some(i64::MAX), "s")] {
            let key = SessionKey {
                start_us,
                session_id: id.to_owned(),
            };
            assert_eq!(key.to_string().parse(), Ok(key));
        }
        for text in ["", "s1-", "s2-00", "s1-zz", "s1-7", "s1-7b7d", "s1-ä0"] {
            assert_eq!(text.parse::<SessionKey>(), Err(()), "{text}");
        }
    }
}
