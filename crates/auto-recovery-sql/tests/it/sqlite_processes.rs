//! Several processes and threads write to one database, and some are killed: what was acknowledged
//! is there.

use std::sync::Arc;
use std::thread;

use auto_recovery::audit::AuditStore;
use auto_recovery::testing::store_contract::{assert_exact, entry};
use auto_recovery::testing::store_processes;

use crate::sqlite_support::{database, number, store};

const WRITER: &str = "sqlite_processes::writer";

/// No test, but what the processes run.
#[test]
fn writer() {
    if let Some((numbers, dir)) = store_processes::orders() {
        store_processes::write(&store(&dir), numbers);
    }
}

#[test]
fn processes_share_a_database_from_its_very_first_write() {
    let dir = tempfile::tempdir().unwrap();
    store_processes::share(WRITER, dir.path(), &|| Arc::new(store(dir.path())));
    assert_whole(dir.path());
}

#[test]
fn killed_writers_lose_nothing_they_acknowledged() {
    let dir = tempfile::tempdir().unwrap();
    store_processes::kill(WRITER, dir.path(), &|| Arc::new(store(dir.path())));
    assert_whole(dir.path());
}

#[test]
fn many_threads_make_and_fill_one_database() {
    const THREADS: u64 = 32;
    const EACH: u64 = 20;
    for _ in 0..4 {
        let dir = tempfile::tempdir().unwrap();
        thread::scope(|scope| {
            for thread in 0..THREADS {
                let dir = dir.path();
                scope.spawn(move || {
                    let store = store(dir);
                    for index in 0..EACH {
                        let new = entry("shared", thread * EACH + index);
                        store.append(vec![new]).unwrap();
                    }
                });
            }
        });
        let store = store(dir.path());
        let statistics = store.statistics("shared").unwrap();
        assert_eq!(statistics.total_attempts, THREADS * EACH);
        assert_exact(&store, "shared");
        assert_whole(dir.path());
    }
}

/// Asserts that the database is sound and that the sums it keeps are those of its entries.
fn assert_whole(dir: &std::path::Path) {
    let check: String = database(dir)
        .query_row("PRAGMA integrity_check", [], |row| row.get(0))
        .unwrap();
    assert_eq!(check, "ok");
    for (sums, recount) in [
        (
            "SELECT coalesce(sum(entries), 0) FROM tally",
            "SELECT sum(counted) FROM session",
        ),
        (
            "SELECT sum(entries) FROM session_now",
            "SELECT count(*) FROM entry",
        ),
        (
            "SELECT coalesce(sum(mentions), 0) FROM file",
            "SELECT count(*) FROM session s JOIN entry e ON s.id = e.session, \
             json_each(files_modified) WHERE e.id < (s.id << 32) + s.counted",
        ),
    ] {
        assert_eq!(number(dir, sums), number(dir, recount), "{sums}");
    }
}
