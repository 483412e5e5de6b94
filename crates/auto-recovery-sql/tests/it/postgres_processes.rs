//! Many processes write to one database; some are killed, and the server is: what was acknowledged
//! is there.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use auto_recovery::ErrorKind;
use auto_recovery::audit::{AuditStore, NewEntry, Recorder};
use auto_recovery::host::SystemHost;
use auto_recovery::testing::store_contract::{assert_exact, entry};
use auto_recovery::testing::store_processes;
use auto_recovery_sql::{PostgresOptions, PostgresStore};

use crate::postgres_server::{Database, Server, shared};
use crate::support::trail;

const WRITER: &str = "postgres_processes::writer";

fn store(dir: &Path) -> PostgresStore {
    let url = fs::read_to_string(dir.join("url")).unwrap();
    PostgresStore::open(
        &url,
        PostgresOptions::default(),
        Recorder::new(Arc::new(SystemHost::new())),
    )
    .unwrap()
}

/// A directory that tells processes the database.
fn directory(database: &Database) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("url"), &database.url).unwrap();
    dir
}

/// No test, but what the processes run.
#[test]
fn writer() {
    if let Some((numbers, dir)) = store_processes::orders() {
        store_processes::write(&store(&dir), numbers);
    }
}

#[test]
fn processes_share_a_database_from_its_very_first_write() {
    let database = shared().database();
    let dir = directory(&database);
    store_processes::share(WRITER, dir.path(), &|| Arc::new(store(dir.path())));
    assert_whole(&|sql| database.ask(sql));
}

#[test]
fn killed_writers_lose_nothing_they_acknowledged() {
    let database = shared().database();
    let dir = directory(&database);
    store_processes::kill(WRITER, dir.path(), &|| Arc::new(store(dir.path())));
    assert_whole(&|sql| database.ask(sql));
}

#[test]
fn a_killed_server_loses_and_doubles_nothing() {
    const THREADS: u64 = 4;
    const KILLS: usize = 4;
    let server = Server::start(true, &[]);
    let database = server.own_database();
    let spool = tempfile::tempdir().unwrap();
    let options = PostgresOptions {
        spool: Some(spool.path().to_owned()),
        ..PostgresOptions::default()
    };
    let store = database.open(options);
    let is_over = AtomicBool::new(false);
    let acknowledged: Vec<Vec<String>> = thread::scope(|scope| {
        let writers: Vec<_> = (0..THREADS)
            .map(|thread| {
                let (store, is_over) = (&store, &is_over);
                scope.spawn(move || {
                    let mut ids = Vec::new();
                    while !is_over.load(Ordering::Relaxed) {
                        let mut new = entry("shared", thread * 1_000_000 + ids.len() as u64);
                        new.number_by_store = true;
                        ids.push(store.append(vec![new]).unwrap().remove(0).entry_id);
                    }
                    ids
                })
            })
            .collect();
        for kill in 1..=KILLS as u64 {
            let count = || {
                server
                    .psql(&database.name, "SELECT count(*) FROM auto_recovery.entries")
                    .stdout
            };
            // So that every life of the server has writes to lose.
            let before = count();
            while count().len() < 3 || count() == before {}
            server.kill();
            assert!(kill > 0);
            server.run();
        }
        is_over.store(true, Ordering::Relaxed);
        writers
            .into_iter()
            .map(|writer| writer.join().unwrap())
            .collect()
    });
    store.deliver().unwrap();
    let all: Vec<&String> = acknowledged.iter().flatten().collect();
    let counted = server.ask(
        &database.name,
        "SELECT count(*), count(DISTINCT entry_id) FROM auto_recovery.entries",
    );
    assert_eq!(counted, format!("{0}|{0}", all.len()));
    assert_eq!(trail(&store, "shared").len(), all.len());
    assert_exact(&store, "shared");
    assert_whole(&|sql| server.ask(&database.name, sql));
}

#[test]
fn callers_who_write_together_do_not_share_mistakes() {
    const THREADS: u64 = 8;
    const EACH: u64 = 30;
    let database = shared().database();
    let store = database.open(PostgresOptions::default());
    store.append(vec![entry("full", u64::MAX)]).unwrap();
    let numbered = |session_id: &str, number| NewEntry {
        number_by_store: true,
        ..entry(session_id, number)
    };
    thread::scope(|scope| {
        for thread in 0..THREADS {
            let store = &store;
            scope.spawn(move || {
                for index in 0..EACH {
                    let own = format!("own{thread}");
                    store.append(vec![numbered(&own, index)]).unwrap();
                    let error = store.append(vec![numbered("full", index)]).unwrap_err();
                    assert_eq!(error.kind(), ErrorKind::InvalidInput, "{error}");
                }
            });
        }
    });
    let entries = database.ask("SELECT count(*) FROM auto_recovery.entries");
    assert_eq!(entries, (1 + THREADS * EACH).to_string());
}

/// Asserts that the sums that are kept are those of the entries.
fn assert_whole(ask: &dyn Fn(&str) -> String) {
    let kept = "SELECT sum(entries), sum(successful), sum(bytes) FROM auto_recovery.stored_session";
    let counted = "SELECT count(*), count(*) FILTER (WHERE success), sum(bytes) FROM auto_recovery.stored_entry";
    assert_eq!(ask(kept), ask(counted));
    let gaps = "SELECT count(*) FROM auto_recovery.stored_session AS s WHERE entries <> \
        (SELECT coalesce(max(place), 0) FROM auto_recovery.stored_entry WHERE session = s.id)";
    assert_eq!(ask(gaps), "0");
}
