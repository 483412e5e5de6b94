//! The sums of many sessions, made by the database.
//!
//! Three questions are asked in one transaction: the sums of entries, how the sessions ended that
//! they are of, and which files they name. Where every entry is asked for, together, the answers
//! stand ready: in `tally`, `session` and `file`, but for the newest entries, which are added.
//! Otherwise they are made from the entries.

mod answer;
mod question;
mod sums;

pub(super) use sums::aggregate;
