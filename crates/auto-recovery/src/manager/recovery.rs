//! One recovery: the loop over strategies and their tries.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::attempt::{RecoveryAttempt, RecoveryResult};
use crate::error::{Error, Result};
use crate::failure::{Category, Context, Failure};
use crate::host::{Wait, timestamp};
use crate::manager::attempt::Tried;
use crate::manager::{AutoRecoveryManager, Backoff, Event};
use crate::recipe::RecipeRef;
use crate::strategy::RecoveryStrategyType;

/// A failure that is to be recovered, and what is known of the run that showed it.
#[derive(Clone, Debug)]
pub struct Incident {
    /// The failure.
    pub failure: Failure,
    /// Its category.
    pub category: Category,
    /// The rule that said so.
    pub rule: String,
    /// Exit code of the command.
    pub exit_code: Option<i32>,
    /// Signal that ended it.
    pub signal: Option<i32>,
    /// Whether it was stopped at its time limit.
    pub timed_out: bool,
    /// Where its output is kept.
    pub output_file: Option<String>,
    /// The tree it left.
    pub checkpoint: Option<String>,
    /// What will not be tried and why, in words.
    pub skipped: Vec<String>,
    /// The strategies to try, in this order, where the caller decides; `None` for the category's
    /// plan.
    pub order: Option<Vec<RecoveryStrategyType>>,
}

impl Incident {
    /// An incident of which only the failure is known.
    pub fn new(failure: Failure, category: Category, rule: impl Into<String>) -> Self {
        Self {
            failure,
            category,
            rule: rule.into(),
            exit_code: None,
            signal: None,
            timed_out: false,
            output_file: None,
            checkpoint: None,
            skipped: Vec::new(),
            order: None,
        }
    }
}

/// How a recovery ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecoveryEnd {
    /// The failure is cured.
    Recovered,
    /// Everything was tried; a person is needed.
    Escalated,
    /// The deadline passed.
    DeadlinePassed,
    /// The user asked to stop.
    Interrupted,
}

/// One recovery, from its first attempt to its end.
#[derive(Clone, Debug, PartialEq)]
pub struct Recovery {
    /// What came of it, in the specification's shape.
    pub result: RecoveryResult,
    /// How it ended.
    pub end: RecoveryEnd,
    /// The session it was recorded in.
    pub session_id: Option<String>,
    /// Whether it passed by being run again, and nothing else.
    pub flaky: bool,
    /// Paths that the cure changed, together with what it was built upon; sorted.
    pub files_modified: Vec<String>,
    /// Processes that the cure left running, as `pid command`.
    pub left_running: Vec<String>,
    /// Paths that attempts changed and that no checkpoint covers, and those that somebody else
    /// changed meanwhile and that were kept; sorted.
    pub not_covered: Vec<String>,
    /// Why nothing more was tried although something was left to try.
    pub stopped: Option<String>,
    /// What was not tried because somebody did not agree to it, and why.
    pub declined: Vec<String>,
}

/// Which strategy a step tries.
#[derive(Clone, Debug)]
pub(super) struct Step {
    pub(super) kind: RecoveryStrategyType,
    /// The plug-in to ask; `None` asks the handler of that kind.
    pub(super) plugin: Option<usize>,
    pub(super) max_attempts: u32,
    pub(super) action: String,
    pub(super) recipe: Option<RecipeRef>,
}

/// What is after an attempt, decided before its entry is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum After {
    SameStrategy(Duration),
    NextStrategy,
    End(RecoveryEnd),
}

impl Step {
    /// What the step would do, for people.
    pub(super) fn in_words(&self) -> String {
        let times = if self.max_attempts == 1 {
            "once".into()
        } else {
            format!("up to {} times", self.max_attempts)
        };
        format!("{}: {}, {times}", self.kind, self.action)
    }
}

impl After {
    /// The entry's word for it.
    pub(super) fn next_action(self) -> &'static str {
        match self {
            Self::SameStrategy(_) => "retry",
            Self::NextStrategy => "continue",
            Self::End(RecoveryEnd::Recovered) => "complete",
            Self::End(
                RecoveryEnd::Escalated | RecoveryEnd::DeadlinePassed | RecoveryEnd::Interrupted,
            ) => "escalate",
        }
    }
}

/// One try of one step, and where it stands.
#[derive(Clone, Copy, Debug)]
pub(super) struct Turn<'a> {
    pub(super) step: &'a Step,
    pub(super) strategy_attempt: u32,
    /// The try before it, of the same step.
    pub(super) previous: Option<&'a Tried>,
    pub(super) is_last: bool,
}

/// A recovery under way.
pub(super) struct Recovering<'m> {
    pub(super) manager: &'m mut AutoRecoveryManager,
    pub(super) context: &'m Context,
    pub(super) incident: Incident,
    /// The failure the next attempt faces: the first one, or that of a kept ground.
    pub(super) current: Failure,
    /// The failure the attempt being recorded faced; `current` may have moved on.
    pub(super) faced: Failure,
    pub(super) session_id: Option<String>,
    pub(super) attempts: Vec<RecoveryAttempt>,
    /// Whether a failed attempt's changes are still in the tree.
    pub(super) kept: bool,
    /// Whether what the command left in a failed retry may still be in the tree.
    pub(super) left: bool,
    /// Why the attempt being recorded could not be put back, which ends the recovery.
    pub(super) not_put_back: Option<Error>,
    /// Paths changed by attempts whose changes are in the tree.
    pub(super) changed: BTreeSet<String>,
    /// Paths changed by attempts that no checkpoint covers, or by somebody else meanwhile.
    pub(super) not_covered: BTreeSet<String>,
    /// Names the attempt under way in the journal.
    pub(super) attempt_id: String,
    /// Whether what failed attempts had left was put back at the end.
    pub(super) put_back: bool,
    /// Why nothing more was tried although something was left to try.
    pub(super) stopped: Option<String>,
    /// What was not tried because somebody did not agree to it, and why.
    pub(super) declined: Vec<String>,
    /// How the command ended last, as a shell reports it.
    pub(super) last_exit: Option<i32>,
    pub(super) started: Duration,
}

impl Recovering<'_> {
    /// Tries `steps` in order until one cures the failure.
    pub(super) fn run(mut self, steps: &[Step]) -> Result<Recovery> {
        self.record_start(steps)?;
        let mut end = RecoveryEnd::Escalated;
        let mut cure = None;
        'steps: for (position, step) in steps.iter().enumerate() {
            let is_last = position + 1 == steps.len();
            if self.is_declined(step) {
                match self.ended_while_asked() {
                    Some(how) => {
                        end = how;
                        break 'steps;
                    }
                    None => continue,
                }
            }
            let mut previous = None;
            for strategy_attempt in 1..=step.max_attempts {
                let turn = Turn {
                    step,
                    strategy_attempt,
                    previous: previous.as_ref(),
                    is_last,
                };
                let Some(tried) = self.attempt(&turn)? else {
                    break 'steps;
                };
                if tried.success {
                    cure = Some(tried);
                    end = RecoveryEnd::Recovered;
                    break 'steps;
                }
                match tried.after {
                    After::SameStrategy(delay) => {
                        if self.wait(step, delay) == Wait::Interrupted {
                            end = RecoveryEnd::Interrupted;
                            break 'steps;
                        }
                    }
                    After::NextStrategy => break,
                    After::End(how) => {
                        end = how;
                        break 'steps;
                    }
                }
                previous = Some(tried);
            }
        }
        self.finish(end, cure.as_ref())
    }

    /// Whether somebody does not agree to `step`, which is noted then.
    fn is_declined(&mut self, step: &Step) -> bool {
        let strategies = &mut self.manager.strategies;
        let declined = step.plugin.and_then(|index| strategies[index].declined());
        let is_declined = declined.is_some();
        self.declined.extend(declined);
        is_declined
    }

    /// How the recovery ended while somebody was asked, if it did.
    fn ended_while_asked(&self) -> Option<RecoveryEnd> {
        if self.manager.host.is_interrupted() {
            return Some(RecoveryEnd::Interrupted);
        }
        self.deadline_passed_after(Duration::ZERO)
            .then_some(RecoveryEnd::DeadlinePassed)
    }

    /// What comes after an attempt. Decided before its entry is written, because the entry says it.
    pub(super) fn after(&self, turn: &Turn<'_>, tried: &Tried) -> After {
        if tried.success {
            return After::End(RecoveryEnd::Recovered);
        }
        if self.manager.host.is_interrupted() {
            return After::End(RecoveryEnd::Interrupted);
        }
        if tried.not_ended {
            return After::End(RecoveryEnd::DeadlinePassed);
        }
        let mut delay = Duration::ZERO;
        let again = turn.strategy_attempt < turn.step.max_attempts
            && tried.repeatable
            && !(turn.step.recipe.is_some() && tried.brought_nothing_new(turn.previous));
        if again {
            delay = self.delay(turn.strategy_attempt + 1);
        }
        if self.deadline_passed_after(delay) {
            return After::End(RecoveryEnd::DeadlinePassed);
        }
        match (again, turn.is_last) {
            (true, _) => After::SameStrategy(delay),
            (false, false) => After::NextStrategy,
            (false, true) => After::End(RecoveryEnd::Escalated),
        }
    }

    fn delay(&self, strategy_attempt: u32) -> Duration {
        let settings = &self.manager.settings;
        let backoff = Backoff {
            base: settings.base_delay,
            max: settings.max_delay,
            jitter: settings.jitter,
        };
        backoff.delay(strategy_attempt, self.manager.host.random())
    }

    fn deadline_passed_after(&self, delay: Duration) -> bool {
        let now = self.manager.host.monotonic();
        self.manager
            .settings
            .deadline
            .is_some_and(|deadline| now.saturating_add(delay) >= deadline)
    }

    fn wait(&mut self, step: &Step, delay: Duration) -> Wait {
        if delay.is_zero() {
            return Wait::Elapsed;
        }
        self.manager.observe(&Event::Waiting {
            strategy: &step.kind,
            delay,
        });
        self.manager.host.sleep(delay)
    }

    /// Ends the recovery: undoes what was kept without a cure, and records how it ended.
    fn finish(mut self, end: RecoveryEnd, cure: Option<&Tried>) -> Result<Recovery> {
        let success = end == RecoveryEnd::Recovered;
        if !success
            && (self.kept || self.left)
            && !self.manager.settings.keep_failed_changes
            && let Some(tree) = self.manager.tree.as_mut()
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
            RecoveryEnd::DeadlinePassed => {
                "The deadline passed. Human intervention required.".into()
            }
            RecoveryEnd::Interrupted => "Interrupted by the user.".to_owned(),
        };
        let flaky = cure.is_some_and(|cure| cure.flaky);
        self.record_end(end, &strategy_used, flaky, &message)?;
        let result = RecoveryResult {
            success,
            strategy_used,
            attempts: self.attempts,
            final_error: (!success).then_some(self.current),
            message,
            escalated_to_human: !success && end != RecoveryEnd::Interrupted,
            timestamp: timestamp(self.manager.host.now()),
        };
        self.manager.recovery_history.push(result.clone());
        let files_modified = match success {
            true => self.changed.into_iter().collect(),
            false => Vec::new(),
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
            files_modified,
            left_running,
            not_covered: self.not_covered.into_iter().collect(),
            stopped: self.stopped,
            declined: self.declined,
        })
    }
}
