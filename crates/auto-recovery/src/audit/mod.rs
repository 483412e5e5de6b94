//! The audit trail: what was tried, when, and what came of it.
//!
//! [`RecoveryAuditLogger`] is what callers use. It writes to an [`AuditStore`]; the one built in is
//! [`JsonlStore`], a directory of text files. A store appends and reads. Clearing is an operation of
//! its own that leaves a record in the journal; nothing ever updates an entry.

mod journal;
mod jsonl;
mod logger;
mod store;

pub use journal::{
    AttemptFinished, AttemptStarted, FailureDetected, JournalEvent, JournalRecord, Restored,
    SessionCleared, SessionFinished, SessionOutcome, SessionStarted, TailQuarantined,
};
pub use jsonl::JsonlStore;
pub use logger::RecoveryAuditLogger;
pub use store::{Appended, AuditStore, Damage, Durability, NewEntry, SessionSummary, StoredEntry};
