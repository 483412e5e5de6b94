//! What a recipe is asked about.

use crate::failure::{Category, Failure};

/// What failed.
#[derive(Clone, Copy, Debug)]
pub struct Situation<'a> {
    /// The command.
    pub argv: &'a [String],
    /// Its failure; `None` stands for any failure of the category, as in a plan made beforehand.
    pub failure: Option<&'a Failure>,
    /// The category of that.
    pub category: Category,
    /// What the command printed, or the telling part of it.
    pub output: &'a str,
}
