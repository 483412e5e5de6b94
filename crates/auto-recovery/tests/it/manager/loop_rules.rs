//! How often, after which delays, until when.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use auto_recovery::RecoveryStrategyType::{Alternative, Custom, Fix};
use auto_recovery::host::Host;
use auto_recovery::manager::{Incident, RecoveryEnd};
use auto_recovery::strategy::{Call, Did, HandlerResult, Outcome, RecoveryStrategyType, Strategy};
use auto_recovery::{Category, Failure};

use super::{Scripted, failure, manager, no_context, seconds};

#[test]
fn delays_double_within_a_strategy_and_start_anew_with_the_next() {
    let (mut manager, host) = manager();
    manager.settings.max_attempts = 4;
    manager.retry_handler = Some(Box::new(|_, _| Ok(false)));
    manager.fix_generator = Some(Box::new(|_, _| Err("no".into())));
    manager
        .attempt_recovery(&failure("transient"), &no_context())
        .unwrap();
    assert_eq!(host.sleeps(), seconds(&[1, 2, 4, 1, 2, 4]));
}

#[test]
fn delays_stop_growing_at_the_maximum() {
    let (mut manager, host) = manager();
    manager.settings.max_attempts = 6;
    manager.settings.max_delay = Duration::from_secs(5);
    manager.settings.enable_fix_generation = false;
    manager.retry_handler = Some(Box::new(|_, _| Ok(false)));
    manager
        .attempt_recovery(&failure("transient"), &no_context())
        .unwrap();
    assert_eq!(host.sleeps(), seconds(&[1, 2, 4, 5, 5]));
}

#[test]
fn jitter_takes_at_most_half_away() {
    let (mut manager, host) = manager();
    manager.settings.jitter = true;
    manager.settings.enable_fix_generation = false;
    manager.retry_handler = Some(Box::new(|_, _| Ok(false)));
    host.fix_random(0);
    manager
        .attempt_recovery(&failure("transient"), &no_context())
        .unwrap();
    assert_eq!(
        host.sleeps(),
        [Duration::from_millis(500), Duration::from_secs(1)]
    );
}

#[test]
fn a_delay_that_would_pass_the_deadline_is_not_slept() {
    let (mut manager, host) = manager();
    manager.settings.max_attempts = 10;
    manager.settings.deadline = Some(host.monotonic() + Duration::from_secs(10));
    manager.settings.enable_fix_generation = false;
    manager.retry_handler = Some(Box::new(|_, _| Ok(false)));
    let incident = Incident::new(failure("transient"), Category::Transient, "test");
    let recovery = manager.recover(incident, &no_context()).unwrap();
    assert_eq!(recovery.end, RecoveryEnd::DeadlinePassed);
    // 1 + 2 + 4 = 7; the next 8 would end at 15.
    assert_eq!(host.sleeps(), seconds(&[1, 2, 4]));
    assert!(recovery.result.escalated_to_human);
    let why = "a wait of 8 s does not fit into the 3 s that are left until the deadline";
    assert_eq!(recovery.out_of_time.as_deref(), Some(why));
    for said in [
        &recovery.result.message,
        &recovery.result.attempts[3].message,
    ] {
        assert!(said.contains(why), "{said}");
    }
}

#[test]
fn an_interrupt_ends_the_wait_and_the_recovery() {
    let (mut manager, host) = manager();
    manager.retry_handler = Some(Box::new(|_, _| Ok(false)));
    host.interrupt_in_sleep(0);
    let incident = Incident::new(failure("transient"), Category::Transient, "test");
    let recovery = manager.recover(incident, &no_context()).unwrap();
    assert_eq!(recovery.end, RecoveryEnd::Interrupted);
    assert_eq!(recovery.result.attempts.len(), 1);
    assert!(!recovery.result.success && !recovery.result.escalated_to_human);
}

#[test]
fn attempts_are_numbered_through_the_strategies() {
    let (mut manager, _) = manager();
    manager.fix_generator = Some(Box::new(|_, _| Err("no".into())));
    let result = manager
        .attempt_recovery(&failure("code_quality"), &no_context())
        .unwrap();
    let numbers: Vec<_> = result
        .attempts
        .iter()
        .map(|attempt| attempt.attempt_number)
        .collect();
    assert_eq!(numbers, [1, 2, 3, 4]);
}

#[test]
fn plugins_are_tried_in_their_kinds_place_and_custom_ones_before_rollback() {
    let (mut manager, _) = manager();
    let asked = Arc::new(Mutex::new(Vec::new()));
    for (kind, name) in [
        (Custom("agent".into()), "agent"),
        (Alternative, "b"),
        (Fix, "a1"),
        (Fix, "a2"),
    ] {
        let outcome = Outcome::failure("no");
        manager.add_strategy(Box::new(Scripted {
            kind,
            name,
            outcome,
            asked: asked.clone(),
        }));
    }
    let own = asked.clone();
    manager.rollback_handler = Some(Box::new(move || {
        own.lock().unwrap().push("rollback");
        Ok(true)
    }));
    let result = manager
        .attempt_recovery(&failure("code_quality"), &no_context())
        .unwrap();
    assert!(result.success);
    assert_eq!(
        *asked.lock().unwrap(),
        ["a1", "a2", "b", "agent", "rollback"]
    );
}

#[test]
fn what_stands_in_is_not_verified() {
    let (mut manager, _) = manager();
    let asked = Arc::new(Mutex::new(Vec::new()));
    let outcome = Outcome {
        did: Did::StoodIn { worked: true },
        ..Outcome::success("the other way worked")
    };
    manager.settings.enable_fix_generation = false;
    manager.add_strategy(Box::new(Scripted {
        kind: Alternative,
        name: "other",
        outcome,
        asked,
    }));
    manager.verifier = Some(Box::new(|_: &auto_recovery::strategy::Call<'_>| {
        Ok(false.into())
    }));
    assert!(
        manager
            .attempt_recovery(&failure("dependency"), &no_context())
            .unwrap()
            .success
    );
}

#[test]
fn a_pass_by_plain_retry_is_flaky_and_a_fix_is_not() {
    let (mut manager, _) = manager();
    manager.retry_handler = Some(Box::new(|_, _| Ok(true)));
    let incident = |category| Incident::new(Failure::new("E", "m", "s"), category, "test");
    let recovery = manager
        .recover(incident(Category::Transient), &no_context())
        .unwrap();
    assert!(recovery.flaky);
    manager.fix_generator = Some(Box::new(|_, _| Ok("- x".into())));
    let recovery = manager
        .recover(incident(Category::CodeQuality), &no_context())
        .unwrap();
    assert!(!recovery.flaky);
}

#[test]
fn the_history_of_recoveries_is_kept_saved_and_cleared() {
    let (mut manager, _) = manager();
    manager.retry_handler = Some(Box::new(|_, _| Ok(true)));
    manager
        .attempt_recovery(&failure("transient"), &no_context())
        .unwrap();
    manager
        .attempt_recovery(&failure("dependency"), &no_context())
        .unwrap();
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("history.json");
    manager.save_recovery_history(&path).unwrap();
    let saved: serde_json::Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    assert_eq!(saved[0]["strategy_used"], "retry");
    assert_eq!(
        saved[0]["attempts"][0]["error_before"]["error_type"],
        "TimeoutError"
    );
    assert_eq!(saved[1]["escalated_to_human"], true);
    assert_eq!(manager.get_recovery_history().len(), 2);
    manager.clear_recovery_history();
    assert!(manager.get_recovery_history().is_empty());
}

/// A fix that somebody does not agree to, after which the user may have asked to stop.
struct Declined(Option<Arc<auto_recovery::testing::ScriptedHost>>);

impl Strategy for Declined {
    fn kind(&self) -> RecoveryStrategyType {
        Fix
    }

    fn action(&self) -> String {
        "declined".to_owned()
    }

    fn declined(&mut self) -> Option<String> {
        if let Some(host) = &self.0 {
            host.interrupt();
        }
        Some("declined: no".to_owned())
    }

    fn act(&mut self, _call: &Call<'_>) -> HandlerResult<Outcome> {
        panic!("it must not act")
    }
}

#[test]
fn what_is_declined_is_no_attempt_and_the_next_is_tried() {
    let (mut manager, _) = manager();
    let asked = Arc::new(Mutex::new(Vec::new()));
    manager.add_strategy(Box::new(Declined(None)));
    manager.add_strategy(Box::new(Scripted {
        kind: Fix,
        name: "agreed",
        outcome: Outcome::success("done"),
        asked: asked.clone(),
    }));
    let incident = Incident::new(failure("code_quality"), Category::CodeQuality, "rule");
    let recovery = manager.recover(incident, &no_context()).unwrap();
    assert_eq!(recovery.end, RecoveryEnd::Recovered);
    assert_eq!(recovery.result.attempts.len(), 1);
    assert_eq!(recovery.declined, ["declined: no"]);
    assert_eq!(*asked.lock().unwrap(), ["agreed"]);
}

#[test]
fn an_interrupt_while_somebody_is_asked_ends_the_recovery() {
    let (mut manager, host) = manager();
    manager.add_strategy(Box::new(Declined(Some(host))));
    manager.add_strategy(Box::new(Declined(None)));
    let incident = Incident::new(failure("code_quality"), Category::CodeQuality, "rule");
    let recovery = manager.recover(incident, &no_context()).unwrap();
    assert_eq!(recovery.end, RecoveryEnd::Interrupted);
    assert_eq!(recovery.declined.len(), 1);
}
