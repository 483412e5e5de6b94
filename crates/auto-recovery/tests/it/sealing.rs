//! Sealing a store of files and verifying it: deaths between any two steps, every kind of change by
//! our verifier and by one of a hundred lines of Python, writers who never stop meanwhile, and a
//! witness who is asked to sign.

mod alone;
mod crowd;
mod mutants;
mod recorded;
mod steps;
mod witness;
mod witnessed;
mod world;
