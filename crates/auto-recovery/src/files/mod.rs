//! Files that somebody else may have made, read without being hung, flooded or led astray.
//!
//! A name may be a FIFO, a device, a link to one, or a file without end. What is opened here is a
//! regular file, opened without waiting, and read up to a limit. What is the user's own is kept in
//! directories that are found to be that, and written without following links.
//!
//! What every room does with files stands here once: private directories, replacing a file whole,
//! names that outlast a power cut, which file it is and whether it is as it was, hashes.

pub(crate) mod encoding;
pub(crate) mod hash;
mod identity;
mod names;
mod own;
mod private;
mod regular;
mod replace;
mod room;
mod writers;

pub use identity::FileId;
pub(crate) use identity::{Stamp, TICK, may_change_unseen, stands_at};
pub use names::{rename_synced, sync_dir, sync_names_above};
pub use own::{Purpose, check_own_dir, check_own_file, create_afresh, make_own_dir, open_own};
pub use private::{make_private_dir, make_private_dirs};
pub use regular::{
    Links, Missing, append_regular, append_through, open_regular, read_small, read_start,
};
pub use replace::{Synced, replace};
pub(crate) use replace::{filled, remove_synced, replace_at_once, unmade};
pub use room::check_room;
pub use writers::other_writers;
