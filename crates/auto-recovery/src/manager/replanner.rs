//! Planning anew: what is tried next once an attempt changed which failure there is.
//!
//! The manager decides when: after a safe recipe, within [`GROUNDS_MAX`]. The caller's replanner
//! says what.

use crate::audit::AdviceRecord;
use crate::failure::{Category, Failure};
use crate::strategy::{HandlerResult, Strategy};

/// Trees that one recovery builds upon, the first included.
pub const GROUNDS_MAX: u32 = 8;

/// A strategy that was planned.
pub struct PlannedStrategy {
    /// The strategy; how often it is tried is its own or the manager's word.
    pub strategy: Box<dyn Strategy>,
    /// How likely it was to be chosen for its place; 1 where no chance is in it.
    pub propensity: f64,
}

/// What to try against another failure.
#[derive(Default)]
pub struct NewPlan {
    /// Its category; `None` keeps that of the failure before.
    pub category: Option<Category>,
    /// The rule that said so.
    pub rule: String,
    /// The strategies, in the order in which they are tried.
    pub strategies: Vec<PlannedStrategy>,
    /// What will not be tried and why, in words.
    pub skipped: Vec<String>,
    /// What history advised.
    pub advice: Option<Box<AdviceRecord>>,
}

/// Plans against the failure that a verification showed.
pub trait Replanner: Send {
    /// What to try against `failure`, which the last verification showed, on the tree as it is now.
    ///
    /// # Errors
    /// Whatever goes wrong leaves the plan as it was, and its text is recorded.
    fn plan_anew(&mut self, failure: &Failure) -> HandlerResult<NewPlan>;

    /// The plan that was made is carried out: what helpers are told is about the new failure.
    ///
    /// # Errors
    /// As [`Replanner::plan_anew`].
    fn turned_to(&mut self, failure: &Failure) -> HandlerResult<()> {
        let _ = failure;
        Ok(())
    }
}
