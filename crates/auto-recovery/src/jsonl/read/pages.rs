//! The list of sessions by the page, which reads whole only the trails of its sessions.
//!
//! A session begins with its first journal record or its first entry, whichever is earlier. So the
//! journal says how new a session may be at most; of those that may be on the page the first entry
//! is read, and of no others.

use std::cmp::Reverse;
use std::collections::HashSet;
use std::sync::Arc;

use super::journal_index::EventsBySession;
use super::records::{Verdict, walk_to_end};
use super::session_events::SessionEvents;
use super::sessions::{add_damage, in_order, is_journaled, list_one, trail_ids};
use super::trail::{Opened, Trail};
use crate::audit::{SessionKey, SessionPage, SessionQuery, SessionSummary, StoredEntry};
use crate::error::{Error, ErrorKind, Result};
use crate::jsonl::root::Root;
use crate::statistics::{Tally, instant};
use crate::workers::map_all;

/// Least number of sessions looked at together: enough to keep some threads busy.
const TOGETHER_MIN: usize = 256;

/// The time of a session that has none in the journal: unknown before its trail is read.
const ANY_TIME: i64 = i64::MAX;

/// The page of `limit` sessions that `query` asks for behind the key `after`.
pub(in crate::jsonl) fn read(
    root: &Root,
    query: &SessionQuery,
    after: Option<&SessionKey>,
    limit: usize,
) -> Result<SessionPage> {
    SessionPage::narrowed(query, after, limit, &mut |after, limit| {
        possible(root, query, after, limit)
    })
}

/// The same of those that may have ended as `query` says: of some that is known by their trails.
fn possible(
    root: &Root,
    query: &SessionQuery,
    after: Option<&SessionKey>,
    limit: usize,
) -> Result<SessionPage> {
    let told = root.told_of_all()?;
    let events = &told.events;
    let mut keys = newest(root, events, query, after, limit)?;
    let has_more = keys.len() > limit;
    keys.truncate(limit);
    let listed = map_all(&keys, |key| {
        let id = &key.session_id;
        let of_it = events.get(id).cloned().unwrap_or_default();
        let (summary, damage) = list_one(root, id, Arc::clone(&of_it))?;
        Ok((summary.or_else(|| without_trail(id, &of_it)), damage))
    })?;
    let mut page = SessionPage {
        next: keys.pop().filter(|_| has_more),
        ..SessionPage::default()
    };
    for (summary, damage) in listed {
        page.sessions.extend(summary);
        add_damage(&mut page.damage, damage);
    }
    page.damage = in_order(page.damage, told.all_damage());
    Ok(page)
}

fn without_trail(id: &str, events: &SessionEvents) -> Option<SessionSummary> {
    let summary = || events.facts.summary(id.to_owned(), Tally::default(), 0);
    is_journaled(id, events).then(summary)
}

/// The keys of the newest sessions asked for, newest first: more than `limit` if there are.
fn newest(
    root: &Root,
    events: &EventsBySession,
    query: &SessionQuery,
    after: Option<&SessionKey>,
    limit: usize,
) -> Result<Vec<SessionKey>> {
    let may_begin = may_begin(root, events, query)?;
    let mut keys: Vec<SessionKey> = Vec::new();
    for some in may_begin.chunks(TOGETHER_MIN.max(limit)) {
        if let (Some(last), Some((newest, _))) = (keys.get(limit), some.first())
            && last.start_us > Some(*newest)
        {
            break;
        }
        let found = map_all(some, |(_, id)| {
            key_of(root, id, events.get(id).cloned().unwrap_or_default())
        })?;
        keys.extend(found.into_iter().flatten().filter(|key| {
            query.includes_start(key.start_us) && after.is_none_or(|after| key < after)
        }));
        keys.sort_unstable_by(|one, other| other.cmp(one));
    }
    Ok(keys)
}

/// Every session that `query` may ask for and the latest time at which it may have begun, the
/// latest first.
fn may_begin(
    root: &Root,
    events: &EventsBySession,
    query: &SessionQuery,
) -> Result<Vec<(i64, String)>> {
    let journaled = events
        .iter()
        .filter(|(id, events)| is_journaled(id, events));
    let mut ids: HashSet<String> = journaled.map(|(id, _)| id.clone()).collect();
    ids.extend(trail_ids(root)?);
    let nothing = SessionEvents::default();
    ids.retain(|id| query.includes_id(id));
    let wanted = ids.into_iter().filter_map(|id| {
        let facts = &events.get(&id).map_or(&nothing, |events| events).facts;
        let traits = facts.traits();
        let at = facts.first_at.as_deref().and_then(instant);
        let may_be = query.includes_traits(traits.project, traits.host)
            && at.is_none_or(|at| query.since_us.is_none_or(|since| since <= at))
            && query.may_include_recorded(facts.outcome);
        may_be.then(|| (at.unwrap_or(ANY_TIME), id))
    });
    let mut wanted: Vec<_> = wanted.collect();
    wanted.sort_unstable_by_key(|(at, _)| Reverse(*at));
    Ok(wanted)
}

/// The key of the session `id`, given the journal's `events` for it; `None` if it is none.
fn key_of(root: &Root, id: &str, events: Arc<SessionEvents>) -> Result<Option<SessionKey>> {
    let first = match Trail::open_as(root, id, Arc::clone(&events))? {
        Opened::Trail(trail) => match first_entry(&trail)? {
            // A trail makes a session, whatever its contents, unless all of it was cleared.
            None if trail.from.offset == 0 => Some(None),
            first => first.map(Some),
        },
        Opened::Nothing | Opened::Unreadable(_) => None,
    };
    if first.is_none() && !is_journaled(id, &events) {
        return Ok(None);
    }
    let start = events.facts.session_start(first.flatten().as_deref());
    Ok(Some(SessionKey {
        start_us: start.as_deref().and_then(instant),
        session_id: id.to_owned(),
    }))
}

/// The time of the first entry of `trail`, if it has one that can be read.
fn first_entry(trail: &Trail) -> Result<Option<String>> {
    let mut first = None;
    let walked =
        walk_to_end(
            &trail.file,
            trail.from,
            &trail.place(),
            &mut |raw, _| match StoredEntry::read(raw) {
                Ok(stored) => {
                    let mut tally = Tally::default();
                    stored.tally(&mut tally);
                    first = tally.first_timestamp;
                    Err(Error::new(ErrorKind::Interrupted, "nothing more is needed"))
                }
                Err(error) => Ok(Verdict::from(error)),
            },
        );
    match walked {
        // Listing the trail reports a disk that cannot give it.
        Err(error) if first.is_none() && error.kind() != ErrorKind::Io => Err(error),
        _ => Ok(first),
    }
}
