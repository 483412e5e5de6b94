//! Which strategies a failure gets, and in which order.

use std::sync::Arc;

use auto_recovery::RecoveryStrategyType::{self, Alternative, Custom, Fix, Retry, Rollback};
use auto_recovery::audit::JournalEvent;
use auto_recovery::classify::classify;
use auto_recovery::host::Host;
use auto_recovery::manager::{Incident, ManagerSettings};
use auto_recovery::plan::{Candidate, Case, Chosen, GivenOrder, Plan, Planner};
use auto_recovery::testing::ScriptedHost;
use auto_recovery::{AutoRecoveryManager, Category};

use super::{exact, failure, manager, no_context};

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
    manager.planner = Box::new(GivenOrder(vec![Alternative, Retry, Fix, Retry]));
    let incident = Incident::new(failure("transient"), Category::Transient, "ours");
    let recovery = manager.recover(incident, &no_context()).unwrap();
    let tried: Vec<_> = recovery
        .result
        .attempts
        .iter()
        .map(|attempt| &attempt.strategy)
        .collect();
    assert_eq!(tried, [&Alternative, &Retry, &Fix, &Retry]);
}

#[test]
fn an_order_may_name_what_nothing_tries() {
    let (mut manager, _) = manager();
    manager.planner = Box::new(GivenOrder(vec![Custom("ask-agent".into()), Fix]));
    assert_eq!(manager.select_recovery_strategies(Category::Unknown), [Fix]);
}

/// Tries the other way once, by a chance of one in four, and says why it tries nothing else.
#[derive(Debug)]
struct OtherWayOnly;

impl Planner for OtherWayOnly {
    fn plan(&self, case: &Case<'_>, candidates: &[Candidate]) -> Plan {
        let is_other = |candidate: &Candidate| candidate.kind == Alternative;
        let other = candidates.iter().position(is_other).unwrap();
        let chosen = Chosen {
            candidate: other,
            max_attempts: 1,
            propensity: 0.25,
        };
        Plan {
            steps: vec![chosen],
            skipped: vec![format!("{}: nothing else helped before", case.category)],
            ..Plan::default()
        }
    }
}

#[test]
fn a_planner_of_the_callers_own_decides_and_the_journal_says_how_likely_its_choice_was() {
    let dir = tempfile::tempdir().unwrap();
    let settings = ManagerSettings {
        audit_dir: Some(dir.path().to_owned()),
        ..exact()
    };
    let host: Arc<dyn Host> = Arc::new(ScriptedHost::new());
    let mut manager = AutoRecoveryManager::new(settings, host).unwrap();
    manager.planner = Box::new(OtherWayOnly);
    let incident = Incident::new(failure("transient"), Category::Transient, "ours");
    let recovery = manager.recover(incident, &no_context()).unwrap();
    let tried = recovery.result.attempts.iter();
    let tried: Vec<_> = tried.map(|attempt| &attempt.strategy).collect();
    assert_eq!(tried, [&Alternative]);
    let mut said = Vec::new();
    let logger = manager.audit_logger.clone().unwrap();
    logger
        .store()
        .read_journal(recovery.session_id.as_deref(), &mut |record| {
            match record.event {
                JournalEvent::FailureDetected(event) => said.extend(event.skipped),
                JournalEvent::AttemptStarted(event) => said.push(format!("{:?}", event.propensity)),
                _ => {}
            }
            Ok(())
        })
        .unwrap();
    let expected = ["transient: nothing else helped before", "Some(0.25)"];
    assert_eq!(said, expected);
}
