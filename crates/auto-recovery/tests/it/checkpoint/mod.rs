//! Checkpoints on real trees and real git repositories.

mod borders;
pub(crate) mod child;
mod closed;
mod git;
mod good_trees;
mod heads;
mod ignoring;
mod kill;
mod lock;
mod names;
mod only_copies;
mod owners;
mod property;
mod repositories;
mod restore;
mod retention;
mod revision;
mod secrets;
mod snapshot;
mod tree;
mod uncovered;
mod unfinished;
