//! Each strategy by itself: what its handler says, and what comes of it.

use auto_recovery::RecoveryStrategyType;

use super::{Counter, failure, manager, no_context, passes_at};

#[test]
fn a_fix_generator_cures_and_its_changes_are_told() {
    let (mut manager, host) = manager();
    manager.fix_generator = Some(Box::new(|failure, _| {
        Ok(format!(
            "Fix for {}:\n- add the colon\n```python\nx: int\n```",
            failure.error_type
        ))
    }));
    let result = manager
        .attempt_recovery(&failure("code_quality"), &no_context())
        .unwrap();
    assert!(result.success && !result.escalated_to_human);
    assert_eq!(result.strategy_used, RecoveryStrategyType::Fix);
    assert_eq!(result.attempts.len(), 1);
    assert_eq!(
        result.attempts[0].changes_made,
        ["Generated 1 code fix(es)", "add the colon"]
    );
    assert_eq!(result.final_error, None);
    assert_eq!(host.sleeps(), []);
}

#[test]
fn without_handlers_fix_and_alternative_are_tried_once_and_say_so() {
    let (mut manager, host) = manager();
    let result = manager
        .attempt_recovery(&failure("code_quality"), &no_context())
        .unwrap();
    let tried: Vec<_> = result
        .attempts
        .iter()
        .map(|attempt| attempt.strategy.as_str())
        .collect();
    assert_eq!(tried, ["fix", "alternative"]);
    assert!(
        result
            .attempts
            .iter()
            .all(|attempt| attempt.message.contains("not configured"))
    );
    assert!(result.escalated_to_human);
    assert!(result.message.contains("Human intervention required"));
    assert_eq!(host.sleeps(), [], "nothing is waited for that cannot come");
}

#[test]
fn retry_succeeds_when_its_handler_does() {
    let (mut manager, host) = manager();
    let calls = Counter::default();
    let own = calls.clone();
    manager.retry_handler = Some(Box::new(move |_, _| Ok(own.next() == 3)));
    let result = manager
        .attempt_recovery(&failure("transient"), &no_context())
        .unwrap();
    assert_eq!(result.strategy_used, RecoveryStrategyType::Retry);
    assert_eq!(calls.get(), 3);
    assert_eq!(
        result
            .attempts
            .iter()
            .filter(|attempt| attempt.success)
            .count(),
        1
    );
    assert_eq!(host.sleeps(), super::seconds(&[1, 2]));
}

#[test]
fn an_alternative_is_named() {
    let (mut manager, _) = manager();
    manager.alternative_selector = Some(Box::new(|_, _| Ok(Some("the mirror".into()))));
    let result = manager
        .attempt_recovery(&failure("dependency"), &no_context())
        .unwrap();
    assert_eq!(result.strategy_used, RecoveryStrategyType::Alternative);
    assert_eq!(
        result.attempts[0].changes_made,
        ["Switched to alternative: the mirror"]
    );
}

#[test]
fn no_alternative_is_a_failure() {
    let (mut manager, _) = manager();
    manager.alternative_selector = Some(Box::new(|_, _| Ok(None)));
    let result = manager
        .attempt_recovery(&failure("dependency"), &no_context())
        .unwrap();
    assert!(!result.success);
    assert!(result.attempts[0].message.contains("No alternative"));
}

#[test]
fn rollback_comes_last() {
    let (mut manager, _) = manager();
    manager.rollback_handler = Some(Box::new(|| Ok(true)));
    let result = manager
        .attempt_recovery(&failure("dependency"), &no_context())
        .unwrap();
    assert_eq!(result.strategy_used, RecoveryStrategyType::Rollback);
    let last = result.attempts.last().unwrap();
    assert!(last.changes_made[0].contains("Rolled back"));
}

#[test]
fn a_handler_that_errors_or_panics_fails_its_attempt_with_its_text() {
    let (mut manager, _) = manager();
    manager.settings.max_attempts = 1;
    manager.fix_generator = Some(Box::new(|_, _| Err("the model is away".into())));
    manager.alternative_selector = Some(Box::new(|_, _| panic!("index 7 of 3")));
    let result = manager
        .attempt_recovery(&failure("code_quality"), &no_context())
        .unwrap();
    assert!(result.attempts[0].message.contains("the model is away"));
    assert!(result.attempts[1].message.contains("index 7 of 3"));
    assert!(!result.success);
}

#[test]
fn with_a_verifier_success_means_that_it_passed() {
    let (mut manager, _) = manager();
    manager.fix_generator = Some(Box::new(|_, _| Ok("- did something".into())));
    let (calls, verifier) = passes_at(3);
    manager.verifier = Some(Box::new(verifier));
    let result = manager
        .attempt_recovery(&failure("code_quality"), &no_context())
        .unwrap();
    let successes: Vec<_> = result
        .attempts
        .iter()
        .map(|attempt| attempt.success)
        .collect();
    assert_eq!(successes, [false, false, true]);
    assert_eq!(calls.get(), 3);
}

#[test]
fn a_handler_that_says_no_is_still_verified() {
    let (mut manager, _) = manager();
    manager.retry_handler = Some(Box::new(|_, _| Ok(false)));
    let (_, verifier) = passes_at(1);
    manager.verifier = Some(Box::new(verifier));
    let result = manager
        .attempt_recovery(&failure("transient"), &no_context())
        .unwrap();
    assert!(result.success, "what counts is what the verifier sees");
}

#[test]
fn a_verifier_that_fails_is_no_success() {
    let (mut manager, _) = manager();
    manager.settings.max_attempts = 1;
    manager.retry_handler = Some(Box::new(|_, _| Ok(true)));
    manager.settings.enable_fix_generation = false;
    manager.verifier = Some(Box::new(|_: &auto_recovery::strategy::Call<'_>| {
        Err("cannot look".into())
    }));
    let result = manager
        .attempt_recovery(&failure("transient"), &no_context())
        .unwrap();
    assert!(!result.success);
    assert!(result.attempts[0].message.contains("cannot look"));
}
