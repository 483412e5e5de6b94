//! The specification's tests of the logger: sessions, logging, history, export, report, clearing.

use std::collections::BTreeSet;
use std::fs;

use auto_recovery::ErrorKind;
use auto_recovery::audit::{JournalEvent, JournalRecord, SessionStarted};
use auto_recovery::export::ExportFormat;
use auto_recovery::logger::{AttemptRecord, RecoveryAuditLogger};
use serde_json::Value;

use crate::audit_support::{attempt, logger};

fn log(logger: &RecoveryAuditLogger, session_id: &str, number: u64, success: bool) -> String {
    let record = AttemptRecord {
        files_modified: vec!["test.py".to_owned(), format!("file{number}.py")],
        rollback_performed: !success,
        next_action: if success { "complete" } else { "retry" }.to_owned(),
    };
    logger
        .log_recovery_attempt(&attempt(number, "fix", success), session_id, record)
        .unwrap()
}

fn started(logger: &RecoveryAuditLogger, session_id: &str) -> usize {
    let mut count = 0;
    logger
        .store()
        .read_journal(Some(session_id), &mut |record| {
            count += usize::from(matches!(record.event, JournalEvent::SessionStarted(_)));
            Ok(())
        })
        .unwrap();
    count
}

#[test]
fn opening_makes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let audit_dir = dir.path().join("audit");
    let logger = logger(&audit_dir);
    assert_eq!(logger.get_all_session_ids().unwrap(), Vec::<String>::new());
    assert!(logger.get_recovery_history("s").unwrap().is_empty());
    assert!(!audit_dir.exists());
}

#[test]
fn an_attempt_without_a_failure_is_of_an_unknown_type() {
    let dir = tempfile::tempdir().unwrap();
    let logger = logger(dir.path());
    let mut attempt = attempt(1, "fix", true);
    attempt.error_before = None;
    logger
        .log_recovery_attempt(&attempt, "s", AttemptRecord::default())
        .unwrap();
    let entry = logger.get_recovery_history("s").unwrap().remove(0);
    assert_eq!(
        (entry.error_type.as_str(), entry.error_message.as_str()),
        ("unknown", "")
    );
}

#[test]
fn a_session_without_a_name_gets_one_of_its_own() {
    let dir = tempfile::tempdir().unwrap();
    let logger = logger(dir.path());
    let ids: BTreeSet<String> = (0..20)
        .map(|_| logger.start_session(None).unwrap())
        .collect();
    assert_eq!(ids.len(), 20);
    assert!(
        ids.iter()
            .all(|id| id.starts_with("session_") && id.len() == 8 + 32)
    );
}

#[test]
fn a_session_keeps_the_name_it_is_given() {
    let dir = tempfile::tempdir().unwrap();
    let logger = logger(dir.path());
    assert_eq!(logger.start_session(Some("mine")).unwrap(), "mine");
    assert_eq!(started(&logger, "mine"), 1);
}

#[test]
fn an_attempt_becomes_an_entry_with_every_field() {
    let dir = tempfile::tempdir().unwrap();
    let logger = logger(dir.path());
    let session_id = logger.start_session(None).unwrap();
    let entry_id = log(&logger, &session_id, 1, true);
    let history = logger.get_recovery_history(&session_id).unwrap();
    assert_eq!(history.len(), 1);
    let entry = &history[0];
    assert!(entry.entry_id.starts_with("entry_") && entry.entry_id == entry_id);
    assert_eq!(entry.timestamp, "2026-01-02T03:04:01.000Z");
    assert_eq!(entry.session_id, session_id);
    assert_eq!(entry.error_type, "TestError");
    assert_eq!(entry.strategy, "fix");
    assert_eq!(entry.attempt_number, 1);
    assert!(entry.success && !entry.rollback_performed);
    assert_eq!(entry.changes_made, ["Fixed syntax error"]);
    assert_eq!(entry.files_modified, ["test.py", "file1.py"]);
    assert_eq!(entry.next_action, "complete");
    assert_eq!(entry.duration_seconds, 1.5);
    assert_eq!(entry.error_message, "Test error");
    assert_eq!(entry.recovery_message, "Recovery successful");
}

#[test]
fn attempts_keep_their_order() {
    let dir = tempfile::tempdir().unwrap();
    let logger = logger(dir.path());
    for number in 1..=5 {
        log(&logger, "s", number, number == 5);
    }
    let numbers: Vec<u64> = logger
        .get_recovery_history("s")
        .unwrap()
        .iter()
        .map(|entry| entry.attempt_number)
        .collect();
    assert_eq!(numbers, [1, 2, 3, 4, 5]);
}

#[test]
fn sessions_do_not_mix_and_are_listed_once_they_have_entries() {
    let dir = tempfile::tempdir().unwrap();
    let logger = logger(dir.path());
    log(&logger, "a", 1, true);
    log(&logger, "b", 2, true);
    logger.start_session(Some("empty")).unwrap();
    let ids: BTreeSet<String> = logger.get_all_session_ids().unwrap().into_iter().collect();
    assert_eq!(ids, BTreeSet::from(["a".to_owned(), "b".to_owned()]));
    assert_eq!(logger.get_recovery_history("a").unwrap().len(), 1);
}

#[test]
fn history_survives_a_restart_and_the_journal_is_told_once() {
    let dir = tempfile::tempdir().unwrap();
    for number in 1..=3 {
        log(&logger(dir.path()), "s", number, true);
    }
    let logger = logger(dir.path());
    assert_eq!(logger.get_recovery_history("s").unwrap().len(), 3);
    assert_eq!(started(&logger, "s"), 1);
}

#[test]
fn a_session_says_what_its_caller_knows_of_itself() {
    let dir = tempfile::tempdir().unwrap();
    let caller = SessionStarted {
        command: Some(vec!["python3".to_owned(), "job.py".to_owned()]),
        project: Some("shop".to_owned()),
        pid: 1,
        ..SessionStarted::default()
    };
    let logger = logger(dir.path()).for_caller(caller.clone());
    logger.start_session(Some("begun")).unwrap();
    log(&logger, "logged to", 1, true);
    for session_id in ["begun", "logged to"] {
        let mut found = None;
        let mut keep = |record: JournalRecord| {
            if let JournalEvent::SessionStarted(started) = record.event {
                found = Some(started);
            }
            Ok(())
        };
        logger
            .store()
            .read_journal(Some(session_id), &mut keep)
            .unwrap();
        let started = found.unwrap();
        assert_eq!(started.command, caller.command);
        assert_eq!(started.project, caller.project);
        assert_eq!(started.pid, std::process::id());
    }
}

#[test]
fn an_entry_is_one_line_of_the_sessions_file() {
    let dir = tempfile::tempdir().unwrap();
    let logger = logger(dir.path());
    log(&logger, "s", 1, true);
    log(&logger, "s", 2, true);
    let text = fs::read_to_string(dir.path().join("s_audit.jsonl")).unwrap();
    assert_eq!(text.lines().count(), 2);
    assert!(text.ends_with("}\n"));
    assert!(text.starts_with("{\"entry_id\":\"entry_"));
}

#[test]
fn a_json_export_is_a_new_file_with_the_specified_keys() {
    let dir = tempfile::tempdir().unwrap();
    let logger = logger(dir.path());
    log(&logger, "s", 1, true);
    log(&logger, "s", 2, false);
    let first = logger.export_audit_trail("s", ExportFormat::Json).unwrap();
    let second = logger.export_audit_trail("s", ExportFormat::Json).unwrap();
    assert_eq!(first.file_name().unwrap(), "s_audit_20260102_030405.json");
    assert_eq!(
        second.file_name().unwrap(),
        "s_audit_20260102_030405-2.json"
    );
    let export: Value = serde_json::from_slice(&fs::read(first).unwrap()).unwrap();
    let keys: Vec<&String> = export.as_object().unwrap().keys().collect();
    assert_eq!(
        keys,
        [
            "session_id",
            "session_start",
            "export_timestamp",
            "total_entries",
            "entries"
        ]
    );
    assert_eq!(export["total_entries"], 2);
    assert_eq!(export["entries"].as_array().unwrap().len(), 2);
    assert_eq!(export["entries"][1]["attempt_number"], 2);
}

#[test]
fn a_csv_export_has_a_header_and_a_row_an_entry() {
    let dir = tempfile::tempdir().unwrap();
    let logger = logger(dir.path());
    log(&logger, "s", 1, true);
    let path = logger.export_audit_trail("s", ExportFormat::Csv).unwrap();
    let mut rows = csv::Reader::from_path(path).unwrap();
    assert_eq!(
        rows.headers().unwrap().iter().collect::<Vec<_>>(),
        auto_recovery::RecoveryAuditEntry::FIELDS
    );
    let row = rows.records().next().unwrap().unwrap();
    assert_eq!(&row[8], r#"["test.py","file1.py"]"#);
    assert_eq!(&row[6], "true");
    assert_eq!(&row[11], "1.5");
}

#[test]
fn there_is_nothing_to_export_of_an_empty_session() {
    let dir = tempfile::tempdir().unwrap();
    let logger = logger(dir.path());
    let error = logger
        .export_audit_trail("nobody", ExportFormat::Json)
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    assert!(error.to_string().contains("nobody"), "{error}");
}

#[test]
fn statistics_of_a_session_are_exact_and_of_an_unknown_one_zero() {
    let dir = tempfile::tempdir().unwrap();
    let logger = logger(dir.path());
    log(&logger, "s", 1, false);
    log(&logger, "s", 2, false);
    log(&logger, "s", 3, true);
    let statistics = logger.get_recovery_statistics("s").unwrap();
    assert_eq!(statistics.total_attempts, 3);
    assert_eq!(statistics.success_rate, 33.33);
    assert_eq!(statistics.total_duration_seconds, 4.5);
    assert_eq!(statistics.rollback_count, 2);
    let unknown = logger.get_recovery_statistics("nobody").unwrap();
    assert_eq!(unknown.total_attempts, 0);
    assert_eq!(unknown.session_start, None);
}

#[test]
fn a_report_has_the_specified_parts_also_of_an_empty_session() {
    let dir = tempfile::tempdir().unwrap();
    let logger = logger(dir.path());
    log(&logger, "s", 1, true);
    for (session_id, attempts) in [("s", 1), ("nobody", 0)] {
        let path = logger.generate_recovery_report(session_id, None).unwrap();
        let report: Value = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
        let keys: Vec<&String> = report.as_object().unwrap().keys().collect();
        assert_eq!(
            keys,
            [
                "report_metadata",
                "summary",
                "statistics",
                "detailed_entries"
            ]
        );
        assert_eq!(
            report["report_metadata"]["report_type"],
            "recovery_audit_report"
        );
        assert_eq!(report["summary"]["total_attempts"], attempts);
        assert_eq!(
            report["detailed_entries"].as_array().unwrap().len() as u64,
            attempts
        );
    }
    let report = dir.path().join("mine.json");
    let path = logger.generate_recovery_report("s", Some(&report)).unwrap();
    assert_eq!(path, report);
    let text = fs::read_to_string(report).unwrap();
    assert!(text.contains("\"success_rate\": \"100.0%\""), "{text}");
}

#[test]
fn a_cleared_session_is_gone_for_every_reader_and_the_journal_says_so() {
    let dir = tempfile::tempdir().unwrap();
    let logger = logger(dir.path());
    log(&logger, "s", 1, true);
    log(&logger, "s", 2, true);
    assert_eq!(
        logger.get_recovery_statistics("s").unwrap().total_attempts,
        2
    );
    assert_eq!(logger.clear_session("s").unwrap(), Some(2));
    assert!(!dir.path().join("s_audit.jsonl").exists());
    assert!(logger.get_all_session_ids().unwrap().is_empty());
    assert!(logger.store().sessions().unwrap().is_empty());
    assert!(logger.get_recovery_history("s").unwrap().is_empty());
    assert_eq!(
        logger.get_recovery_statistics("s").unwrap().total_attempts,
        0
    );
    assert_eq!(logger.clear_session("s").unwrap(), None);
    let mut cleared = Vec::new();
    logger
        .store()
        .read_journal(Some("s"), &mut |record| {
            if let JournalEvent::SessionCleared(event) = record.event {
                cleared.push(event.entries);
            }
            Ok(())
        })
        .unwrap();
    assert_eq!(cleared, [2]);
    log(&logger, "s", 7, true);
    let history = logger.get_recovery_history("s").unwrap();
    assert_eq!(history.len(), 1);
    assert_eq!(history[0].attempt_number, 7);
}

#[test]
fn clearing_all_sessions_leaves_none() {
    let dir = tempfile::tempdir().unwrap();
    let logger = logger(dir.path());
    for session_id in ["a", "b", "c"] {
        log(&logger, session_id, 1, true);
    }
    assert_eq!(logger.clear_all_sessions().unwrap(), 3);
    assert!(logger.store().sessions().unwrap().is_empty());
    assert_eq!(logger.clear_all_sessions().unwrap(), 0);
}
