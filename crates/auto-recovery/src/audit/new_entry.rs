//! An entry as a caller gives it to a store, and what it is told once that is kept.

use serde::Serialize;

use crate::entry::RecoveryAuditEntry;

/// An entry that is to be appended.
#[derive(Clone, Debug, Default)]
pub struct NewEntry {
    /// The entry. An empty `entry_id` or `timestamp` is filled in by the store.
    pub entry: RecoveryAuditEntry,
    /// Whether the store gives the session's next attempt number instead of the entry's own.
    pub number_by_store: bool,
}

/// An entry that was appended, and is as durable as the store was asked to make it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Appended {
    /// The id of the entry.
    pub entry_id: String,
    /// The session it went to.
    pub session_id: String,
    /// Its number within the session.
    #[serde(skip)]
    pub attempt_number: u64,
}
