//! Finding sessions: one page of those that a request asks for.

use std::time::SystemTime;

use auto_recovery::audit::{
    AuditStore, Damage, JournalSummary, SessionKey, SessionOutcome, SessionQuery, SessionSummary,
};
use auto_recovery::statistics::Tally;
use auto_recovery::{Error, ErrorKind, Result};
use serde_json::Value;

use crate::http::{Problem, Query};

/// Sessions on a page.
const LIMIT: u64 = 100;
const LIMIT_MAX: u64 = 1000;

/// Pages of the store that are looked through for one of ours: a filter that few pass ends there,
/// and the client asks on.
const PAGES_MAX: usize = 100;

/// Which sessions are asked for.
#[derive(Clone, Debug, Default)]
pub(crate) struct Listing {
    pub(crate) query: SessionQuery,
    pub(crate) outcome: Option<String>,
    pub(crate) after: Option<SessionKey>,
    pub(crate) limit: usize,
    /// Whether all is told of each that a store knows, not only what the command prints.
    pub(crate) is_whole: bool,
}

/// What was found.
#[derive(Debug, Default)]
pub(crate) struct Listed {
    pub(crate) sessions: Vec<SessionSummary>,
    /// The name of the place behind which the next page begins.
    pub(crate) next: Option<String>,
    pub(crate) damage: Vec<Damage>,
}

/// The sessions that `query` asks for.
///
/// # Errors
/// If a parameter is not as it is to be.
pub(crate) fn read_listing(query: &mut Query, now: SystemTime) -> Result<Listing, Problem> {
    let limit = query.number("limit", LIMIT, LIMIT_MAX)?;
    let outcome = query.take("outcome");
    if let Some(outcome) = &outcome
        && serde_json::from_value::<SessionOutcome>(Value::from(outcome.as_str())).is_err()
    {
        return Err(Problem::invalid(format!(
            "there is no outcome {outcome:?}: recovered, escalated, interrupted, running, unknown"
        )));
    }
    let after = query.take("after").map(|text| {
        let wrong = |()| Problem::invalid("parameter `after` is no place in this list");
        text.parse().map_err(wrong)
    });
    let is_whole = query.whole()?;
    Ok(Listing {
        query: SessionQuery {
            since_us: query.moment("since", now)?,
            until_us: query.moment("until", now)?,
            project: query.take("project"),
            host: query.take("host"),
            id_piece: query.take("id"),
        },
        outcome,
        after: after.transpose()?,
        limit: usize::try_from(limit).unwrap_or(usize::MAX),
        is_whole,
    })
}

/// The page of `store` that `listing` asks for.
///
/// # Errors
/// If the store cannot be read.
pub(crate) fn find(store: &dyn AuditStore, listing: &Listing) -> Result<Listed> {
    let mut listed = Listed::default();
    let mut after = listing.after.clone();
    for _ in 0..PAGES_MAX {
        let page = store.read_session_page(&listing.query, after.as_ref(), listing.limit)?;
        Damage::join(&mut listed.damage, page.damage);
        let mut sessions = page.sessions.into_iter();
        for session in sessions.by_ref() {
            if has_outcome(&session, listing.outcome.as_deref()) {
                listed.sessions.push(session);
            }
            if listed.sessions.len() == listing.limit {
                break;
            }
        }
        if let Some(last) = listed.sessions.last()
            && listed.sessions.len() == listing.limit
        {
            let has_more = !sessions.as_slice().is_empty() || page.next.is_some();
            listed.next = has_more.then(|| SessionKey::of(last).to_string());
            return Ok(listed);
        }
        match page.next {
            Some(next) => after = Some(next),
            None => return Ok(listed),
        }
    }
    listed.next = after.as_ref().map(ToString::to_string);
    Ok(listed)
}

/// The line of the session `id` in a list, from its own journal and entries.
///
/// # Errors
/// If the store cannot be read.
pub(crate) fn summary(store: &dyn AuditStore, id: &str) -> Result<SessionSummary> {
    let (mut facts, mut tally) = (JournalSummary::default(), Tally::default());
    store.read_journal(Some(id), &mut |record| {
        facts.apply(&record.at, &record.event);
        Ok(())
    })?;
    let mut bytes = 0;
    store.read_trail(id, &mut |entry| {
        bytes += entry.raw().len() as u64 + 1;
        entry.tally(&mut tally);
        Ok(())
    })?;
    Ok(facts.summary(id.to_owned(), tally, bytes))
}

/// The session `id`.
///
/// # Errors
/// [`ErrorKind::NotFound`] if there is none; otherwise if the store cannot be read.
pub(crate) fn find_session(store: &dyn AuditStore, id: &str) -> Result<SessionSummary> {
    let query = SessionQuery {
        id_piece: Some(id.to_owned()),
        ..SessionQuery::default()
    };
    let mut after = None;
    loop {
        let page = store.read_session_page(&query, after.as_ref(), 100)?;
        if let Some(found) = page.sessions.into_iter().find(|one| one.session_id == id) {
            return Ok(found);
        }
        match page.next {
            Some(next) => after = Some(next),
            None => {
                let text = format!("there is no session {id:?}");
                return Err(Error::new(ErrorKind::NotFound, text));
            }
        }
    }
}

fn has_outcome(session: &SessionSummary, outcome: Option<&str>) -> bool {
    let is = |name: &str| serde_json::to_value(session.outcome).is_ok_and(|value| value == name);
    outcome.is_none_or(is)
}
