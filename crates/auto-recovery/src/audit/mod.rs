//! The audit trail: what was tried, when, and what came of it.
//!
//! An [`AuditStore`] keeps it: of text files ([`JsonlStore`](crate::jsonl::JsonlStore)), or of a
//! database. Most callers use the [`RecoveryAuditLogger`](crate::RecoveryAuditLogger) above it. A
//! store appends and reads. Clearing is an operation of its own that leaves a record in the
//! journal; nothing ever updates an entry.

mod advice;
mod by_reading;
mod claim;
mod damage;
mod duplicates;
pub mod encoding;
pub mod encrypting;
mod find;
mod fit;
mod follow;
mod journal;
mod journal_summary;
mod new_entry;
mod recipes;
mod recorder;
mod redacted;
mod removal;
pub mod sealing;
pub mod session_id;
mod session_list;
mod session_outcome;
mod simple;
mod store;
mod stored;
mod texts;

pub use advice::{AdviceExpected, AdviceRecord, AdviceUnit};
pub(crate) use by_reading::recipes_of_all;
pub use claim::Claim;
pub use damage::Damage;
pub use duplicates::Duplicates;
pub(crate) use find::is_piece;
pub use find::{FoundSession, MATCHES_MAX, PIECE_CHARS_MIN, find_session};
pub use fit::ENTRY_BYTES_MAX;
pub use follow::{Followed, Follower, NAMED_MAX, Passing, Polling, ReadAfter, Seen};
pub use journal::{
    AlertSaid, AttemptFinished, AttemptStarted, ChainStarted, FailureDetected, JournalEvent,
    JournalRecord, KeysDestroyed, LeftBehind, Restored, SealNotPublished, SealSigned,
    SealWitnessed, SessionCleared, SessionFinished, SessionHeld, SessionPruned, SessionReleased,
    SessionStarted, TailQuarantined, TrailImported, TrailRemoved, TrailSealed,
};
pub use journal_summary::{JournalSummary, this_host};
pub use new_entry::{Appended, NewEntry};
pub use recipes::AttemptRecipes;
pub use recorder::{JournalLine, RecordedEntry, Recorder, redaction_key};
pub use redacted::RedactedStore;
pub use removal::{Digester, Pruning, Removal, Removed, TrailDigest};
pub use session_list::{SessionKey, SessionPage, SessionQuery, SessionSummary, sort_newest_first};
pub use session_outcome::SessionOutcome;
pub use simple::{ReadingImporter, TakenOver, judge_by_reading, list_by_reading};
pub use store::{AuditStore, Durability, Importer};
pub use stored::StoredEntry;
pub(crate) use texts::redact_failure;
