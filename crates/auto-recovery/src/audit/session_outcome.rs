//! How sessions end.

use serde::{Deserialize, Serialize};

/// The end of a session.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SessionOutcome {
    /// The failure was cured.
    Recovered,
    /// Nothing helped; a person is needed.
    Escalated,
    /// The user or a limit stopped it, or it died.
    Interrupted,
    /// It has not ended, and its process lives.
    Running,
    /// Not recorded.
    #[default]
    Unknown,
}

impl SessionOutcome {
    /// Every outcome.
    pub const ALL: [Self; 5] = [
        Self::Recovered,
        Self::Escalated,
        Self::Interrupted,
        Self::Running,
        Self::Unknown,
    ];

    /// Its name in JSON, columns and addresses.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Recovered => "recovered",
            Self::Escalated => "escalated",
            Self::Interrupted => "interrupted",
            Self::Running => "running",
            Self::Unknown => "unknown",
        }
    }
}
