//! Files that somebody else may have made, read without being hung, flooded or led astray.
//!
//! A name may be a FIFO, a device, a link to one, or a file without end. What is opened here is a
//! regular file, opened without waiting, and read up to a limit. What is the user's own is kept in
//! directories that are found to be that, and written without following links.

pub(crate) mod durable;
mod hash;
mod own;
mod regular;
mod writers;

pub(crate) use hash::fnv128;
pub use own::{Purpose, check_own_dir, check_own_file, create_afresh, make_own_dir, open_own};
pub use regular::{
    Links, Missing, append_regular, append_through, open_regular, read_small, read_start,
};
pub use writers::other_writers;
