//! Repositories: contents into the private one and out of it, and what the user's own says.

pub(super) mod blobs;
pub(super) mod head;
pub(super) mod import;
mod stash;
pub(super) mod user_git;
pub(super) mod user_index;
