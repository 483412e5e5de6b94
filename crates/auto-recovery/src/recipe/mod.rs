//! Recipes: data that says which fix or alternative suits which failure. Pure.
//!
//! A recipe turns the command that failed into the command that mends it: `black --check src` into
//! `black src`. It says how much it may do at worst (its [`Tier`]) and which program it needs;
//! whether that program is installed is the caller's to find out. A recipe that does not match is
//! never guessed at.

mod book;
mod definition;
mod flags;
mod heard;
mod matching;
mod misfit;
mod situation;

pub use crate::tier::{RecipeRef, Tier};
pub use book::RecipeBook;
pub use definition::{Recipe, Remedy};
pub use matching::Candidate;
pub use misfit::Misfit;
pub use situation::Situation;
