//! All sessions summed up.

use std::collections::HashMap;
use std::fs;
use std::io;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::cache::{counting, walk_on};
use super::cursor::Cursor;
use super::events::EventsBySession;
use super::grouped::grouped;
use super::lines::Position;
use super::parts::share_out;
use super::records::{Verdict, close, take_entry};
use super::rollup;
use super::root::Root;
use super::session_events::SessionEvents;
use super::sessions::trail_ids;
use super::stamp::Stamp;
use super::trail::Trail;
use crate::error::{Error, Result};
use crate::statistics::{
    Accumulator, Aggregate, AggregateQuery, AggregateStatistics, Aggregates, Tally,
};

/// What was known when all sessions were summed up last.
#[derive(Default, Serialize, Deserialize)]
struct Known {
    /// The whole records of all trails.
    entries: Accumulator,
    sessions: HashMap<String, KnownSession>,
}

/// What was known of one session.
#[derive(Clone, Serialize, Deserialize)]
struct KnownSession {
    stamp: Stamp,
    cursor: Cursor,
    /// On its own a session needs no more: its sums are in those of all.
    tally: Tally,
}

/// What one thread found.
#[derive(Default)]
struct Share {
    /// Records that were not known, and will be.
    entries: Accumulator,
    /// Records that will be read again: those at the very ends may still grow.
    for_now: Accumulator,
    /// What will be known.
    sessions: Vec<(String, KnownSession)>,
    /// Sessions as they are now.
    ends: Vec<(String, Tally)>,
    bytes_read: u64,
    /// Whether what is to be known cannot be told from what else was read: a trail changed
    /// meanwhile.
    must_not_be_kept: bool,
    /// How many of the sessions that were known are still there, and say what they said.
    known: usize,
}

/// What `query` asks for, as it is now. All sessions together are known from last time but for what
/// is new; any other question reads every trail that it is about.
pub(super) fn aggregate(root: &Root, query: &AggregateQuery) -> Result<Aggregates> {
    if !query.is_of_all() || !query.by.is_empty() {
        return grouped(root, query);
    }
    let total = of_all(root)?;
    Ok(Aggregates::new(total, Vec::new()))
}

fn of_all(root: &Root) -> Result<AggregateStatistics> {
    let events = root.all_events()?;
    let known = rollup::load::<Known>(root, rollup::ALL).unwrap_or_default();
    match sum_up(root, &events, known)? {
        Some(statistics) => Ok(statistics),
        None => Ok(sum_up(root, &events, Known::default())?.expect("nothing known is never wrong")),
    }
}

/// As [`of_all`], given what is known; `None` if that is no longer so.
fn sum_up(
    root: &Root,
    events: &EventsBySession,
    known: Known,
) -> Result<Option<AggregateStatistics>> {
    let shares = share_out(&trail_ids(root)?, |share: &mut Share, _, id| {
        let events = events.get(id).cloned().unwrap_or_default();
        share.add(root, events, id, known.sessions.get(id))
    })?;
    let still_known: usize = shares.iter().map(|share| share.known).sum();
    if still_known < known.sessions.len() {
        return Ok(None);
    }
    let mut aggregate = Aggregate::default();
    let mut now = Known {
        entries: known.entries,
        sessions: HashMap::new(),
    };
    let (mut bytes_read, mut may_be_kept) = (0, true);
    let mut without_trail: HashMap<_, _> = events.iter().collect();
    for share in shares {
        bytes_read += share.bytes_read;
        may_be_kept &= !share.must_not_be_kept;
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
    if may_be_kept && bytes_read >= root.rollup_bytes_min {
        rollup::save(root, rollup::ALL, &now);
    }
    aggregate.add_entries(now.entries);
    Ok(Some(aggregate.statistics()))
}

impl Share {
    /// Adds the session `id`, of which this is known.
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
            return Ok(());
        }
        let Some(trail) = Trail::open_as(root, id, events)? else {
            return Ok(());
        };
        let stamp = Stamp::of(&trail.metadata);
        let known = known.filter(|known| {
            known.stamp.may_have_grown_to(&stamp) && trail.has_all_before(&known.cursor)
        });
        self.known += usize::from(known.is_some());
        self.read(root, &trail, id, known)
    }

    /// Adds what stands in `trail` behind what is `known` of it.
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
        let settled = stamp.is_settled(root.host.now());
        let into = match settled {
            true => &mut self.entries,
            false => &mut self.for_now,
        };
        let both = Both {
            sums: std::mem::take(into),
            tally: known.map(|known| known.tally.clone()).unwrap_or_default(),
        };
        let (Both { sums, tally }, walked) = walk_on(trail, from, both, Both::take, Both::merge)?;
        *into = sums;
        self.bytes_read += walked.end.offset - from.offset;
        let mut end = tally.clone();
        if !walked.tail.is_empty() {
            let mut tail = Accumulator::default();
            close(&walked, &trail.place(), &mut counting(&mut tail))?;
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
            }),
            false => known.cloned(),
        };
        self.sessions.extend(now.map(|now| (id.to_owned(), now)));
        Ok(())
    }
}

/// What an entry is added to: the sums of all, and those of its session that are told apart.
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
    /// Whether the trail is as it was, with nothing behind what was read.
    fn is_all_there_is(&self, root: &Root, events: &SessionEvents, id: &str) -> Result<bool> {
        if events.cleared_head().is_some() || self.cursor.from != Position::START {
            return Ok(false);
        }
        let path = root.trail_path(id)?;
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
