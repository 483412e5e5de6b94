//! What a run came to.

use std::borrow::Cow;
use std::path::PathBuf;

use serde::Serialize;

use crate::attempt::{RecoveryAttempt, RecoveryResult};
use crate::exit::{EXIT_RECOVER_FAILED, EXIT_SIGNAL_BASE};
use crate::failure::{Category, Failure};
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

/// How a run ended, in one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RunEnd {
    /// The command passed by itself.
    Passed,
    /// It failed and was cured.
    Recovered,
    /// It failed and passed by being run again, and nothing else.
    Flaky,
    /// It failed and was not cured.
    NotRecovered,
    /// It could not be started, and nothing helped.
    NotStarted,
    /// The user stopped it.
    Interrupted,
    /// The deadline passed.
    Deadline,
    /// It failed, and it was only shown what would be tried.
    DryRun,
    /// `recover` itself failed.
    Error,
}

/// The failure that a run set out to recover.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FirstFailure {
    /// Its category.
    pub category: Category,
    /// Its type.
    pub error_type: String,
    /// Its kind: see [`crate::failure_kind`].
    pub kind: String,
}

/// What a run came to.
#[derive(Clone, Debug, PartialEq)]
pub struct RunOutcome {
    /// How to end.
    pub exit: RunExit,
    /// How it ended.
    pub end: RunEnd,
    /// The command, as text.
    pub command: Vec<String>,
    /// The failure, if the command failed by itself.
    pub failure: Option<FirstFailure>,
    /// The session, if there was a recovery.
    pub session_id: Option<String>,
    /// What came of the recovery.
    pub result: RecoveryResult,
    /// Whether it passed by being run again, and nothing else.
    pub flaky: bool,
    /// Where what the cure changed is kept as a patch, if that was wanted and it changed anything.
    pub patch: Option<PathBuf>,
}

/// The result file: the fields of `RecoveryResult` with the session, and what a program branches
/// on. `category`, `error_type` and `failure_kind` are those of the failure that was to be
/// recovered; `patch` is the path of what the cure changed, for `git apply` in the workspace.
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
    outcome: RunEnd,
    exit_code: i32,
    command: &'a [String],
    category: Option<Category>,
    error_type: Option<&'a str>,
    failure_kind: Option<&'a str>,
    patch: Option<Cow<'a, str>>,
}

impl<'a> ResultFile<'a> {
    /// What the file holds where there is no outcome, because `recover` itself failed with
    /// `message` at `timestamp` when it was to run `command`.
    pub fn of_failure(message: &'a str, timestamp: &'a str, command: &'a [String]) -> Self {
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
            outcome: RunEnd::Error,
            exit_code: EXIT_RECOVER_FAILED,
            command,
            category: None,
            error_type: None,
            failure_kind: None,
            patch: None,
        }
    }
}

impl RunOutcome {
    /// What `--result-file` holds. A command that passed at once used no strategy.
    pub fn result_file(&self) -> ResultFile<'_> {
        let result = &self.result;
        let failure = self.failure.as_ref();
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
            outcome: self.end,
            exit_code: self.exit.shell_code(),
            command: &self.command,
            category: failure.map(|failure| failure.category),
            error_type: failure.map(|failure| &*failure.error_type),
            failure_kind: failure.map(|failure| &*failure.kind),
            patch: self.patch.as_ref().map(|path| path.to_string_lossy()),
        }
    }
}
