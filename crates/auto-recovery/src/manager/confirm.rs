//! Seeing that a cure is one: without it the command fails, and with it again it passes.
//!
//! A pass without the change is none of the change's doing: the command is flaky, the change goes,
//! and the pass counts as that of a plain retry. So does a pass after what changed nothing. Where
//! the change cannot wholly be taken away and brought back, it cannot be told, and that is said.
//! What the deadline cuts off is not proven: it goes.

use crate::error::Result;
use crate::host::new_id;
use crate::manager::Event;
use crate::manager::handler::Handler;
use crate::manager::step::{After, RecoveryEnd, Step};
use crate::manager::tree::{Before, Proof};
use crate::manager::tried::{Aftermath, Confirmation, Tried, Turn, Verdict, Without};
use crate::manager::under_way::Recovering;
use crate::strategy::{RecoveryStrategyType, Verification};

impl Recovering<'_> {
    /// Undoes what cured, sees the command fail, applies it again and sees it pass, where that is
    /// wanted. What changed nothing cannot be told from a plain retry, and counts as one.
    pub(super) fn confirm(
        &mut self,
        turn: &Turn<'_, '_>,
        number: u64,
        tried: &mut Tried,
    ) -> Result<()> {
        let settings = &self.parts.settings;
        let is_wanted = settings.confirm && !settings.keep_failed_changes;
        let is_seen = matches!(tried.verdict, Verdict::Passed | Verdict::Flaky);
        if !is_wanted || !is_seen {
            return Ok(());
        }
        let Some(tree) = self.parts.tree.as_mut() else {
            if turn.step.candidate.kind != RecoveryStrategyType::Retry {
                tried.add("not confirmed: without a checkpoint nothing can be taken away to look");
            }
            return Ok(());
        };
        let is_more = !tree.not_covered().is_empty() || tree.history_moved().is_some();
        let changed_nothing = tried.files_modified.is_empty() && self.changed.is_empty();
        let is_retry = turn.step.candidate.kind == RecoveryStrategyType::Retry;
        if changed_nothing && is_retry {
            return Ok(());
        }
        if is_more || !tried.left_running.is_empty() {
            tried.add("not confirmed: it did more than change files that an undo covers");
            return Ok(());
        }
        if changed_nothing {
            tried.pass_as_retry();
            return self.refute(tried);
        }
        if let Some(why) = tree.set_aside()? {
            return self.unsure(tried, &why);
        }
        self.parts.observe(&Event::Confirming { without: true });
        match self.verify_again(turn, number) {
            Ok(seen) if seen.passed && !self.parts.host.is_interrupted() => {
                tried.add("it passes without the change as well: flaky, the change is dropped");
                tried.confirmation = Confirmation::PassedWithout(Without::Undone(seen.into()));
                self.changed.clear();
                self.refute(tried)
            }
            seen if self.is_cut_off(&seen, "without the change", tried) => self.refute(tried),
            Ok(_) => self.with_it_again(turn, number, tried),
            Err(why) => self.unsure(tried, &why),
        }
    }

    /// Whether the run that was to confirm says nothing, because something ended it: then that is
    /// the reason, and the cure is none that was proven.
    fn is_cut_off(
        &self,
        seen: &Result<Verification, String>,
        how: &str,
        tried: &mut Tried,
    ) -> bool {
        if self.parts.host.is_interrupted() {
            tried.add("interrupted while it was confirmed");
            return true;
        }
        if let Ok(Verification {
            not_ended: true, ..
        }) = seen
        {
            tried.add(&format!("what ran {how} could not be ended"));
            tried.not_ended = true;
            return true;
        }
        let is_over = self.is_over();
        if is_over {
            tried.add("the deadline passed while it was confirmed");
        }
        is_over
    }

    /// The command failed without the change: whether it passes with it again.
    fn with_it_again(&mut self, turn: &Turn<'_, '_>, number: u64, tried: &mut Tried) -> Result<()> {
        if !self.put_again(tried)? {
            return Ok(());
        }
        self.parts.observe(&Event::Confirming { without: false });
        let seen = self.verify_again(turn, number);
        let verified = self.look()?;
        let harm = verified.harm();
        tried.verified.checkpoint = verified.checkpoint;
        tried.verified.fingerprint = verified.fingerprint;
        match seen {
            Ok(seen) if seen.passed && harm.is_none() && !self.parts.host.is_interrupted() => {
                tried.add("fails without the change, passes with it again");
                tried.confirmation = Confirmation::Seen;
                return Ok(());
            }
            seen if self.is_cut_off(&seen, "with the change applied again", tried) => {}
            Ok(seen) => {
                match harm.filter(|_| seen.passed) {
                    Some(harm) => tried.add(&harm),
                    None => tried.add(&passes_no_more(&seen)),
                }
                tried.failure = seen.failure;
                (tried.exit_code, tried.signal) = (seen.exit_code, seen.signal);
            }
            Err(why) => tried.add(&format!(
                "could not be run with the change applied again: {why}"
            )),
        }
        self.refute(tried)
    }

    /// It cannot be told whether it is a cure: it stays, and that is said.
    fn unsure(&mut self, tried: &mut Tried, why: &str) -> Result<()> {
        if self.put_again(tried)? {
            tried.add(&format!("not confirmed: {why}"));
        }
        Ok(())
    }

    /// Applies the change again. Where the tree is not as it was with it, it is no cure.
    fn put_again(&mut self, tried: &mut Tried) -> Result<bool> {
        let tree = self.parts.tree.as_mut();
        let why = match tree.map(|tree| tree.put_again()) {
            Some(put) => put?,
            None => None,
        };
        let Some(why) = why else {
            return Ok(true);
        };
        tried.add(&format!("could not be applied again: {why}"));
        self.refute(tried)?;
        Ok(false)
    }

    /// It is no cure.
    fn refute(&mut self, tried: &mut Tried) -> Result<()> {
        tried.verdict = Verdict::NotCured;
        tried.repeatable = false;
        self.look().map(drop)
    }

    /// Records the pass without the change, or without any, as what it is: that of a plain retry.
    pub(super) fn count_as_retry(&mut self, without: Without) -> Result<Tried> {
        let (action, seen) = match without {
            Without::Undone(seen) => ("without the change that was dropped", seen),
            Without::Any(seen) => ("after what changed nothing", seen),
        };
        self.faced = self.current.clone();
        let number = self.parts.next_attempt_number(self.session_id.as_deref())?;
        let before = match self.parts.tree.as_mut() {
            Some(tree) => tree.before(number)?,
            None => Before::default(),
        };
        self.attempt_id = new_id("attempt");
        let mut step = Step::new(Box::new(Handler::Retry(None)), 1.0, 1);
        step.candidate.action = action.to_owned();
        let turn = Turn {
            step: &step,
            strategy_attempt: 1,
            previous: None,
            is_last: true,
        };
        self.record_intent(&turn, number, &before)?;
        let mut tried = Tried::passed_again(*seen, before);
        if let Some(tree) = self.parts.tree.as_mut() {
            tried.acted = tree.acted()?;
            tried.verified = tree.verified()?;
        }
        self.record_attempt(&turn, number, &tried)?;
        if let Some(tree) = self.parts.tree.as_mut() {
            tree.accept(Proof::Passed)?;
        }
        Ok(tried)
    }
}

fn passes_no_more(seen: &Verification) -> String {
    let says = "with the change applied again it passes no more";
    match seen.message.is_empty() {
        true => says.to_owned(),
        false => format!("{says}: {}", seen.message),
    }
}

impl Tried {
    /// It changed nothing that could be taken away to look: its pass is that of a plain retry, as
    /// far as anybody can tell.
    fn pass_as_retry(&mut self) {
        let seen = Verification {
            passed: true,
            message: self.decisive.clone(),
            exit_code: self.exit_code,
            signal: self.signal,
            output_file: self.output_file.clone(),
            ..Verification::default()
        };
        self.confirmation = Confirmation::PassedWithout(Without::Any(seen.into()));
        self.add(
            "not confirmed: it changed nothing that an undo covers, which nobody can tell from a \
             flaky pass",
        );
    }

    /// A plain retry that passed, as `seen`.
    fn passed_again(seen: Verification, before: Before) -> Self {
        Self {
            verdict: Verdict::Flaky,
            confirmation: Confirmation::None,
            aftermath: Aftermath::AsItIs,
            repeatable: true,
            is_ground: false,
            mended_before: false,
            message: seen.message.clone(),
            decisive: seen.message,
            changes_made: Vec::new(),
            files_modified: Vec::new(),
            before,
            acted: Default::default(),
            verified: Default::default(),
            kept_foreign: Vec::new(),
            not_put_back: Vec::new(),
            holding: Vec::new(),
            moved_aside: Vec::new(),
            not_covered: Vec::new(),
            failure: None,
            strategy_exit_code: None,
            exit_code: seen.exit_code,
            signal: seen.signal,
            left_running: seen.left_running,
            not_ended: false,
            output_file: seen.output_file,
            times: Default::default(),
            after: After::End(RecoveryEnd::Recovered),
        }
    }
}
