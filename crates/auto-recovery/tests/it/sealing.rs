//! Sealing a store of files and verifying it: deaths between any two steps, every kind of change by
//! our verifier and by one of a hundred lines of Python, and writers who never stop meanwhile.

mod alone;
mod crowd;
mod mutants;
mod recorded;
mod steps;
mod world;
