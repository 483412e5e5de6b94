//! Workspaces: which directory a command works in, who works in it, and where its state is kept.
//!
//! Who changes the tree of a workspace has claimed it, against whoever works in it, around it or
//! inside it.

mod directory;
pub(crate) mod layout;
pub(crate) mod lineage;
pub(crate) mod lock;
mod locked_file;
mod nested;
mod onlooker;
mod safe_directory;

pub use directory::Workspace;
pub(crate) use directory::{git_dir_of, own_git_dir_of};
pub use lock::{LockHolder, Locked, WorkspaceLock};
pub use nested::{Claimed, forget_locks_inside, is_inside_recovery};
pub(crate) use onlooker::Onlooker;
pub use safe_directory::is_safe_directory;
