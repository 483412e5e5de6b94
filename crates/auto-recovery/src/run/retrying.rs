//! Plain retry: nothing is done but run the command again, no sooner than whoever refused it said,
//! and no longer than that can help.

use std::sync::Arc;
use std::time::Duration;

use crate::detect::retry_after;
use crate::failure::Failure;
use crate::run::budget::RetryBudget;
use crate::run::network;
use crate::run::runner::Runner;
use crate::strategy::{Call, HandlerResult, NextTry, Outcome, RecoveryStrategyType, Strategy};

/// Tries of a name that does not resolve although there is a network: a typing error stays one, and
/// a new name may take a moment to be known.
const UNRESOLVED_MAX: u32 = 3;

/// Plain retry.
pub(super) struct RetryStrategy {
    pub(super) runner: Arc<Runner>,
    pub(super) max_attempts: u32,
    /// What tries that nobody asked for are paid from.
    pub(super) budget: Option<RetryBudget>,
    /// How long after the first failure one may begin, and that moment on the host's clock.
    pub(super) within: Option<(Duration, Duration)>,
    /// The longest that it waits because it is told to; `None` where somebody asked for retries.
    pub(super) wait_max: Option<Duration>,
    /// Whether it ends once the command shows what it showed before.
    pub(super) only_if_flaky: bool,
    /// Tries so far.
    pub(super) made: u32,
}

impl RetryStrategy {
    fn is_unasked(&self) -> bool {
        self.budget.is_some()
    }
}

impl Strategy for RetryStrategy {
    fn kind(&self) -> RecoveryStrategyType {
        RecoveryStrategyType::Retry
    }

    fn action(&self) -> String {
        format!("{} again", self.runner.command)
    }

    fn max_attempts(&self) -> Option<u32> {
        Some(self.max_attempts)
    }

    fn next_try(&mut self, failing: &Failure, faced: Option<&Failure>, delay: Duration) -> NextTry {
        if self.only_if_flaky && faced.is_some_and(|faced| faced.is_same_as(failing)) {
            return NextTry::Never("same failure again: not flaky".to_owned());
        }
        if self.is_unasked()
            && self.made >= UNRESOLVED_MAX
            && network::is_unresolved(failing)
            && network::is_there()
        {
            return NextTry::Never(
                "the name does not resolve, and the network is there".to_owned(),
            );
        }
        let told = retry_after(failing, self.runner.host.now());
        if let (Some(told), Some(most)) = (told, self.wait_max)
            && told > most
        {
            let (told, most) = (told.as_secs_f64().ceil(), most.as_secs_f64());
            return NextTry::Never(format!(
                "it says to wait {told} s, and more than {most} s is not waited unasked; \
                 `--retry-for {told}s` waits"
            ));
        }
        let delay = delay.max(told.unwrap_or_default());
        if let Some((within, until)) = self.within
            && self.runner.host.monotonic().saturating_add(delay) > until
        {
            return NextTry::Never(format!(
                "no retry begins later than {} s after the first failure",
                within.as_secs_f64()
            ));
        }
        NextTry::After(delay)
    }

    fn act(&mut self, call: &Call<'_>) -> HandlerResult<Outcome> {
        self.made += 1;
        if let Some(budget) = &self.budget
            && let Err(why) = budget.take(call.failure)
        {
            return Ok(Outcome::not_possible(why));
        }
        Ok(Outcome::success(String::new()))
    }
}
