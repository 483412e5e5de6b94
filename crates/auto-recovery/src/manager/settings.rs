//! How the manager works, as plain values.

use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use crate::error::{Error, ErrorKind};

/// What to do when the record of an attempt cannot be written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnAuditFailure {
    /// Put the tree back and stop.
    #[default]
    Stop,
    /// Go on, and say so loudly.
    Continue,
}

impl OnAuditFailure {
    /// The name used in files and messages.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Stop => "stop",
            Self::Continue => "continue",
        }
    }
}

impl FromStr for OnAuditFailure {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        match text {
            "stop" => Ok(Self::Stop),
            "continue" => Ok(Self::Continue),
            _ => {
                let context = format!("`{text}` is not known here: use stop or continue");
                Err(Error::new(ErrorKind::InvalidInput, context))
            }
        }
    }
}

/// How the manager works. The first eight are the specification's.
#[derive(Clone, Debug, PartialEq)]
pub struct ManagerSettings {
    /// Tries of each strategy.
    pub max_attempts: u32,
    /// Delay before the second try of a strategy; doubles with each further one.
    pub base_delay: Duration,
    /// The longest such delay.
    pub max_delay: Duration,
    /// Whether fixes may be tried.
    pub enable_fix_generation: bool,
    /// Whether alternatives may be tried.
    pub enable_alternatives: bool,
    /// Whether a rollback may be tried.
    pub enable_rollback: bool,
    /// Where the audit trail is kept.
    pub audit_dir: Option<PathBuf>,
    /// Whether attempts are recorded.
    pub enable_audit_logging: bool,
    /// Whether delays are drawn from their upper half instead of being exact.
    pub jitter: bool,
    /// When the whole recovery must have ended, on the host's monotonic clock.
    pub deadline: Option<Duration>,
    /// Whether an attempt that changed which failure is shown is the ground for the next.
    pub keep_progress: bool,
    /// Whether nothing is ever undone.
    pub keep_failed_changes: bool,
    /// Whether a cure counts only once the command failed without it and passed with it again.
    pub confirm: bool,
    /// What to do when a record cannot be written.
    pub on_audit_failure: OnAuditFailure,
}

impl Default for ManagerSettings {
    fn default() -> Self {
        Self {
            max_attempts: 3,
            base_delay: Duration::from_secs(1),
            max_delay: Duration::from_secs(60),
            enable_fix_generation: true,
            enable_alternatives: true,
            enable_rollback: true,
            audit_dir: None,
            enable_audit_logging: true,
            jitter: true,
            deadline: None,
            keep_progress: false,
            keep_failed_changes: false,
            confirm: false,
            on_audit_failure: OnAuditFailure::Stop,
        }
    }
}
