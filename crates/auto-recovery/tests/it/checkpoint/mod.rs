//! Checkpoints on real trees and real git repositories.

mod borders;
pub(crate) mod child;
mod closed;
mod git;
mod heads;
mod ignoring;
mod kill;
mod lock;
mod marks;
mod names;
mod owners;
mod pending;
mod property;
mod repositories;
mod restore;
mod retention;
mod revision;
mod snapshot;
mod tree;
mod uncovered;
