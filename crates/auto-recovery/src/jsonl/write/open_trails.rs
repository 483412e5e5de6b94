//! The trails that are open for appending: as many as are in use, but never many more than a
//! process may have files open.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use super::appender::Appender;
use super::kind::Kind;
use crate::error::Result;
use crate::jsonl::root::Root;
use crate::mutex::lock;

/// The open trails of a store.
pub(in crate::jsonl) struct OpenTrails {
    max: usize,
    open: Mutex<Open>,
}

#[derive(Default)]
struct Open {
    asked: u64,
    trails: HashMap<String, (u64, Arc<Appender>)>,
}

impl OpenTrails {
    /// None yet, and at most about `max`.
    pub(in crate::jsonl) fn new(max: usize) -> Self {
        Self {
            max: max.max(1),
            open: Mutex::default(),
        }
    }

    /// The one to append to the trail of `session_id` with.
    pub(in crate::jsonl) fn get(
        &self,
        root: &Arc<Root>,
        journal: &Arc<Appender>,
        session_id: &str,
    ) -> Result<Arc<Appender>> {
        let mut open = lock(&self.open);
        open.asked += 1;
        let now = open.asked;
        if let Some((asked, trail)) = open.trails.get_mut(session_id) {
            *asked = now;
            return Ok(Arc::clone(trail));
        }
        let path = root.dir.trail_path(session_id)?;
        if open.trails.len() >= self.max {
            open.close_oldest();
        }
        let journal = Arc::clone(journal);
        let kind = Kind::Trail {
            session_id: session_id.to_owned(),
            note: Box::new(move |line| journal.commit_record(line)),
        };
        let trail = Arc::new(Appender::new(Arc::clone(root), path, kind));
        open.trails
            .insert(session_id.to_owned(), (now, Arc::clone(&trail)));
        Ok(trail)
    }
}

impl Open {
    /// Closes the one that was asked for longest ago. Not one that somebody is using, and not one
    /// whose sync failed: that must stay known.
    fn close_oldest(&mut self) {
        let oldest = self
            .trails
            .iter()
            .filter(|(_, (_, trail))| Arc::strong_count(trail) == 1 && !trail.is_poisoned())
            .min_by_key(|(_, (asked, _))| *asked)
            .map(|(session_id, _)| session_id.clone());
        if let Some(session_id) = oldest {
            self.trails.remove(&session_id);
        }
    }
}
