//! The result of a run.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Serialize;

use crate::attempt::{RecoveryAttempt, RecoveryResult};
use crate::audit::redact_failure;
use crate::exit::{EXIT_NOT_FOUND, EXIT_RECOVER_FAILED, EXIT_SIGNAL_BASE, EXIT_TIMED_OUT};
use crate::failure::{Category, Failure};
use crate::process::Exit;
use crate::redaction::Redactor;
use crate::report::{CiReport, CiTry};

/// The way `recover run` must end.
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

/// The end of a run, in one word.
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
    /// The command failed, and only the plan was shown.
    DryRun,
    /// `recover` itself failed.
    Error,
}

impl RunEnd {
    /// The word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Recovered => "recovered",
            Self::Flaky => "flaky",
            Self::NotRecovered => "not_recovered",
            Self::NotStarted => "not_started",
            Self::Interrupted => "interrupted",
            Self::Deadline => "deadline",
            Self::DryRun => "dry_run",
            Self::Error => "error",
        }
    }
}

/// Exit codes for failures of a category that nothing recovered.
pub type ExitMap = BTreeMap<Category, u8>;

/// The exit that `map` gives instead of `exit` to a run that ended so; `None` where that stays.
pub(super) fn mapped(
    map: &ExitMap,
    (end, category): (RunEnd, Category),
    exit: RunExit,
) -> Option<RunExit> {
    match (end, exit) {
        (_, RunExit::Code(0 | EXIT_TIMED_OUT..=EXIT_NOT_FOUND)) => None,
        (RunEnd::NotRecovered, RunExit::Code(_)) => {
            let code = map.get(&category)?;
            Some(RunExit::Code(i32::from(*code)))
        }
        _ => None,
    }
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

/// The result of a run.
#[derive(Clone, Debug, PartialEq)]
pub struct RunOutcome {
    /// The way to end.
    pub exit: RunExit,
    /// The end of the run, in one word.
    pub end: RunEnd,
    /// The command, as text.
    pub command: Vec<String>,
    /// The failure, if the command failed by itself.
    pub failure: Option<FirstFailure>,
    /// Paths that the cure changed, relative to the workspace.
    pub files_modified: Vec<String>,
    /// The session, if there was a recovery.
    pub session_id: Option<String>,
    /// The seal that the record is under, as `SIZE:ROOT`.
    pub seal: Option<String>,
    /// The result of the recovery.
    pub result: RecoveryResult,
    /// Set if it passed by being run again, and nothing else.
    pub flaky: bool,
    /// The patch of the cure's changes, if it was wanted and there were any.
    pub patch: Option<PathBuf>,
}

/// The result file: the fields of `RecoveryResult` with the session, and fields for programs to
/// branch on. `category`, `error_type` and `failure_kind` are those of the original failure;
/// `patch` is the path of the cure's changes, for `git apply` in the workspace; `seal` is the seal
/// that the record is under, for `recover verify --against`.
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
    seal: Option<&'a str>,
}

impl<'a> ResultFile<'a> {
    /// The file's content without an outcome, because `recover` itself failed with `message` at
    /// `timestamp` when it was to run `command`.
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
            seal: None,
        }
    }
}

impl RunOutcome {
    /// The same, ended with the code that `map` has for the category of its failure, if nothing
    /// recovered it. A signal stays one, and so do the codes by which people know time limits,
    /// failures of `recover` and commands that cannot be started.
    #[must_use]
    pub fn mapped(self, map: &ExitMap) -> Self {
        let category = self.failure.as_ref().map(|failure| failure.category);
        let mapped = category.and_then(|category| mapped(map, (self.end, category), self.exit));
        let exit = mapped.unwrap_or(self.exit);
        Self { exit, ..self }
    }

    /// The same without its secrets.
    #[must_use]
    pub fn redacted(mut self, redactor: &Redactor) -> Self {
        let mask = |text: &mut String| {
            if let Cow::Owned(masked) = redactor.redact_text(text) {
                *text = masked;
            }
        };
        self.command = redactor.redact_words(&self.command);
        if let Some(failure) = &mut self.failure {
            mask(&mut failure.error_type);
        }
        self.files_modified.iter_mut().for_each(mask);
        let result = &mut self.result;
        mask(&mut result.message);
        let mut failures: Vec<&mut Failure> = Vec::new();
        failures.extend(&mut result.final_error);
        for attempt in &mut result.attempts {
            mask(&mut attempt.message);
            attempt.changes_made.iter_mut().for_each(mask);
            failures.extend(&mut attempt.error_before);
            failures.extend(&mut attempt.error_after);
        }
        for failure in failures {
            redact_failure(failure, redactor);
        }
        self
    }

    /// The report for CI systems, of a run in `cwd`, which is inside `workspace`, that took
    /// `duration`.
    pub fn ci_report(&self, cwd: &Path, workspace: &Path, duration: Duration) -> CiReport {
        let result = &self.result;
        let first = result.attempts.first();
        let first = first.and_then(|attempt| attempt.error_before.clone());
        CiReport {
            command: self.command.join(" "),
            cwd: cwd.to_owned(),
            workspace: workspace.to_owned(),
            session_id: self.session_id.clone(),
            outcome: self.end.as_str().to_owned(),
            exit_code: self.exit.shell_code(),
            success: result.success,
            flaky: self.flaky,
            message: result.message.clone(),
            category: self.failure.as_ref().map(|failure| failure.category),
            failure: first.or_else(|| result.final_error.clone()),
            left: result.final_error.clone(),
            tries: result.attempts.iter().map(ci_try).collect(),
            files_modified: self.files_modified.clone(),
            patch: self
                .patch
                .as_ref()
                .map(|path| path.to_string_lossy().into_owned()),
            timestamp: result.timestamp.clone(),
            duration_seconds: duration.as_secs_f64(),
        }
    }

    /// The content of `--result-file`. A command that passed at once used no strategy.
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
            seal: self.seal.as_deref(),
        }
    }
}

fn ci_try(attempt: &RecoveryAttempt) -> CiTry {
    CiTry {
        strategy: attempt.strategy.to_string(),
        success: attempt.success,
        message: attempt.message.clone(),
        failure: attempt.error_after.clone().filter(|_| !attempt.success),
        duration_seconds: attempt.duration_seconds,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::strategy::RecoveryStrategyType;

    fn outcome(end: RunEnd, exit: RunExit) -> RunOutcome {
        RunOutcome {
            exit,
            end,
            command: vec!["x".to_owned()],
            failure: Some(FirstFailure {
                category: Category::Transient,
                error_type: "ECONNREFUSED".to_owned(),
                kind: String::new(),
            }),
            files_modified: Vec::new(),
            session_id: None,
            seal: None,
            result: RecoveryResult {
                success: false,
                strategy_used: RecoveryStrategyType::Escalate,
                attempts: Vec::new(),
                final_error: None,
                message: String::new(),
                escalated_to_human: false,
                timestamp: String::new(),
            },
            flaky: end == RunEnd::Flaky,
            patch: None,
        }
    }

    #[test]
    fn only_what_was_not_recovered_gets_another_exit_code() {
        let map = ExitMap::from([(Category::Transient, 75)]);
        let other = ExitMap::from([(Category::TestFailure, 3)]);
        let check = |end, exit, map, expected| {
            assert_eq!(outcome(end, exit).mapped(map).exit, expected, "{end:?}");
        };
        let code = RunExit::Code;
        check(RunEnd::NotRecovered, code(1), &map, code(75));
        check(RunEnd::NotRecovered, code(1), &other, code(1));
        for reserved in 124..=127 {
            check(RunEnd::NotRecovered, code(reserved), &map, code(reserved));
        }
        check(RunEnd::NotRecovered, code(0), &map, code(0));
        let signal = RunExit::Signal(9);
        check(RunEnd::NotRecovered, signal, &map, signal);
        for end in [
            RunEnd::Recovered,
            RunEnd::Flaky,
            RunEnd::NotStarted,
            RunEnd::Interrupted,
            RunEnd::Deadline,
            RunEnd::DryRun,
        ] {
            check(end, code(1), &map, code(1));
        }
    }
}
