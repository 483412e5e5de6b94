//! How a store is read: lines, records, trails, and what the journal says of sessions.

pub(super) mod after;
pub(super) mod backwards;
pub(super) mod journal_index;
pub(super) mod keyed;
pub(super) mod lines;
pub(super) mod pages;
pub(super) mod places;
pub(super) mod records;
pub(super) mod session_events;
pub(super) mod sessions;
pub(super) mod trail;
