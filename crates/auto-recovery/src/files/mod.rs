//! Files that somebody else may have made, read without being hung, flooded or led astray.
//!
//! A name may be a FIFO, a device, a link to one, or a file without end. What is opened here is a
//! regular file, opened without waiting, and read up to a limit. Nothing here writes: what is
//! opened to append to is the caller's.

mod regular;

pub use regular::{Links, Missing, append_regular, open_regular, read_small};
