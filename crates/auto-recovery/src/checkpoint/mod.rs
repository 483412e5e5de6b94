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
mod blobs;
mod cache;
mod commit;
mod contents;
mod crew;
mod going_back;
mod hands;
mod ignore_files;
mod import;
mod live;
mod manifest;
mod marks;
mod mounts;
mod moved;
mod opened;
mod options;
mod pass;
mod patch;
mod path;
mod pending;
mod plan;
mod protect;
mod reserve;
mod restore;
mod restored;
mod restorer;
mod retention;
mod revision;
mod root;
mod rules;
mod scan;
mod scripts;
mod session;
mod side;
mod stamp;
mod standing;
mod store;
mod take_back;
mod temp;
mod tracked;
mod user_git;
mod user_index;
mod watch;

pub use beside::{Inbox, Registration};
pub use commit::Checkpoint;
pub use manifest::{Change, ChangeKind};
pub use marks::{Good, Mark};
pub use options::{CheckpointLimits, CheckpointOptions};
pub use patch::{DiffSink, PatchForm};
pub(crate) use path::is_within;
pub use path::{display_path, some_names};
pub use pending::{Pending, PendingRun, PendingState, StartedGroup};
pub use plan::Beside;
pub use protect::ProtectGlob;
pub use restored::{Refused, RestoreReport};
pub(crate) use retention::size;
pub use retention::{
    OtherRooms, PruneReport, RetentionLimits, find_session, prune, remove_session,
};
pub use revision::check_revision;
pub use rules::Protected;
pub use scripts::scripts_of;
pub use session::CheckpointSession;
pub use store::{CheckpointStore, check_checkpoint};
pub use take_back::{AskedBy, Preview, Previewed, PutBack, Step, Wanted, preview, put_back};
pub use user_index::{Staged, UserIndex};
pub use watch::Uncovered;
