//! What a run came to.

use serde::Serialize;

use crate::attempt::{RecoveryAttempt, RecoveryResult};
use crate::exit::EXIT_SIGNAL_BASE;
use crate::failure::Failure;
use crate::process::Exit;

/// How `recover run` must end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RunExit {
    /// With this code.
    Code(i32),
    /// By this signal, as the user's command did.
    Signal(i32),
}

impl RunExit {
    /// The code a shell would report.
    pub fn shell_code(self) -> i32 {
        match self {
            Self::Code(code) => code,
            Self::Signal(signal) => EXIT_SIGNAL_BASE + signal,
        }
    }
}

impl From<Exit> for RunExit {
    fn from(exit: Exit) -> Self {
        match exit {
            Exit::Code(code) => Self::Code(code),
            Exit::Signal(signal) => Self::Signal(signal),
        }
    }
}

/// What a run came to.
#[derive(Clone, Debug, PartialEq)]
pub struct RunOutcome {
    /// How to end.
    pub exit: RunExit,
    /// The session, if there was a recovery.
    pub session_id: Option<String>,
    /// What came of the recovery.
    pub result: RecoveryResult,
    /// Whether it passed by being run again, and nothing else.
    pub flaky: bool,
}

/// The result file: the fields of `RecoveryResult` with the session and the flag.
#[derive(Clone, Debug, Serialize)]
pub struct ResultFile<'a> {
    session_id: Option<&'a str>,
    success: bool,
    strategy_used: Option<&'a str>,
    attempts: &'a [RecoveryAttempt],
    final_error: Option<&'a Failure>,
    message: &'a str,
    escalated_to_human: bool,
    flaky: bool,
    timestamp: &'a str,
}

impl<'a> ResultFile<'a> {
    /// What the file holds where there is no outcome, because `recover` itself failed with
    /// `message` at `timestamp`.
    pub fn of_failure(message: &'a str, timestamp: &'a str) -> Self {
        Self {
            session_id: None,
            success: false,
            strategy_used: None,
            attempts: &[],
            final_error: None,
            message,
            escalated_to_human: false,
            flaky: false,
            timestamp,
        }
    }
}

impl RunOutcome {
    /// What `--result-file` holds. A command that passed at once used no strategy.
    pub fn result_file(&self) -> ResultFile<'_> {
        let result = &self.result;
        ResultFile {
            session_id: self.session_id.as_deref(),
            success: result.success,
            strategy_used: self
                .session_id
                .as_ref()
                .map(|_| result.strategy_used.as_str()),
            attempts: &result.attempts,
            final_error: result.final_error.as_ref(),
            message: &result.message,
            escalated_to_human: result.escalated_to_human,
            flaky: self.flaky,
            timestamp: &result.timestamp,
        }
    }
}
