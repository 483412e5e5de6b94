//! The failure that helpers face, beside what stands in the failure itself.

use crate::failure::Failure;
use crate::process::Completion;
use crate::run::helpers::excerpt::excerpt;
use crate::run::outcome::RunExit;

/// What is known of the run that showed the failure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::run) struct Facing {
    /// The rule that told what kind of failure it is.
    pub(in crate::run) rule: String,
    /// How the command ended.
    pub(in crate::run) exit: RunExit,
    /// Whether it was ended at its time limit.
    pub(in crate::run) timed_out: bool,
    /// How much it wrote.
    pub(in crate::run) output_bytes: u64,
    /// What stands around the error in it.
    pub(in crate::run) excerpt: String,
}

impl Facing {
    /// What `ran`, which ended with `exit` and wrote `output`, shows of `failure`; nothing ran if
    /// it could not start.
    pub(in crate::run) fn new(
        failure: &Failure,
        rule: &str,
        exit: RunExit,
        (ran, output): (Option<&Completion>, &[u8]),
    ) -> Self {
        Self {
            rule: rule.to_owned(),
            exit,
            timed_out: ran.is_some_and(|ran| ran.timed_out),
            output_bytes: output.len() as u64,
            excerpt: excerpt(output, failure),
        }
    }
}
