//! The names of the strategies.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A strategy by name.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub enum RecoveryStrategyType {
    /// Change the tree so that the failure goes away.
    Fix,
    /// Try the same again, after a delay.
    Retry,
    /// Reach the goal another way.
    Alternative,
    /// Go back to the last tree that was good.
    Rollback,
    /// Ask a person.
    Escalate,
    /// A plug-in's own.
    Custom(String),
}

impl RecoveryStrategyType {
    /// The name used in records, flags and messages.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Fix => "fix",
            Self::Retry => "retry",
            Self::Alternative => "alternative",
            Self::Rollback => "rollback",
            Self::Escalate => "escalate",
            Self::Custom(name) => name,
        }
    }
}

impl fmt::Display for RecoveryStrategyType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl From<String> for RecoveryStrategyType {
    fn from(name: String) -> Self {
        match name.as_str() {
            "fix" => Self::Fix,
            "retry" => Self::Retry,
            "alternative" => Self::Alternative,
            "rollback" => Self::Rollback,
            "escalate" => Self::Escalate,
            _ => Self::Custom(name),
        }
    }
}

impl From<RecoveryStrategyType> for String {
    fn from(kind: RecoveryStrategyType) -> Self {
        match kind {
            RecoveryStrategyType::Custom(name) => name,
            other => other.as_str().to_owned(),
        }
    }
}
