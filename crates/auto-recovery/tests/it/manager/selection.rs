//! Which strategies a failure gets, and in which order.

use auto_recovery::Category;
use auto_recovery::RecoveryStrategyType::{self, Alternative, Fix, Retry, Rollback};
use auto_recovery::classify::classify;
use auto_recovery::manager::{Incident, StrategyOrder};

use super::{failure, manager, no_context};

fn selected(
    category: &str,
    prepare: impl Fn(&mut auto_recovery::AutoRecoveryManager),
) -> Vec<RecoveryStrategyType> {
    let (mut manager, _) = manager();
    manager.retry_handler = Some(Box::new(|_, _| Ok(false)));
    manager.rollback_handler = Some(Box::new(|| Ok(false)));
    prepare(&mut manager);
    manager.select_recovery_strategies(classify(&failure(category)).0)
}

#[test]
fn failures_are_classified_as_the_specification_says() {
    for category in [
        "transient",
        "code_quality",
        "test_failure",
        "dependency",
        "unknown",
    ] {
        assert_eq!(classify(&failure(category)).0.as_str(), category);
    }
}

#[test]
fn each_category_has_its_order() {
    let cases = [
        ("transient", vec![Retry, Fix, Rollback]),
        ("code_quality", vec![Fix, Alternative, Rollback]),
        ("test_failure", vec![Fix, Retry, Alternative, Rollback]),
        ("dependency", vec![Alternative, Fix, Rollback]),
        ("unknown", vec![Fix, Retry, Alternative, Rollback]),
    ];
    for (category, expected) in cases {
        assert_eq!(selected(category, |_| {}), expected, "{category}");
    }
}

#[test]
fn retry_and_rollback_need_their_handlers() {
    let without = |manager: &mut auto_recovery::AutoRecoveryManager| {
        manager.retry_handler = None;
        manager.rollback_handler = None;
    };
    assert_eq!(selected("transient", without), [Fix]);
    assert_eq!(selected("unknown", without), [Fix, Alternative]);
}

#[test]
fn what_is_disabled_is_not_selected() {
    let disabled = |manager: &mut auto_recovery::AutoRecoveryManager| {
        manager.settings.enable_fix_generation = false;
        manager.settings.enable_alternatives = false;
        manager.settings.enable_rollback = false;
    };
    for (category, expected) in [
        ("transient", vec![Retry]),
        ("code_quality", vec![]),
        ("test_failure", vec![Retry]),
        ("dependency", vec![]),
    ] {
        assert_eq!(selected(category, disabled), expected, "{category}");
    }
}

#[test]
fn a_caller_may_decide_the_order() {
    let (mut manager, _) = manager();
    manager.settings.max_attempts = 1;
    manager.settings.enable_fix_generation = false;
    manager.retry_handler = Some(Box::new(|_, _| Ok(false)));
    let incident = Incident {
        order: StrategyOrder::Given(vec![Alternative, Retry, Fix, Retry]),
        ..Incident::new(failure("transient"), Category::Transient, "ours")
    };
    let recovery = manager.recover(incident, &no_context()).unwrap();
    let tried: Vec<_> = recovery
        .result
        .attempts
        .iter()
        .map(|attempt| &attempt.strategy)
        .collect();
    assert_eq!(tried, [&Alternative, &Retry, &Fix, &Retry]);
}
