//! Sums told apart, or of some sessions and times only.

use super::cache::walk_on;
use super::parts::share_out;
use super::records::{close, take_entry};
use super::root::Root;
use super::session_events::SessionEvents;
use super::sessions::trail_ids;
use super::trail::Trail;
use crate::error::Result;
use crate::statistics::{AggregateQuery, Aggregates, Grouping, SessionGroups, SessionTraits};

/// What one thread found.
#[derive(Default)]
struct Share {
    sums: Grouping,
    /// The sessions that have a trail, whatever is asked for.
    with_trail: Vec<String>,
}

/// What `query` asks for.
pub(super) fn grouped(root: &Root, query: &AggregateQuery) -> Result<Aggregates> {
    let events = root.all_events()?;
    let shares = share_out(&trail_ids(root)?, |share: &mut Share, _, id| {
        let events = events.get(id).cloned().unwrap_or_default();
        let Some(trail) = Trail::open_as(root, id, events)? else {
            return Ok(());
        };
        let traits = trail.events.facts.traits();
        if query.includes_session(traits.project, traits.host) {
            let session = read(&trail, query, &traits)?;
            // A trail whose every entry was cleared is one that could not be removed.
            if session.all().total == 0 && trail.from.offset > 0 {
                return Ok(());
            }
            add(&mut share.sums, query, &trail.events, session);
        }
        share.with_trail.push(id.to_owned());
        Ok(())
    })?;
    let mut without_trail = events.clone();
    let mut sums = Grouping::default();
    for share in shares {
        sums.merge(share.sums);
        for id in &share.with_trail {
            without_trail.remove(id);
        }
    }
    for events in without_trail.values() {
        let traits = events.facts.traits();
        if events.facts.first_at.is_some() && query.includes_session(traits.project, traits.host) {
            add(&mut sums, query, events, SessionGroups::default());
        }
    }
    Ok(sums.aggregates())
}

fn read(
    trail: &Trail,
    query: &AggregateQuery,
    traits: &SessionTraits<'_>,
) -> Result<SessionGroups> {
    let take = |groups: &mut SessionGroups, raw: &[u8]| {
        take_entry(raw, |stored| {
            stored.tell(&mut groups.observer(query, traits))
        })
    };
    let groups = SessionGroups::default();
    let (mut groups, walked) = walk_on(trail, trail.from, groups, take, SessionGroups::merge)?;
    if !walked.tail.is_empty() {
        let mut take = |raw: &[u8], _| Ok(take(&mut groups, raw));
        close(&walked, &trail.place(), &mut take)?;
    }
    Ok(groups)
}

fn add(
    sums: &mut Grouping,
    query: &AggregateQuery,
    events: &SessionEvents,
    session: SessionGroups,
) {
    let facts = &events.facts;
    let end = facts.end(session.all());
    let start = facts.session_start(session.all().first_timestamp.as_deref());
    let traits = facts.traits();
    sums.add_session(
        query,
        &traits,
        session,
        start.as_deref(),
        (end, facts.flaky),
    );
}
