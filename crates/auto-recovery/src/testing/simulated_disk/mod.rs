//! A disk whose power can fail: what was not synced may be there afterwards, or not.
//!
//! Every operation is done for real in a directory, so readers see what they would see, and is
//! recorded beside it together with what the syncs made durable. [`SimulatedDisk::power_cut`] then
//! turns the directory into one of the states that a disk may be found in:
//!
//! - The contents of a file are durable once a sync of that file returned, its size with them.
//!   Until then each write is kept or lost in pieces, one a 512-byte sector, independently of all
//!   others, also of writes to the same sector; so is each truncation; and the size is that after
//!   any of them, so it may be ahead of the contents (zeros appear) or behind.
//! - A name is durable once a sync of its directory returned. Until then the name may be found as
//!   it was after any of its changes: a new file may be missing with all it holds, synced or not,
//!   and a removed one may be back.
//!
//! It refuses to tear a sector that was durable: disks promise that much. What file systems promise
//! beyond this (ordered metadata, names that come with the file's own sync) is not relied on.

mod contents;
mod disk;
mod names;

pub use disk::{Moment, SimulatedDisk};
