//! A command that mended what it found, and failed once for that: it is only run again.
//!
//! The mending was the command's own, in a run before the first checkpoint, so nothing is changed
//! here, nothing can be undone, and a pass is neither flaky nor a retry that was lucky.

use std::sync::Arc;

use crate::run::runner::Runner;
use crate::strategy::{Call, Did, HandlerResult, Outcome, RecoveryStrategyType, Strategy};
use crate::tier::RecipeRef;

/// Running the command again, once.
pub(in crate::run) struct MendedStrategy {
    pub(in crate::run) runner: Arc<Runner>,
    pub(in crate::run) kind: RecoveryStrategyType,
    pub(in crate::run) recipe: RecipeRef,
}

impl Strategy for MendedStrategy {
    fn kind(&self) -> RecoveryStrategyType {
        self.kind.clone()
    }

    fn action(&self) -> String {
        format!("{} again", self.runner.command)
    }

    fn recipe(&self) -> Option<&RecipeRef> {
        Some(&self.recipe)
    }

    fn max_attempts(&self) -> Option<u32> {
        Some(1)
    }

    fn act(&mut self, _call: &Call<'_>) -> HandlerResult<Outcome> {
        let message = format!(
            "`{}` changed files itself before it failed, and is run again",
            self.runner.command
        );
        Ok(Outcome {
            did: Did::FollowedMend,
            ..Outcome::success(message)
        })
    }
}
