//! The statistics of many sessions, as callers get them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Statistics over sessions. Times are RFC 3339, durations seconds, rates percent.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct AggregateStatistics {
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
    /// Sum of durations.
    pub total_duration_seconds: f64,
    /// Mean duration.
    pub average_duration_seconds: f64,
    /// Number of different files that were modified.
    pub files_modified_count: u64,
    /// The files that most entries name, at most [`MOST_MODIFIED_MAX`](super::MOST_MODIFIED_MAX),
    /// and how often; the most first, then by name. For people: it is no part of the JSON.
    #[serde(default, skip_serializing)]
    pub most_modified_files: Vec<(String, u64)>,
    /// Entries after which the tree was put back.
    pub rollback_count: u64,
    /// The earliest time of an entry.
    pub first_attempt_timestamp: Option<String>,
    /// The latest time of an entry.
    pub last_attempt_timestamp: Option<String>,
    /// Number of sessions.
    pub sessions: u64,
    /// Sessions that ended recovered: that the journal says so of or, where it does not say, whose
    /// last entry succeeded.
    pub recovered_sessions: u64,
    /// Sessions that ended with a person being asked.
    pub escalated_sessions: u64,
    /// Attempts that passed by plain retry.
    pub flaky_attempts: u64,
    /// Lower bound of the success rate: Wilson's interval at 95 %.
    pub success_rate_low: f64,
    /// Upper bound of the success rate.
    pub success_rate_high: f64,
    /// The duration that half of the attempts did not exceed, as
    /// [`Durations::percentile`](super::Durations::percentile); `None` for none. So are the others.
    pub duration_p50_seconds: Option<f64>,
    /// The duration that 95 % did not exceed.
    pub duration_p95_seconds: Option<f64>,
    /// The duration that 99 % did not exceed.
    pub duration_p99_seconds: Option<f64>,
    /// The time after which half of the recovered sessions were.
    pub recovery_p50_seconds: Option<f64>,
    /// The time after which 95 % of them were.
    pub recovery_p95_seconds: Option<f64>,
}
