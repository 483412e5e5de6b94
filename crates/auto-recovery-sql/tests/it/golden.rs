//! A store of each kind of file as an earlier release left it, `tests/data/golden`: it is read as
//! it was meant, and the same events still give the same bytes.
//!
//! A deliberate change of a format keeps these, and adds those of the new one.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use auto_recovery::RecoveryAuditEntry;
use auto_recovery::audit::{AuditStore, Durability, JournalEvent, NewEntry, Recorder};
use auto_recovery::jsonl::{JsonlOptions, JsonlStore};
use auto_recovery::statistics::{AggregateQuery, Dimension};
use auto_recovery::testing::ScriptedHost;
use auto_recovery_sql::{SqliteOptions, SqliteStore};
use rusqlite::Connection;
use serde_json::{Value, json};

use crate::support::trail;

/// The events, in order, a second apart: each with its session. An event of the journal has
/// `event`, an entry `entry_id`; one without a number is numbered by the store.
const EVENTS: &str = include_str!("../data/golden/events.jsonl");

/// An entry in the original's layout, which is taken over at the end.
const TAKEN_OVER: &str = include_str!("../data/golden/taken_over.json");

/// The expected contents.
const READ: &str = include_str!("../data/golden/read.json");

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/data/golden")
        .join(name)
}

/// The store of files in `dir`, and the one in the database in it.
fn stores(dir: &Path, host: &Arc<ScriptedHost>) -> (JsonlStore, SqliteStore) {
    let durability = Durability::Flush;
    let recorder = Recorder::new(host.clone());
    let options = JsonlOptions {
        durability,
        ..JsonlOptions::default()
    };
    let files = JsonlStore::open(&dir.join("trails"), options, recorder.clone()).unwrap();
    let options = SqliteOptions { durability };
    let sqlite = SqliteStore::open(&dir.join("trails.db"), options, recorder).unwrap();
    (files, sqlite)
}

/// Has all happen in `store`.
fn fill(store: &dyn AuditStore, host: &ScriptedHost) {
    for line in EVENTS.lines() {
        let (session_id, what): (String, Value) = serde_json::from_str(line).unwrap();
        match what.get("event") {
            Some(_) => {
                let event: JournalEvent = serde_json::from_value(what).unwrap();
                store.record(Some(&session_id), event).unwrap();
            }
            None => {
                let entry: RecoveryAuditEntry = serde_json::from_value(what).unwrap();
                let number_by_store = entry.attempt_number == 0;
                let new = NewEntry {
                    entry,
                    number_by_store,
                };
                store.append(vec![new]).unwrap();
            }
        }
        host.advance(Duration::from_secs(1));
    }
    let mut importer = store.importer().unwrap();
    let raw = TAKEN_OVER.trim_end().as_bytes().to_vec();
    assert_eq!(importer.entries("original", &[raw]).unwrap(), 1);
}

/// All answers of `store` to its readers.
fn told(store: &dyn AuditStore) -> Value {
    let mut records = Vec::new();
    let mut visit = |record| {
        records.push(serde_json::to_string(&record).unwrap());
        Ok(())
    };
    assert_eq!(store.read_journal(None, &mut visit).unwrap(), []);
    let mut sessions = BTreeMap::new();
    for session in store.sessions().unwrap() {
        let id = session.session_id.as_str();
        let entries = trail(store, id);
        let text = |raw: &Vec<u8>| String::from_utf8(raw.clone()).unwrap();
        let digest = store.digest(id).unwrap().0;
        let told = json!({
            "entries": entries.iter().map(text).collect::<Vec<_>>(),
            "sha256": digest.sha256,
            "highest_attempt_number": store.highest_attempt_number(id).unwrap(),
            "held": store.held(id).unwrap().is_some(),
            "workspace": session.workspace,
            "bytes": session.bytes,
            "statistics": store.statistics(id).unwrap(),
            "session": session,
        });
        sessions.insert(session.session_id.clone(), told);
    }
    let sums = |by: Vec<Dimension>| {
        let query = AggregateQuery {
            by,
            ..AggregateQuery::default()
        };
        let aggregates = store.aggregate(&query).unwrap();
        let groups = aggregates.groups.into_iter();
        let groups: Vec<_> = groups.map(|one| json!([one.key, one.statistics])).collect();
        json!([aggregates.total, groups])
    };
    let by = [Dimension::Strategy, Dimension::Category, Dimension::Day];
    json!({
        "records": records,
        "sessions": sessions,
        "sums": sums(Vec::new()),
        "sums_by": sums(by.to_vec()),
    })
}

/// The files of the store of files, and the rows of every table of the database.
fn kept(dir: &Path) -> (BTreeMap<String, Vec<u8>>, BTreeMap<String, Vec<String>>) {
    let files = fs::read_dir(dir.join("trails")).unwrap();
    let files = files.map(|file| file.unwrap().path());
    let files = files.filter(|path| path.extension().is_some_and(|name| name == "jsonl"));
    let name = |path: &PathBuf| path.file_name().unwrap().to_str().unwrap().to_owned();
    let files = files.map(|path| (name(&path), fs::read(&path).unwrap()));
    let database = Connection::open(dir.join("trails.db")).unwrap();
    let list = "SELECT name, coalesce(sql, '') FROM sqlite_schema ORDER BY name";
    let mut schema = Vec::new();
    let mut rows_of = BTreeMap::new();
    for (name, sql) in rows(&database, list) {
        if sql.starts_with("CREATE TABLE") {
            let all = format!("SELECT '', * FROM \"{name}\"");
            let mut all: Vec<String> = rows(&database, &all).into_iter().map(|row| row.1).collect();
            all.sort();
            rows_of.insert(name.clone(), all);
        }
        schema.push(format!("{name}: {sql}"));
    }
    rows_of.insert("the schema".to_owned(), schema);
    (files.collect(), rows_of)
}

/// The first column of each row that `sql` gives, and what the others hold.
fn rows(database: &Connection, sql: &str) -> Vec<(String, String)> {
    let mut select = database.prepare(sql).unwrap();
    let count = select.column_count();
    let mut rows = select.query([]).unwrap();
    let mut all = Vec::new();
    while let Some(row) = rows.next().unwrap() {
        let rest: Vec<String> = (1..count)
            .map(|index| match row.get::<_, String>(index) {
                Ok(text) => text,
                Err(_) => format!("{:?}", row.get_ref(index).unwrap()),
            })
            .collect();
        all.push((row.get(0).unwrap(), rest.join("|")));
    }
    all
}

/// A copy of the files of the earlier release: opening a store may write beside them.
fn copy_of_golden(dir: &Path) {
    fs::create_dir(dir.join("trails")).unwrap();
    for file in fs::read_dir(golden("trails")).unwrap() {
        let file = file.unwrap();
        fs::copy(file.path(), dir.join("trails").join(file.file_name())).unwrap();
    }
    fs::copy(golden("trails.db"), dir.join("trails.db")).unwrap();
}

#[test]
fn what_an_earlier_release_wrote_is_read_as_it_was_meant() {
    let dir = tempfile::tempdir().unwrap();
    copy_of_golden(dir.path());
    let (files, sqlite) = stores(dir.path(), &Arc::new(ScriptedHost::new()));
    let expected: Value = serde_json::from_str(READ).unwrap();
    for store in [&files as &dyn AuditStore, &sqlite] {
        // As text, for numbers are read from text less exactly than they are written.
        let told: Value = serde_json::from_str(&told(store).to_string()).unwrap();
        for (part, expected) in expected.as_object().unwrap() {
            assert_eq!(told[part], *expected, "{part} of {}", store.url());
        }
    }
}

#[test]
fn the_same_events_are_written_as_by_an_earlier_release() {
    let (old, new) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    copy_of_golden(old.path());
    let host = Arc::new(ScriptedHost::new());
    // Brings its tables to the format of this release.
    drop(stores(old.path(), &host));
    fill(&stores(new.path(), &host).0, &host);
    let host = Arc::new(ScriptedHost::new());
    fill(&stores(new.path(), &host).1, &host);
    let (old_files, old_rows) = kept(old.path());
    let (new_files, new_rows) = kept(new.path());
    assert_eq!(
        old_files.keys().collect::<Vec<_>>(),
        new_files.keys().collect::<Vec<_>>()
    );
    for (name, old) in old_files {
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        assert_eq!(text(&new_files[&name]), text(&old), "{name}");
    }
    assert_eq!(
        old_rows.keys().collect::<Vec<_>>(),
        new_rows.keys().collect::<Vec<_>>()
    );
    for (table, old) in old_rows {
        assert_eq!(new_rows[&table], old, "{table}");
    }
}
