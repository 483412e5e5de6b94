//! The last line of a run that was not recovered: what fails still, and what became of the tree.
//!
//! Pure. It says no more than is known: that nobody was called, or that nothing was tried, is not
//! dressed up as an effort.

use crate::failure::Failure;
use crate::manager::RecoveryEnd;
use crate::process::Exit;
use crate::run::outcome::RunExit;

/// How the tree stands after a run that was not recovered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TreeLeft {
    /// What attempts changed was put back.
    AsItWas,
    /// As the command left it, which changed files itself.
    AsTheCommandLeftIt,
    /// Nothing was tried that could have changed it.
    NothingToUndo,
    /// Otherwise; lines before have said how.
    Changed,
}

/// What is known of the tree at the end of a run.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stands {
    /// How many attempts there were.
    pub(super) attempts: usize,
    /// Whether all that they changed was put back.
    pub(super) undone: bool,
    /// Whether the command said that it changed files itself.
    pub(super) mended_before: bool,
    /// Whether something still runs that may change it.
    pub(super) still_runs: bool,
}

impl TreeLeft {
    pub(super) fn of(stands: Stands) -> Self {
        match stands {
            Stands {
                still_runs: true, ..
            } => Self::Changed,
            Stands {
                attempts: 1..,
                undone: false,
                ..
            } => Self::Changed,
            Stands {
                mended_before: true,
                ..
            } => Self::AsTheCommandLeftIt,
            Stands { attempts: 0, .. } => Self::NothingToUndo,
            Stands { .. } => Self::AsItWas,
        }
    }
}

/// Why a run of `command` ended as `end` though `attempts` were made: how it fails still.
pub(super) fn why(
    (command, end, attempts): (&str, RecoveryEnd, usize),
    exit: RunExit,
    failure: Option<&Failure>,
) -> String {
    match end {
        RecoveryEnd::Recovered => return "recovered".to_owned(),
        RecoveryEnd::DeadlinePassed if attempts == 0 => {
            return format!("stopped at the deadline (exit 124): `{command}`");
        }
        RecoveryEnd::DeadlinePassed => {
            return "not recovered: the deadline passed (exit 124)".to_owned();
        }
        RecoveryEnd::Interrupted => return "interrupted".to_owned(),
        RecoveryEnd::Escalated => {}
    }
    let how = match exit {
        RunExit::Code(code) => Exit::Code(code).to_string(),
        RunExit::Signal(signal) => Exit::Signal(signal).to_string(),
    };
    let kind = failure.map(|failure| &failure.error_type);
    let kind = kind.filter(|kind| !kind.is_empty() && **kind != how);
    let kind = kind.map(|kind| format!(", {kind}")).unwrap_or_default();
    match attempts {
        0 => format!("not recovered: `{command}` fails ({how}{kind})"),
        _ => format!("not recovered: `{command}` still fails ({how}{kind})"),
    }
}

/// The same where `command` passes with a change, which was not kept: `why`.
pub(super) fn refused(command: &str, why: &str) -> String {
    format!("not recovered: `{command}` passes with its change, which was {why}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_line_says_what_fails_still_and_no_effort_that_was_not_made() {
        let check = |end, attempts, exit, kind: &str, expected: &str| {
            let failure = Failure::new(kind, "", "");
            assert_eq!(why(("make", end, attempts), exit, Some(&failure)), expected);
        };
        let (over, code) = (RecoveryEnd::Escalated, RunExit::Code(1));
        check(
            over,
            3,
            code,
            "E1",
            "not recovered: `make` still fails (exit 1, E1)",
        );
        check(
            over,
            1,
            code,
            "exit 1",
            "not recovered: `make` still fails (exit 1)",
        );
        let nothing = "not recovered: `make` fails (exit 1, E1)";
        check(over, 0, code, "E1", nothing);
        let killed = "not recovered: `make` still fails (SIGKILL)";
        check(over, 1, RunExit::Signal(9), "SIGKILL", killed);
        check(
            RecoveryEnd::DeadlinePassed,
            1,
            code,
            "E1",
            "not recovered: the deadline passed (exit 124)",
        );
        let stopped = "stopped at the deadline (exit 124): `make`";
        check(RecoveryEnd::DeadlinePassed, 0, code, "E1", stopped);
    }

    #[test]
    fn what_became_of_the_tree_is_what_is_known() {
        let check = |attempts, undone, mended_before, still_runs, expected| {
            let stands = Stands {
                attempts,
                undone,
                mended_before,
                still_runs,
            };
            assert_eq!(TreeLeft::of(stands), expected, "{stands:?}");
        };
        check(2, true, false, false, TreeLeft::AsItWas);
        check(2, true, true, false, TreeLeft::AsTheCommandLeftIt);
        check(0, false, true, false, TreeLeft::AsTheCommandLeftIt);
        check(0, true, false, false, TreeLeft::NothingToUndo);
        check(2, false, true, false, TreeLeft::Changed);
        check(0, true, false, true, TreeLeft::Changed);
    }
}
