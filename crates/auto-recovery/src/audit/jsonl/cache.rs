//! Statistics that are kept between questions, so that each question reads only what was appended.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use super::append::lock;
use super::cursor::Cursor;
use super::io::wait_for_writer;
use super::parts::walk_parts;
use super::records::{Take, Verdict, Walked, close, walk};
use super::root::Root;
use super::trail::Trail;
use crate::audit::StoredEntry;
use crate::error::Result;
use crate::statistics::{Accumulator, RecoveryStatistics};

/// How many sessions' sums are kept. One takes as much memory as the names of its files.
const SESSIONS_MAX: usize = 64;

/// The sums of the sessions that were asked for last.
#[derive(Default)]
pub(super) struct StatisticsCache {
    sessions: Mutex<Sessions>,
}

#[derive(Default)]
struct Sessions {
    asked: u64,
    known: HashMap<String, (u64, Arc<Mutex<Sums>>)>,
}

/// What is known of one session's trail; nothing if it is to be read anew.
type Sums = Option<TrailSums>;

struct TrailSums {
    cursor: Cursor,
    sums: Accumulator,
}

impl StatisticsCache {
    /// The statistics of `session_id` as it is now.
    pub(super) fn statistics(&self, root: &Root, session_id: &str) -> Result<RecoveryStatistics> {
        root.trail_path(session_id)?;
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

fn statistics(root: &Root, session_id: &str, kept: &mut Sums) -> Result<RecoveryStatistics> {
    // Taken out: if reading fails half-way, the sums would no longer fit the cursor.
    let kept_before = kept.take();
    let Some(trail) = Trail::open(root, session_id)? else {
        let start = root.events(session_id)?.session_start(None);
        return Ok(Accumulator::default().statistics(session_id, start));
    };
    let mut known = match kept_before {
        Some(known) if known.fits(&trail) => known,
        _ => TrailSums {
            cursor: Cursor::new(&trail.metadata, trail.from),
            sums: Accumulator::default(),
        },
    };
    let walked = known.read_on(&trail)?;
    let mut with_tail = None;
    if !walked.tail.is_empty() {
        let mut sums = known.sums.clone();
        close(&walked, &trail.place(), &mut counting(&mut sums))?;
        with_tail = Some(sums);
    }
    let sums = with_tail.as_ref().unwrap_or(&known.sums);
    let first = sums.tally().first_timestamp.as_deref();
    let statistics = sums.statistics(session_id, trail.events.session_start(first));
    if known.cursor.advance(&trail.file, &walked) {
        *kept = Some(known);
    }
    Ok(statistics)
}

/// The sums of `trail` as it is now, read anew.
pub(super) fn sum_up(trail: &Trail) -> Result<Accumulator> {
    let mut known = TrailSums {
        cursor: Cursor::new(&trail.metadata, trail.from),
        sums: Accumulator::default(),
    };
    let walked = known.read_on(trail)?;
    close(&walked, &trail.place(), &mut counting(&mut known.sums))?;
    Ok(known.sums)
}

impl TrailSums {
    fn fits(&self, trail: &Trail) -> bool {
        self.cursor.from == trail.from && self.cursor.fits(&trail.file, &trail.metadata)
    }

    /// Adds what was appended since. The tail is not added: it may grow.
    fn read_on(&mut self, trail: &Trail) -> Result<Walked> {
        let place = trail.place();
        let length = trail.metadata.len();
        let (parts, walked) = walk_parts(&trail.file, self.cursor.at, length, &place, counted)?;
        for part in parts {
            self.sums.merge(part);
        }
        if walked.tail.is_empty() {
            return Ok(walked);
        }
        wait_for_writer(&trail.file);
        let mut take = counting(&mut self.sums);
        let mut again = walk(&trail.file, walked.end, &place, &mut take)?;
        again.last = again.last.or(walked.last);
        Ok(again)
    }
}

/// Adds each entry to `sums`.
fn counting(sums: &mut Accumulator) -> Box<Take<'_>> {
    Box::new(|raw, _| Ok(counted(sums, raw)))
}

/// Adds the entry that `raw` is to `sums`.
fn counted(sums: &mut Accumulator, raw: &[u8]) -> Verdict {
    match StoredEntry::read(raw) {
        Ok(stored) => {
            stored.count(sums);
            Verdict::Taken
        }
        Err(error) => error.into(),
    }
}
