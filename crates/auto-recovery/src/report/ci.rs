//! What a CI system is told of one run: the command as one test, the failure as one finding, and
//! what became of it. Made from a run's outcome or from a session on record; each format is written
//! from it.
//!
//! All text in it may come from a program nobody controls; each format makes it harmless in its own
//! way. Nothing in it is redacted.

use std::path::{Component, Path, PathBuf};

use crate::audit::{AuditStore, Damage, JournalEvent, SessionFinished, SessionOutcome};
use crate::entry::RecoveryAuditEntry;
use crate::error::Result;
use crate::failure::{Category, Failure};
use crate::wording;

/// Tries that a report tells of, the last ones; more are counted. Retries within a time have no
/// number of their own.
pub(super) const TRIES_MAX: usize = 100;

/// What became of one run.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct CiReport {
    /// The command, its words joined by blanks: the name of the test.
    pub command: String,
    /// Where it ran.
    pub cwd: PathBuf,
    /// What paths are told relative to; empty if nobody said, and then paths stay as they are.
    pub workspace: PathBuf,
    /// The session, if there was a recovery.
    pub session_id: Option<String>,
    /// How it ended, in the word of the result file: `passed`, `recovered`, `flaky`, ….
    pub outcome: String,
    /// What `recover` exits with, a signal as a shell reports it.
    pub exit_code: i32,
    /// Whether the command passes in the end.
    pub success: bool,
    /// Whether it passed by being run again, and nothing else.
    pub flaky: bool,
    /// What became of it, in words.
    pub message: String,
    /// The category of the failure.
    pub category: Option<Category>,
    /// The failure, if there was one.
    pub failure: Option<Failure>,
    /// The failure that is left.
    pub left: Option<Failure>,
    /// What was tried, in order.
    pub tries: Vec<CiTry>,
    /// What the cure changed, relative to the workspace.
    pub files_modified: Vec<String>,
    /// Where what the cure changed is kept as a patch.
    pub patch: Option<String>,
    /// When it ended, RFC 3339 in UTC.
    pub timestamp: String,
    /// How long all of it took, in seconds.
    pub duration_seconds: f64,
}

/// One try.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct CiTry {
    /// The strategy.
    pub strategy: String,
    /// Whether it cured the failure.
    pub success: bool,
    /// What became of it, in words.
    pub message: String,
    /// The failure that was left, if any was seen.
    pub failure: Option<Failure>,
    /// How long it took, in seconds.
    pub duration_seconds: f64,
}

impl CiTry {
    /// What became of it, in the words of screens; whether it was undone, a run does not say here.
    pub(super) fn result(&self) -> &'static str {
        wording::result(self.success, false)
    }
}

/// What became of a run, for whoever reads no more than that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It passed at once.
    Passed,
    /// It passed by being run again.
    Flaky,
    /// It passes since something was changed.
    Cured,
    /// It fails.
    Failed,
}

/// Where a failure is: a path relative to the workspace, with `/` between its parts, and a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Spot {
    pub(super) path: String,
    pub(super) line: Option<u64>,
}

impl CiReport {
    /// What the record has of the last recovery of `session_id`, and what of it could not be read.
    /// A session that was only logged has no command: it stands under its own id.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub fn of_session(store: &dyn AuditStore, session_id: &str) -> Result<(Self, Vec<Damage>)> {
        let mut told = Told::default();
        let mut damage = store.read_journal(Some(session_id), &mut |record| {
            told.add(&record.at, record.event);
            Ok(())
        })?;
        let mut entries = Vec::new();
        let first = told.first_attempt;
        damage.extend(store.read_trail(session_id, &mut |stored| {
            let entry = stored.entry().into_owned();
            // An attempt of an earlier recovery under the same id is of another run.
            if first.is_none_or(|first| entry.attempt_number >= first) {
                entries.push(entry);
            }
            Ok(())
        })?);
        Ok((told.report(session_id, &entries), damage))
    }

    pub(super) fn verdict(&self) -> Verdict {
        match (self.success, self.flaky, &self.failure) {
            (true, true, _) => Verdict::Flaky,
            (true, false, Some(_)) => Verdict::Cured,
            (true, false, None) => Verdict::Passed,
            (false, ..) => Verdict::Failed,
        }
    }

    /// The failure that counts: what is left, or what was cured.
    pub(super) fn deciding(&self) -> Option<&Failure> {
        self.left.as_ref().or(self.failure.as_ref())
    }

    /// The tries that are told, and how many are not.
    pub(super) fn told_tries(&self) -> (&[CiTry], usize) {
        let untold = self.tries.len().saturating_sub(TRIES_MAX);
        (&self.tries[untold..], untold)
    }

    /// Where `failure` is in the workspace, if it is in it.
    pub(super) fn spot(&self, failure: &Failure) -> Option<Spot> {
        let path = Path::new(failure.file_path.as_deref()?);
        let path = plain(&self.cwd.join(path));
        let path = path.strip_prefix(plain(&self.workspace)).ok()?;
        let mut parts = path.components();
        let inside = parts.all(|part| matches!(part, Component::Normal(_)));
        let path = path.to_string_lossy().into_owned();
        (inside && !path.is_empty()).then_some(Spot {
            path,
            line: failure.line_number.filter(|line| *line > 0),
        })
    }
}

/// The type of `failure`, which readers want to be something.
pub(super) fn type_of(failure: &Failure) -> &str {
    match failure.error_type.is_empty() {
        true => "Failed",
        false => &failure.error_type,
    }
}

/// `path` without `.` and without the `..` that can be resolved by its text.
fn plain(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir
                if plain
                    .components()
                    .next_back()
                    .is_some_and(|last| matches!(last, Component::Normal(_))) =>
            {
                plain.pop();
            }
            part => plain.push(part),
        }
    }
    plain
}

/// What the journal says of the last recovery of a session.
#[derive(Default)]
struct Told {
    report: CiReport,
    finished: Option<SessionFinished>,
    first_attempt: Option<u64>,
    /// The failures that attempts left, by the id of the entry.
    left: Vec<(String, Option<Failure>)>,
}

impl Told {
    fn add(&mut self, at: &str, event: JournalEvent) {
        match event {
            event if event.is_removal() => *self = Self::default(),
            JournalEvent::SessionStarted(started) => {
                let path = |path: Option<String>| PathBuf::from(path.unwrap_or_default());
                *self = Self::default();
                self.report.command = started.command.unwrap_or_default().join(" ");
                self.report.cwd = path(started.cwd);
                self.report.workspace = path(started.workspace);
            }
            JournalEvent::FailureDetected(detected) => {
                self.report.category = Some(detected.category);
                self.report.failure = Some(detected.failure);
            }
            JournalEvent::AttemptStarted(started) => {
                self.first_attempt.get_or_insert(started.attempt_number);
            }
            JournalEvent::AttemptFinished(finished) => {
                self.left.push((finished.entry_id, finished.failure));
            }
            JournalEvent::SessionFinished(finished) => {
                self.report.timestamp = at.to_owned();
                self.finished = Some(finished);
            }
            _ => {}
        }
    }

    fn report(self, session_id: &str, entries: &[RecoveryAuditEntry]) -> CiReport {
        let last = entries.last();
        let is_cured = last.is_some_and(|entry| entry.success);
        let finished = self.finished.unwrap_or_else(|| SessionFinished {
            outcome: match is_cured {
                true => SessionOutcome::Recovered,
                false => SessionOutcome::Unknown,
            },
            duration_seconds: entries.iter().map(|entry| entry.duration_seconds).sum(),
            ..SessionFinished::default()
        });
        let mut report = self.report;
        if report.command.is_empty() {
            session_id.clone_into(&mut report.command);
        }
        if report.timestamp.is_empty() {
            report.timestamp = last.map_or_else(String::new, |entry| entry.timestamp.clone());
        }
        report.session_id = Some(session_id.to_owned());
        report.success = finished.outcome == SessionOutcome::Recovered;
        report.flaky = report.success && finished.flaky;
        report.outcome = word(&finished).to_owned();
        report.exit_code = finished.exit_code.unwrap_or(i32::from(!report.success));
        report.message = finished.reason;
        report.duration_seconds = finished.duration_seconds;
        if report.failure.is_none() {
            report.failure = entries.first().map(of_entry);
        }
        let left = |entry: &RecoveryAuditEntry| {
            let mut left = self.left.iter().rev();
            left.find(|(id, _)| *id == entry.entry_id)
                .and_then(|(_, failure)| failure.clone())
        };
        report.tries = entries.iter().map(|one| told_try(one, left(one))).collect();
        if report.success {
            report.files_modified = last.map_or_else(Vec::new, |one| one.files_modified.clone());
        } else {
            let tries = report.tries.iter().rev();
            report.left = tries.filter_map(|one| one.failure.clone()).next();
        }
        report
    }
}

/// The word of the result file for how a session ended.
fn word(finished: &SessionFinished) -> &'static str {
    match finished.outcome {
        SessionOutcome::Recovered if finished.flaky => "flaky",
        SessionOutcome::Recovered => "recovered",
        SessionOutcome::Escalated => "not_recovered",
        SessionOutcome::Interrupted => "interrupted",
        SessionOutcome::Running => "running",
        SessionOutcome::Unknown => "unknown",
    }
}

fn of_entry(entry: &RecoveryAuditEntry) -> Failure {
    Failure::new(&entry.error_type, &entry.error_message, "")
}

fn told_try(entry: &RecoveryAuditEntry, left: Option<Failure>) -> CiTry {
    CiTry {
        strategy: entry.strategy.clone(),
        success: entry.success,
        message: entry.recovery_message.clone(),
        failure: left.filter(|_| !entry.success),
        duration_seconds: entry.duration_seconds,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_told_relative_to_the_workspace_or_not_at_all() {
        let check = |(cwd, workspace): (&str, &str), file: &str, expected: Option<&str>| {
            let report = CiReport {
                cwd: cwd.into(),
                workspace: workspace.into(),
                ..CiReport::default()
            };
            let failure = Failure {
                file_path: Some(file.to_owned()),
                line_number: Some(3),
                ..Failure::default()
            };
            let spot = report.spot(&failure).map(|spot| spot.path);
            assert_eq!(spot.as_deref(), expected, "{file}");
        };
        let below = ("/w/sub", "/w");
        check(below, "src/a.rs", Some("sub/src/a.rs"));
        check(below, "./src/../b.rs", Some("sub/b.rs"));
        check(below, "../a.rs", Some("a.rs"));
        check(below, "/w/a.rs", Some("a.rs"));
        check(below, "/usr/include/x.h", None);
        check(below, "../../a.rs", None);
        check(below, "/w", None);
        let unknown = ("", "");
        check(unknown, "src/a.rs", Some("src/a.rs"));
        check(unknown, "../a.rs", None);
        check(unknown, "/a.rs", None);
    }
}
