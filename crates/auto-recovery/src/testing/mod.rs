//! What tests of this crate, and of the crates built on it, share: a host that takes no real time,
//! file operations that fail on demand, a disk whose power fails, the contract that every store
//! must keep and the model that it must live like, what must hold for any bytes, and what campaigns
//! count.
//!
//! Behind the feature `testing`; a product build has none of it. Nothing here is stable.

mod campaign;
mod faulty_io;
pub mod fuzz;
mod host;
mod random;
mod samples;
mod simulated_disk;
pub mod store_contract;
pub mod store_model;
pub mod store_processes;

pub use campaign::{Campaign, Found, Rounds, Wrong, quick_dir};
pub use faulty_io::{Effect, Fault, FaultyIo, Operation};
pub use host::ScriptedHost;
pub use random::Random;
pub use samples::{SAMPLES, Sample, sample};
pub use simulated_disk::{Moment, SimulatedDisk};
