//! What cannot be brought about from outside: a full disk, connections that break.

use auto_recovery::ErrorKind;
use auto_recovery::audit::{Removal, Removed};
use auto_recovery::testing::ScriptedHost;
use auto_recovery::testing::store_contract::{assert_exact, entry, read};

use super::*;
use crate::group::lock;

fn store(path: &Path) -> SqliteStore {
    let host = Arc::new(ScriptedHost::new());
    SqliteStore::open(path, SqliteOptions::default(), host).unwrap()
}

/// Has the store's writer find no more room than the database has pages, or as much as it likes.
fn limit_pages(store: &SqliteStore, pages: u32) {
    let writer = lock(&store.database.writer);
    let link = writer.as_ref().unwrap();
    link.connection
        .pragma_update_and_check(None, "max_page_count", pages, |_| Ok(()))
        .unwrap();
}

#[test]
fn a_full_disk_refuses_all_of_a_call_and_the_store_goes_on_when_there_is_room() {
    let dir = tempfile::tempdir().unwrap();
    let store = store(&dir.path().join("trails.db"));
    store.append(vec![entry("s", 1)]).unwrap();
    limit_pages(&store, 1);
    let many = (2..500).map(|number| entry("s", number)).collect();
    let error = store.append(many).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NoSpace, "{}", error.chain());
    assert!(error.to_string().contains("make room"), "{error}");
    assert_eq!(read(&store, "s").len(), 1);
    assert_exact(&store, "s");
    limit_pages(&store, u32::MAX);
    store.append(vec![entry("s", 2)]).unwrap();
    assert_eq!(read(&store, "s").len(), 2);
    assert_exact(&store, "s");
}

#[test]
fn a_full_disk_fails_everybody_who_shared_the_commit() {
    let dir = tempfile::tempdir().unwrap();
    let store = store(&dir.path().join("trails.db"));
    store.append(vec![entry("s", 0)]).unwrap();
    limit_pages(&store, 1);
    let failures = std::thread::scope(|scope| {
        let writers: Vec<_> = (0..16)
            .map(|thread| {
                let many = (0..200)
                    .map(move |n| entry("s", 1000 * thread + n))
                    .collect();
                scope.spawn(|| store.append(many).unwrap_err().kind())
            })
            .collect();
        let joined = writers.into_iter().map(|writer| writer.join().unwrap());
        joined.collect::<Vec<_>>()
    });
    assert_eq!(failures, [ErrorKind::NoSpace; 16]);
    assert_eq!(read(&store, "s").len(), 1);
}

#[test]
fn a_database_that_cannot_be_written_says_so_and_is_read() {
    let dir = tempfile::tempdir().unwrap();
    let store = store(&dir.path().join("trails.db"));
    store.append(vec![entry("s", 1)]).unwrap();
    lock(&store.database.writer)
        .as_ref()
        .unwrap()
        .connection
        .pragma_update(None, "query_only", true)
        .unwrap();
    let error = store.append(vec![entry("s", 2)]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Io);
    assert!(error.to_string().contains("cannot be written"), "{error}");
    assert_eq!(read(&store, "s").len(), 1);
}

#[test]
fn who_waits_for_too_long_is_told_that_others_write() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("trails.db");
    let store = store(&path);
    store.append(vec![entry("s", 1)]).unwrap();
    lock(&store.database.writer)
        .as_ref()
        .unwrap()
        .connection
        .busy_timeout(std::time::Duration::ZERO)
        .unwrap();
    let other = rusqlite::Connection::open(&path).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let error = store.append(vec![entry("s", 2)]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Busy);
    assert!(error.is_retryable());
    assert_eq!(read(&store, "s").len(), 1, "reading waits for nobody");
    other.execute_batch("ROLLBACK").unwrap();
    store.append(vec![entry("s", 2)]).unwrap();
    let removed = store.remove("s", &Removal::Cleared).unwrap();
    assert_eq!(removed, Removed::Gone { entries: 2 });
}
