//! What a coding agent says of itself when it fails: whether, and when, it is worth asking again.
//!
//! The same words of the same services end a command of the user's: the rules are those of
//! detection.

use std::time::{Duration, SystemTime};

use crate::detect::{Detection, retry_after};
use crate::failure::{Category, Failure};
use crate::strategy::NextTry;

/// Names of the rules about agents begin so.
const RULES: &str = "agent-";

/// Limits of one call: the next one has them anew.
const OF_ONE_CALL: [&str; 2] = ["TurnLimit", "BudgetExhausted"];

/// The longest that an agent is waited for: who is told to come back in an hour is somebody to ask.
const WAIT_MAX: Duration = Duration::from_secs(60);

/// Why an agent did not do its work.
pub(in crate::run) struct AgentRefusal {
    name: String,
    failure: Failure,
    category: Category,
}

impl AgentRefusal {
    /// What the agent `name` said, if `detection` knows it.
    pub(in crate::run) fn of(name: &str, detection: Detection) -> Option<Self> {
        detection.rule.starts_with(RULES).then(|| Self {
            name: name.to_owned(),
            failure: detection.failure,
            category: detection.category,
        })
    }

    /// When it is asked again at `now`, where it would be after `delay`.
    pub(in crate::run) fn next_try(&self, delay: Duration, now: SystemTime) -> NextTry {
        let (name, failure) = (&self.name, &self.failure);
        let why = format!("{name}: {}: {}", failure.error_type, failure.message.trim());
        match (self.category, retry_after(failure, now)) {
            (Category::Transient, Some(told)) if told > WAIT_MAX => {
                let seconds = told.as_secs_f64().ceil();
                NextTry::Never(format!("{why}; it says to wait {seconds} s"))
            }
            (Category::Transient, told) => NextTry::After(delay.max(told.unwrap_or_default())),
            _ if OF_ONE_CALL.contains(&&*failure.error_type) => NextTry::After(delay),
            _ => NextTry::Never(why),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detect::{Observation, Rules, detect};

    fn next(output: &str) -> Option<NextTry> {
        let argv = ["claude".to_owned(), "-p".to_owned()];
        let observation = Observation {
            argv: &argv,
            exit_code: Some(1),
            signal: None,
            timed_out: false,
            stdout: output.as_bytes(),
            stderr: b"",
        };
        let detection = detect(&observation, Rules::builtin());
        let refusal = AgentRefusal::of("agent:claude", detection)?;
        Some(refusal.next_try(Duration::from_secs(1), SystemTime::UNIX_EPOCH))
    }

    #[test]
    fn an_agent_is_asked_again_where_that_may_help() {
        let after = |seconds| Some(NextTry::After(Duration::from_secs(seconds)));
        let never = |output| match next(output) {
            Some(NextTry::Never(why)) => why,
            other => panic!("{output}: {other:?}"),
        };
        assert_eq!(next("API Error: 529 overloaded_error"), after(1));
        assert_eq!(next("rate_limit_error: please try again in 20s"), after(20));
        assert_eq!(next("Error: Reached max turns (40)"), after(1));
        assert_eq!(next("I could not find the cause."), None);
        assert!(never("Invalid API key · Please run /login").contains("InvalidApiKey: Invalid"));
        assert!(never("You've hit your usage limit, try again in 3 hours").ends_with("10800 s"));
        assert!(never("Prompt is too long").starts_with("agent:claude: PromptTooLong"));
    }
}
