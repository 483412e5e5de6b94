//! What the manager asks of the working tree. The checkpoints fulfil it; a recovery without files
//! to guard has no tree.

use std::collections::BTreeSet;

use crate::audit::LeftBehind;
use crate::error::Result;
use crate::failure::{Category, Failure};
use crate::strategy::{HandlerResult, RecoveryStrategyType};

/// The tree before an attempt.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Before {
    /// Its checkpoint; `None` where nothing can be undone.
    pub checkpoint: Option<String>,
    /// What names its content: equal for equal trees.
    pub fingerprint: Option<String>,
    /// Paths somebody else changed since the last step; they are kept.
    pub foreign: Vec<String>,
    /// What undone attempts left in the tree, and is there still.
    pub left: Vec<LeftBehind>,
}

/// The tree after a strategy acted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Acted {
    /// Its checkpoint.
    pub checkpoint: Option<String>,
    /// What names its content: equal for equal trees.
    pub fingerprint: Option<String>,
    /// Paths that the strategy changed, sorted.
    pub files_modified: Vec<String>,
    /// Those of them, and of the ignored ones, that are protected.
    pub protected: Vec<String>,
    /// Why the tree cannot be kept, where it holds more than a checkpoint does. It can be put back
    /// all the same.
    pub overflow: Option<String>,
}

/// The tree after the verification.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verified {
    /// Its checkpoint; `None` where nothing is kept.
    pub checkpoint: Option<String>,
    /// What names its content: equal for equal trees.
    pub fingerprint: Option<String>,
    /// Paths that the verification changed, sorted.
    pub files_modified: Vec<String>,
    /// Those of them, and of the ignored ones, that are protected.
    pub protected: Vec<String>,
    /// Why the tree cannot be kept, where it holds more than a checkpoint does. What is protected
    /// may have changed then, so the attempt failed.
    pub overflow: Option<String>,
}

/// The tree after an undo.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Undone {
    /// How many paths were put back.
    pub paths: u64,
    /// Paths that somebody else changed meanwhile; they are kept.
    pub foreign: Vec<String>,
    /// Paths that a run beside may have changed, each with that run in words; they are kept.
    pub beside: Vec<(String, String)>,
    /// Paths that could not be put back, each with the reason.
    pub refused: Vec<(String, String)>,
    /// Directories that stay because they hold what is not covered.
    pub holding: Vec<String>,
    /// Such directories that stood where something else belongs, each with its name now.
    pub moved_aside: Vec<(String, String)>,
    /// Paths that are not covered, had another name, and have theirs back: that other name first.
    pub renamed_back: Vec<(String, String)>,
    /// Paths whose content is not covered, and whose permission bits are as they were.
    pub bits_back: Vec<String>,
    /// Paths at which the attempt made a file that no checkpoint holds: it is gone.
    pub removed: Vec<String>,
    /// Paths that differ and that no checkpoint holds, where that was not seen before: the attempt
    /// left more than a checkpoint holds.
    pub not_covered: Vec<String>,
}

/// Whether a path, as records name it, is or lies below something that was renamed back, by either
/// of its names.
fn is_renamed_back(path: &str, all: &[(String, String)]) -> bool {
    all.iter().flat_map(|(now, was)| [now, was]).any(|one| {
        let rest = path.strip_prefix(one.as_str());
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['/', ' ']))
    })
}

impl Undone {
    /// Whether what changed at a path that is not covered, as records name it, was put back: it had
    /// another name, or other permission bits, or was not there before.
    pub fn has_back(&self, path: &str) -> bool {
        let is_it = |back: &String| {
            let rest = path.strip_prefix(back.as_str());
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(" ("))
        };
        is_renamed_back(path, &self.renamed_back)
            || self.bits_back.iter().chain(&self.removed).any(is_it)
    }

    /// What stays in the tree and why, in words.
    pub(super) fn in_words(&self) -> Vec<String> {
        let mut words = Vec::new();
        if !self.foreign.is_empty() {
            let paths = self.foreign.join(", ");
            words.push(format!("kept what somebody else changed: {paths}"));
        }
        for who in distinct(&self.beside) {
            let paths = paths_with(&self.beside, who);
            words.push(format!("kept what changed while {who} ran: {paths}"));
        }
        if !self.holding.is_empty() {
            let paths = self.holding.join(", ");
            words.push(format!("left what holds what is not covered: {paths}"));
        }
        if !self.renamed_back.is_empty() {
            let names = self.renamed_back.iter().map(|(_, was)| was.as_str());
            let names = names.collect::<Vec<_>>().join(", ");
            words.push(format!("renamed back: {names}"));
        }
        for (was, is) in &self.moved_aside {
            words.push(format!("{was} held what is not covered and is {is} now"));
        }
        for reason in distinct(&self.refused) {
            let paths = paths_with(&self.refused, reason);
            words.push(format!("could not be put back ({reason}): {paths}"));
        }
        words
    }
}

/// The second halves of `pairs`, each once, sorted.
fn distinct(pairs: &[(String, String)]) -> BTreeSet<&String> {
    pairs.iter().map(|(_, second)| second).collect()
}

/// The first halves of those of `pairs` that have this second one.
fn paths_with(pairs: &[(String, String)], second: &String) -> String {
    let with = pairs.iter().filter(|(_, other)| other == second);
    let paths: Vec<_> = with.map(|(path, _)| path.as_str()).collect();
    paths.join(", ")
}

/// The working tree, as the manager sees it. Between `before` and the next `before` lies one
/// attempt.
pub trait Tree: Send {
    /// Takes the tree as the ground of attempt `attempt_number`.
    ///
    /// # Errors
    /// If it cannot be kept safe; the attempt is then not made. [`ErrorKind::NoSpace`] ends the
    /// recovery and is no fault of it.
    ///
    /// [`ErrorKind::NoSpace`]: crate::error::ErrorKind::NoSpace
    fn before(&mut self, attempt_number: u64) -> Result<Before>;

    /// Looks at what the strategy changed, before anything else runs.
    ///
    /// # Errors
    /// If it cannot be seen.
    fn acted(&mut self) -> Result<Acted>;

    /// Keeps the tree as the verification left it, whatever comes next, and looks at what that
    /// changed.
    ///
    /// # Errors
    /// If it cannot be seen.
    fn verified(&mut self) -> Result<Verified>;

    /// Whether the tree still is as it was then.
    ///
    /// # Errors
    /// If it cannot be seen.
    fn is_as_verified(&mut self) -> Result<bool>;

    /// Paths the attempt changed that no checkpoint covers: ignored or too large files, `.git`.
    fn not_covered(&mut self) -> Vec<String>;

    /// What the attempt did to the history of the tree that an undo leaves, in words with the way
    /// back; `None` where there is no history, or it stayed.
    fn history_moved(&mut self) -> Option<String> {
        None
    }

    /// The tree before the oldest attempt whose changes are in it, the one under way left out;
    /// `None` where no earlier one's are.
    fn built_upon(&self) -> Option<String> {
        None
    }

    /// Leaves the tree to the next try of the same strategy: undoing that undoes this one too.
    fn leave(&mut self);

    /// Puts the tree back as `before` found it, or the first of the tries that were left to this
    /// one.
    ///
    /// # Errors
    /// If it is not exactly as it was.
    fn undo(&mut self) -> Result<Undone>;

    /// Puts the tree back as the recovery found it.
    ///
    /// # Errors
    /// If it is not exactly as it was.
    fn undo_all(&mut self) -> Result<Undone>;

    /// Whether what it would be put back from is still there: something that ran may have removed
    /// it.
    fn is_kept(&self) -> bool {
        true
    }

    /// Puts the tree back as the recovery found it, for a while: [`Tree::put_again`] brings back
    /// what the attempt and those before it changed. Says why, if it is not exactly as it was.
    ///
    /// # Errors
    /// If it cannot be changed.
    fn set_aside(&mut self) -> Result<Option<String>> {
        Ok(Some("the tree cannot be put aside".to_owned()))
    }

    /// Brings back what was set aside. Says why, if the tree is not exactly as it was with it.
    ///
    /// # Errors
    /// If it cannot be changed.
    fn put_again(&mut self) -> Result<Option<String>> {
        Ok(None)
    }

    /// The attempt cured the failure: its tree is good.
    ///
    /// # Errors
    /// If that cannot be noted.
    fn accept(&mut self, proof: Proof) -> Result<()>;
}

/// What shows that an attempt cured the failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Proof {
    /// The verification passed, or nothing verifies and the strategy said so.
    Passed,
    /// Something else stands in for what failed.
    StoodIn,
}

/// A change that works and waits for approval.
#[derive(Clone, Debug)]
pub struct ChangeUnderReview<'a> {
    /// The failure it cures.
    pub failure: &'a Failure,
    /// The category of that.
    pub category: Category,
    /// The strategy that made it.
    pub strategy: &'a RecoveryStrategyType,
    /// Number of the attempt within the session.
    pub attempt_number: u64,
    /// The tree before it, and before everything that it was built upon.
    pub before: &'a str,
    /// The tree with it.
    pub after: &'a str,
    /// The paths it changes, together with what it was built upon; sorted.
    pub files_modified: &'a [String],
}

/// Somebody who must agree before a change that works is kept.
pub trait Approver: Send {
    /// Whether the change may stay.
    ///
    /// # Errors
    /// Whatever goes wrong means no.
    fn approve(&mut self, change: &ChangeUnderReview<'_>) -> HandlerResult<bool>;
}
