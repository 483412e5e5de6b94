//! One try of one strategy, and what came of a whole recovery.

use serde::{Deserialize, Serialize};

use crate::failure::Failure;
use crate::strategy::RecoveryStrategyType;

/// One try of one strategy, ended by its verification.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RecoveryAttempt {
    /// Number of the attempt within the session, from 1.
    pub attempt_number: u64,
    /// The strategy tried.
    pub strategy: RecoveryStrategyType,
    /// Whether it cured the failure.
    pub success: bool,
    /// The failure it set out to cure.
    pub error_before: Option<Failure>,
    /// The failure that was left afterwards, if any was seen.
    pub error_after: Option<Failure>,
    /// What it changed, in words.
    pub changes_made: Vec<String>,
    /// When it ended, RFC 3339 in UTC.
    pub timestamp: String,
    /// How long it took, in seconds with milliseconds.
    pub duration_seconds: f64,
    /// What became of it, in words.
    pub message: String,
}

/// What came of one recovery.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RecoveryResult {
    /// Whether the failure is cured.
    pub success: bool,
    /// The strategy that cured it, or `escalate`.
    pub strategy_used: RecoveryStrategyType,
    /// Every attempt, in order.
    pub attempts: Vec<RecoveryAttempt>,
    /// The failure that is left, `None` once cured.
    pub final_error: Option<Failure>,
    /// The outcome in words.
    pub message: String,
    /// Whether a person is needed now.
    pub escalated_to_human: bool,
    /// When the recovery ended, RFC 3339 in UTC.
    pub timestamp: String,
}
