//! The traits that plug-ins implement: a strategy of one's own, and a verifier.

use std::error::Error as StdError;
use std::time::Duration;

use crate::failure::{Category, Context, Failure};
use crate::strategy::{Outcome, RecoveryStrategyType, Verification};
use crate::tier::RecipeRef;

/// What a handler or plug-in may fail with; its text ends up in the record.
pub type HandlerError = Box<dyn StdError + Send + Sync>;

/// What a handler or plug-in returns.
pub type HandlerResult<T> = Result<T, HandlerError>;

/// Everything known when a strategy is asked to act, or a verifier to look.
#[derive(Clone, Debug)]
pub struct Call<'a> {
    /// The failure to cure.
    pub failure: &'a Failure,
    /// Its category.
    pub category: Category,
    /// What the caller knows besides.
    pub context: &'a Context,
    /// The session, if the recovery is recorded.
    pub session_id: Option<&'a str>,
    /// Number of the attempt within the session, from 1.
    pub attempt_number: u64,
    /// Which try of this strategy it is, from 1.
    pub strategy_attempt: u32,
    /// How many tries this strategy has.
    pub max_attempts: u32,
    /// The strategy that is being tried.
    pub strategy: &'a RecoveryStrategyType,
    /// How much time is left until the deadline.
    pub time_left: Option<Duration>,
}

/// Whether a strategy is tried once more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NextTry {
    /// It is, after so long.
    After(Duration),
    /// It is not, and why, in words.
    Never(String),
}

/// A strategy that can be tried. It acts once when asked.
///
/// ```
/// use auto_recovery::RecoveryStrategyType;
/// use auto_recovery::strategy::{Call, HandlerResult, Outcome, Strategy};
///
/// /// Empties the cache that builds go wrong with.
/// struct EmptyCache {
///     dir: std::path::PathBuf,
/// }
///
/// impl Strategy for EmptyCache {
///     fn kind(&self) -> RecoveryStrategyType {
///         RecoveryStrategyType::Fix
///     }
///
///     fn action(&self) -> String {
///         format!("rm -r {}", self.dir.display())
///     }
///
///     fn act(&mut self, _call: &Call<'_>) -> HandlerResult<Outcome> {
///         if !self.dir.exists() {
///             return Ok(Outcome::not_possible("there is no cache"));
///         }
///         std::fs::remove_dir_all(&self.dir)?;
///         Ok(Outcome::success("the cache is empty"))
///     }
/// }
/// ```
///
/// The manager's `add_strategy` takes it.
pub trait Strategy: Send {
    /// Which strategy it is; decides when it is tried.
    fn kind(&self) -> RecoveryStrategyType;

    /// What it will do, as a person would type or say it.
    fn action(&self) -> String;

    /// The recipe it comes from, if it is one of the product's own and was not asked for.
    fn recipe(&self) -> Option<&RecipeRef> {
        None
    }

    /// How often it may be tried, where that differs from the manager's `max_attempts`.
    fn max_attempts(&self) -> Option<u32> {
        None
    }

    /// Whether it goes on only while each try shows another failure, and so most often ends before
    /// its last try.
    fn ends_early(&self) -> bool {
        false
    }

    /// Why it is not tried after all, in words, if so. Asked once, just before its first try:
    /// somebody may have to agree to it. Without a reason it is tried.
    fn declined(&mut self) -> Option<String> {
        None
    }

    /// Whether it is tried against `failing`, and when: asked before each try. `faced` is what the
    /// try before it faced, `None` before the first; `delay` is what the manager would wait.
    fn next_try(&mut self, failing: &Failure, faced: Option<&Failure>, delay: Duration) -> NextTry {
        let _ = (failing, faced);
        NextTry::After(delay)
    }

    /// Acts once.
    ///
    /// # Errors
    /// Whatever goes wrong fails the attempt, and its text is recorded.
    fn act(&mut self, call: &Call<'_>) -> HandlerResult<Outcome>;

    /// The attempt it acted in failed, whatever it said itself: what it left running ends now,
    /// before its changes are undone.
    fn failed(&mut self, call: &Call<'_>) {
        let _ = call;
    }
}

impl<S: Strategy + ?Sized> Strategy for &mut S {
    fn kind(&self) -> RecoveryStrategyType {
        (**self).kind()
    }

    fn action(&self) -> String {
        (**self).action()
    }

    fn recipe(&self) -> Option<&RecipeRef> {
        (**self).recipe()
    }

    fn max_attempts(&self) -> Option<u32> {
        (**self).max_attempts()
    }

    fn ends_early(&self) -> bool {
        (**self).ends_early()
    }

    fn declined(&mut self) -> Option<String> {
        (**self).declined()
    }

    fn next_try(&mut self, failing: &Failure, faced: Option<&Failure>, delay: Duration) -> NextTry {
        (**self).next_try(failing, faced, delay)
    }

    fn act(&mut self, call: &Call<'_>) -> HandlerResult<Outcome> {
        (**self).act(call)
    }

    fn failed(&mut self, call: &Call<'_>) {
        (**self).failed(call);
    }
}

/// Decides whether a failure is cured.
pub trait Verifier: Send {
    /// Looks once.
    ///
    /// # Errors
    /// Whatever goes wrong fails the attempt, and its text is recorded.
    fn verify(&mut self, call: &Call<'_>) -> HandlerResult<Verification>;
}

impl<F> Verifier for F
where
    F: FnMut(&Call<'_>) -> HandlerResult<Verification> + Send,
{
    fn verify(&mut self, call: &Call<'_>) -> HandlerResult<Verification> {
        self(call)
    }
}
