//! Learning: simulated worlds, in which the true chances are known, and what must never change the
//! advice.

mod policy;
mod world;
mod worlds;
