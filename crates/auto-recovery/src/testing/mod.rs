//! What tests of this crate, and of the crates built on it, share: a host that takes no real time,
//! and the contract that every store must keep.
//!
//! Behind the feature `testing`; a product build has none of it. Nothing here is stable.

mod host;

pub use host::ScriptedHost;
