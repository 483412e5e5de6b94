//! All three stores are given the same: whatever is asked, they answer the same to the byte, and
//! what is copied from one to the next comes back as it was.

use std::sync::Arc;
use std::time::SystemTime;

use auto_recovery::audit::{
    AuditStore, Durability, JournalEvent, JournalLine, NewEntry, Recorder, SessionFinished,
    SessionOutcome, SessionStarted,
};
use auto_recovery::export::{ExportFormat, ExportOptions, export_all, export_session};
use auto_recovery::jsonl::{JsonlOptions, JsonlStore};
use auto_recovery::statistics::{AggregateQuery, Dimension};
use auto_recovery::testing::store_contract::entry;
use auto_recovery::testing::{Random, ScriptedHost};
use auto_recovery::transfer;
use auto_recovery_sql::{PostgresOptions, PostgresStore};
use tempfile::TempDir;

use crate::postgres_server::shared;
use crate::sqlite_support::open;
use crate::support::trail;

const ATTEMPTS: u64 = 5000;
const SESSIONS: u64 = 60;

/// One store of each kind, empty, with what keeps it alive.
struct Stores {
    _dir: TempDir,
    stores: [Box<dyn AuditStore>; 3],
}

impl Stores {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let options = JsonlOptions {
            durability: Durability::Flush,
            ..JsonlOptions::default()
        };
        let host = Arc::new(ScriptedHost::new());
        let files = JsonlStore::open(
            &dir.path().join("files"),
            options,
            Recorder::new(host.clone()),
        )
        .unwrap();
        let sqlite = open(&dir.path().join("trails.db")).unwrap();
        let url = shared().database().url;
        let postgres =
            PostgresStore::open(&url, PostgresOptions::default(), Recorder::new(host)).unwrap();
        Self {
            _dir: dir,
            stores: [Box::new(files), Box::new(sqlite), Box::new(postgres)],
        }
    }

    /// What each says of `question`, which must be the same.
    fn same<T: PartialEq>(&self, what: &str, question: impl Fn(&dyn AuditStore) -> T) -> T {
        let [files, sqlite, postgres] = self.stores.each_ref().map(|store| question(&**store));
        assert!(files == sqlite, "{what} in SQLite");
        assert!(files == postgres, "{what} in PostgreSQL");
        files
    }
}

/// The same 5,000 attempts, and what is said of their sessions.
fn fill(stores: &[&dyn AuditStore]) {
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
        let mut acknowledged = stores.iter().map(|store| {
            let appended = store.append(batch.clone()).unwrap();
            store.record(Some(&session_id), event.clone()).unwrap();
            appended
        });
        let first = acknowledged.next().unwrap();
        assert!(acknowledged.all(|other| other == first));
    }
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
            outcome: random.one_of(&[
                SessionOutcome::Recovered,
                SessionOutcome::Escalated,
                SessionOutcome::Interrupted,
            ]),
            duration_seconds: random.below(10_000_000) as f64 / 1000.0,
            flaky: random.chance(20),
            ..SessionFinished::default()
        }),
    }
}

/// What `stores` say of each session is the same.
fn assert_same(stores: &Stores) {
    let sessions = stores.same("the list of sessions", |store| store.sessions().unwrap());
    assert_eq!(sessions.len() as u64, SESSIONS);
    let now = SystemTime::UNIX_EPOCH;
    for format in [ExportFormat::Json, ExportFormat::Csv, ExportFormat::Jsonl] {
        let options = ExportOptions {
            format,
            ..ExportOptions::default()
        };
        stores.same(&format!("{format:?} of all"), |store| {
            let mut out = Vec::new();
            let summary = export_all(store, &options, now, &mut out).unwrap();
            assert_eq!(summary.entries, ATTEMPTS);
            out
        });
        stores.same(&format!("{format:?} of one"), |store| {
            let mut out = Vec::new();
            export_session(store, "session 7", &options, now, &mut out).unwrap();
            out
        });
    }
    for session in &sessions {
        let id = &session.session_id;
        stores.same(id, |store| trail(store, id));
        stores.same(id, |store| store.statistics(id).unwrap());
        stores.same(id, |store| store.highest_attempt_number(id).unwrap());
    }
}

#[test]
fn answers_are_the_same_to_the_byte() {
    let stores = Stores::new();
    fill(&stores.stores.each_ref().map(|store| &**store));
    assert_same(&stores);
    for query in queries() {
        stores.same(&format!("{query:?}"), |store| {
            store.aggregate(&query).unwrap()
        });
    }
}

#[test]
fn a_number_that_is_given_stands_in_what_no_column_can_hold() {
    let stores = Stores::new();
    let mut new = entry("s", 1);
    // More milliseconds than a column of whole numbers holds.
    new.entry.duration_seconds = 1.0e17;
    new.number_by_store = true;
    for store in &stores.stores {
        store.append(vec![new.clone(), new.clone()]).unwrap();
    }
    let trail = stores.same("the trail", |store| trail(store, "s"));
    let second = String::from_utf8(trail[1].clone()).unwrap();
    assert!(second.contains("\"attempt_number\":2,"), "{second}");
}

#[test]
fn what_is_copied_from_one_to_the_next_arrives_whole_and_once() {
    let all = Stores::new();
    let [files, sqlite, postgres] = all.stores.each_ref().map(|store| &**store);
    fill(&[files]);
    let later = r#"{"v":1,"at":"2026-01-02T03:04:05.000Z","session_id":"session 3","event":"blessed","by":["\u00e4",1.50]}"#;
    let later = JournalLine::taken_over(later.as_bytes()).unwrap();
    assert_eq!(files.importer().unwrap().records(&[later]).unwrap(), 1);
    for (from, to) in [(files, sqlite), (sqlite, postgres)] {
        for expected in [ATTEMPTS, 0] {
            let report = transfer::copy(from, to, &mut |_| {}).unwrap();
            assert_eq!(
                (report.entries.read, report.entries.added),
                (ATTEMPTS, expected)
            );
            assert_eq!((report.damage, report.different), (Vec::new(), Vec::new()));
        }
    }
    assert_same(&all);
    // And back: what arrives is what was there in the beginning.
    let again = Stores::new();
    let back = &*again.stores[0];
    transfer::copy(postgres, back, &mut |_| {}).unwrap();
    for session in files.sessions().unwrap() {
        let id = &session.session_id;
        assert!(trail(files, id) == trail(back, id), "{id}");
    }
    assert_eq!(files.sessions().unwrap(), back.sessions().unwrap());
    let records = records(files);
    assert!(records == self::records(back), "every record to the byte");
    assert!(
        records
            .last()
            .unwrap()
            .ends_with(r#""by":["\u00e4",1.50]}"#)
    );
}

/// The journal, as text.
fn records(store: &dyn AuditStore) -> Vec<String> {
    let mut all = Vec::new();
    let mut visit = |raw: &[u8]| {
        all.push(String::from_utf8(raw.to_vec()).unwrap());
        Ok(())
    };
    assert_eq!(store.read_records_raw(None, &mut visit).unwrap(), []);
    all
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
