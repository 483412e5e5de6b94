//! Moving trails: from files into a store, and from one store to another.
//!
//! Ids, times and every byte of every entry stay as they are, and what is there already is not
//! added again, so whatever was interrupted can simply be done once more. Nothing is ever removed.

mod batches;
mod copy;
mod document;
mod exact;
mod import;

pub use batches::Counts;
pub use copy::{CopiedSession, CopyReport, copy, copy_encrypting};
pub use exact::{ExactCopy, copy_exactly};
pub use import::{ImportReport, import, open};
