//! What could be tried, as planners see it.

use crate::strategy::{RecoveryStrategyType, Strategy};
use crate::tier::RecipeRef;

/// Something that could be tried against a failure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// Its strategy.
    pub kind: RecoveryStrategyType,
    /// What it would do, as a person would type or say it.
    pub action: String,
    /// The same as records have it.
    pub recorded: String,
    /// The recipe it comes from, if it is one of the product's own and was not asked for.
    pub recipe: Option<RecipeRef>,
    /// How often it may be tried.
    pub max_attempts: u32,
    /// Whether it goes on only while each try shows another failure.
    pub ends_early: bool,
    /// Whether somebody gave it on purpose: it is tried in every category.
    pub asked: bool,
    /// Whether it was typed for this very run: among such, the order is the user's.
    pub typed: bool,
    /// Whether it may be tried without being named: it is enabled, and there is something to do.
    pub available: bool,
}

impl Candidate {
    /// The candidate that `strategy` is: as often as that says, else up to `max_attempts` times.
    /// Nobody asked for it, and it is available.
    pub fn of(strategy: &dyn Strategy, max_attempts: u32) -> Self {
        Self {
            kind: strategy.kind(),
            action: strategy.action(),
            recorded: strategy.action(),
            recipe: strategy.recipe().cloned(),
            max_attempts: strategy.max_attempts().unwrap_or(max_attempts),
            ends_early: strategy.ends_early(),
            asked: false,
            typed: false,
            available: true,
        }
    }
}
