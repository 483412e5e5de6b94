//! One recovery: the loop over strategies and their tries.

use std::time::Duration;

use crate::attempt::RecoveryResult;
use crate::error::Result;
use crate::host::{Wait, timestamp};
use crate::manager::incident::Recovery;
use crate::manager::step::{After, RecoveryEnd, Step};
use crate::manager::tried::{Confirmation, Tried, Turn, Verdict};
use crate::manager::under_way::Recovering;
use crate::manager::{Backoff, Event};
use crate::strategy::{NextTry, RecoveryStrategyType};
use crate::wording::spelled;

/// How a step begins.
enum Beginning {
    Now,
    /// It is not tried.
    Skipped,
    Over(RecoveryEnd),
}

/// How trying a plan went on.
enum Went<'m> {
    /// Another plan is made.
    On(Vec<Step<'m>>),
    /// It is over.
    Over(RecoveryEnd, Option<Box<Tried>>),
}

impl<'m> Recovering<'m> {
    /// Tries `steps`, and those that are planned anew from what they leave, until one cures the
    /// failure.
    pub(super) fn run(mut self, mut steps: Vec<Step<'m>>) -> Result<Recovery> {
        self.record_start(&steps)?;
        // There is nothing to try any more.
        if steps.is_empty() && self.is_over() {
            return self.finish(RecoveryEnd::DeadlinePassed, None);
        }
        loop {
            match self.try_in_order(&steps)? {
                Went::On(anew) => steps = anew,
                Went::Over(end, cure) => return self.finish(end, cure.as_deref()),
            }
        }
    }

    fn try_in_order(&mut self, steps: &[Step<'m>]) -> Result<Went<'m>> {
        for (position, step) in steps.iter().enumerate() {
            let is_last = position + 1 == steps.len();
            if self.is_declined(step) {
                match self.ended_while_asked() {
                    Some(how) => return Ok(Went::Over(how, None)),
                    None => continue,
                }
            }
            match self.before_first(step) {
                Beginning::Now => {}
                Beginning::Skipped => continue,
                Beginning::Over(end) => return Ok(Went::Over(end, None)),
            }
            let mut previous = None;
            for strategy_attempt in step.first..=step.candidate.max_attempts {
                let turn = Turn {
                    step,
                    strategy_attempt,
                    previous: previous.as_ref(),
                    is_last,
                };
                let Some(mut tried) = self.attempt(&turn)? else {
                    return Ok(Went::Over(RecoveryEnd::Escalated, None));
                };
                let confirmation = std::mem::take(&mut tried.confirmation);
                if let Confirmation::PassedWithout(without) = confirmation {
                    let cure = Some(Box::new(self.count_as_retry(without)?));
                    return Ok(Went::Over(RecoveryEnd::Recovered, cure));
                }
                if tried.verdict.is_cure() {
                    let cure = Some(Box::new(tried));
                    return Ok(Went::Over(RecoveryEnd::Recovered, cure));
                }
                match tried.after {
                    After::SameStrategy(delay) => {
                        if self.wait(step, delay) == Wait::Interrupted {
                            return Ok(Went::Over(RecoveryEnd::Interrupted, None));
                        }
                    }
                    After::NextStrategy => break,
                    After::NewGround => {
                        let anew = self.anew.take().unwrap_or_default();
                        self.turn_to_ground(&anew, &tried)?;
                        return Ok(Went::On(anew));
                    }
                    After::End(how) => return Ok(Went::Over(how, None)),
                }
                previous = Some(tried);
            }
        }
        Ok(Went::Over(RecoveryEnd::Escalated, None))
    }

    /// Asks the strategy of `step` whether it is tried at all, and waits as long as it says.
    fn before_first(&mut self, step: &Step<'_>) -> Beginning {
        let delay = match self.next_try(step, None, Duration::ZERO) {
            NextTry::After(delay) => delay,
            NextTry::Never(why) => {
                self.stopped = Some(why);
                return Beginning::Skipped;
            }
        };
        if delay.is_zero() {
            return Beginning::Now;
        }
        if !self.has_time_for(delay) {
            return Beginning::Over(RecoveryEnd::DeadlinePassed);
        }
        match self.wait(step, delay) {
            Wait::Interrupted => Beginning::Over(RecoveryEnd::Interrupted),
            Wait::Elapsed => Beginning::Now,
        }
    }

    /// Whether the strategy of `step` wants another try, `previous` being the last.
    fn next_try(&mut self, step: &Step<'_>, previous: Option<&Tried>, delay: Duration) -> NextTry {
        let failing = previous.and_then(|tried| tried.failure.as_ref());
        let failing = failing.unwrap_or(&self.current);
        let faced = previous.map(|_| &self.current);
        let mut strategy = step.strategy.borrow_mut();
        strategy.next_try(failing, faced, delay)
    }

    /// Whether somebody does not agree to `step`, which is noted then.
    fn is_declined(&mut self, step: &Step<'_>) -> bool {
        let declined = step.strategy.borrow_mut().declined();
        let is_declined = declined.is_some();
        self.declined.extend(declined);
        is_declined
    }

    /// How the recovery ended while somebody was asked, if it did.
    fn ended_while_asked(&self) -> Option<RecoveryEnd> {
        if self.parts.host.is_interrupted() {
            return Some(RecoveryEnd::Interrupted);
        }
        self.deadline_passed_after(Duration::ZERO)
            .then_some(RecoveryEnd::DeadlinePassed)
    }

    /// What comes after an attempt. Decided before its entry is written, because the entry says it.
    pub(super) fn after(&mut self, turn: &Turn<'_, '_>, tried: &mut Tried) -> After {
        if tried.verdict.is_cure() {
            return After::End(RecoveryEnd::Recovered);
        }
        if tried.passed_without() {
            return After::NextStrategy;
        }
        if self.parts.host.is_interrupted() {
            return After::End(RecoveryEnd::Interrupted);
        }
        if tried.not_ended {
            return After::End(RecoveryEnd::DeadlinePassed);
        }
        let mut delay = Duration::ZERO;
        let mut again = self.anew.is_none()
            && turn.strategy_attempt < turn.step.candidate.max_attempts
            && tried.repeatable
            && !tried.could_not_run()
            && !(turn.step.candidate.recipe.is_some() && tried.brought_nothing_new(turn.previous));
        if again {
            let backoff = self.delay(turn.strategy_attempt + 1);
            match self.next_try(turn.step, Some(tried), backoff) {
                NextTry::After(wait) => delay = wait,
                NextTry::Never(why) => {
                    tried.add(&why);
                    again = false;
                }
            }
        }
        if !self.has_time_for(delay) {
            if let Some(why) = &self.out_of_time {
                tried.add(why);
            }
            return After::End(RecoveryEnd::DeadlinePassed);
        }
        if self.anew.is_some() {
            return After::NewGround;
        }
        match (again, turn.is_last) {
            (true, _) => After::SameStrategy(delay),
            (false, false) => After::NextStrategy,
            (false, true) => After::End(RecoveryEnd::Escalated),
        }
    }

    fn delay(&self, strategy_attempt: u32) -> Duration {
        let settings = &self.parts.settings;
        let backoff = Backoff {
            base: settings.base_delay,
            max: settings.max_delay,
            jitter: settings.jitter,
        };
        backoff.delay(strategy_attempt, self.parts.host.random())
    }

    fn deadline_passed_after(&self, delay: Duration) -> bool {
        let now = self.parts.host.monotonic();
        self.parts
            .settings
            .deadline
            .is_some_and(|deadline| now.saturating_add(delay) >= deadline)
    }

    /// Whether a wait of `delay` ends before the deadline. Why not is noted, where the deadline has
    /// not passed by itself.
    fn has_time_for(&mut self, delay: Duration) -> bool {
        if !self.deadline_passed_after(delay) {
            return true;
        }
        if !self.is_over() {
            let now = self.parts.host.monotonic();
            let left = self.parts.settings.deadline.unwrap_or_default();
            self.out_of_time = Some(format!(
                "a wait of {} does not fit into the {} that are left until the deadline",
                spelled(delay),
                spelled(left.saturating_sub(now))
            ));
        }
        false
    }

    /// Whether the deadline passed.
    pub(super) fn is_over(&self) -> bool {
        self.deadline_passed_after(Duration::ZERO)
    }

    fn wait(&mut self, step: &Step<'_>, delay: Duration) -> Wait {
        if delay.is_zero() {
            return Wait::Elapsed;
        }
        self.parts.observe(&Event::Waiting {
            strategy: &step.candidate.kind,
            delay,
        });
        self.parts.host.sleep(delay)
    }

    /// Ends the recovery: undoes what was kept without a cure, and records how it ended.
    fn finish(mut self, end: RecoveryEnd, cure: Option<&Tried>) -> Result<Recovery> {
        let success = end == RecoveryEnd::Recovered;
        if !success
            && (self.kept || self.left)
            && !self.parts.settings.keep_failed_changes
            && let Some(tree) = self.parts.tree.as_mut()
        {
            let undone = tree.undo_all()?;
            self.put_back = true;
            self.note_what_stays(&undone);
        }
        let strategy_used = match (self.attempts.last(), success) {
            (Some(last), true) => last.strategy.clone(),
            _ => RecoveryStrategyType::Escalate,
        };
        let message = match end {
            RecoveryEnd::Recovered => format!("Recovered using {strategy_used} strategy"),
            RecoveryEnd::Escalated => {
                "All recovery strategies failed. Human intervention required.".to_owned()
            }
            RecoveryEnd::DeadlinePassed => match &self.out_of_time {
                Some(why) => format!("Stopped: {why}. Human intervention required."),
                None => "The deadline passed. Human intervention required.".to_owned(),
            },
            RecoveryEnd::Interrupted => "Interrupted by the user.".to_owned(),
        };
        let flaky = cure.is_some_and(|cure| cure.verdict == Verdict::Flaky);
        let is_kept = success && !self.changed.is_empty();
        let took = self.record_end(end, &strategy_used, flaky, &message);
        let took = took.map_err(|error| match is_kept {
            true => error.context("the cure stays, and its attempt is on record to be undone"),
            false => error,
        })?;
        let result = RecoveryResult {
            success,
            strategy_used,
            attempts: self.attempts,
            final_error: (!success).then_some(self.current),
            message,
            escalated_to_human: !success && end != RecoveryEnd::Interrupted,
            timestamp: timestamp(self.parts.host.now()),
        };
        let changed = self.changed.into_iter().collect();
        let (files_modified, left_changed) = match success {
            true => (changed, Vec::new()),
            false => (Vec::new(), changed),
        };
        let left_running = cure
            .map(|cure| cure.left_running.clone())
            .unwrap_or_default();
        let session_id = self.session_id;
        Ok(Recovery {
            result,
            end,
            session_id,
            flaky,
            took,
            files_modified,
            left_changed,
            left_running,
            not_covered: self.not_covered.into_iter().collect(),
            stopped: self.stopped,
            out_of_time: self.out_of_time,
            declined: self.declined,
            refused: self.refused,
        })
    }
}
