//! How long trails are kept: which sessions go by rule, and how one goes so that nothing is lost
//! that was to be kept, whenever the power fails.
//!
//! Only whole sessions go, oldest first; never one that is held, that is still running, or of which
//! something cannot be read. What goes is first written to an archive, if one is wanted, and read
//! back from there; then the store removes it if it still is what was archived, and the journal
//! says what went.

mod archive;
mod prune;
mod rules;

pub use archive::{Archived, archive_session};
pub use prune::{PruneOptions, Pruned, prune};
pub use rules::{PruneReason, RetentionRules, Selected};
