//! A step of the plan, what comes after one of its tries, and how a recovery ends.

use std::time::Duration;

use crate::strategy::{RecoveryStrategyType, Strategy};
use crate::tier::RecipeRef;

/// Which strategy a step tries.
#[derive(Clone, Debug)]
pub(super) struct Step {
    pub(super) kind: RecoveryStrategyType,
    /// The plug-in to ask; `None` asks the handler of that kind.
    pub(super) plugin: Option<usize>,
    /// The number of its first try: not 1 where it was tried on another ground.
    pub(super) first: u32,
    pub(super) max_attempts: u32,
    /// Whether it goes on only while each try shows another failure.
    pub(super) ends_early: bool,
    pub(super) action: String,
    pub(super) recipe: Option<RecipeRef>,
}

impl Step {
    /// The step that tries `strategy`, which is plug-in `index`: as often as that says, else up to
    /// `max_attempts` times.
    pub(super) fn of_plugin(index: usize, strategy: &dyn Strategy, max_attempts: u32) -> Self {
        Self {
            kind: strategy.kind(),
            plugin: Some(index),
            first: 1,
            max_attempts: strategy.max_attempts().unwrap_or(max_attempts),
            ends_early: strategy.ends_early(),
            action: strategy.action(),
            recipe: strategy.recipe().cloned(),
        }
    }

    /// What the step would do, for people.
    pub(super) fn in_words(&self) -> String {
        let times = match self.max_attempts {
            1 => "once".to_owned(),
            times if self.ends_early => {
                format!("once, up to {times} times while it fails otherwise each time")
            }
            u32::MAX => "as often as its time allows".to_owned(),
            times => format!("up to {times} times"),
        };
        format!("{}: {}, {times}", self.kind, self.action)
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
