//! Retention of trails: which sessions the rules remove, and their removal such that nothing is
//! lost that was to be kept, whenever the power fails.
//!
//! Only whole sessions are removed, oldest first; never one that is held, that is still running, or
//! that cannot be read in full. A session is first written to an archive, if one is wanted, and
//! read back from there; then the store removes it if it still is what was archived, and the
//! journal records the removal.

mod archive;
mod prune;
mod rules;

pub use archive::{Archived, archive_session};
pub use prune::{PruneOptions, Pruned, prune};
pub use rules::{PruneReason, RetentionRules, Selected};
