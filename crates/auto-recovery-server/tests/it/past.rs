//! A store with a past: sessions of many days, brought in as they would have been recorded.

use std::time::{Duration, SystemTime};

use auto_recovery::audit::{AuditStore, Importer, JournalLine};
use auto_recovery::host::timestamp;
use serde_json::{Value, json};

/// Sessions that are brought in together.
const BATCH: u64 = 1000;

const PROJECTS: [&str; 4] = ["shop", "till", "warehouse", "website"];

/// The command, and the type, the message, the tool and the category of its failure.
type Failing = (&'static [&'static str], [&'static str; 4]);

const FAILURES: [Failing; 5] = [
    (
        &["npm", "run", "migrate"],
        [
            "ECONNREFUSED",
            "connect ECONNREFUSED 127.0.0.1:5432",
            "npm",
            "transient",
        ],
    ),
    (
        &["cargo", "test", "--workspace"],
        [
            "E0308",
            "mismatched types: expected `u64`, found `String`",
            "cargo",
            "code_quality",
        ],
    ),
    (
        &["pytest", "-q"],
        ["AssertionError", "assert 3 == 4", "pytest", "test_failure"],
    ),
    (
        &["pytest", "tests/api"],
        [
            "ModuleNotFoundError",
            "No module named 'requests'",
            "pytest",
            "dependency",
        ],
    ),
    (
        &["npm", "ci"],
        [
            "ETIMEDOUT",
            "request to https://registry.example.org/left-pad failed",
            "npm",
            "transient",
        ],
    ),
];

const STRATEGIES: [&str; 3] = ["retry", "recipe:npm-install", "fixer"];

/// Records `count` sessions of the `days` before `now`, the first of them the oldest.
pub(crate) fn fill(store: &dyn AuditStore, count: u64, (days, now): (u64, SystemTime)) {
    let mut importer = store.importer().unwrap();
    let step = Duration::from_secs(days * 86_400) / u32::try_from(count).unwrap();
    let mut number = 0;
    while number < count {
        let end = (number + BATCH).min(count);
        let mut records = Vec::new();
        for number in number..end {
            let ago = step * u32::try_from(count - number).unwrap();
            let at = |seconds: u64| timestamp(now - ago + Duration::from_secs(seconds));
            records.extend(one(&mut *importer, number, &at));
        }
        importer.records(&records).unwrap();
        number = end;
    }
}

/// Brings in the entries of session `number`, and returns its records.
fn one(importer: &mut dyn Importer, number: u64, at: &dyn Fn(u64) -> String) -> Vec<JournalLine> {
    let pick = |from: usize| usize::try_from(number * 7 / 3).unwrap() % from;
    let id = format!("session_{:032x}", number + 0x1d00_0000);
    let (command, [error_type, message, source, category]) = FAILURES[pick(5)];
    let attempts = 1 + number % 3;
    let is_cured = number % 5 != 4;
    let entries: Vec<Vec<u8>> = (1..=attempts)
        .map(|attempt| {
            let success = is_cured && attempt == attempts;
            let strategy = STRATEGIES[pick(3)];
            let entry = json!({
                "entry_id": format!("{number:08x}-0000-4000-8000-{attempt:012x}"),
                "timestamp": at(10 * attempt), "session_id": id, "error_type": error_type,
                "strategy": strategy, "attempt_number": attempt, "success": success,
                "changes_made": [], "files_modified": [format!("src/part{}.rs", number % 40)],
                "rollback_performed": !success, "duration_seconds": 0.1 * (number % 50) as f64,
                "next_action": if success { "continue" } else { "escalate" },
                "error_message": message, "recovery_message": "",
            });
            entry.to_string().into_bytes()
        })
        .collect();
    importer.entries(&id, &entries).unwrap();
    let record = |seconds: u64, fields: Value| {
        let mut record = json!({"v": 1, "at": at(seconds), "session_id": id});
        let all = fields.as_object().unwrap().clone();
        record.as_object_mut().unwrap().extend(all);
        JournalLine::taken_over(record.to_string().as_bytes()).unwrap()
    };
    vec![
        record(
            0,
            json!({
                "event": "session_started", "command": command, "cwd": "/srv/work", "pid": 1,
                "workspace": "/srv/work", "project": PROJECTS[pick(4)], "host": "build-1",
                "user": "ci", "version": "0.1.0",
            }),
        ),
        record(
            1,
            json!({
                "event": "failure_detected", "category": category, "rule": "code", "exit_code": 1,
                "signal": null, "timed_out": false, "output_file": null, "plan": ["retry: again"],
                "skipped": [], "failure": {
                    "error_type": error_type, "message": message, "source": source, "context": {},
                },
            }),
        ),
        record(
            40,
            json!({
                "event": "session_finished", "outcome": if is_cured { "recovered" } else { "escalated" },
                "strategy": if is_cured { Some(STRATEGIES[pick(3)]) } else { None },
                "attempts": attempts, "exit_code": i32::from(!is_cured), "reason": "done",
                "flaky": is_cured && number.is_multiple_of(4), "duration_seconds": 40.0, "checkpoint": null,
            }),
        ),
    ]
}
