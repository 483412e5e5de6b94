//! What is Linux's own, in one room: a port to another system is written here.
//!
//! Each file says one thing that this system tells or does, in plain types. It decides nothing, and
//! imports nothing of ours. What every Unix has stands where it is used.

pub(crate) mod acl;
pub(crate) mod control_group;
pub(crate) mod descriptors;
pub(crate) mod files;
pub(crate) mod handle;
pub(crate) mod memory;
pub(crate) mod mounts;
pub(crate) mod orphans;
pub(crate) mod pipes;
pub(crate) mod processes;
pub(crate) mod routes;
pub(crate) mod signals;
mod told;
pub(crate) mod waits;
