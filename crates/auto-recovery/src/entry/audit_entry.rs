//! The record as a value.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::error::{Error, ErrorKind, Result};

/// The audit record of one attempt.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(expecting = "an entry, an object")]
pub struct RecoveryAuditEntry {
    /// Unique id of this entry.
    pub entry_id: String,
    /// When the attempt ended, RFC 3339 in UTC.
    pub timestamp: String,
    /// The recovery this attempt belongs to.
    pub session_id: String,
    /// Type of the failure that was to be recovered.
    pub error_type: String,
    /// Strategy used.
    pub strategy: String,
    /// Number of the attempt within the session, from 1.
    pub attempt_number: u64,
    /// Whether the attempt cured the failure.
    pub success: bool,
    /// What was changed, in words.
    pub changes_made: Vec<String>,
    /// Paths that the strategy changed, relative to the workspace.
    pub files_modified: Vec<String>,
    /// Whether the tree was put back after this attempt.
    pub rollback_performed: bool,
    /// What happens next: `complete`, `retry`, `continue`, `escalate`, or a caller's own text.
    pub next_action: String,
    /// How long the attempt took, in seconds with milliseconds.
    pub duration_seconds: f64,
    /// Message of the failure.
    pub error_message: String,
    /// What became of the attempt, in words.
    pub recovery_message: String,
}

impl RecoveryAuditEntry {
    /// The names of the fields, in order.
    pub const FIELDS: [&'static str; 14] = [
        "entry_id",
        "timestamp",
        "session_id",
        "error_type",
        "strategy",
        "attempt_number",
        "success",
        "changes_made",
        "files_modified",
        "rollback_performed",
        "next_action",
        "duration_seconds",
        "error_message",
        "recovery_message",
    ];

    /// The entry as one line of compact JSON, without the line's end.
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).expect("strings, numbers, bools and lists always serialise")
    }

    /// The entry as a dictionary.
    pub fn to_dict(&self) -> Map<String, Value> {
        match serde_json::to_value(self) {
            Ok(Value::Object(map)) => map,
            _ => unreachable!("a struct of strings, numbers, bools and lists is an object"),
        }
    }

    /// The entry that a dictionary holds.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`] if a field is missing or of another type.
    pub fn from_dict(map: Map<String, Value>) -> Result<Self> {
        serde_json::from_value(Value::Object(map)).map_err(|error| {
            Error::new(ErrorKind::InvalidInput, "read an audit entry").with_source(error)
        })
    }

    /// The entry that a JSON text holds, compact or pretty.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`] if it is not JSON, or a field is missing or of another type.
    pub fn from_json(text: &str) -> Result<Self> {
        serde_json::from_str(text).map_err(|error| {
            Error::new(ErrorKind::InvalidInput, "read an audit entry").with_source(error)
        })
    }
}
