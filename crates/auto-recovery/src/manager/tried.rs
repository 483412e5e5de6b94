//! One try of a step: its place, and once it ended its actions, their result, and the step that
//! follows.

use std::time::Duration;

use crate::exit::{EXIT_CANNOT_RUN, EXIT_NOT_FOUND};
use crate::failure::Failure;
use crate::manager::judged::join;
use crate::manager::step::{After, Step};
use crate::manager::tree::{Acted, Before, Undone, Verified};
use crate::strategy::{Did, Verification};

/// One try of one step, and its place among the others.
#[derive(Clone, Copy)]
pub(super) struct Turn<'a, 'm> {
    pub(super) step: &'a Step<'m>,
    pub(super) strategy_attempt: u32,
    /// The try before it, of the same step.
    pub(super) previous: Option<&'a Tried>,
    pub(super) is_last: bool,
}

/// An attempt that ended.
#[derive(Clone, Debug)]
pub(super) struct Tried {
    pub(super) verdict: Verdict,
    pub(super) confirmation: Confirmation,
    pub(super) aftermath: Aftermath,
    /// Whether the same strategy may have another result next time.
    pub(super) repeatable: bool,
    /// Whether its changes are the ground for the next try.
    pub(super) is_ground: bool,
    /// Whether nothing was done because the command itself had fixed its findings.
    pub(super) mended_before: bool,
    pub(super) message: String,
    /// The part of the message that says whether it helped.
    pub(super) decisive: String,
    pub(super) changes_made: Vec<String>,
    pub(super) files_modified: Vec<String>,
    pub(super) before: Before,
    pub(super) acted: Acted,
    pub(super) verified: Verified,
    pub(super) kept_foreign: Vec<String>,
    pub(super) not_put_back: Vec<String>,
    pub(super) holding: Vec<String>,
    pub(super) moved_aside: Vec<String>,
    pub(super) not_covered: Vec<String>,
    pub(super) failure: Option<Failure>,
    pub(super) strategy_exit_code: Option<i32>,
    pub(super) exit_code: Option<i32>,
    pub(super) signal: Option<i32>,
    pub(super) left_running: Vec<String>,
    /// Whether something it ran could not be ended.
    pub(super) not_ended: bool,
    pub(super) output_file: Option<String>,
    pub(super) times: Times,
    pub(super) after: After,
}

/// How long an attempt and its parts took.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Times {
    /// From the beginning to the end of its undo.
    pub(super) all: Duration,
    pub(super) act: Duration,
    /// `None` where nothing was verified.
    pub(super) verification: Option<Duration>,
}

/// Verdict on an attempt: whether it is the cure, and on what evidence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    NotCured,
    /// The command passed, or nothing verifies and the strategy says that it worked.
    Passed,
    /// The command passed by being run again and nothing else.
    Flaky,
    /// The strategy's own command stands in for the user's.
    StoodIn,
}

impl Verdict {
    /// The verdict on a strategy that `did` something, where that was a `success`. Nothing but a
    /// plain retry that builds upon nothing is `only_again`.
    pub(super) fn of(success: bool, did: Did, only_again: bool) -> Self {
        match did {
            _ if !success => Self::NotCured,
            Did::StoodIn { .. } => Self::StoodIn,
            _ if only_again => Self::Flaky,
            _ => Self::Passed,
        }
    }

    pub(super) fn is_cure(self) -> bool {
        self != Self::NotCured
    }
}

/// Whether a cure was seen to be one, by taking its change away to look.
#[derive(Clone, Debug, Default)]
pub(super) enum Confirmation {
    /// Not looked at, or not decidable.
    #[default]
    None,
    /// The command failed without the change, and passed with it again.
    Seen,
    /// The command passed without the change.
    PassedWithout(Without),
}

/// The fate of the changes that an attempt left in the tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Aftermath {
    /// It stays as the cure, or there was nothing to keep or to undo.
    AsItIs,
    /// It stays without being a cure.
    Kept,
    /// It was put back.
    Undone,
}

/// A pass that is none of an attempt's doing.
#[derive(Clone, Debug)]
pub(super) enum Without {
    /// Its change was undone before.
    Undone(Box<Verification>),
    /// It changed nothing that an undo covers.
    Any(Box<Verification>),
}

impl Tried {
    /// Whether the command passed once the change was undone.
    pub(super) fn passed_undone(&self) -> bool {
        matches!(
            self.confirmation,
            Confirmation::PassedWithout(Without::Undone(_))
        )
    }

    /// Whether the command passed without the change.
    pub(super) fn passed_without(&self) -> bool {
        matches!(self.confirmation, Confirmation::PassedWithout(_))
    }

    pub(super) fn add(&mut self, words: &str) {
        self.message = join(&self.message, words);
        self.decisive = join(&self.decisive, words);
    }

    /// Whether the strategy's command could not be run: it would not another time.
    pub(super) fn could_not_run(&self) -> bool {
        let code = self.strategy_exit_code;
        let is_shells = matches!(code, Some(EXIT_CANNOT_RUN | EXIT_NOT_FOUND));
        is_shells && self.files_modified.is_empty()
    }

    /// Whether nothing protected was touched, as far as that was checked.
    pub(super) fn touched_nothing_protected(&self) -> bool {
        let (acted, verified) = (&self.acted, &self.verified);
        let saw_all = acted.overflow.is_none() && verified.overflow.is_none();
        saw_all && acted.protected.is_empty() && verified.protected.is_empty()
    }

    /// Adds what became of the tree.
    pub(super) fn tell_of(&mut self, undone: &Undone) {
        // It may have been taken back before the command ran without it.
        if undone.paths > 0 || self.passed_undone() {
            self.aftermath = Aftermath::Undone;
        }
        let foreign = undone.foreign.iter();
        let beside = undone.beside.iter().map(|(path, _)| path);
        self.kept_foreign = foreign.chain(beside).cloned().collect();
        self.holding.clone_from(&undone.holding);
        let aside = undone.moved_aside.iter();
        self.moved_aside = aside.map(|(was, is)| format!("{was} => {is}")).collect();
        self.not_covered.retain(|path| !undone.has_back(path));
        self.not_covered.extend(undone.not_covered.iter().cloned());
        let refused = undone.refused.iter();
        self.not_put_back = refused.map(|(path, _)| path.clone()).collect();
        for words in undone.in_words() {
            self.add(&words);
        }
    }

    /// Adds what earlier attempts left in the tree. The line that began this one said so.
    pub(super) fn tell_of_left(&mut self) {
        let left: Vec<_> = self.before.left.iter().map(ToString::to_string).collect();
        if !left.is_empty() {
            let words = format!("still there: {}", left.join(", "));
            self.message = join(&self.message, &words);
        }
    }

    /// Whether another try of a deterministic strategy is pointless: this one left the tree as it
    /// found it, or as its `previous` try left it, and the failure is the same too.
    pub(super) fn brought_nothing_new(&self, previous: Option<&Self>) -> bool {
        let same_failure = match (
            &self.failure,
            previous.and_then(|tried| tried.failure.as_ref()),
        ) {
            (Some(now), Some(then)) => now.is_same_as(then),
            _ => true,
        };
        let changed_nothing = self.files_modified.is_empty();
        let same_tree =
            previous.is_some_and(|tried| tried.acted.fingerprint == self.acted.fingerprint);
        same_failure && (changed_nothing || same_tree)
    }
}
