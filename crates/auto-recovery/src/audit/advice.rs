//! What history advised against a failure, as the journal keeps it with that: with the shipped
//! plan, so that anybody can count again.

use serde::{Deserialize, Serialize};

use crate::tier::Tier;

/// What was advised.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct AdviceRecord {
    /// Version of the way of counting.
    pub v: u32,
    /// A hash of all that was known of the steps.
    pub summary: String,
    /// The UTC day for which it held.
    pub day: String,
    /// `changed` or `abstained`.
    pub status: String,
    /// Whether the plan followed it.
    pub applied: bool,
    /// Whether the session kept the shipped order for comparison.
    pub control: bool,
    /// The steps that were advised, in order.
    pub order: Vec<String>,
    /// The steps that were best left out.
    pub left_out: Vec<String>,
    /// The time to the end, expected, in seconds.
    pub expected: AdviceExpected,
    /// The shipped plan.
    pub plan: Vec<AdviceUnit>,
}

/// The time to the end in the shipped order and in the advised one, and how sure that is faster.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct AdviceExpected {
    /// In the shipped order.
    pub shipped: f64,
    /// In the advised one.
    pub order: f64,
    /// From 0 to 1.
    pub sure: f64,
}

/// One piece of the shipped plan.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct AdviceUnit {
    /// Its name.
    pub name: String,
    /// The number of its first try.
    pub first: u32,
    /// How many tries it has.
    pub tries: u32,
    /// Its strategy.
    pub strategy: String,
    /// The worst that it may do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tier: Option<Tier>,
    /// Whether somebody asked for it.
    pub asked: bool,
    /// Whether it was typed for that run.
    pub typed: bool,
}
