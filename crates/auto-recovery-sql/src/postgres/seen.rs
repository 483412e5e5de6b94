//! The highest attempt numbers that this process has seen, for when the server cannot be asked.

use std::collections::HashMap;
use std::sync::Mutex;

use super::group::{Group, Item};
use auto_recovery::mutex::lock;

/// Number of sessions whose highest number is remembered.
const SEEN_MAX: usize = 65_536;

/// The highest number of each session.
#[derive(Default)]
pub(super) struct Seen(Mutex<HashMap<String, u64>>);

impl Seen {
    /// The highest number of `session_id`, if one was seen.
    pub(super) fn highest(&self, session_id: &str) -> Option<u64> {
        lock(&self.0).get(session_id).copied()
    }

    /// The highest numbers of the sessions in `group`.
    pub(super) fn of(&self, group: &Group) -> HashMap<String, u64> {
        let seen = lock(&self.0);
        let ids = group.items.iter().filter_map(Item::session_id);
        ids.filter_map(|id| seen.get_key_value(id))
            .map(|(id, highest)| (id.clone(), *highest))
            .collect()
    }

    /// Forgets the number of a removed session.
    pub(super) fn forget(&self, session_id: &str) {
        lock(&self.0).remove(session_id);
    }

    /// Remembers the numbers of a written group.
    pub(super) fn remember(&self, group: &mut Group) {
        let mut seen = lock(&self.0);
        if seen.len() + group.highest.len() > SEEN_MAX {
            seen.clear();
        }
        seen.extend(group.highest.drain());
    }
}
