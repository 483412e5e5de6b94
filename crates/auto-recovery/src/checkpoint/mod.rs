//! Checkpoints: byte-exact snapshots of a working tree, what changed between two, and the way back.
//!
//! Each workspace has a private bare git repository in the state directory, whether the project
//! uses git or not. Our own walk decides which paths belong to a snapshot and whether a file may
//! have changed (by a cache of file stamps, as git's index does); `git fast-import` keeps the
//! contents and `git cat-file` gives them back. No index, filter, attribute or hook of anybody
//! stands between the bytes of a file and the bytes of its blob.
//!
//! What this module refuses: writing to the user's `.git`, in any way; following a symbolic link
//! anywhere below the root; overwriting an edit that no step of ours made; and claiming to have
//! undone what it does not hold (files over the size limit, ignored files, special files, extended
//! attributes, hard-link identity).

mod beside;
mod collecting;
mod commit;
mod first_rules;
mod going_back;
mod good_trees;
mod lines;
mod options;
mod past;
mod patch;
mod reading;
mod replaced;
mod repository;
mod restore;
mod retention;
mod revision;
mod session;
mod side_list;
mod store;
mod take_back;
mod tree;
mod unfinished;

pub use beside::{Inbox, Registration};
pub use commit::Checkpoint;
pub use good_trees::{Good, GoodTree, good_trees_of};
pub use options::{CheckpointLimits, CheckpointOptions};
pub use patch::{DiffSink, PatchForm};
pub use replaced::{ReplacedTree, replaced_trees};
pub use repository::user_index::{Staged, UserIndex};
pub use restore::plan::Beside;
pub use restore::restored::{Refused, RestoreReport};
pub(crate) use restore::writers::RUN_VARIABLE;
pub(crate) use retention::size;
pub use retention::{
    OtherRooms, PruneReport, RetentionLimits, find_session, prune, remove_ended, remove_session,
};
pub use revision::check_revision;
pub use session::CheckpointSession;
pub(crate) use store::git_version;
pub use store::{CheckpointStore, check_checkpoint};
pub use take_back::{AskedBy, Preview, Previewed, PutBack, Step, Wanted, preview, put_back};
pub use tree::manifest::{Change, ChangeKind};
pub(crate) use tree::path::is_within;
pub use tree::path::{display_path, some_names};
pub use tree::protect::ProtectGlob;
pub use tree::rules::Protected;
pub use tree::scripts::scripts_of;
pub use tree::watch::{Uncovered, was_removed};
pub use unfinished::{StartedGroup, Unfinished, UnfinishedRun, UnfinishedState};
