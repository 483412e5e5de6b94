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
    pub(super) failure: &'a Failure,
    pub(super) rule: &'a str,
    pub(super) output_file: Option<String>,
    pub(super) line: Option<Line<'a>>,
    pub(super) recipes: Vec<OfRecipe<'a>>,
}

/// The line by which the rule decided.
#[derive(Serialize)]
pub(super) struct Line<'a> {
    pub(super) number: usize,
    pub(super) text: &'a str,
}

/// What one recipe made of the failure.
#[derive(Serialize)]
pub(super) struct OfRecipe<'a> {
    pub(super) name: &'a str,
    pub(super) tier: Tier,
    pub(super) remedy: Remedy,
    pub(super) is_for_it: bool,
    pub(super) runs: &'a [String],
    pub(super) why_not: &'a [String],
}
