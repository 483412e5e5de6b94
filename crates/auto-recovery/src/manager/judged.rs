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
    /// Says that the strategy's command was stopped at its time limit, or itself failed, where that
    /// tells something: linters that leave a finding fail as well.
    pub(super) fn tell_of_exit(&mut self, of_recipe: bool, outcome: &Outcome, acted: &Acted) {
        let code = outcome.exit_code.filter(|code| *code != 0);
        let failed = code.map(|code| format!("it exited {code}"));
        let stopped = outcome.stopped.as_ref();
        let Some(how) = stopped.map(|how| format!("it was {how}")).or(failed) else {
            return;
        };
        let nothing = acted.overflow.is_none() && acted.files_modified.is_empty();
        let leaves_finding = of_recipe && !nothing && stopped.is_none();
        if matches!(outcome.did, Did::StoodIn { .. }) || leaves_finding {
            return;
        }
        let nothing = if nothing { " and changed nothing" } else { "" };
        self.verdict = join(&format!("{how}{nothing}"), &self.verdict);
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

#[cfg(test)]
mod tests {
    use super::Judged;
    use crate::manager::tree::Acted;
    use crate::strategy::{Did, Outcome};

    #[test]
    fn a_strategy_that_was_stopped_or_failed_is_told_of() {
        let check = |of_recipe, exit_code, stopped: Option<&str>, changed: &[&str], expected| {
            let mut judged = Judged {
                success: false,
                message: String::new(),
                verdict: "it still fails".to_owned(),
                verification: None,
            };
            let outcome = Outcome {
                did: Did::Acted { worked: false },
                exit_code,
                stopped: stopped.map(str::to_owned),
                ..Outcome::default()
            };
            let acted = Acted {
                files_modified: changed.iter().map(|file| (*file).to_owned()).collect(),
                ..Acted::default()
            };
            judged.tell_of_exit(of_recipe, &outcome, &acted);
            assert_eq!(judged.verdict, expected);
        };
        let stopped = Some("stopped after 0.5 s");
        let nothing = "it exited 127 and changed nothing; it still fails";
        check(false, Some(127), None, &[], nothing);
        check(false, Some(1), None, &["a"], "it exited 1; it still fails");
        check(true, Some(1), None, &["a"], "it still fails");
        check(false, Some(0), None, &["a"], "it still fails");
        let says = "it was stopped after 0.5 s; it still fails";
        check(false, None, stopped, &["a"], says);
        check(true, Some(143), stopped, &["a"], says);
        let says = "it was stopped after 0.5 s and changed nothing; it still fails";
        check(false, None, stopped, &[], says);
    }
}
