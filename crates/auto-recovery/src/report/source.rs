//! What a report for people is made from.

use std::time::SystemTime;

use super::kept::Kept;
use crate::audit::AuditStore;

/// Attempts whose changes and output are read for a report, the last ones: each takes a look into
/// the checkpoints.
const EXCERPTS_MAX: u64 = 50;

/// The session that a report is about, and where to read of it.
#[derive(Clone, Copy)]
pub struct Source<'a> {
    /// The store of its record.
    pub store: &'a dyn AuditStore,
    /// The session.
    pub session_id: &'a str,
    /// What it left beside the record.
    pub kept: &'a dyn Kept,
    /// When the report is made.
    pub now: SystemTime,
}

/// Whether the changes and the output of attempt `number` are looked for, if the last has `last`.
pub(super) fn is_looked_into(number: u64, last: u64) -> bool {
    last.saturating_sub(number) < EXCERPTS_MAX
}
