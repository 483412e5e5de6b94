//! The working tree of a run: claimed, guarded while it is recovered, and looked at outside of
//! runs.

pub(super) mod attempt_diff;
pub(super) mod claiming;
pub(super) mod cure;
pub(super) mod dead_run;
pub(super) mod guarded;
pub(super) mod left_behind;
pub(super) mod marked;
mod options;
pub(super) mod patches;
pub(super) mod protect;
pub(super) mod session_patch;
pub(super) mod session_trees;
pub(super) mod staging;
pub(super) mod trees;
