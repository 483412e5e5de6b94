//! Sums by group, or of some sessions and times only.

use std::sync::Arc;

use super::cache::walk_on;
use crate::audit::{AttemptRecipes, Damage, JournalSummary, recipes_of_all};
use crate::error::Result;
use crate::jsonl::read::records::{close, take_entry};
use crate::jsonl::read::session_events::SessionEvents;
use crate::jsonl::read::sessions::{add_damage, in_order, trail_ids};
use crate::jsonl::read::trail::{Opened, Trail, read_journal, unreadable};
use crate::jsonl::root::Root;
use crate::statistics::{AggregateQuery, Aggregates, Grouping, SessionGroups, SessionTraits};
use crate::workers::share_out;

/// A session, and what the journal says of it.
struct Session<'a> {
    id: &'a str,
    events: Arc<SessionEvents>,
    /// The recipes of its attempts, if these are asked for.
    recipes: Option<&'a AttemptRecipes>,
}

/// The findings of one thread.
#[derive(Default)]
struct Share {
    sums: Grouping,
    /// The sessions that have a trail, whatever is asked for.
    with_trail: Vec<String>,
    damage: Vec<Damage>,
}

/// Answers `query`, with the damage.
pub(in crate::jsonl) fn grouped(
    root: &Root,
    query: &AggregateQuery,
) -> Result<(Aggregates, Vec<Damage>)> {
    let told = root.told_of_all()?;
    let events = &told.events;
    let recipes = recipes_of_all(query, &|visit| read_journal(root, None, visit))?;
    let shares = share_out(&trail_ids(root)?, |share: &mut Share, _, id| {
        let events = events.get(id).cloned().unwrap_or_default();
        let session = Session {
            id,
            events,
            recipes: recipes.get(id),
        };
        share.add(root, query, session)
    })?;
    let mut without_trail = events.clone();
    let mut sums = Grouping::default();
    let mut damage = Vec::new();
    for share in shares {
        sums.merge(share.sums);
        add_damage(&mut damage, share.damage);
        for id in &share.with_trail {
            without_trail.remove(id);
        }
    }
    for events in without_trail.values() {
        // Nothing was tried in it.
        let traits = events.facts.traits();
        if events.facts.first_at.is_some() && query.includes_session(traits.project, traits.host) {
            let groups = SessionGroups::default();
            add(&mut sums, query, (&events.facts, &traits), groups);
        }
    }
    Ok((sums.aggregates(), in_order(damage, told.all_damage())))
}

impl Share {
    /// Adds a session.
    fn add(&mut self, root: &Root, query: &AggregateQuery, session: Session<'_>) -> Result<()> {
        let Session {
            id,
            events,
            recipes,
        } = session;
        let trail = match Trail::open_as(root, id, events)? {
            Opened::Trail(trail) => trail,
            Opened::Nothing => return Ok(()),
            Opened::Unreadable(damage) => {
                add_damage(&mut self.damage, vec![damage]);
                return Ok(());
            }
        };
        let facts = &trail.events.facts;
        let traits = SessionTraits {
            recipes: recipes.map(AttemptRecipes::by_number),
            ..facts.traits()
        };
        if query.includes_session(traits.project, traits.host) {
            let (session, damage) = match read(&trail, query, &traits) {
                Ok(read) => read,
                Err(error) => {
                    self.damage.push(unreadable(trail.place(), error)?);
                    return Ok(());
                }
            };
            add_damage(&mut self.damage, damage);
            // A trail whose every entry was cleared is one that could not be removed.
            if session.all().total == 0 && trail.from.offset > 0 {
                return Ok(());
            }
            add(&mut self.sums, query, (facts, &traits), session);
        }
        self.with_trail.push(id.to_owned());
        Ok(())
    }
}

fn read(
    trail: &Trail,
    query: &AggregateQuery,
    traits: &SessionTraits<'_>,
) -> Result<(SessionGroups, Vec<Damage>)> {
    let take = |groups: &mut SessionGroups, raw: &[u8]| {
        take_entry(raw, |stored| {
            stored.tell(&mut groups.observer(query, traits))
        })
    };
    let groups = SessionGroups::default();
    let (mut groups, walked) = walk_on(trail, trail.from, groups, take, SessionGroups::merge)?;
    let mut damage = Vec::new();
    if !walked.tail.is_empty() {
        let mut take = |raw: &[u8], _| Ok(take(&mut groups, raw));
        damage = close(&walked, &trail.place(), &mut take)?;
    }
    damage.splice(..0, walked.damage);
    Ok((groups, damage))
}

fn add(
    sums: &mut Grouping,
    query: &AggregateQuery,
    (facts, traits): (&JournalSummary, &SessionTraits<'_>),
    session: SessionGroups,
) {
    let end = facts.end(session.all());
    let start = facts.session_start(session.all().first_timestamp.as_deref());
    sums.add_session(query, traits, session, start.as_deref(), (end, facts.flaky));
}
