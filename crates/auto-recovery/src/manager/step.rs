//! A step of the plan, what comes after one of its tries, and how a recovery ends.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use crate::plan::Candidate;
use crate::strategy::Strategy;

/// A strategy that steps share: one that is chosen twice is one strategy that is tried twice.
pub(super) type Shared<'m> = Rc<RefCell<Box<dyn Strategy + 'm>>>;

pub(super) fn shared<'m>(strategy: impl Strategy + 'm) -> Shared<'m> {
    Rc::new(RefCell::new(Box::new(strategy)))
}

/// A candidate that is tried, and the strategy that it is.
#[derive(Clone)]
pub(super) struct Step<'m> {
    /// What it does. It is tried as often as that says.
    pub(super) candidate: Candidate,
    /// The number of its first try: not 1 where it was tried on another ground.
    pub(super) first: u32,
    /// How likely it was to be chosen.
    pub(super) propensity: f64,
    pub(super) strategy: Shared<'m>,
}

impl<'m> Step<'m> {
    /// The step that tries `strategy`: as often as that says, else up to `max_attempts` times.
    pub(super) fn new(
        strategy: Box<dyn Strategy + 'm>,
        propensity: f64,
        max_attempts: u32,
    ) -> Self {
        Self {
            candidate: Candidate::of(&*strategy, max_attempts),
            first: 1,
            propensity,
            strategy: Rc::new(RefCell::new(strategy)),
        }
    }

    /// What the step would do, for people.
    pub(super) fn in_words(&self) -> String {
        let candidate = &self.candidate;
        let times = match candidate.max_attempts {
            1 => "once".to_owned(),
            times if candidate.ends_early => {
                format!("once, up to {times} times while it fails otherwise each time")
            }
            u32::MAX => "as often as its time allows".to_owned(),
            times => format!("up to {times} times"),
        };
        format!("{}: {}, {times}", candidate.kind, candidate.action)
    }
}

/// What is after an attempt, decided before its entry is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum After {
    SameStrategy(Duration),
    NextStrategy,
    /// The first of the steps that were planned anew.
    NewGround,
    End(RecoveryEnd),
}

impl After {
    /// The entry's word for it.
    pub(super) fn next_action(self) -> &'static str {
        match self {
            Self::SameStrategy(_) => "retry",
            Self::NextStrategy | Self::NewGround => "continue",
            Self::End(RecoveryEnd::Recovered) => "complete",
            Self::End(
                RecoveryEnd::Escalated | RecoveryEnd::DeadlinePassed | RecoveryEnd::Interrupted,
            ) => "escalate",
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
