//! Finding sessions: one page of those that a request asks for.

use std::time::SystemTime;

use auto_recovery::audit::{
    AuditStore, Damage, JournalSummary, SessionKey, SessionOutcome, SessionQuery, SessionSummary,
};
use auto_recovery::statistics::Tally;
use auto_recovery::{Error, ErrorKind, Result};

use crate::http::{Problem, Query};

/// Sessions on a page.
const LIMIT: u64 = 100;
const LIMIT_MAX: u64 = 1000;

/// Which sessions are asked for.
#[derive(Clone, Debug, Default)]
pub(crate) struct Listing {
    pub(crate) query: SessionQuery,
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
    let outcome = query.take("outcome").map(|name| {
        let mut all = SessionOutcome::ALL.into_iter();
        let found = all.find(|outcome| outcome.as_str() == name);
        found.ok_or_else(|| {
            let all = SessionOutcome::ALL.map(SessionOutcome::as_str).join(", ");
            Problem::invalid(format!("there is no outcome {name:?}: {all}"))
        })
    });
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
            outcome: outcome.transpose()?,
        },
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
    let after = listing.after.as_ref();
    let page = store.read_session_page(&listing.query, after, listing.limit)?;
    Ok(Listed {
        sessions: page.sessions,
        next: page.next.as_ref().map(ToString::to_string),
        damage: page.damage,
    })
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
