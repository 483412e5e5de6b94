//! All that `recover explain` says of one failure, for programs and for people.

use auto_recovery::recipe::{Remedy, Tier};
use auto_recovery::{Category, Failure};
use serde::Serialize;

/// All that is said of one failure.
#[derive(Serialize)]
pub(super) struct Explanation<'a> {
    pub(super) session_id: Option<&'a str>,
    pub(super) command: String,
    pub(super) category: Category,
    pub(super) failure: Failure,
    pub(super) rule: String,
    pub(super) output_file: Option<String>,
    pub(super) line: Option<Line>,
    /// The words that told, where no rule knows the output; the most telling first.
    pub(super) words: Vec<String>,
    /// What was not tried in the session, and why.
    pub(super) skipped: &'a [String],
    pub(super) recipes: Vec<OfRecipe>,
    /// The failures that attempts turned this one into, in order.
    pub(super) then: Vec<Explanation<'a>>,
}

/// The line by which the rule decided.
#[derive(Serialize)]
pub(super) struct Line {
    pub(super) number: usize,
    pub(super) text: String,
}

/// What one recipe made of the failure.
#[derive(Serialize)]
pub(super) struct OfRecipe {
    pub(super) name: String,
    pub(super) tier: Tier,
    pub(super) remedy: Remedy,
    pub(super) is_for_it: bool,
    /// What it would run, as things stand now.
    pub(super) runs: Vec<String>,
    pub(super) why_not: Vec<String>,
    /// The attempts of the session that it made against this failure, and what came of them.
    pub(super) ran: Vec<String>,
}

impl OfRecipe {
    /// Whether it is worth a line of its own: it is for this failure, or it was tried.
    pub(super) fn concerns_it(&self) -> bool {
        self.is_for_it || !self.ran.is_empty()
    }
}
