//! The manager: which strategies, in which order, how often, after which delays, with what record.

mod audit;
mod loop_rules;
mod not_put_back;
mod overflow;
mod selection;
mod strategies;

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use auto_recovery::failure::{Context, Failure};
use auto_recovery::host::Host;
use auto_recovery::manager::{AutoRecoveryManager, ManagerSettings};
use auto_recovery::strategy::{
    Call, HandlerResult, Outcome, RecoveryStrategyType, Strategy, Verification,
};
use auto_recovery::testing::ScriptedHost;

/// A failure of each category, as a caller would give it.
fn failure(category: &str) -> Failure {
    match category {
        "transient" => Failure::new("TimeoutError", "Connection timed out", "network"),
        "code_quality" => Failure::new("SyntaxError", "Invalid syntax", "linter"),
        "test_failure" => Failure::new("AssertionError", "1 != 2", "pytest"),
        "dependency" => Failure::new("ModuleNotFoundError", "No module named 'x'", "python"),
        _ => Failure::new("WeirdError", "Something odd", "somewhere"),
    }
}

/// A manager without audit logging, on a clock that takes no time and draws nothing.
fn manager() -> (AutoRecoveryManager, Arc<ScriptedHost>) {
    let host = Arc::new(ScriptedHost::new());
    let settings = ManagerSettings {
        enable_audit_logging: false,
        ..exact()
    };
    let shared: Arc<dyn Host> = host.clone();
    (AutoRecoveryManager::new(settings, shared).unwrap(), host)
}

/// The settings of the specification with exact delays.
fn exact() -> ManagerSettings {
    ManagerSettings {
        jitter: false,
        ..ManagerSettings::default()
    }
}

fn seconds(values: &[u64]) -> Vec<Duration> {
    values
        .iter()
        .map(|value| Duration::from_secs(*value))
        .collect()
}

fn no_context() -> Context {
    Context::new()
}

/// Counts calls from handlers.
#[derive(Clone, Default)]
struct Counter(Arc<AtomicU32>);

impl Counter {
    fn next(&self) -> u32 {
        self.0.fetch_add(1, Ordering::SeqCst) + 1
    }

    fn get(&self) -> u32 {
        self.0.load(Ordering::SeqCst)
    }
}

/// A verifier that passes from its `pass_at`-th call on.
fn passes_at(
    pass_at: u32,
) -> (
    Counter,
    impl FnMut(&Call<'_>) -> HandlerResult<Verification> + Send,
) {
    let calls = Counter::default();
    let own = calls.clone();
    (
        calls,
        move |_: &Call<'_>| Ok((own.next() >= pass_at).into()),
    )
}

/// A plug-in that notes when it was asked and says what it is told to.
struct Scripted {
    kind: RecoveryStrategyType,
    name: &'static str,
    outcome: Outcome,
    asked: Arc<Mutex<Vec<&'static str>>>,
}

impl Strategy for Scripted {
    fn kind(&self) -> RecoveryStrategyType {
        self.kind.clone()
    }

    fn action(&self) -> String {
        self.name.to_owned()
    }

    fn max_attempts(&self) -> Option<u32> {
        Some(1)
    }

    fn act(&mut self, _call: &Call<'_>) -> HandlerResult<Outcome> {
        self.asked.lock().unwrap().push(self.name);
        Ok(self.outcome.clone())
    }
}
