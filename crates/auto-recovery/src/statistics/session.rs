//! Statistics of one session: the 15 keys of the specification.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Statistics of one session, in the specification's order.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct RecoveryStatistics {
    /// The session.
    pub session_id: String,
    /// When it began; `None` if it never did.
    pub session_start: Option<String>,
    /// Number of entries.
    pub total_attempts: u64,
    /// Entries that succeeded.
    pub successful_attempts: u64,
    /// Entries that did not.
    pub failed_attempts: u64,
    /// Successful entries, in percent with 2 decimals; 0 for none.
    pub success_rate: f64,
    /// Entries by strategy.
    pub strategies_used: BTreeMap<String, u64>,
    /// Entries by error type.
    pub error_type_distribution: BTreeMap<String, u64>,
    /// Sum of durations, in seconds with milliseconds.
    pub total_duration_seconds: f64,
    /// Mean duration, in seconds with milliseconds.
    pub average_duration_seconds: f64,
    /// Number of different files that were modified.
    pub files_modified_count: u64,
    /// Those files, sorted.
    pub files_modified: Vec<String>,
    /// Entries after which the tree was put back.
    pub rollback_count: u64,
    /// Timestamp of the first entry.
    pub first_attempt_timestamp: Option<String>,
    /// Timestamp of the last entry.
    pub last_attempt_timestamp: Option<String>,
}
