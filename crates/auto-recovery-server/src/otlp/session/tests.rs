//! A session as a tree, at its times.

use auto_recovery::{Category, Failure};
use serde_json::{Value, json};

use super::*;
use crate::otlp::message::{logs, traces};

fn record(at: &str, event: JournalEvent) -> JournalRecord {
    JournalRecord {
        v: JournalRecord::VERSION,
        at: format!("2026-01-02T03:04:{at}Z"),
        session_id: Some("build-7".to_owned()),
        event,
    }
}

fn detected() -> FailureDetected {
    FailureDetected {
        rule: "rustc".to_owned(),
        exit_code: Some(101),
        ..FailureDetected::new(
            Failure {
                line_number: Some(3),
                file_path: Some("src/lib.rs".to_owned()),
                ..Failure::new("E0308", "mismatched types", "rustc")
            },
            Category::CodeQuality,
        )
    }
}

fn session() -> Session {
    let started = AttemptStarted {
        attempt_number: 1,
        attempt_id: "attempt_1".to_owned(),
        strategy: "fix".to_owned(),
        strategy_attempt: 1,
        category: Category::CodeQuality,
        action: "cargo fix".to_owned(),
        recipe: Some("cargo-fix".to_owned()),
        tier: None,
        checkpoint: None,
        propensity: None,
    };
    let finished = AttemptFinished {
        attempt_number: 1,
        attempt_id: "attempt_1".to_owned(),
        entry_id: "entry_1".to_owned(),
        success: true,
        act_seconds: Some(2.0),
        verification_seconds: Some(1.5),
        strategy_exit_code: Some(0),
        exit_code: Some(0),
        ..AttemptFinished::default()
    };
    let ended = SessionFinished {
        outcome: SessionOutcome::Recovered,
        strategy: Some("fix".to_owned()),
        attempts: 1,
        duration_seconds: 9.0,
        ..SessionFinished::default()
    };
    let command = ["/usr/bin/cargo", "test", "--token=hush"];
    Session {
        id: "build-7".to_owned(),
        records: vec![
            record(
                "05",
                JournalEvent::SessionStarted(SessionStarted {
                    command: Some(command.map(str::to_owned).to_vec()),
                    project: Some("shop".to_owned()),
                    host: Some("ci-3".to_owned()),
                    version: "1.2.3".to_owned(),
                    ..SessionStarted::default()
                }),
            ),
            record("05.5", JournalEvent::FailureDetected(Box::new(detected()))),
            record("06", JournalEvent::AttemptStarted(started)),
            record("10", JournalEvent::AttemptFinished(Box::new(finished))),
            record("11", JournalEvent::SessionFinished(ended)),
        ],
        page: Some("https://recover.example.org/sessions/build-7".to_owned()),
        ..Session::default()
    }
}

fn spans_of(session: &Session) -> Vec<Value> {
    let spans = session
        .records
        .iter()
        .flat_map(|record| session.spans(record));
    let message = traces(session.resource(), spans.collect());
    let spans = &message["resourceSpans"][0]["scopeSpans"][0]["spans"];
    spans.as_array().unwrap().clone()
}

fn attribute<'a>(of: &'a Value, name: &str) -> &'a Value {
    let all = of["attributes"].as_array().unwrap();
    let found = all.iter().find(|one| one["key"] == name);
    found.map_or(&Value::Null, |one| &one["value"])
}

/// When a span begins and ends, in seconds after the minute.
fn times(span: &Value) -> [f64; 2] {
    let minute: i128 = nanoseconds("2026-01-02T03:04:00Z").unwrap();
    ["startTimeUnixNano", "endTimeUnixNano"].map(|name| {
        let time: i128 = span[name].as_str().unwrap().parse().unwrap();
        (time - minute) as f64 / NANOSECONDS
    })
}

#[test]
fn a_session_is_a_tree_of_its_runs_and_attempts_at_their_times() {
    let spans = spans_of(&session());
    let names: Vec<_> = spans
        .iter()
        .map(|span| span["name"].as_str().unwrap())
        .collect();
    let expected = [
        "fix cargo-fix",
        "act",
        "verification",
        "RUN cargo test",
        "first run",
    ];
    assert_eq!(names, expected);
    let [attempt, act, verification, root, first_run] = &spans[..] else {
        panic!("{spans:?}");
    };
    assert!(root.get("parentSpanId").is_none());
    for (child, parent) in [
        (attempt, root),
        (first_run, root),
        (act, attempt),
        (verification, attempt),
    ] {
        assert_eq!(child["parentSpanId"], parent["spanId"]);
        assert_eq!(child["traceId"], root["traceId"]);
    }
    let all: Vec<_> = spans.iter().map(times).collect();
    assert_eq!(
        all,
        [[6.0, 10.0], [6.0, 8.0], [8.0, 9.5], [2.0, 11.0], [2.0, 5.5]]
    );
    assert_eq!(
        attribute(root, "cicd.pipeline.result")["stringValue"],
        "success"
    );
    assert!(root.get("status").is_none() && attribute(root, "error.type").is_null());
    let url = &attribute(root, "cicd.pipeline.run.url.full")["stringValue"];
    assert_eq!(url, "https://recover.example.org/sessions/build-7");
    assert_eq!(first_run["status"]["code"], 2);
    assert_eq!(attribute(first_run, "process.exit.code")["intValue"], "101");
    let text = serde_json::to_string(&spans).unwrap();
    assert!(
        !text.contains("hush"),
        "words of the command are not sent: {text}"
    );
}

#[test]
fn a_failure_is_a_log_record_of_the_sessions_trace() {
    let session = session();
    let log: Vec<_> = session
        .records
        .iter()
        .filter_map(|record| session.log(record))
        .collect();
    let message = logs(session.resource(), log);
    let log = &message["resourceLogs"][0]["scopeLogs"][0]["logRecords"][0];
    assert_eq!(log["body"], json!({ "stringValue": "mismatched types" }));
    assert_eq!(log["severityNumber"], 17);
    assert_eq!(log["traceId"], trace_id("build-7"));
    assert_eq!(attribute(log, "exception.type")["stringValue"], "E0308");
    assert_eq!(attribute(log, "code.line.number")["intValue"], "3");
    let resource = &message["resourceLogs"][0]["resource"];
    assert_eq!(
        attribute(resource, "service.name")["stringValue"],
        "recover"
    );
    assert_eq!(attribute(resource, "host.name")["stringValue"], "ci-3");
    assert_eq!(
        attribute(resource, "recover.project")["stringValue"],
        "shop"
    );
}

#[test]
fn what_was_not_cured_is_an_error_with_the_type_of_its_failure() {
    let mut session = session();
    for (outcome, exit_code, expected) in [
        (SessionOutcome::Escalated, Some(101), "failure"),
        (SessionOutcome::Escalated, Some(124), "timeout"),
        (SessionOutcome::Interrupted, Some(130), "cancellation"),
        (SessionOutcome::Unknown, None, "error"),
    ] {
        let last = session.records.last_mut().unwrap();
        last.event = JournalEvent::SessionFinished(SessionFinished {
            outcome,
            exit_code,
            reason: "nothing helped".to_owned(),
            ..SessionFinished::default()
        });
        let spans = spans_of(&session);
        let root = spans.iter().find(|span| span["kind"] == 2).unwrap();
        assert_eq!(
            attribute(root, "cicd.pipeline.result")["stringValue"],
            expected
        );
        assert_eq!(attribute(root, "error.type")["stringValue"], "E0308");
        assert_eq!(
            root["status"],
            json!({ "code": 2, "message": "nothing helped" })
        );
    }
}

#[test]
fn a_name_of_a_pipeline_is_the_program_and_what_is_surely_its_subcommand() {
    for (command, expected) in [
        (&["cargo", "test"][..], "cargo test"),
        (&["/usr/bin/npm", "run-script", "x"], "npm run-script"),
        (&["sh", "-c", "rm -rf x"], "sh"),
        (&["./deploy.sh", "prod/eu"], "deploy.sh"),
        (&["mysql", "Secret7"], "mysql"),
        (&[], "session"),
    ] {
        let mut session = session();
        session.records[0].event = JournalEvent::SessionStarted(SessionStarted {
            command: Some(command.iter().map(|&word| word.to_owned()).collect()),
            ..SessionStarted::default()
        });
        assert_eq!(session.pipeline(), expected);
    }
}
