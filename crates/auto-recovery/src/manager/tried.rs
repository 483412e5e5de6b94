//! One try of a step: where it stands, and once it ended what it did, what became of that, and
//! what comes after it.

use std::time::Duration;

use crate::exit::{EXIT_CANNOT_RUN, EXIT_NOT_FOUND};
use crate::failure::Failure;
use crate::manager::judged::join;
use crate::manager::step::{After, Step};
use crate::manager::tree::{Acted, Before, Undone, Verified};
use crate::strategy::Verification;

/// One try of one step, and where it stands.
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
    pub(super) success: bool,
    pub(super) repeatable: bool,
    pub(super) stood_in: bool,
    pub(super) flaky: bool,
    pub(super) undone: bool,
    pub(super) kept: bool,
    /// Whether the command was seen to fail without its change, and to pass with it again.
    pub(super) confirmed: bool,
    /// How the command passed without its change.
    pub(super) passed_without: Option<Without>,
    /// Whether what it left is the ground for what comes next.
    pub(super) is_ground: bool,
    /// Whether nothing was done because the command itself had mended what it found.
    pub(super) mended_before: bool,
    pub(super) message: String,
    /// The part of the message that tells whether it helped.
    pub(super) verdict: String,
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
    pub(super) duration: Duration,
    pub(super) after: After,
}

/// A pass that is none of an attempt's doing.
#[derive(Clone, Debug)]
pub(super) enum Without {
    /// Its change was undone before.
    Undone(Verification),
    /// It changed nothing that an undo covers.
    Any(Verification),
}

impl Tried {
    /// Whether the command passed once the change was undone.
    pub(super) fn passed_undone(&self) -> bool {
        matches!(self.passed_without, Some(Without::Undone(_)))
    }

    pub(super) fn add(&mut self, words: &str) {
        self.message = join(&self.message, words);
        self.verdict = join(&self.verdict, words);
    }

    /// Whether the strategy's command could not be run: it would not another time.
    pub(super) fn could_not_run(&self) -> bool {
        let code = self.strategy_exit_code;
        let is_shells = matches!(code, Some(EXIT_CANNOT_RUN | EXIT_NOT_FOUND));
        is_shells && self.files_modified.is_empty()
    }

    /// Whether nothing protected was touched, as far as anybody could look.
    pub(super) fn touched_nothing_protected(&self) -> bool {
        let (acted, verified) = (&self.acted, &self.verified);
        let saw_all = acted.overflow.is_none() && verified.overflow.is_none();
        saw_all && acted.protected.is_empty() && verified.protected.is_empty()
    }

    /// Adds what became of the tree.
    pub(super) fn tell_of(&mut self, undone: &Undone) {
        self.undone = undone.paths > 0;
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

    /// Whether asking a deterministic strategy once more could only bring the same: it left the
    /// tree as it found it, or as its `previous` try left it, and the failure is the same too.
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
