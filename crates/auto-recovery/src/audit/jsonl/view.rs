//! An entry as readers see it that only count: borrowed from the line, checked as strictly as the
//! whole entry, and nothing kept that is not counted.

use std::borrow::Cow;
use std::fmt;

use serde::de::Visitor;
use serde::{Deserialize, Deserializer};

use crate::statistics::Observation;

/// What statistics need of an entry. What [`crate::RecoveryAuditEntry`] accepts, this does too, and
/// nothing else: both must count the same entries.
#[derive(Debug, Deserialize)]
pub(super) struct EntryView<'a> {
    #[serde(rename = "entry_id")]
    _entry_id: AnyText,
    #[serde(borrow)]
    pub timestamp: Text<'a>,
    #[serde(rename = "session_id")]
    _session_id: AnyText,
    #[serde(borrow)]
    pub error_type: Text<'a>,
    #[serde(borrow)]
    pub strategy: Text<'a>,
    #[serde(rename = "attempt_number")]
    _attempt_number: u64,
    pub success: bool,
    #[serde(rename = "changes_made")]
    _changes_made: Vec<AnyText>,
    #[serde(borrow)]
    pub files_modified: Vec<Text<'a>>,
    pub rollback_performed: bool,
    #[serde(rename = "next_action")]
    _next_action: AnyText,
    pub duration_seconds: f64,
    #[serde(rename = "error_message")]
    _error_message: AnyText,
    #[serde(rename = "recovery_message")]
    _recovery_message: AnyText,
}

impl EntryView<'_> {
    pub(super) fn observation(&self) -> Observation<'_> {
        Observation {
            timestamp: &self.timestamp.0,
            error_type: &self.error_type.0,
            strategy: &self.strategy.0,
            success: self.success,
            rollback_performed: self.rollback_performed,
            duration_seconds: self.duration_seconds,
        }
    }
}

/// A text, borrowed if it has no escapes. (A bare `Cow` inside a list would never borrow.)
#[derive(Debug, Deserialize)]
pub(super) struct Text<'a>(#[serde(borrow)] pub(super) Cow<'a, str>);

/// Some text, which is checked to be one and dropped. Takes no memory, neither does a list of them.
#[derive(Debug)]
struct AnyText;

impl<'de> Deserialize<'de> for AnyText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(AnyTextVisitor)
    }
}

struct AnyTextVisitor;

impl Visitor<'_> for AnyTextVisitor {
    type Value = AnyText;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string")
    }

    fn visit_str<E>(self, _: &str) -> Result<AnyText, E> {
        Ok(AnyText)
    }
}
