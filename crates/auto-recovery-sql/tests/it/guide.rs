//! What people ask a database: the views say what the store says, and the questions of the guide's
//! page run.

use auto_recovery::audit::{AuditStore, FailureDetected, JournalEvent, SessionStarted};
use auto_recovery::testing::store_contract::{entry, read};
use auto_recovery::{Category, Failure};
use auto_recovery_sql::PostgresOptions;
use rusqlite::types::Value;

use crate::postgres_server::shared;
use crate::sqlite_support::{database, store};

/// The questions of the page, each with the line it begins at.
fn questions() -> Vec<(usize, String)> {
    let page = include_str!("../../../../docs/guide/sql.md");
    let mut questions: Vec<(usize, String)> = Vec::new();
    let mut inside = false;
    for (index, line) in page.lines().enumerate() {
        match (line, inside) {
            ("```sql", _) => {
                inside = true;
                questions.push((index + 2, String::new()));
            }
            ("```", _) => inside = false,
            (line, true) => {
                let (_, question) = questions.last_mut().unwrap();
                question.push_str(line);
                question.push('\n');
            }
            _ => {}
        }
    }
    questions
}

/// Two sessions: one of the project `red` that was detected to be a test failure, one that nobody
/// knows of.
fn fill(store: &dyn AuditStore) {
    let started = SessionStarted {
        command: Some(vec!["make".to_owned(), "a b".to_owned()]),
        project: Some("red".to_owned()),
        host: Some("alpha".to_owned()),
        user: Some("ana".to_owned()),
        pid: 1,
        ..SessionStarted::default()
    };
    let started = JournalEvent::SessionStarted(started);
    store.record(Some("s"), started).unwrap();
    let detected = JournalEvent::FailureDetected(Box::new(FailureDetected {
        rule: "rule".to_owned(),
        exit_code: Some(1),
        ..FailureDetected::new(
            Failure::new("E", "it failed", "cargo"),
            Category::TestFailure,
        )
    }));
    store.record(Some("s"), detected).unwrap();
    let entries = (1..=12).map(|number| entry(["s", "t"][number as usize % 2], number));
    store.append(entries.collect()).unwrap();
}

/// Whether a question is about what is not there.
fn is_narrow(question: &str) -> bool {
    let words = [">= 5", "'E0308'", "at >= "];
    words.iter().any(|word| question.contains(word))
}

#[test]
fn every_question_of_the_page_runs_in_postgresql() {
    let database = shared().database();
    fill(&database.open(PostgresOptions::default()));
    for (line, question) in questions() {
        if question.contains("json_each(") {
            continue;
        }
        let rows = database.ask(&format!("SET search_path = auto_recovery; {question}"));
        assert!(
            is_narrow(&question) || !rows.is_empty(),
            "sql.md line {line}"
        );
    }
}

#[test]
fn the_views_of_postgresql_say_what_the_store_says() {
    let database = shared().database();
    let store = database.open(PostgresOptions::default());
    fill(&store);
    let ask = |sql: &str| database.ask(&format!("SET search_path = auto_recovery; {sql}"));
    let entries = ask("SELECT json_build_object(
            'entry_id', entry_id, 'timestamp', \"timestamp\", 'session_id', session_id,
            'error_type', error_type, 'strategy', strategy, 'attempt_number', attempt_number,
            'success', success, 'changes_made', changes_made, 'files_modified', files_modified,
            'rollback_performed', rollback_performed, 'next_action', next_action,
            'duration_seconds', duration_seconds, 'error_message', error_message,
            'recovery_message', recovery_message
        ) FROM entries WHERE session_id = 's' ORDER BY place");
    let entries: Vec<auto_recovery::RecoveryAuditEntry> = entries
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(entries, read(&store, "s"));
    let known = "SELECT DISTINCT concat(project, host, \"user\", category, source, at::date)
        FROM entries WHERE session_id = 's'";
    assert_eq!(ask(known), "redalphaanatest_failurecargo2026-01-02");
    let statistics = ask(
        "SELECT json_build_array(session_start, total_attempts, successful_attempts, failed_attempts,
            success_rate, strategies_used, error_type_distribution, total_duration_seconds,
            average_duration_seconds, files_modified_count, files_modified, rollback_count,
            first_attempt_timestamp, last_attempt_timestamp)
        FROM session_statistics WHERE session_id = 's'",
    );
    let of = store.statistics("s").unwrap();
    let expected = serde_json::json!([
        of.session_start,
        of.total_attempts,
        of.successful_attempts,
        of.failed_attempts,
        of.success_rate,
        of.strategies_used,
        of.error_type_distribution,
        of.total_duration_seconds,
        of.average_duration_seconds,
        of.files_modified_count,
        of.files_modified,
        of.rollback_count,
        of.first_attempt_timestamp,
        of.last_attempt_timestamp
    ]);
    let told: serde_json::Value = serde_json::from_str(&statistics).unwrap();
    assert_eq!(told, expected);
    let sessions = ask(
        "SELECT concat(session_id, ' ', command::text, total_attempts, bytes) FROM sessions
        ORDER BY session_id",
    );
    assert_eq!(sessions.lines().count(), 2);
    assert!(sessions.starts_with("s {make,\"a b\"}6"), "{sessions}");
}

#[test]
fn every_question_of_the_page_runs_in_sqlite() {
    let dir = tempfile::tempdir().unwrap();
    fill(&store(dir.path()));
    let database = database(dir.path());
    let questions = questions();
    assert!(questions.len() >= 6, "the page asks something");
    for (line, question) in questions {
        let of_postgresql = ["unnest(", "date_trunc("];
        if of_postgresql.iter().any(|word| question.contains(word)) {
            continue;
        }
        let asked = database.prepare(&question).and_then(|mut question| {
            let rows = question.query_map([], |row| row.get::<_, Value>(0))?;
            rows.collect::<Result<Vec<_>, _>>()
        });
        let rows = asked.unwrap_or_else(|error| panic!("sql.md line {line}: {error}"));
        assert!(
            is_narrow(&question) || !rows.is_empty(),
            "sql.md line {line}"
        );
    }
}

#[test]
fn the_views_of_sqlite_say_what_the_store_says() {
    let dir = tempfile::tempdir().unwrap();
    let store = store(dir.path());
    fill(&store);
    let database = database(dir.path());
    let rows = |sql: &str| -> Vec<String> {
        let mut asked = database.prepare(sql).unwrap();
        let rows = asked.query_map([], |row| row.get(0)).unwrap();
        rows.collect::<Result<_, _>>().unwrap()
    };
    let entries = rows(
        "SELECT json_object(
            'entry_id', entry_id, 'timestamp', timestamp, 'session_id', session_id,
            'error_type', error_type, 'strategy', strategy, 'attempt_number', attempt_number,
            'success', json(iif(success, 'true', 'false')), 'changes_made', json(changes_made),
            'files_modified', json(files_modified),
            'rollback_performed', json(iif(rollback_performed, 'true', 'false')),
            'next_action', next_action, 'duration_seconds', duration_seconds,
            'error_message', error_message, 'recovery_message', recovery_message
        ) FROM entries WHERE session_id = 's'",
    );
    let expected: Vec<_> = read(&store, "s").iter().map(|one| one.to_json()).collect();
    assert_eq!(entries, expected);
    let known = "SELECT DISTINCT project || host || user || category || source || substr(at, 1, 10)
        FROM entries WHERE session_id = 's'";
    assert_eq!(rows(known), ["redalphaanatest_failurecargo2026-01-02"]);
    let sessions = rows(
        "SELECT session_id || ' ' || coalesce(command, '') || total_attempts || successful_attempts || bytes
        FROM sessions ORDER BY session_id",
    );
    let mut listed = store.sessions().unwrap();
    listed.sort_by(|a, b| a.session_id.cmp(&b.session_id));
    let expected: Vec<_> = listed
        .iter()
        .map(|one| {
            let command = one.command.as_ref();
            let command = command.map(|argv| serde_json::to_string(argv).unwrap());
            format!(
                "{} {}{}{}{}",
                one.session_id,
                command.unwrap_or_default(),
                one.total_attempts,
                one.successful_attempts,
                one.bytes
            )
        })
        .collect();
    assert_eq!(sessions, expected);
    let statistics = rows(
        "SELECT json_array(session_start, total_attempts, successful_attempts, failed_attempts, success_rate,
            total_duration_seconds, average_duration_seconds, files_modified_count, rollback_count,
            first_attempt_timestamp, last_attempt_timestamp)
        FROM session_statistics WHERE session_id = 's'",
    );
    let of = store.statistics("s").unwrap();
    let expected = serde_json::json!([
        of.session_start,
        of.total_attempts,
        of.successful_attempts,
        of.failed_attempts,
        of.success_rate,
        of.total_duration_seconds,
        of.average_duration_seconds,
        of.files_modified_count,
        of.rollback_count,
        of.first_attempt_timestamp,
        of.last_attempt_timestamp
    ]);
    assert_eq!(statistics, [expected.to_string()]);
}
