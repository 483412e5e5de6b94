//! What the manager tells whoever watches. The library never prints; an edge renders these.

use std::time::Duration;

use crate::audit::LeftBehind;
use crate::error::Error;
use crate::failure::{Category, Failure};
use crate::strategy::RecoveryStrategyType;
use crate::tier::RecipeRef;

/// A step of a recovery, as it happens.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Event<'a> {
    /// A strategy waits before its next try.
    Waiting {
        /// The strategy.
        strategy: &'a RecoveryStrategyType,
        /// For how long.
        delay: Duration,
    },
    /// An attempt begins.
    Attempt {
        /// The strategy.
        strategy: &'a RecoveryStrategyType,
        /// Which try of it, from 1.
        strategy_attempt: u32,
        /// How many tries it has.
        max_attempts: u32,
        /// Whether it goes on only while each try shows another failure.
        ends_early: bool,
        /// What is done.
        action: &'a str,
        /// The recipe it comes from.
        recipe: Option<&'a RecipeRef>,
        /// Paths somebody else changed meanwhile; they are kept.
        foreign: &'a [String],
        /// What undone attempts left in the tree, and is there still.
        left: &'a [LeftBehind],
    },
    /// The strategy acted; its verification begins.
    Verifying {
        /// Paths it changed.
        files_modified: &'a [String],
    },
    /// A cure was verified, and is now to be confirmed.
    Confirming {
        /// Whether the command runs without it, to be seen to fail; else with it again.
        without: bool,
    },
    /// An attempt ended.
    Tried {
        /// Its number within the session.
        attempt_number: u64,
        /// The strategy.
        strategy: &'a RecoveryStrategyType,
        /// What was done.
        action: &'a str,
        /// Whether it cured the failure.
        success: bool,
        /// Whether it helped and why not, in words.
        verdict: &'a str,
        /// The failure that is left.
        failure: Option<&'a Failure>,
        /// Paths it changed.
        files_modified: &'a [String],
        /// Whether they were put back.
        undone: bool,
        /// Whether they are the ground for what comes next.
        is_ground: bool,
        /// Paths that its verification changed.
        verification_modified: &'a [String],
        /// Paths it changed that no checkpoint covers.
        not_covered: &'a [String],
        /// The checkpoints between which its changes lie, where there are any.
        span: Option<(&'a str, &'a str)>,
        /// Where its output is kept.
        output_file: Option<&'a str>,
    },
    /// The last attempt changed which failure there is, and the plan was made anew.
    Turned {
        /// The failure that is faced now.
        failure: &'a Failure,
        /// Its category.
        category: Category,
    },
    /// A record could not be written, and the recovery goes on without it.
    NotRecorded {
        /// Why.
        error: &'a Error,
    },
}

/// Watches a recovery.
pub trait Observer: Send {
    /// Something happened.
    fn observe(&mut self, event: &Event<'_>);
}
