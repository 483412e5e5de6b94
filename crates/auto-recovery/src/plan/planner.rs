//! The trait of planners: from candidates to a plan.

use std::fmt;
use std::time::Duration;

use crate::failure::{Category, Failure};
use crate::plan::advice::Advice;
use crate::plan::candidate::Candidate;

/// What a planner is told of the failure.
#[derive(Clone, Copy, Debug)]
pub struct Case<'a> {
    /// Its category.
    pub category: Category,
    /// The failure; `None` where somebody asks about the whole category.
    pub failure: Option<&'a Failure>,
    /// How long the command ran that can be run again; `None` where no command is behind it.
    pub took: Option<Duration>,
}

/// A candidate that is tried.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Chosen {
    /// Its place among the candidates.
    pub candidate: usize,
    /// How often it is tried, at most.
    pub max_attempts: u32,
    /// How likely it was to be chosen for this place; 1 where no chance is in it.
    pub propensity: f64,
}

/// What is tried.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Plan {
    /// In order. A candidate may stand in it more than once.
    pub steps: Vec<Chosen>,
    /// Why the planner left something else out, in words.
    pub skipped: Vec<String>,
    /// What history advises, where the planner asks it.
    pub advice: Option<Box<Advice>>,
}

/// Chooses what is tried, and in which order.
pub trait Planner: fmt::Debug + Send + Sync {
    /// The plan against `case`, out of `candidates`.
    fn plan(&self, case: &Case<'_>, candidates: &[Candidate]) -> Plan;

    /// `text` as the records have it by which this planner goes.
    fn masked(&self, text: &str) -> String {
        text.to_owned()
    }
}
