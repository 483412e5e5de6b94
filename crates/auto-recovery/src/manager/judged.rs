//! What an attempt came to, in itself and in words.

use crate::manager::tree::{Acted, Verified};
use crate::strategy::{Did, Outcome, Verification};

/// What is said of an attempt after which the tree is too much for a checkpoint.
pub(super) const OVERFLOW: &str = "changed more than a checkpoint holds";

/// What an attempt came to, before anything is kept or undone.
pub(super) struct Judged {
    pub(super) success: bool,
    pub(super) message: String,
    /// What decided; the whole message where nothing was verified.
    pub(super) verdict: String,
    pub(super) verification: Option<Verification>,
}

impl Judged {
    /// Says that the strategy's command itself failed, where that tells something: linters that
    /// leave a finding fail as well.
    pub(super) fn tell_of_exit(&mut self, of_recipe: bool, outcome: &Outcome, acted: &Acted) {
        let Some(code) = outcome.exit_code.filter(|code| *code != 0) else {
            return;
        };
        let nothing = acted.overflow.is_none() && acted.files_modified.is_empty();
        if matches!(outcome.did, Did::StoodIn { .. }) || (of_recipe && !nothing) {
            return;
        }
        let nothing = if nothing { " and changed nothing" } else { "" };
        self.verdict = join(&format!("it exited {code}{nothing}"), &self.verdict);
    }

    /// A cure does not count when the command wrote to what is protected while it was run again,
    /// nor when it left more than can be looked through: nobody can say then what it changed.
    pub(super) fn hold_against(&mut self, verified: &Verified) {
        let Some(said) = verified.harm() else {
            return;
        };
        self.success = false;
        self.message = join(&self.message, &said);
        self.verdict = match verified.overflow {
            Some(_) => OVERFLOW.to_owned(),
            None => said,
        };
    }
}

impl Verified {
    /// Why the attempt failed though the verification passed, where it did.
    pub(super) fn harm(&self) -> Option<String> {
        if let Some(why) = &self.overflow {
            return Some(format!("{OVERFLOW}: {why}"));
        }
        let paths = self.protected.join(", ");
        let harms = !self.protected.is_empty();
        harms.then(|| format!("{paths} is protected, and changed during the verification"))
    }
}

/// Two things that are said, one after the other.
pub(super) fn join(first: &str, second: &str) -> String {
    match (first.is_empty(), second.is_empty()) {
        (true, _) => second.to_owned(),
        (_, true) => first.to_owned(),
        _ => format!("{first}; {second}"),
    }
}
