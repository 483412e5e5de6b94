//! The database as a file: its creation, its permissions, and the files that are refused.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::thread;

use auto_recovery::ErrorKind;
use auto_recovery::audit::AuditStore;
use auto_recovery::statistics::AggregateQuery;
use auto_recovery::testing::store_contract::{assert_exact, entry, read};

use crate::sqlite_support::{database, file, number, open, store};
use crate::support::trail;

fn refusal(path: &Path) -> (ErrorKind, String) {
    let error = open(path).unwrap_err();
    (error.kind(), error.to_string())
}

#[test]
fn reading_makes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(&dir.path().join("deep/trails.db")).unwrap();
    assert!(store.sessions().unwrap().is_empty());
    assert!(read(&store, "s").is_empty());
    store.statistics("s").unwrap();
    store.aggregate(&AggregateQuery::default()).unwrap();
    store.read_journal(None, &mut |_| Ok(())).unwrap();
    assert_eq!(store.clear("s").unwrap(), None);
    assert_eq!(store.append(Vec::new()).unwrap(), []);
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
}

#[test]
fn what_it_makes_is_for_its_owner_alone() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("deep/er/trails.db");
    let store = open(&path).unwrap();
    store.append(vec![entry("s", 1)]).unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&dir.path().join("deep")), 0o700);
    assert_eq!(mode(&dir.path().join("deep/er")), 0o700);
    let beside = fs::read_dir(dir.path().join("deep/er")).unwrap();
    let made: Vec<_> = beside.map(|file| file.unwrap().path()).collect();
    assert_eq!(made.len(), 3, "{made:?}");
    for file in made {
        assert_eq!(mode(&file), 0o600, "{}", file.display());
    }
    assert_eq!(store.url(), format!("sqlite:{}", path.display()));
    drop(store);
    // Once closed everywhere, it is one file.
    assert_eq!(fs::read_dir(dir.path().join("deep/er")).unwrap().count(), 1);
}

#[test]
fn what_is_no_database_of_ours_is_refused_and_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    assert_eq!(refusal(dir.path()).0, ErrorKind::Io);
    let text = dir.path().join("text");
    fs::write(
        &text,
        "this is no database, but some text of mine\n".repeat(100),
    )
    .unwrap();
    let (kind, words) = refusal(&text);
    assert_eq!(kind, ErrorKind::Damaged);
    assert!(words.contains("is no SQLite database"), "{words}");
    let other = rusqlite::Connection::open(dir.path().join("other")).unwrap();
    other.execute_batch("CREATE TABLE mine (x)").unwrap();
    let (kind, words) = refusal(&dir.path().join("other"));
    assert_eq!(kind, ErrorKind::Refused);
    assert!(words.contains("another program's"), "{words}");
    let blocked = open(&text.join("trails.db")).unwrap_err();
    assert_eq!(blocked.kind(), ErrorKind::Io);
    assert!(fs::read_to_string(&text).unwrap().starts_with("this is"));
}

#[test]
fn an_empty_file_is_an_empty_store() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(file(dir.path()), "").unwrap();
    let store = store(dir.path());
    assert!(store.sessions().unwrap().is_empty());
    store.append(vec![entry("s", 1)]).unwrap();
    assert_eq!(read(&store, "s").len(), 1);
}

/// The migrations that made the older formats, each from the one before.
const OLDER: [&str; 5] = [
    include_str!("../../migrations/sqlite/0001_trails.sql"),
    include_str!("../../migrations/sqlite/0002_entry_ids.sql"),
    include_str!("../../migrations/sqlite/0003_trail_sums.sql"),
    include_str!("../../migrations/sqlite/0004_unsound_entries.sql"),
    include_str!("../../migrations/sqlite/0005_seals.sql"),
];

/// A trail as releases of format 1 wrote it: of its three entries, the last is not counted yet.
const TRAIL_1: &str = r#"
    PRAGMA journal_mode = WAL;
    PRAGMA application_id = 0x4155524C;
    INSERT INTO session (session_id, entries, successes, bytes, highest_number, next_place, counted,
        is_counted, first_timestamp, first_us, last_timestamp, last_us, last_succeeded, start,
        start_us, ended, ended_ms)
    VALUES ('s', 3, 1, 974, 7, 3, 2, 0, '2026-01-01T00:00:01Z', 1767225601000000,
        '2026-01-01T00:00:03Z', 1767225603000000, 1, '2026-01-01T00:00:01Z', 1767225601000000,
        'recovered', 2000);
    INSERT INTO entry
    SELECT (1 << 32) + value - 1, 1767225600000000 + value * 1000000, 'fix', 'E1', value = 3, 0, 250,
        250, iif(value = 2, 7, value), 'entry_' || value, 0, '2026-01-01T00:00:0' || value || 'Z',
        '["src/main.rs"]', '[]', 'none', 'mismatched', 'mended', NULL
    FROM json_each('[1, 2, 3]');
    INSERT INTO tally VALUES ('fix', 'E1', 250, 2, 0, 0, 0, 500);
    INSERT INTO file VALUES (1, 'src/main.rs', 2);
"#;

#[test]
fn a_database_of_an_older_format_is_brought_to_the_newest_with_all_it_has() {
    for format in 1..=OLDER.len() {
        let dir = tempfile::tempdir().unwrap();
        let old = database(dir.path());
        old.execute_batch(OLDER[0]).unwrap();
        old.execute_batch(TRAIL_1).unwrap();
        for migration in &OLDER[1..format] {
            old.execute_batch(migration).unwrap();
        }
        old.pragma_update(None, "user_version", format as i64)
            .unwrap();
        drop(old);
        let store = store(dir.path());
        assert_known(&store, 3);
        let version = "SELECT user_version FROM pragma_user_version";
        assert_eq!(number(dir.path(), version), OLDER.len() as i64 + 1);
        let mut next = entry("s", 0);
        next.number_by_store = true;
        let appended = store.append(vec![next]).unwrap();
        assert_eq!(appended[0].attempt_number, 8);
        assert_known(&store, 4);
    }
}

/// Asserts that the session's facts, and those of all sessions, are what its `entries` entries say.
fn assert_known(store: &dyn AuditStore, entries: u64) {
    assert_eq!(read(store, "s").len() as u64, entries);
    assert_exact(store, "s");
    let sessions = store.sessions().unwrap();
    let lines = trail(store, "s")
        .into_iter()
        .map(|raw| raw.len() as u64 + 1);
    assert_eq!(sessions[0].bytes, lines.sum::<u64>());
    assert_eq!(sessions[0].total_attempts, entries);
    let all = store.aggregate(&AggregateQuery::default()).unwrap().total;
    assert_eq!(all.total_attempts, entries);
    assert_eq!(all.sessions, 1);
}

#[test]
fn a_newer_format_is_refused_also_when_it_comes_later() {
    let dir = tempfile::tempdir().unwrap();
    let store = store(dir.path());
    store.append(vec![entry("s", 1)]).unwrap();
    database(dir.path())
        .pragma_update(None, "user_version", 99)
        .unwrap();
    let (kind, words) = refusal(&file(dir.path()));
    assert_eq!(kind, ErrorKind::NewerFormat);
    assert!(words.contains("has format 99"), "{words}");
    for error in [
        store.append(vec![entry("s", 2)]).unwrap_err(),
        store.sessions().unwrap_err(),
        store.clear("s").unwrap_err(),
    ] {
        assert_eq!(error.kind(), ErrorKind::NewerFormat);
    }
    assert_eq!(number(dir.path(), "SELECT count(*) FROM entry"), 1);
}

#[test]
fn a_newer_record_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let store = store(dir.path());
    store.append(vec![entry("s", 1)]).unwrap();
    database(dir.path())
        .execute_batch(
            "INSERT INTO journal (session_id, at, event, v, record, digest) \
             VALUES ('s', 'now', 'new', 2, '{\"of\": \"tomorrow\"}', 0)",
        )
        .unwrap();
    let error = store.read_journal(None, &mut |_| Ok(())).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NewerFormat);
}

#[test]
fn a_file_that_was_replaced_is_not_written_to_any_more() {
    let dir = tempfile::tempdir().unwrap();
    let store = store(dir.path());
    store.append(vec![entry("s", 1)]).unwrap();
    assert_eq!(read(&store, "s").len(), 1);
    let moved = tempfile::tempdir().unwrap();
    for name in ["trails.db", "trails.db-wal", "trails.db-shm"] {
        fs::rename(dir.path().join(name), moved.path().join(name)).unwrap();
    }
    assert!(read(&store, "s").is_empty());
    store.append(vec![entry("s", 2)]).unwrap();
    assert_eq!(read(&store, "s")[0].attempt_number, 2);
}

#[test]
fn readers_wait_for_no_writer_and_keep_none_waiting() {
    let dir = tempfile::tempdir().unwrap();
    let store = store(dir.path());
    store
        .append((0..50).map(|n| entry("s", n)).collect())
        .unwrap();
    let mut seen = 0;
    store
        .read_trail("s", &mut |_| {
            // While this trail is read, others write and read; this trail stays as it was.
            thread::scope(|scope| {
                scope.spawn(|| store.append(vec![entry("s", 99)]).unwrap());
            });
            assert!(store.statistics("s").unwrap().total_attempts > 50);
            seen += 1;
            Ok(())
        })
        .unwrap();
    assert_eq!(seen, 50);
    assert_eq!(store.statistics("s").unwrap().total_attempts, 100);
}
