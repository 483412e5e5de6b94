//! What a run tells whoever watches, and where it gets its terminal from.
//!
//! The library never prints: an edge renders these events and lends the streams.

use std::ffi::OsString;
use std::time::Duration;

use crate::error::Result;
use crate::failure::{Category, Failure};
use crate::manager::Event;
use crate::process::{CommandSpec, Exit, OutputSink};
use crate::run::last_line::TreeLeft;

/// Whose output it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// The user's command, or an alternative that stands in for it: its stdout is data.
    Command,
    /// A fix: its stdout is for people who watch.
    Helper,
    /// An escalation, an approval: it speaks with a person.
    Person,
}

/// Lends the streams that processes write to and read from.
pub trait Console: Send {
    /// Prepares what an edge knows of a process about to run: terminals, what it reads.
    ///
    /// # Errors
    /// If a stream cannot be made.
    fn prepare(&mut self, role: Role, spec: &mut CommandSpec) -> Result<()>;

    /// Where a process of `role` writes.
    ///
    /// # Errors
    /// If a stream cannot be made.
    fn sink(&mut self, role: Role) -> Result<Box<dyn OutputSink + '_>>;

    /// Whether `argv`, which has run, would find all that it reads again; else the reason why not.
    fn can_run_again(&self, argv: &[OsString]) -> std::result::Result<(), String>;
}

/// A step of a run, as it happens.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum RunEvent<'a> {
    /// A run of ours that died here was cleaned up after.
    Cleaned {
        /// What was done, in words.
        what: &'a str,
    },
    /// A run of ours that was killed here left changes that nobody can tell from later ones.
    Leftover {
        /// What it left and the way back, in words.
        what: &'a str,
    },
    /// Something that was done beside the recovery, or that explains its end.
    Note {
        /// In words.
        what: &'a str,
    },
    /// Something that a person should know, and that stops nothing.
    Warning {
        /// In words.
        what: &'a str,
    },
    /// The command failed and nothing was tried, because the state cannot be written.
    NoState {
        /// Why, in words.
        why: &'a str,
    },
    /// The command failed.
    Failed {
        /// The command, as typed.
        command: &'a str,
        /// How it ended.
        exit: Exit,
        /// Whether it was stopped at its time limit.
        timed_out: bool,
        /// Its failure.
        failure: &'a Failure,
        /// The category.
        category: Category,
        /// The rule that said so.
        rule: &'a str,
    },
    /// History advises another order than the shipped one.
    Advice {
        /// Which, in words.
        says: &'a str,
        /// Whether the plan follows it.
        applied: bool,
    },
    /// Something is not tried, and why.
    NotTried {
        /// In words.
        why: &'a str,
    },
    /// Another recovery holds the workspace; this one waits.
    WaitingForOther {
        /// Who, in words.
        holder: &'a str,
    },
    /// The other recovery ended, and the command passes now.
    PassedAfterWaiting,
    /// A dry run's command passes: there is nothing to plan.
    NothingToPlan,
    /// A step of the recovery.
    Step(&'a Event<'a>),
    /// It is cured.
    Recovered {
        /// The strategy.
        strategy: &'a str,
        /// How many attempts it took.
        attempts: usize,
        /// From the first run to now.
        duration: Duration,
        /// Whether it was flaky.
        flaky: bool,
        /// Processes that were left running, as `pid command`.
        left_running: &'a [String],
        /// Test files that a recovery of a test failure changed.
        changed_tests: &'a [String],
        /// Whether something in the tree changed that can be taken back.
        undoable: bool,
        /// Why it does not exit with 0 all the same, in words.
        exits: Option<&'a str>,
        /// The session, if it is on record.
        session_id: Option<&'a str>,
        /// The seal that the record is under, as `SIZE:ROOT`.
        seal: Option<&'a str>,
    },
    /// It is not cured.
    NotRecovered {
        /// Why, in words.
        why: &'a str,
        /// How many attempts were made.
        attempts: usize,
        /// From the first run to now.
        duration: Duration,
        /// How the tree stands.
        tree: TreeLeft,
        /// Paths that attempts changed and that stay so, as was asked.
        left: &'a [String],
        /// Why it exits as it does, where that is no word of the command's, in words.
        exits: Option<&'a str>,
        /// The session, if it is on record.
        session_id: Option<&'a str>,
        /// The seal that the record is under, as `SIZE:ROOT`.
        seal: Option<&'a str>,
    },
    /// What had to end could not be ended; nothing is tried beside it.
    NotEnded {
        /// The processes, as `pid command`.
        processes: &'a [String],
    },
    /// A helper command could not do its part.
    HelperFailed {
        /// What, in words.
        what: &'a str,
    },
    /// What a dry run would do, a line each.
    Plan {
        /// What would be tried, in order.
        steps: &'a [String],
        /// What would not, and why.
        skipped: &'a [String],
    },
}

/// Watches a run.
pub trait RunObserver: Send {
    /// Something happened.
    fn observe(&mut self, event: &RunEvent<'_>);
}
