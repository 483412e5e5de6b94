//! Failure to category, for failures that did not come from a command: rules that say why.
//!
//! For a command's failure use [`crate::detect`], which sees its output and its end.

mod words;

pub use words::classify;
