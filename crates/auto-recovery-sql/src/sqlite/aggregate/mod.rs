//! The sums of many sessions.
//!
//! Where every entry is asked for, together, the answers stand ready: in `tally`, `session` and
//! `file`, but for the newest entries, which are added. Otherwise one walk through sessions and
//! entries, in the order in which they lie on the disk, adds each to its group. Texts are known by
//! numbers until the end, so that a group costs little memory, and an entry none.

mod answer;
mod asked;
mod group;
mod names;
mod ready;
mod walk;

pub(super) use answer::aggregate;
