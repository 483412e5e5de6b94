//! What tests of this crate, and of the crates built on it, share: a host that takes no real time,
//! file operations that fail on demand, and the contract that every store must keep.
//!
//! Behind the feature `testing`; a product build has none of it. Nothing here is stable.

mod faulty_io;
mod host;
pub mod store_contract;

pub use faulty_io::{Effect, Fault, FaultyIo, Operation};
pub use host::ScriptedHost;
