//! Checkpoints on real trees and real git repositories.

mod restore;
mod snapshot;
mod tree;
