//! Statistics that are kept between questions, so that each question reads only what was appended.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use serde::{Deserialize, Serialize};

use super::cursor::Cursor;
use super::parts::walk_parts;
use super::rollup;
use crate::audit::Damage;
use crate::error::Result;
use crate::files::Stamp;
use crate::jsonl::io::wait_for_writer;
use crate::jsonl::read::lines::Position;
use crate::jsonl::read::records::{
    Take, Verdict, Walked, at_place, close, push_damage, take_entry, walk,
};
use crate::jsonl::read::session_events::SessionEvents;
use crate::jsonl::read::trail::{Opened, Trail, unreadable};
use crate::jsonl::root::Root;
use crate::mutex::lock;
use crate::statistics::{Accumulator, RecoveryStatistics};

/// How many sessions' sums are kept. One takes as much memory as the names of its files.
const SESSIONS_MAX: usize = 64;

/// The sums of the sessions that were asked for last.
#[derive(Default)]
pub(in crate::jsonl) struct StatisticsCache {
    sessions: Mutex<Sessions>,
}

#[derive(Default)]
struct Sessions {
    asked: u64,
    known: HashMap<String, (u64, Arc<Mutex<Sums>>)>,
}

/// Statistics, and what could not be read.
type Answer = (RecoveryStatistics, Vec<Damage>);

/// What is known of one session's trail; nothing if it is to be read anew.
type Sums = Option<TrailSums>;

#[derive(Serialize, Deserialize)]
struct TrailSums {
    cursor: Cursor,
    sums: Accumulator,
    /// What could not be read.
    damage: Vec<Damage>,
}

/// The sums of a long trail, and what it looked like when they were made.
#[derive(Serialize, Deserialize)]
struct Kept<S> {
    stamp: Stamp,
    trail: S,
}

impl StatisticsCache {
    /// The statistics of `session_id` as it is now, and what could not be read.
    pub(in crate::jsonl) fn statistics(&self, root: &Root, session_id: &str) -> Result<Answer> {
        root.dir.trail_path(session_id)?;
        let sums = lock(&self.sessions).get(session_id);
        statistics(root, session_id, &mut lock(&sums))
    }
}

impl Sessions {
    fn get(&mut self, session_id: &str) -> Arc<Mutex<Sums>> {
        self.asked += 1;
        if let Some((asked, sums)) = self.known.get_mut(session_id) {
            *asked = self.asked;
            return Arc::clone(sums);
        }
        if self.known.len() >= SESSIONS_MAX {
            let oldest = self.known.iter().min_by_key(|(_, (asked, _))| *asked);
            if let Some(name) = oldest.map(|(name, _)| name.clone()) {
                self.known.remove(&name);
            }
        }
        let sums = Arc::new(Mutex::new(None));
        self.known
            .insert(session_id.to_owned(), (self.asked, Arc::clone(&sums)));
        sums
    }
}

fn statistics(root: &Root, session_id: &str, kept: &mut Sums) -> Result<Answer> {
    let told = root.told_of(session_id)?;
    let events = Arc::clone(&told.events);
    let (statistics, mut damage) = of_trail(root, session_id, events, kept)?;
    damage.extend(told.all_damage());
    Ok((statistics, damage))
}

/// The same but for what of the journal, which says `events` of it, could not be read.
fn of_trail(
    root: &Root,
    session_id: &str,
    events: Arc<SessionEvents>,
    kept: &mut Sums,
) -> Result<Answer> {
    // Taken out: if reading fails half-way, the sums would no longer fit the cursor.
    let kept_before = kept.take();
    let start = events.facts.session_start(None);
    let nothing = || Accumulator::default().statistics(session_id, start.clone());
    let trail = match Trail::open_as(root, session_id, events)? {
        Opened::Trail(trail) => trail,
        Opened::Nothing => return Ok((nothing(), Vec::new())),
        Opened::Unreadable(damage) => return Ok((nothing(), vec![damage])),
    };
    let mut known = kept_before
        .filter(|known| trail.has_all_before(&known.cursor))
        .or_else(|| left_by_another(root, session_id, &trail))
        .unwrap_or_else(|| TrailSums::new(&trail));
    let from = known.cursor.at.offset;
    let walked = match known.read_on(&trail) {
        Ok(walked) => walked,
        Err(error) => return Ok((nothing(), vec![unreadable(trail.place(), error)?])),
    };
    let mut with_tail = None;
    let mut damage = known.damage.clone();
    if !walked.tail.is_empty() {
        let mut sums = known.sums.clone();
        let tail = close(&walked, &trail.place(), &mut counting(&mut sums))?;
        damage.extend(tail);
        with_tail = Some(sums);
    }
    let sums = with_tail.as_ref().unwrap_or(&known.sums);
    let first = sums.tally().first_timestamp.as_deref();
    let statistics = sums.statistics(session_id, trail.events.facts.session_start(first));
    if known.cursor.advance(&trail.file, &walked) {
        if walked.end.offset - from >= root.dir.rollup_bytes_min {
            leave_to_others(root, session_id, &trail, &known);
        }
        *kept = Some(known);
    }
    Ok((statistics, damage))
}

/// The sums that another process left of `trail`, if they are still true.
fn left_by_another(root: &Root, session_id: &str, trail: &Trail) -> Option<TrailSums> {
    if trail.metadata.len() < root.dir.rollup_bytes_min {
        return None;
    }
    let left: Kept<TrailSums> = rollup::load(&root.dir, &rollup::name_of(session_id)?)?;
    let is_true = left.stamp.may_have_grown_to(&Stamp::of(&trail.metadata))
        && trail.has_all_before(&left.trail.cursor);
    let known = left.trail;
    is_true.then(|| TrailSums {
        damage: at_place(known.damage, &trail.place()),
        ..known
    })
}

fn leave_to_others(root: &Root, session_id: &str, trail: &Trail, known: &TrailSums) {
    let stamp = Stamp::of(&trail.metadata);
    if let Some(name) = rollup::name_of(session_id)
        && stamp.is_settled(root.dir.host().now())
    {
        let trail = known;
        rollup::save(&root.dir, &name, &Kept { stamp, trail });
    }
}

impl TrailSums {
    /// Nothing of `trail` yet.
    fn new(trail: &Trail) -> Self {
        Self {
            cursor: Cursor::new(&trail.metadata, trail.from),
            sums: Accumulator::default(),
            damage: Vec::new(),
        }
    }

    /// Adds what was appended since. The tail is not added: it may grow.
    fn read_on(&mut self, trail: &Trail) -> Result<Walked> {
        let sums = std::mem::take(&mut self.sums);
        let (sums, mut walked) = walk_on(trail, self.cursor.at, sums, counted, |sums, more| {
            sums.merge(more);
        })?;
        self.sums = sums;
        for one in std::mem::take(&mut walked.damage) {
            push_damage(&mut self.damage, one);
        }
        Ok(walked)
    }
}

/// Walks `trail` from `from` on, by several threads if it is long: `take` adds records to `state`
/// and to those of other threads, which `merge` adds to it in order. The tail is left: it may grow.
pub(in crate::jsonl) fn walk_on<S: Default + Send>(
    trail: &Trail,
    from: Position,
    state: S,
    take: impl Fn(&mut S, &[u8]) -> Verdict + Sync,
    merge: impl Fn(&mut S, S),
) -> Result<(S, Walked)> {
    let place = trail.place();
    let length = trail.metadata.len();
    let (states, walked) = walk_parts(&trail.file, from, length, &place, state, &take)?;
    let mut states = states.into_iter();
    let mut state = states.next().unwrap_or_default();
    states.for_each(|more| merge(&mut state, more));
    if walked.tail.is_empty() {
        return Ok((state, walked));
    }
    wait_for_writer(&trail.file);
    let mut take = |raw: &[u8], _| Ok(take(&mut state, raw));
    let mut again = walk(&trail.file, walked.end, &place, &mut take)?;
    again.last = again.last.or(walked.last);
    again.damage.splice(..0, walked.damage);
    Ok((state, again))
}

/// Adds each entry to `sums`.
pub(in crate::jsonl) fn counting(sums: &mut Accumulator) -> Box<Take<'_>> {
    Box::new(|raw, _| Ok(counted(sums, raw)))
}

/// Adds the entry that `raw` is to `sums`.
pub(in crate::jsonl) fn counted(sums: &mut Accumulator, raw: &[u8]) -> Verdict {
    take_entry(raw, |stored| stored.tell(sums))
}
