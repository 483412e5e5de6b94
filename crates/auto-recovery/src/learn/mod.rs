//! Learning which strategy to try first: counts of cures of a class of failures, an order by chance
//! over cost, and a guard that keeps the shipped order until the gain is sure.
//!
//! Pure: it is given the text of records and the time, and reaches no store, file or clock. It
//! draws nothing at random and keeps no model: each number can be counted by hand from the journal.
//!
//! - [`History`] reads records into [`Trial`]s: only what `recover run` verified counts.
//! - [`Summary`] keeps them by class, failure, step and day; [`Others`] what other projects saw.
//! - [`Evidence`] is both, seen at a moment. [`Learned`] plans by it, over the shipped planner.
//! - [`topics`] are all classes in all workspaces; [`document`] is advice for programs.
//!
//! It never invents a step, raises a tier, or changes what stands on the command line among itself.

mod cell;
mod class;
mod control;
mod day;
mod document;
mod estimate;
mod evidence;
mod failure_key;
mod guard;
mod history;
mod learned;
mod left_out;
mod order;
mod others;
mod reading;
mod settings;
mod step;
mod summary;
mod topic;
mod tripwire;
mod words;

pub use class::{Class, Salt};
pub use control::{ControlReport, ReportedSession, is_control};
pub use day::{Day, Moment};
pub use document::{as_if_off, document};
pub use estimate::Estimate;
pub use evidence::Evidence;
pub use failure_key::FailureKey;
pub use history::{Filter, History, Incident, NewestFailure, Run, Trial};
pub use learned::{Learned, Mask, advise};
pub use others::Others;
pub use settings::{LearnMode, LearnScope, LearnSettings};
pub use step::{Unit, step_name, units_of};
pub use summary::{Counting, SUMMARY_BYTES_MAX, Summary};
pub use topic::{Topic, days_until_back, topics};
pub use words::{counts_in_words, left_out_in_words, sentence, sure_in_words};
