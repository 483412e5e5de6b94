//! Learning: simulated worlds, in which the true chances are known, and what must never change the
//! advice.

mod history;
mod policy;
mod properties;
mod world;
mod worlds;
