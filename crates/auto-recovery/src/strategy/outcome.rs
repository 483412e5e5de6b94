//! Outcomes of a strategy, and of the verification after it.

use crate::failure::Failure;

/// The action of a strategy that was asked to act.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Did {
    /// Nothing: there was nothing that it could do, and there will not be. Nothing is verified.
    #[default]
    NotPossible,
    /// Nothing this time; asked again it could. Nothing is verified.
    Nothing,
    /// Nothing itself, for the command had mended what it found before it failed: it is verified.
    FollowedMend,
    /// Something that a verification must judge.
    Acted {
        /// The strategy's own word; it counts where nothing verifies.
        worked: bool,
    },
    /// It ran something in place of the command.
    StoodIn {
        /// Whether it worked, which counts for the command.
        worked: bool,
    },
}

impl Did {
    /// Whether a verification judges it.
    pub fn is_verified(self) -> bool {
        matches!(self, Self::FollowedMend | Self::Acted { .. })
    }

    /// Whether it worked, by the strategy's own word.
    pub fn worked(self) -> bool {
        match self {
            Self::NotPossible | Self::Nothing => false,
            Self::FollowedMend => true,
            Self::Acted { worked } | Self::StoodIn { worked } => worked,
        }
    }

    /// Whether another try could have another result.
    pub fn may_differ_next_time(self) -> bool {
        self != Self::NotPossible
    }
}

/// The outcome of asking a strategy to act once.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Outcome {
    /// Its action.
    pub did: Did,
    /// The result, in words.
    pub message: String,
    /// Its changes, in words.
    pub changes_made: Vec<String>,
    /// Paths it says it changed; a checkpoint knows better where there is one.
    pub files_modified: Vec<String>,
    /// The failure it left, if it knows.
    pub failure: Option<Failure>,
    /// Exit code of the command it ran.
    pub exit_code: Option<i32>,
    /// How the command it ran was stopped at its own time limit, if it was: `stopped after 2 s`.
    pub stopped: Option<String>,
    /// Processes it left running, as `pid command`.
    pub left_running: Vec<String>,
    /// Whether what it ran could not be ended: nothing more is tried beside that.
    pub not_ended: bool,
    /// The file that keeps the output of the attempt so far.
    pub output_file: Option<String>,
}

impl Outcome {
    /// A strategy that worked.
    pub fn success(message: impl Into<String>) -> Self {
        Self {
            did: Did::Acted { worked: true },
            ..Self::failure(message)
        }
    }

    /// A strategy that did not work; trying again may.
    pub fn failure(message: impl Into<String>) -> Self {
        Self {
            did: Did::Acted { worked: false },
            message: message.into(),
            ..Self::default()
        }
    }

    /// There was nothing that it could do, and there will not be.
    pub fn not_possible(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            ..Self::default()
        }
    }

    /// The same outcome with what it changed, in words.
    #[must_use]
    pub fn with_changes(mut self, changes_made: Vec<String>) -> Self {
        self.changes_made = changes_made;
        self
    }
}

/// The findings of a verification.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Verification {
    /// Whether the failure is cured.
    pub passed: bool,
    /// Its findings, in words; may be empty.
    pub message: String,
    /// The failure that is left.
    pub failure: Option<Failure>,
    /// Exit code of the command that was run.
    pub exit_code: Option<i32>,
    /// Signal that ended it.
    pub signal: Option<i32>,
    /// Processes it left running, as `pid command`.
    pub left_running: Vec<String>,
    /// Whether what it ran could not be ended: nothing more is tried beside that.
    pub not_ended: bool,
    /// The file that keeps the output of the attempt so far.
    pub output_file: Option<String>,
}

impl From<bool> for Verification {
    fn from(passed: bool) -> Self {
        Self {
            passed,
            ..Self::default()
        }
    }
}
