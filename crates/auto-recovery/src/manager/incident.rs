//! A failure that is handed over for recovery, and the result.

use std::time::Duration;

use crate::attempt::RecoveryResult;
use crate::audit::AdviceRecord;
use crate::failure::{Category, Failure};
use crate::manager::step::RecoveryEnd;

/// A failure to recover, and the facts of the run that showed it.
#[derive(Clone, Debug)]
pub struct Incident {
    /// The failure.
    pub failure: Failure,
    /// Its category.
    pub category: Category,
    /// The rule that detected it.
    pub rule: String,
    /// Exit code of the command.
    pub exit_code: Option<i32>,
    /// Signal that ended it.
    pub signal: Option<i32>,
    /// Set if it was stopped at its time limit.
    pub timed_out: bool,
    /// When the command began that failed, on the host's monotonic clock; the recovery is taken for
    /// as long as that. When the recovery begins, if left out.
    pub began: Option<Duration>,
    /// The file that keeps its output.
    pub output_file: Option<String>,
    /// The tree it left.
    pub checkpoint: Option<String>,
    /// Strategies that will not be tried, and why, in words.
    pub skipped: Vec<String>,
    /// What history advised.
    pub advice: Option<Box<AdviceRecord>>,
}

impl Incident {
    /// An incident with nothing known but its failure.
    pub fn new(failure: Failure, category: Category, rule: impl Into<String>) -> Self {
        Self {
            failure,
            category,
            rule: rule.into(),
            exit_code: None,
            signal: None,
            timed_out: false,
            began: None,
            output_file: None,
            checkpoint: None,
            skipped: Vec::new(),
            advice: None,
        }
    }
}

/// One recovery, from its first attempt to its end.
#[derive(Clone, Debug, PartialEq)]
pub struct Recovery {
    /// The result, in the specification's shape.
    pub result: RecoveryResult,
    /// The way it ended.
    pub end: RecoveryEnd,
    /// The session it was recorded in.
    pub session_id: Option<String>,
    /// Set if it passed by being run again, and nothing else.
    pub flaky: bool,
    /// How long it took, as its record says.
    pub took: Duration,
    /// Paths that the cure changed, together with the changes it was built upon; sorted.
    pub files_modified: Vec<String>,
    /// Paths that attempts changed which cured nothing, and that were not put back when those
    /// ended; sorted.
    pub left_changed: Vec<String>,
    /// Processes that the cure left running, as `pid command`.
    pub left_running: Vec<String>,
    /// Paths that attempts changed and that no checkpoint covers, and those that somebody else
    /// changed meanwhile and that were kept; sorted.
    pub not_covered: Vec<String>,
    /// The reason why nothing more was tried, if something was left to try.
    pub stopped: Option<String>,
    /// The reason why the deadline ended it before it had passed: a necessary wait was longer.
    pub out_of_time: Option<String>,
    /// Strategies that were not tried because the user did not agree, and why.
    pub declined: Vec<String>,
    /// Why the change of the last attempt, with which the command passed, was not kept.
    pub refused: Option<String>,
}
