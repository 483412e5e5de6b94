//! The manager's record: every attempt, by itself, in a session.

use std::path::Path;
use std::sync::Arc;

use auto_recovery::AutoRecoveryManager;
use auto_recovery::audit::JournalEvent;
use auto_recovery::export::ExportFormat;
use auto_recovery::host::Host;
use auto_recovery::manager::ManagerSettings;
use auto_recovery::testing::ScriptedHost;

use super::{exact, failure, no_context};

fn manager(dir: &Path) -> AutoRecoveryManager {
    let settings = ManagerSettings {
        audit_dir: Some(dir.to_owned()),
        ..exact()
    };
    let host: Arc<dyn Host> = Arc::new(ScriptedHost::new());
    AutoRecoveryManager::new(settings, host).unwrap()
}

#[test]
fn audit_logging_is_on_and_wants_a_directory() {
    let host: Arc<dyn Host> = Arc::new(ScriptedHost::new());
    let error = AutoRecoveryManager::new(ManagerSettings::default(), host).unwrap_err();
    assert!(error.to_string().contains("audit_dir"), "{error}");
}

#[test]
fn with_logging_disabled_every_audit_method_answers_with_nothing() {
    let (mut manager, _) = super::manager();
    manager
        .attempt_recovery(&failure("code_quality"), &no_context())
        .unwrap();
    assert!(manager.get_audit_trail(None).unwrap().is_empty());
    assert_eq!(
        manager
            .export_audit_trail(None, ExportFormat::Json)
            .unwrap(),
        None
    );
    assert_eq!(manager.get_recovery_statistics(None).unwrap(), None);
    assert_eq!(manager.generate_recovery_report(None, None).unwrap(), None);
    assert_eq!(manager.start_new_session(Some("s")).unwrap(), None);
    manager.clear_audit_history(None).unwrap();
}

#[test]
fn a_session_starts_by_itself_and_every_attempt_is_in_it() {
    let dir = tempfile::tempdir().unwrap();
    let mut manager = manager(dir.path());
    assert_eq!(manager.current_session_id, None);
    manager.fix_generator = Some(Box::new(|_, _| Err("the model is away".into())));
    manager.alternative_selector = Some(Box::new(|_, _| panic!("and the rest too")));
    manager
        .attempt_recovery(&failure("code_quality"), &no_context())
        .unwrap();
    let session = manager.current_session_id.clone().unwrap();
    assert!(session.starts_with("session_"));
    let trail = manager.get_audit_trail(None).unwrap();
    assert_eq!(trail.len(), 6);
    assert!(
        trail
            .iter()
            .all(|entry| entry["session_id"] == session.as_str())
    );
    assert!(
        trail[0]["recovery_message"]
            .as_str()
            .unwrap()
            .contains("the model is away")
    );
    assert!(
        trail[5]["recovery_message"]
            .as_str()
            .unwrap()
            .contains("and the rest too")
    );
    let next: Vec<_> = trail
        .iter()
        .map(|entry| entry["next_action"].as_str().unwrap())
        .collect();
    assert_eq!(
        next,
        ["retry", "retry", "continue", "retry", "retry", "escalate"]
    );
    assert_eq!(trail[0]["error_message"], "Invalid syntax");
}

#[test]
fn an_intent_is_recorded_before_each_attempt_and_the_outcome_after() {
    let dir = tempfile::tempdir().unwrap();
    let mut manager = manager(dir.path());
    manager.retry_handler = Some(Box::new(|_, _| Ok(true)));
    manager
        .attempt_recovery(&failure("transient"), &no_context())
        .unwrap();
    let mut events = Vec::new();
    let logger = manager.audit_logger.clone().unwrap();
    let damage = logger
        .store()
        .read_journal(manager.current_session_id.as_deref(), &mut |record| {
            events.push(match record.event {
                JournalEvent::SessionStarted(_) => "started",
                JournalEvent::FailureDetected(_) => "failure",
                JournalEvent::AttemptStarted(_) => "intent",
                JournalEvent::AttemptFinished(_) => "outcome",
                JournalEvent::SessionFinished(_) => "finished",
                _ => "other",
            });
            Ok(())
        })
        .unwrap();
    assert!(damage.is_empty());
    assert_eq!(
        events,
        ["started", "failure", "intent", "outcome", "finished"]
    );
}

#[test]
fn statistics_reports_and_exports_are_of_the_current_session() {
    let dir = tempfile::tempdir().unwrap();
    let mut manager = manager(dir.path());
    manager.retry_handler = Some(Box::new(|_, _| Ok(true)));
    manager.start_new_session(Some("mine")).unwrap();
    manager
        .attempt_recovery(&failure("transient"), &no_context())
        .unwrap();
    manager
        .attempt_recovery(&failure("dependency"), &no_context())
        .unwrap();
    let statistics = manager.get_recovery_statistics(None).unwrap().unwrap();
    assert_eq!(statistics.session_id, "mine");
    assert_eq!(
        (statistics.total_attempts, statistics.successful_attempts),
        (3, 1)
    );
    assert_eq!(statistics.success_rate, 33.33);
    let report = manager
        .generate_recovery_report(None, None)
        .unwrap()
        .unwrap();
    assert!(report.starts_with(dir.path()) && report.exists());
    let csv = manager
        .export_audit_trail(None, ExportFormat::Csv)
        .unwrap()
        .unwrap();
    assert_eq!(std::fs::read_to_string(csv).unwrap().lines().count(), 4);
}

#[test]
fn numbers_go_on_in_a_session_that_is_taken_up_again() {
    let dir = tempfile::tempdir().unwrap();
    for expected in 1..=3_u64 {
        let mut manager = manager(dir.path());
        manager.retry_handler = Some(Box::new(|_, _| Ok(true)));
        manager.start_new_session(Some("long")).unwrap();
        let result = manager
            .attempt_recovery(&failure("transient"), &no_context())
            .unwrap();
        assert_eq!(result.attempts[0].attempt_number, expected);
    }
}

#[test]
fn managers_that_share_their_numbers_never_give_one_twice() {
    let dir = tempfile::tempdir().unwrap();
    let (mut first, mut second) = (manager(dir.path()), manager(dir.path()));
    second.numbers = Arc::clone(&first.numbers);
    let mut numbers = Vec::new();
    for manager in [&mut first, &mut second] {
        manager.settings.max_attempts = 1;
        manager.start_new_session(Some("shared")).unwrap();
    }
    for _ in 0..2 {
        for manager in [&mut first, &mut second] {
            let failure = failure("transient");
            let result = manager.attempt_recovery(&failure, &no_context()).unwrap();
            numbers.extend(result.attempts.iter().map(|one| one.attempt_number));
        }
    }
    assert_eq!(numbers, [1, 2, 3, 4]);
}

#[test]
fn clearing_removes_the_trail_and_forgets_the_current_session() {
    let dir = tempfile::tempdir().unwrap();
    let mut manager = manager(dir.path());
    manager
        .attempt_recovery(&failure("dependency"), &no_context())
        .unwrap();
    let session = manager.current_session_id.clone().unwrap();
    manager.clear_audit_history(None).unwrap();
    assert_eq!(manager.current_session_id, None);
    assert!(manager.get_audit_trail(Some(&session)).unwrap().is_empty());
    manager
        .attempt_recovery(&failure("dependency"), &no_context())
        .unwrap();
    assert_ne!(
        manager.current_session_id.as_deref(),
        Some(session.as_str())
    );
}

#[test]
fn a_record_that_cannot_be_written_stops_the_recovery() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("not-a-directory");
    std::fs::write(&file, "").unwrap();
    let host: Arc<dyn Host> = Arc::new(ScriptedHost::new());
    let settings = ManagerSettings {
        audit_dir: Some(file),
        ..exact()
    };
    let called = super::Counter::default();
    let own = called.clone();
    let outcome = AutoRecoveryManager::new(settings, host).and_then(|mut manager| {
        manager.fix_generator = Some(Box::new(move |_, _| {
            own.next();
            Ok("- x".into())
        }));
        manager.attempt_recovery(&failure("code_quality"), &no_context())
    });
    let text = outcome.unwrap_err().chain();
    assert!(text.contains("not-a-directory"), "{text}");
    assert_eq!(called.get(), 0, "nothing happens unrecorded");
}
