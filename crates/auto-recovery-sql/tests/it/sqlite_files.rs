//! The database as a file: who makes it, who may read it, what is refused.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::thread;

use auto_recovery::ErrorKind;
use auto_recovery::audit::AuditStore;
use auto_recovery::statistics::AggregateQuery;
use auto_recovery::testing::store_contract::{entry, read};

use crate::sqlite_support::{database, file, number, open, store};

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
    // Once nobody has it open, it is one file.
    assert_eq!(fs::read_dir(dir.path().join("deep/er")).unwrap().count(), 1);
}

#[test]
fn what_is_no_database_of_ours_is_refused_and_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    assert_eq!(refusal(dir.path()).0, ErrorKind::InvalidInput);
    let text = dir.path().join("text");
    fs::write(
        &text,
        "this is no database, but some text of mine\n".repeat(100),
    )
    .unwrap();
    let (kind, words) = refusal(&text);
    assert_eq!(kind, ErrorKind::InvalidInput);
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

/// Takes the newest format back to the one before it.
const AS_FORMAT_1: &str = "ALTER TABLE entry ADD COLUMN occurrence INTEGER NOT NULL DEFAULT 0; \
     CREATE UNIQUE INDEX entry_identity ON entry (session, entry_id, occurrence); \
     PRAGMA user_version = 1";

#[test]
fn a_database_of_an_older_format_is_brought_to_the_newest_with_all_it_has() {
    let dir = tempfile::tempdir().unwrap();
    store(dir.path()).append(vec![entry("s", 1)]).unwrap();
    let before = read(&store(dir.path()), "s");
    database(dir.path()).execute_batch(AS_FORMAT_1).unwrap();
    let store = store(dir.path());
    let version = "SELECT user_version FROM pragma_user_version";
    assert_eq!(number(dir.path(), version), 2);
    let old = "SELECT count(*) FROM sqlite_schema WHERE name = 'entry_identity'";
    assert_eq!(number(dir.path(), old), 0);
    assert_eq!(read(&store, "s"), before);
    store.append(vec![entry("t", 1)]).unwrap();
    assert_eq!(read(&store, "t").len(), 1);
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
            // In the midst of reading, others write and read on; this trail stays as it was.
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
