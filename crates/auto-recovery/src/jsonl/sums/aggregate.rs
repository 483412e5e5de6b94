//! All sessions summed up.

use std::collections::HashMap;
use std::fs;
use std::io;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::cache::{counting, walk_on};
use super::cursor::Cursor;
use super::grouped::grouped;
use super::rollup;
use crate::audit::Damage;
use crate::error::{Error, Result};
use crate::files::Stamp;
use crate::jsonl::read::journal_index::EventsBySession;
use crate::jsonl::read::lines::Position;
use crate::jsonl::read::records::{Verdict, at_place, close, push_damage, take_entry};
use crate::jsonl::read::session_events::SessionEvents;
use crate::jsonl::read::sessions::{add_damage, in_order, trail_ids};
use crate::jsonl::read::trail::{Opened, Trail, unreadable};
use crate::jsonl::root::Root;
use crate::statistics::{
    Accumulator, Aggregate, AggregateQuery, AggregateStatistics, Aggregates, Tally,
};
use crate::workers::share_out;

/// The results of the last time all sessions were summed up.
#[derive(Default, Serialize, Deserialize)]
struct Known {
    /// The whole records of all trails.
    entries: Accumulator,
    sessions: HashMap<String, KnownSession>,
}

/// The results for one session.
#[derive(Clone, Serialize, Deserialize)]
struct KnownSession {
    stamp: Stamp,
    cursor: Cursor,
    /// On its own a session needs no more: its sums are in those of all.
    tally: Tally,
    /// Its damage.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    damage: Vec<Damage>,
}

/// The findings of one thread.
#[derive(Default)]
struct Share {
    /// Records that were not known, and will be.
    entries: Accumulator,
    /// Records that will be read again: those at the very ends may still grow.
    for_now: Accumulator,
    /// The sessions to remember.
    sessions: Vec<(String, KnownSession)>,
    /// Sessions as they are now.
    ends: Vec<(String, Tally)>,
    bytes_read: u64,
    /// Set when a trail changed while it was read: the totals are right, but must not be cached.
    must_not_be_kept: bool,
    /// Number of remembered sessions that still exist, with all that was read of them.
    known: usize,
    /// The damage.
    damage: Vec<Damage>,
    /// Trails that the disk gives no longer, and why. What was summed up with them is lost.
    lost: Vec<(String, Damage)>,
}

/// Sums, and what could not be read.
type Summed = (AggregateStatistics, Vec<Damage>);

/// The result of summing up.
enum Outcome {
    /// The sums.
    Summed(Box<Summed>),
    /// The remembered results no longer hold.
    Changed,
    /// These trails cannot be read to their ends.
    Lost(Vec<(String, Damage)>),
}

/// Answers `query` as of now, with the damage. For all sessions together it reads only what is new
/// since last time; any other query reads every trail that it is about.
pub(in crate::jsonl) fn aggregate(
    root: &Root,
    query: &AggregateQuery,
) -> Result<(Aggregates, Vec<Damage>)> {
    if !query.is_of_all() || !query.by.is_empty() {
        return grouped(root, query);
    }
    let (total, damage) = of_all(root)?;
    Ok((Aggregates::new(total, Vec::new()), damage))
}

fn of_all(root: &Root) -> Result<Summed> {
    let told = root.told_of_all()?;
    let mut known = rollup::load::<Known>(&root.dir, rollup::ALL).unwrap_or_default();
    let mut lost: HashMap<String, Damage> = HashMap::new();
    // Each time round there is less to go wrong: nothing is known, or one trail more is left out.
    loop {
        match sum_up(root, &told.events, std::mem::take(&mut known), &lost)? {
            Outcome::Summed(summed) => {
                let (statistics, mut damage) = *summed;
                damage.extend(lost.into_values());
                return Ok((statistics, in_order(damage, told.all_damage())));
            }
            Outcome::Changed => {}
            Outcome::Lost(more) => lost.extend(more),
        }
    }
}

/// As [`of_all`], given the remembered results, and what is left out.
fn sum_up(
    root: &Root,
    events: &EventsBySession,
    known: Known,
    left_out: &HashMap<String, Damage>,
) -> Result<Outcome> {
    let mut ids = trail_ids(root)?;
    ids.retain(|id| !left_out.contains_key(id));
    let mut shares = share_out(&ids, |share: &mut Share, _, id| {
        let events = events.get(id).cloned().unwrap_or_default();
        share.add(root, events, id, known.sessions.get(id))
    })?;
    let lost = shares.iter_mut().flat_map(|share| share.lost.drain(..));
    let lost: Vec<_> = lost.collect();
    if !lost.is_empty() {
        return Ok(Outcome::Lost(lost));
    }
    let still_known: usize = shares.iter().map(|share| share.known).sum();
    if still_known < known.sessions.len() {
        return Ok(Outcome::Changed);
    }
    let summed = join(root, events, known.entries, shares);
    Ok(Outcome::Summed(Box::new(summed)))
}

/// Joins the `shares` with the `known` sums.
fn join(root: &Root, events: &EventsBySession, known: Accumulator, shares: Vec<Share>) -> Summed {
    let mut aggregate = Aggregate::default();
    let mut now = Known {
        entries: known,
        sessions: HashMap::new(),
    };
    let (mut bytes_read, mut may_be_kept) = (0, true);
    let mut damage = Vec::new();
    let mut without_trail: HashMap<_, _> = events.iter().collect();
    for share in shares {
        bytes_read += share.bytes_read;
        may_be_kept &= !share.must_not_be_kept;
        add_damage(&mut damage, share.damage);
        now.entries.merge(share.entries);
        now.sessions.extend(share.sessions);
        aggregate.add_entries(share.for_now);
        for (id, tally) in &share.ends {
            let events = without_trail.remove(id).cloned().unwrap_or_default();
            aggregate.add_end(tally, events.facts.end(tally), events.facts.flaky);
        }
    }
    for events in without_trail
        .values()
        .filter(|events| events.facts.first_at.is_some())
    {
        let nothing = Tally::default();
        aggregate.add_end(&nothing, events.facts.end(&nothing), events.facts.flaky);
    }
    if may_be_kept && bytes_read >= root.dir.rollup_bytes_min {
        rollup::save(&root.dir, rollup::ALL, &now);
    }
    aggregate.add_entries(now.entries);
    (aggregate.statistics(), damage)
}

impl Share {
    /// Adds the session `id`, given what is known of it.
    fn add(
        &mut self,
        root: &Root,
        events: Arc<SessionEvents>,
        id: &str,
        known: Option<&KnownSession>,
    ) -> Result<()> {
        if let Some(known) = known
            && known.is_all_there_is(root, &events, id)?
        {
            self.known += 1;
            self.sessions.push((id.to_owned(), known.clone()));
            self.ends.push((id.to_owned(), known.tally.clone()));
            if !known.damage.is_empty() {
                let place = root.dir.trail_path(id)?.display().to_string();
                add_damage(&mut self.damage, at_place(known.damage.clone(), &place));
            }
            return Ok(());
        }
        let trail = match Trail::open_as(root, id, events)? {
            Opened::Trail(trail) => trail,
            Opened::Nothing => return Ok(()),
            Opened::Unreadable(damage) => {
                add_damage(&mut self.damage, vec![damage]);
                return Ok(());
            }
        };
        let stamp = Stamp::of(&trail.metadata);
        let known = known.filter(|known| {
            known.stamp.may_have_grown_to(&stamp) && trail.has_all_before(&known.cursor)
        });
        self.known += usize::from(known.is_some());
        if let Err(error) = self.read(root, &trail, id, known) {
            self.lost
                .push((id.to_owned(), unreadable(trail.place(), error)?));
        }
        Ok(())
    }

    /// Adds the entries in `trail` behind the part that is `known`.
    fn read(
        &mut self,
        root: &Root,
        trail: &Trail,
        id: &str,
        known: Option<&KnownSession>,
    ) -> Result<()> {
        let mut cursor = match known {
            Some(known) => known.cursor.clone(),
            None => Cursor::new(&trail.metadata, trail.from),
        };
        let from = cursor.at;
        let stamp = Stamp::of(&trail.metadata);
        let settled = stamp.is_settled(root.dir.host().now());
        let into = match settled {
            true => &mut self.entries,
            false => &mut self.for_now,
        };
        let both = Both {
            sums: std::mem::take(into),
            tally: known.map(|known| known.tally.clone()).unwrap_or_default(),
        };
        let (both, mut walked) = walk_on(trail, from, both, Both::take, Both::merge)?;
        let Both { sums, tally } = both;
        *into = sums;
        let of_known = known.map(|known| known.damage.clone()).unwrap_or_default();
        let mut damage = at_place(of_known, &trail.place());
        for one in std::mem::take(&mut walked.damage) {
            push_damage(&mut damage, one);
        }
        add_damage(&mut self.damage, damage.clone());
        self.bytes_read += walked.end.offset - from.offset;
        let mut end = tally.clone();
        if !walked.tail.is_empty() {
            let mut tail = Accumulator::default();
            let cut = close(&walked, &trail.place(), &mut counting(&mut tail))?;
            add_damage(&mut self.damage, cut);
            end.merge(tail.tally().clone());
            self.for_now.merge(tail);
        }
        // A trail whose every entry was cleared is one that could not be removed.
        if trail.from.offset == 0 || end.total > 0 {
            self.ends.push((id.to_owned(), end));
        }
        let advanced = cursor.advance(&trail.file, &walked);
        self.must_not_be_kept |= settled && !advanced;
        let now = match settled {
            true => Some(KnownSession {
                stamp,
                cursor,
                tally,
                damage,
            }),
            false => known.cloned(),
        };
        self.sessions.extend(now.map(|now| (id.to_owned(), now)));
        Ok(())
    }
}

/// The two sums that an entry is added to: those of all sessions, and the tally of its own.
#[derive(Default)]
struct Both {
    sums: Accumulator,
    tally: Tally,
}

impl Both {
    fn take(&mut self, raw: &[u8]) -> Verdict {
        take_entry(raw, |stored| {
            stored.tell(&mut self.sums);
            stored.tally(&mut self.tally);
        })
    }

    fn merge(&mut self, later: Self) {
        self.sums.merge(later.sums);
        self.tally.merge(later.tally);
    }
}

impl KnownSession {
    /// Whether the trail is unchanged, with nothing behind the part that was read.
    fn is_all_there_is(&self, root: &Root, events: &SessionEvents, id: &str) -> Result<bool> {
        if events.cleared_head().is_some() || self.cursor.from != Position::START {
            return Ok(false);
        }
        let path = root.dir.trail_path(id)?;
        match fs::symlink_metadata(&path) {
            Ok(metadata) => {
                let is_read = metadata.len() == self.cursor.at.offset;
                Ok(is_read && Stamp::of(&metadata) == self.stamp)
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(Error::io("look at", &path, error)),
        }
    }
}
