//! The audit trail: what was tried, when, and what came of it.
//!
//! An [`AuditStore`] keeps it: of text files ([`JsonlStore`](crate::jsonl::JsonlStore)), or of a
//! database. Most callers use the [`RecoveryAuditLogger`](crate::RecoveryAuditLogger) above it. A
//! store appends and reads. Clearing is an operation of its own that leaves a record in the
//! journal; nothing ever updates an entry.

pub mod encoding;
mod facts;
mod fit;
mod journal;
mod known;
mod removal;
pub mod session_id;
mod store;
mod stored;

pub use facts::{SessionFacts, sort_newest_first, this_host};
pub use fit::{ENTRY_BYTES_MAX, write_fitted};
pub use journal::{
    AttemptFinished, AttemptStarted, FailureDetected, JournalEvent, JournalRecord, LeftBehind,
    Restored, SessionCleared, SessionFinished, SessionHeld, SessionOutcome, SessionPruned,
    SessionReleased, SessionStarted, TailQuarantined, TrailRemoved,
};
pub use known::Known;
pub use removal::{Digester, Pruning, Removal, Removed, TrailDigest};
pub use store::{Appended, AuditStore, Damage, Durability, Importer, NewEntry, SessionSummary};
pub use stored::StoredEntry;
