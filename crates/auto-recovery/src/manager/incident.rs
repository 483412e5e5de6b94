//! A failure that is handed over for recovery, and what came of it.

use crate::attempt::RecoveryResult;
use crate::failure::{Category, Failure};
use crate::manager::step::RecoveryEnd;

/// A failure that is to be recovered, and what is known of the run that showed it.
#[derive(Clone, Debug)]
pub struct Incident {
    /// The failure.
    pub failure: Failure,
    /// Its category.
    pub category: Category,
    /// The rule that said so.
    pub rule: String,
    /// Exit code of the command.
    pub exit_code: Option<i32>,
    /// Signal that ended it.
    pub signal: Option<i32>,
    /// Whether it was stopped at its time limit.
    pub timed_out: bool,
    /// Where its output is kept.
    pub output_file: Option<String>,
    /// The tree it left.
    pub checkpoint: Option<String>,
    /// What will not be tried and why, in words.
    pub skipped: Vec<String>,
}

impl Incident {
    /// An incident of which only the failure is known.
    pub fn new(failure: Failure, category: Category, rule: impl Into<String>) -> Self {
        Self {
            failure,
            category,
            rule: rule.into(),
            exit_code: None,
            signal: None,
            timed_out: false,
            output_file: None,
            checkpoint: None,
            skipped: Vec::new(),
        }
    }
}

/// One recovery, from its first attempt to its end.
#[derive(Clone, Debug, PartialEq)]
pub struct Recovery {
    /// What came of it, in the specification's shape.
    pub result: RecoveryResult,
    /// How it ended.
    pub end: RecoveryEnd,
    /// The session it was recorded in.
    pub session_id: Option<String>,
    /// Whether it passed by being run again, and nothing else.
    pub flaky: bool,
    /// Paths that the cure changed, together with what it was built upon; sorted.
    pub files_modified: Vec<String>,
    /// Processes that the cure left running, as `pid command`.
    pub left_running: Vec<String>,
    /// Paths that attempts changed and that no checkpoint covers, and those that somebody else
    /// changed meanwhile and that were kept; sorted.
    pub not_covered: Vec<String>,
    /// Why nothing more was tried although something was left to try.
    pub stopped: Option<String>,
    /// Why the deadline ended it although it had not passed: what had to be waited for was longer.
    pub out_of_time: Option<String>,
    /// What was not tried because somebody did not agree to it, and why.
    pub declined: Vec<String>,
}
