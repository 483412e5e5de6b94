//! The seals that a server makes: a machine whose store is over it has no key for that store, so
//! the server has one on its own machine, as the command does there.
//!
//! No append waits for a seal. Whoever records says what came, `due` knows when that is to be under
//! a seal, and one thread makes it. What cannot be sealed is told and tried again; it refuses
//! nobody anything.

mod due;
mod sealing;
#[cfg(test)]
mod tests;

pub(crate) use self::due::News;
pub(crate) use self::sealing::{Counted, Seals};
