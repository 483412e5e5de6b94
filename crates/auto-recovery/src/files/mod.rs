//! Files that somebody else may have made, read without being hung, flooded or led astray.
//!
//! A name may be a FIFO, a device, a link to one, or a file without end. What is opened here is a
//! regular file, opened without waiting, and read up to a limit. Nothing here writes.

mod regular;

pub use regular::{Links, open_regular, read_small};
