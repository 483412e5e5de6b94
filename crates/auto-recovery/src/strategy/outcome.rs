//! What a strategy, and the verification after it, came to.

use crate::failure::Failure;

/// What came of asking a strategy to act once.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Outcome {
    /// Whether there is now something to verify. A strategy that could do nothing says `false`, and
    /// its attempt fails without a verification.
    pub acted: bool,
    /// The strategy's own word; it counts where nothing verifies, or where it stands in.
    pub success: bool,
    /// Whether the strategy's own success stands in for the command's.
    pub stands_in: bool,
    /// Whether asking again could bring something else.
    pub repeatable: bool,
    /// Whether it did nothing because the command itself had mended what it found.
    pub mended_before: bool,
    /// What became of it, in words.
    pub message: String,
    /// What it changed, in words.
    pub changes_made: Vec<String>,
    /// Paths it says it changed; a checkpoint knows better where there is one.
    pub files_modified: Vec<String>,
    /// The failure it left, if it knows.
    pub failure: Option<Failure>,
    /// Exit code of what it ran.
    pub exit_code: Option<i32>,
    /// Processes it left running, as `pid command`.
    pub left_running: Vec<String>,
    /// Whether what it ran could not be ended: nothing more is tried beside that.
    pub not_ended: bool,
    /// Where the output of the attempt so far is kept.
    pub output_file: Option<String>,
}

impl Outcome {
    /// It worked.
    pub fn success(message: impl Into<String>) -> Self {
        Self {
            success: true,
            ..Self::failure(message)
        }
    }

    /// It did not work; trying again may.
    pub fn failure(message: impl Into<String>) -> Self {
        Self {
            acted: true,
            repeatable: true,
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

/// What a verification saw.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Verification {
    /// Whether the failure is cured.
    pub passed: bool,
    /// What it saw, in words; may be empty.
    pub message: String,
    /// The failure that is left.
    pub failure: Option<Failure>,
    /// Exit code of what was run.
    pub exit_code: Option<i32>,
    /// Signal that ended it.
    pub signal: Option<i32>,
    /// Processes it left running, as `pid command`.
    pub left_running: Vec<String>,
    /// Whether what it ran could not be ended: nothing more is tried beside that.
    pub not_ended: bool,
    /// Where the output of the attempt so far is kept.
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
