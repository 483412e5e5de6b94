//! Statistics that are kept between questions, so that each question reads only what was appended.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use super::append::lock;
use super::cursor::Cursor;
use super::events::{JournalEvents, SessionEvents};
use super::io::wait_for_writer;
use super::records::{Take, Verdict, close, walk};
use super::root::Root;
use super::trail::Trail;
use super::view::EntryView;
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

/// What is known of one session.
struct Sums {
    journal: JournalEvents,
    trail: Option<TrailSums>,
}

/// What is known of its trail.
struct TrailSums {
    cursor: Cursor,
    sums: Accumulator,
}

impl StatisticsCache {
    /// The statistics of `session_id` as it is now.
    pub(super) fn statistics(&self, root: &Root, session_id: &str) -> Result<RecoveryStatistics> {
        root.trail_path(session_id)?;
        let sums = lock(&self.sessions).get(session_id);
        let mut sums = lock(&sums);
        sums.statistics(root, session_id)
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
        let sums = Arc::new(Mutex::new(Sums {
            journal: JournalEvents::of(Some(session_id)),
            trail: None,
        }));
        self.known
            .insert(session_id.to_owned(), (self.asked, Arc::clone(&sums)));
        sums
    }
}

impl Sums {
    fn statistics(&mut self, root: &Root, session_id: &str) -> Result<RecoveryStatistics> {
        self.journal.update(root)?;
        let none = SessionEvents::default();
        let events = self.journal.sessions.get(session_id).unwrap_or(&none);
        let Some(trail) = Trail::open(root, session_id, events)? else {
            self.trail = None;
            return Ok(Accumulator::default().statistics(session_id, events.session_start(None)));
        };
        // Taken out: if reading fails half-way, the sums would no longer fit the cursor.
        let mut known = match self.trail.take() {
            Some(known) if known.fits(&trail) => known,
            _ => TrailSums {
                cursor: Cursor::new(&trail.metadata, trail.from),
                sums: Accumulator::default(),
            },
        };
        let place = trail.place();
        let sums = &mut known.sums;
        let mut walked = walk(&trail.file, known.cursor.at, &place, &mut counting(sums))?;
        if !walked.tail.is_empty() {
            wait_for_writer(&trail.file);
            let last = walked.last;
            walked = walk(&trail.file, walked.end, &place, &mut counting(sums))?;
            walked.last = walked.last.or(last);
        }
        let keep = known.cursor.advance(&trail.file, &walked);
        let with_tail = if walked.tail.is_empty() {
            None
        } else {
            let mut sums = known.sums.clone();
            close(&walked, &place, &mut counting(&mut sums))?;
            Some(sums)
        };
        let sums = with_tail.as_ref().unwrap_or(&known.sums);
        let first = sums.tally().first_timestamp.as_deref();
        let statistics = sums.statistics(session_id, events.session_start(first));
        if keep {
            self.trail = Some(known);
        }
        Ok(statistics)
    }
}

impl TrailSums {
    fn fits(&self, trail: &Trail) -> bool {
        self.cursor.from == trail.from && self.cursor.fits(&trail.file, &trail.metadata)
    }
}

/// Adds each entry to `sums`.
fn counting(sums: &mut Accumulator) -> Box<Take<'_>> {
    Box::new(|raw, _| {
        Ok(match serde_json::from_slice::<EntryView<'_>>(raw) {
            Ok(entry) => {
                sums.add(
                    entry.observation(),
                    entry.files_modified.iter().map(|file| file.0.as_ref()),
                );
                Verdict::Taken
            }
            Err(error) => error.into(),
        })
    })
}
