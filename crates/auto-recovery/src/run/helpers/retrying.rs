//! Plain retry: nothing is done but run the command again, no sooner than whoever refused it said,
//! and no longer than that can help.

use std::sync::Arc;
use std::time::Duration;

use crate::detect::retry_after;
use crate::failure::Failure;
use crate::platform::routes;
use crate::run::advice::Advice;
use crate::run::network;
use crate::run::runner::Runner;
use crate::run::state::budget::RetryBudget;
use crate::strategy::{Call, HandlerResult, NextTry, Outcome, RecoveryStrategyType, Strategy};
use crate::wording::spelled;

/// Tries of a name that does not resolve although there is a network: a typing error stays one, and
/// a new name may take a moment to be known.
const UNRESOLVED_MAX: u32 = 3;

/// What is added to a wait at least, and at most, where a time for it is advised: how long it takes
/// until the wait begins is not the same twice.
const MARGIN_MIN: Duration = Duration::from_secs(2);
const MARGIN_MAX: Duration = Duration::from_secs(600);

/// Plain retry.
pub(in crate::run) struct RetryStrategy {
    pub(in crate::run) runner: Arc<Runner>,
    pub(in crate::run) max_attempts: u32,
    /// What tries that nobody asked for are paid from.
    pub(in crate::run) budget: Option<RetryBudget>,
    /// How long after the first failure one may begin, and that moment on the host's clock.
    pub(in crate::run) within: Option<(Duration, Duration)>,
    /// The longest that it waits because it is told to; `None` where somebody asked for retries.
    pub(in crate::run) wait_max: Option<Duration>,
    /// Whether it ends once the command shows what it showed before.
    pub(in crate::run) only_if_flaky: bool,
    /// Tries so far.
    pub(in crate::run) made: u32,
}

impl RetryStrategy {
    fn is_unasked(&self) -> bool {
        self.budget.is_some()
    }

    /// What `says` that a retry which waits for `told` does not begin, with what lets it begin. The
    /// time counts from the first failure, so what has passed since then counts too.
    fn with_way_out(&self, says: &str, told: Duration) -> String {
        let now = self.runner.host.monotonic();
        let passed = now.saturating_sub(self.runner.first_failed_at());
        let enough = enough_for(told.saturating_add(passed));
        let request = &self.runner.request;
        request.advise(says, &Advice::RetryFor(enough))
    }
}

/// A time within which a wait of `wait` begins and ends another time too: a twentieth more, at
/// least 2 s and at most 10 min, in whole seconds, tens of them, or minutes.
fn enough_for(wait: Duration) -> Duration {
    let margin = wait.div_f64(20.0).clamp(MARGIN_MIN, MARGIN_MAX);
    let seconds = wait.saturating_add(margin).as_secs_f64().ceil() as u64;
    let unit = match seconds {
        0..=60 => 1,
        61..3600 => 10,
        _ => 60,
    };
    Duration::from_secs(seconds.div_ceil(unit).saturating_mul(unit))
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

    fn ends_early(&self) -> bool {
        self.only_if_flaky
    }

    fn next_try(&mut self, failing: &Failure, faced: Option<&Failure>, delay: Duration) -> NextTry {
        if self.only_if_flaky && faced.is_some_and(|faced| faced.is_same_as(failing)) {
            return NextTry::Never("same failure again: not flaky".to_owned());
        }
        if self.is_unasked()
            && self.made >= UNRESOLVED_MAX
            && network::is_unresolved(failing)
            && routes::lead_out()
        {
            return NextTry::Never(
                "the name does not resolve, and the network is there".to_owned(),
            );
        }
        let told = retry_after(failing, self.runner.host.now());
        if let (Some(told), Some(most)) = (told, self.wait_max)
            && told > most
        {
            let says = format!(
                "it says to wait {}, and more than {} is not waited unasked",
                spelled(told),
                spelled(most)
            );
            return NextTry::Never(self.with_way_out(&says, told));
        }
        let delay = delay.max(told.unwrap_or_default());
        if let Some((within, until)) = self.within
            && self.runner.host.monotonic().saturating_add(delay) > until
        {
            let limit = format!(
                "no retry begins later than {} after the first failure",
                spelled(within)
            );
            return NextTry::Never(match told.filter(|told| *told >= delay) {
                Some(told) => {
                    let says = format!("it says to wait {}, and {limit}", spelled(told));
                    self.with_way_out(&says, told)
                }
                None => limit,
            });
        }
        NextTry::After(delay)
    }

    fn act(&mut self, call: &Call<'_>) -> HandlerResult<Outcome> {
        self.made += 1;
        if let Some(budget) = &self.budget
            && let Err(why) = budget.take(call.failure)
        {
            let request = &self.runner.request;
            return Ok(Outcome::not_possible(
                request.advise(why, &Advice::AskForRetries),
            ));
        }
        Ok(Outcome::success(String::new()))
    }
}
