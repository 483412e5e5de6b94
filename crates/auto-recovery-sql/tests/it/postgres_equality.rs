//! The store of files and the PostgreSQL store are given the same: whatever is asked, they answer the same to
//! the byte.

use std::sync::Arc;
use std::time::SystemTime;

use auto_recovery::audit::{
    AuditStore, Durability, JournalEvent, JsonlOptions, JsonlStore, NewEntry, SessionFinished,
    SessionOutcome, SessionStarted, StoredEntry,
};
use auto_recovery::export::{ExportFormat, ExportOptions, export_all, export_session};
use auto_recovery::statistics::{AggregateQuery, Dimension};
use auto_recovery::testing::store_contract::entry;
use auto_recovery::testing::{Random, ScriptedHost};
use auto_recovery_sql::{PostgresOptions, PostgresStore};
use tempfile::TempDir;

use crate::postgres_server::{Database, shared};

const ATTEMPTS: u64 = 5000;
const SESSIONS: u64 = 60;

/// Both stores, given the same 5,000 attempts.
fn both(dir: &TempDir, database: &Database) -> [Box<dyn AuditStore>; 2] {
    let options = JsonlOptions {
        durability: Durability::Flush,
        ..JsonlOptions::default()
    };
    let host = Arc::new(ScriptedHost::new());
    let files = JsonlStore::open(dir.path(), options, host.clone()).unwrap();
    let ours = PostgresStore::open(&database.url, PostgresOptions::default(), host).unwrap();
    let stores: [Box<dyn AuditStore>; 2] = [Box::new(files), Box::new(ours)];
    let mut random = Random::new(1);
    let mut left = ATTEMPTS;
    while left > 0 {
        let count = (1 + random.below(40)).min(left);
        let batch: Vec<NewEntry> = (left - count..left)
            .map(|number| attempt(&mut random, number))
            .collect();
        left -= count;
        let session_id = batch[0].entry.session_id.clone();
        let event = event(&mut random);
        let acknowledged = stores.each_ref().map(|store| {
            let appended = store.append(batch.clone()).unwrap();
            store.record(Some(&session_id), event.clone()).unwrap();
            appended
        });
        assert_eq!(acknowledged[0], acknowledged[1]);
    }
    stores
}

fn attempt(random: &mut Random, number: u64) -> NewEntry {
    let session_id = format!("session {}", random.below(SESSIONS));
    let mut new = entry(&session_id, number);
    let of = &mut new.entry;
    of.duration_seconds = match random.below(50) {
        0 => 9.0e15,
        1 => 1.000_5,
        _ => random.below(10_000_000) as f64 / 1000.0,
    };
    of.timestamp = match random.below(30) {
        0 => format!("no time {}", random.below(3)),
        1 => "1969-12-31T23:30:00.25-00:30".to_owned(),
        hour => format!(
            "2026-01-{:02}T{:02}:15:00.123Z",
            1 + random.below(28),
            hour % 24
        ),
    };
    of.error_message = match random.below(40) {
        0 => "x\u{0}\u{10fffe}".repeat(40_000),
        1 => "\u{1b}[31m=1+1\r\n".to_owned(),
        _ => format!("error {number}"),
    };
    of.strategy = random
        .one_of(&["fix", "retry", "escalate", "\0a", "b"])
        .to_owned();
    of.files_modified = (0..random.below(5))
        .map(|_| format!("src/\u{0}{}.rs", random.below(300)))
        .collect();
    of.attempt_number = match random.below(300) {
        0 => u64::MAX - 10_000_000 + number,
        n => n,
    };
    new.number_by_store = random.chance(50) && of.attempt_number < 300;
    new
}

fn event(random: &mut Random) -> JournalEvent {
    match random.chance(50) {
        true => JournalEvent::SessionStarted(SessionStarted {
            command: Some(vec!["make".to_owned(), "a\0b".to_owned()]),
            cwd: Some("/src".to_owned()),
            project: Some(random.one_of(&["red", "blue"]).to_owned()),
            host: Some(random.one_of(&["alpha", "beta"]).to_owned()),
            user: Some("ana".to_owned()),
            ..SessionStarted::default()
        }),
        false => JournalEvent::SessionFinished(SessionFinished {
            outcome: random.one_of(&[SessionOutcome::Recovered, SessionOutcome::Escalated]),
            duration_seconds: random.below(10_000_000) as f64 / 1000.0,
            flaky: random.chance(20),
            ..SessionFinished::default()
        }),
    }
}

/// Every entry of a trail as it is stored.
pub(crate) fn trail(store: &dyn AuditStore, session_id: &str) -> Vec<Vec<u8>> {
    let mut all = Vec::new();
    let mut visit = |stored: StoredEntry<'_>| {
        all.push(stored.raw().to_vec());
        Ok(())
    };
    assert_eq!(store.read_trail(session_id, &mut visit).unwrap(), []);
    all
}

#[test]
fn answers_are_the_same_to_the_byte() {
    let dir = tempfile::tempdir().unwrap();
    let database = shared().database();
    let stores = both(&dir, &database);
    let [files, ours] = &stores;
    let sessions = files.sessions().unwrap();
    assert_eq!(sessions, ours.sessions().unwrap());
    assert_eq!(sessions.len() as u64, SESSIONS);
    let now = SystemTime::UNIX_EPOCH;
    for format in [ExportFormat::Json, ExportFormat::Csv, ExportFormat::Jsonl] {
        let options = ExportOptions {
            format,
            ..ExportOptions::default()
        };
        let [theirs, mine] = stores.each_ref().map(|store| {
            let mut out = Vec::new();
            let summary = export_all(&**store, &options, now, &mut out).unwrap();
            assert_eq!(summary.entries, ATTEMPTS);
            out
        });
        assert!(theirs == mine, "{format:?} of all");
        let [theirs, mine] = stores.each_ref().map(|store| {
            let mut out = Vec::new();
            export_session(&**store, "session 7", &options, now, &mut out).unwrap();
            out
        });
        assert!(theirs == mine, "{format:?} of one");
    }
    for session in &sessions {
        let id = &session.session_id;
        assert!(trail(&**files, id) == trail(&**ours, id), "{id}");
        assert_eq!(files.statistics(id).unwrap(), ours.statistics(id).unwrap());
    }
    for query in queries() {
        let answer = files.aggregate(&query).unwrap();
        assert_eq!(answer, ours.aggregate(&query).unwrap(), "{query:?}");
    }
}

#[test]
fn what_files_hold_is_taken_over_once_and_whole() {
    let dir = tempfile::tempdir().unwrap();
    let database = shared().database();
    let [files, _] = both(&dir, &database);
    let empty = shared().database();
    let host = Arc::new(ScriptedHost::new());
    let ours = PostgresStore::open(&empty.url, PostgresOptions::default(), host).unwrap();
    let mut records = Vec::new();
    let mut visit = |record| {
        records.push(record);
        Ok(())
    };
    assert_eq!(files.read_journal(None, &mut visit).unwrap(), []);
    let sessions = files.sessions().unwrap();
    for round in 0..2 {
        let mut importer = ours.importer().unwrap();
        let mut added = importer.records(&records).unwrap();
        for session in &sessions {
            let raw = trail(&*files, &session.session_id);
            for some in raw.chunks(30) {
                added += importer.entries(&session.session_id, some).unwrap();
            }
        }
        let all = ATTEMPTS + records.len() as u64;
        assert_eq!(added, if round == 0 { all } else { 0 });
        assert_eq!(sessions, ours.sessions().unwrap());
    }
    for session in &sessions {
        let id = &session.session_id;
        assert!(trail(&*files, id) == trail(&ours, id), "{id}");
    }
    let query = AggregateQuery {
        by: vec![Dimension::Project, Dimension::Strategy],
        ..AggregateQuery::default()
    };
    assert_eq!(
        files.aggregate(&query).unwrap(),
        ours.aggregate(&query).unwrap()
    );
}

fn queries() -> Vec<AggregateQuery> {
    let day = |day: i64| Some(1_767_225_600_000_000 + day * 86_400_000_000);
    let windows = [
        (None, None, None),
        (day(3), day(9), None),
        (None, day(2), Some("red".to_owned())),
    ];
    let mut all_by: Vec<Vec<Dimension>> = vec![Vec::new(), Dimension::ALL.to_vec()];
    all_by.extend(Dimension::ALL.iter().map(|by| vec![*by]));
    all_by.push(vec![
        Dimension::Day,
        Dimension::Project,
        Dimension::Strategy,
    ]);
    let of_window = |by: Vec<Dimension>| {
        windows
            .clone()
            .map(|(since_us, until_us, project)| AggregateQuery {
                since_us,
                until_us,
                project,
                host: None,
                by: by.clone(),
            })
    };
    all_by.into_iter().flat_map(of_window).collect()
}
