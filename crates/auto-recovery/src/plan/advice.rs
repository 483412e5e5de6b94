//! What a planner that counts advises, and what it goes by.

use crate::strategy::RecoveryStrategyType;
use crate::tier::Tier;

/// What became of a question for advice.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AdviceStatus {
    /// Another order than the shipped one is better, or something is best left out.
    Changed,
    /// The shipped order stays.
    #[default]
    Abstained,
    /// Nobody wants advice.
    Off,
}

impl AdviceStatus {
    /// The name used in records.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Changed => "changed",
            Self::Abstained => "abstained",
            Self::Off => "off",
        }
    }
}

/// One piece of a plan: a strategy with its tries.
#[derive(Clone, Debug, PartialEq)]
pub struct PlannedUnit {
    /// The name of its action; see [`crate::learn`].
    pub name: String,
    /// The number of its first try.
    pub first: u32,
    /// How many tries it has.
    pub tries: u32,
    /// Its strategy.
    pub kind: RecoveryStrategyType,
    /// The worst that it may do, if it is a recipe's.
    pub tier: Option<Tier>,
    /// Whether somebody asked for it.
    pub asked: bool,
    /// Whether it stands on this command line.
    pub typed: bool,
}

/// A step that is best left out.
#[derive(Clone, Debug, PartialEq)]
pub struct LeftOut {
    /// Its name.
    pub step: String,
    /// Why, with its counts.
    pub why: String,
}

/// What is known of one step.
#[derive(Clone, Debug, PartialEq)]
pub struct StepFacts {
    /// Its name.
    pub step: String,
    /// How often it cured such failures here, and how often it was tried.
    pub here: [u64; 2],
    /// The same in other projects.
    pub others: [u64; 2],
    /// Its chance to cure this failure.
    pub chance: f64,
    /// The lower end of the interval that has it with 90 %.
    pub low: f64,
    /// The upper end.
    pub high: f64,
    /// How long it takes.
    pub seconds: f64,
}

/// The time to the end, expected, in seconds; somebody who has to look counts with it.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Expected {
    /// In the shipped order.
    pub shipped: f64,
    /// In the advised one.
    pub order: f64,
    /// How sure it is that the advised one is faster, from 0 to 1.
    pub sure: f64,
}

/// What is advised against one failure.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Advice {
    /// What became of it.
    pub status: AdviceStatus,
    /// Whether the plan follows it.
    pub applied: bool,
    /// Whether this session keeps the shipped order for comparison.
    pub control: bool,
    /// Why, in words.
    pub why: String,
    /// The UTC day for which it holds.
    pub day: String,
    /// A hash of all that is known of the class.
    pub summary: String,
    /// Category, tool and type of the failure.
    pub class: [String; 3],
    /// The shipped plan.
    pub units: Vec<PlannedUnit>,
    /// The steps of the shipped plan, in order.
    pub shipped: Vec<String>,
    /// The steps that are advised, in order.
    pub order: Vec<String>,
    /// The steps that are best left out.
    pub left_out: Vec<LeftOut>,
    /// What is known of each step, in the advised order, then those left out.
    pub steps: Vec<StepFacts>,
    /// The time to the end.
    pub expected: Expected,
}
