//! Seals of PostgreSQL stores: what is changed by hand is found, as what it is; many machines have
//! a chain each.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::thread;

use auto_recovery::audit::sealing::{Keys, VerifyRequest, verify};
use auto_recovery::audit::{AuditStore, Durability, Recorder};
use auto_recovery::host::SystemHost;
use auto_recovery::integrity::FindingKind::{
    self, BadSignature, BrokenChain, ChangedEntries, ChangedRecords, DerivedDiffers,
    MissingEntries, MissingTrail, RolledBack,
};
use auto_recovery::integrity::Verdict;
use auto_recovery::testing::store_contract::entry;
use auto_recovery::testing::store_processes::orders;
use auto_recovery_sql::{PostgresOptions, PostgresStore};

use crate::postgres_server::{Database, shared};
use crate::seal_mutants::{found, live, seal};

/// The id of the row of a session.
macro_rules! of {
    ($session:literal) => {
        concat!(
            "(SELECT id FROM auto_recovery.stored_session WHERE session_id = '",
            $session,
            "')"
        )
    };
}

/// Changes one entry: `$what` of the one that stands at `$place` of a trail.
macro_rules! entry {
    ($what:literal, $session:literal, $place:literal) => {
        concat!(
            "UPDATE auto_recovery.stored_entry SET ",
            $what,
            " WHERE session = ",
            of!($session),
            " AND place = ",
            $place
        )
    };
}

/// What somebody does to the database, and what that is found as.
#[rustfmt::skip]
const MUTANTS: &[(&str, &[FindingKind])] = &[
    (entry!("error_message = 'other'", "a", 5), &[ChangedEntries]),
    (entry!("success = NOT success", "a", 5), &[ChangedEntries]),
    (entry!("raw = replace(raw, 'failed', 'passed')", "c", 5), &[ChangedEntries]),
    (concat!("DELETE FROM auto_recovery.stored_entry WHERE place = 3 AND session = ", of!("b")), &[ChangedEntries]),
    (concat!("DELETE FROM auto_recovery.stored_entry WHERE place > 9 AND session = ", of!("b")), &[MissingEntries]),
    (concat!("UPDATE auto_recovery.stored_entry SET place = -place WHERE place IN (2, 7) AND session = ",
        of!("a"), "; UPDATE auto_recovery.stored_entry SET place = 9 + place WHERE place < 0"), &[ChangedEntries]),
    ("DELETE FROM auto_recovery.stored_session WHERE session_id = 'a'", &[MissingTrail]),
    ("UPDATE auto_recovery.journal SET record = replace(record::text, 'make', 'fake')::json WHERE id = 1",
        &[ChangedRecords, DerivedDiffers]),
    ("DELETE FROM auto_recovery.journal WHERE event = 'trail_sealed' AND session_id = 'a'", &[ChangedRecords]),
    ("DELETE FROM auto_recovery.journal WHERE event = 'session_cleared'", &[ChangedRecords, MissingTrail]),
    ("UPDATE auto_recovery.journal_leaf SET leaf = -leaf WHERE leaf IN (3, 6); \
      UPDATE auto_recovery.journal_leaf SET leaf = 9 + leaf WHERE leaf < 0", &[ChangedRecords]),
    ("DELETE FROM auto_recovery.journal_leaf WHERE leaf = 4", &[ChangedRecords]),
    ("DELETE FROM auto_recovery.seal", &[RolledBack]),
    ("DELETE FROM auto_recovery.seal WHERE number = 2", &[RolledBack]),
    ("DELETE FROM auto_recovery.seal WHERE number = 1", &[BrokenChain, RolledBack]),
    ("UPDATE auto_recovery.seal SET note = replace(note, 'seal 1', 'seal 7') WHERE number = 1",
        &[BadSignature, BrokenChain, RolledBack]),
    // What the leaves do not hold.
    (entry!("at_us = 7", "a", 5), &[DerivedDiffers]),
    (entry!("duration_bucket = 7", "a", 5), &[DerivedDiffers]),
    (entry!("strategy = 'other'", "c", 5), &[DerivedDiffers]),
    ("UPDATE auto_recovery.stored_session SET outcome = 'escalated' WHERE session_id = 'b'", &[DerivedDiffers]),
    ("UPDATE auto_recovery.stored_session SET successful = 7 WHERE session_id = 'b'", &[DerivedDiffers]),
    ("UPDATE auto_recovery.stored_session SET command = '{fake}' WHERE session_id = 'b'", &[DerivedDiffers]),
    ("UPDATE auto_recovery.stored_session SET facts = replace(facts, 'make', 'fake')", &[DerivedDiffers]),
    ("UPDATE auto_recovery.journal SET session_id = 'b' WHERE id = 1", &[DerivedDiffers]),
    ("UPDATE auto_recovery.journal SET event = 'session_held' WHERE id = 1", &[DerivedDiffers]),
    // What is not sealed is not protected.
    (entry!("error_message = 'it passed'", "a", 13), &[]),
];

fn opened(database: &Database) -> Arc<dyn AuditStore> {
    Arc::new(database.open(PostgresOptions {
        durability: Durability::Flush,
        ..PostgresOptions::default()
    }))
}

/// Copies what a machine remembers of the store at one URL, as of the store at another.
fn copy_state(from: &Path, to: &Path, names: [&str; 2]) {
    auto_recovery::files::make_private_dirs(&to.join("seal-keys")).unwrap();
    for file in fs::read_dir(from.join("seal-keys")).unwrap() {
        let file = file.unwrap();
        let bytes = fs::read(file.path()).unwrap();
        let bytes = match file.file_name() == "seen.jsonl" {
            true => {
                let [old, new] = names.map(|name| format!("/{name}\""));
                String::from_utf8(bytes).unwrap().replace(&old, &new).into()
            }
            false => bytes,
        };
        fs::write(to.join("seal-keys").join(file.file_name()), bytes).unwrap();
    }
}

#[test]
fn every_change_of_what_is_sealed_is_found_as_what_it_is() {
    let original = shared().database();
    let state = tempfile::tempdir().unwrap();
    live(&opened(&original), state.path());
    let mut wrong = Vec::new();
    for (sql, expected) in MUTANTS {
        let database = shared().copy_of(&original);
        let copied = tempfile::tempdir().unwrap();
        let names = [original.name.as_str(), database.name.as_str()];
        copy_state(state.path(), copied.path(), names);
        database.ask(sql);
        let kinds = found(&*opened(&database), copied.path());
        if kinds != *expected {
            wrong.push(format!("{kinds:?}, not {expected:?}: {sql}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn each_machine_has_a_chain_of_its_own() {
    let database = shared().database();
    let states = [(); 3].map(|()| tempfile::tempdir().unwrap());
    // All begin at once: some give the store an origin that others do not know yet.
    thread::scope(|scope| {
        for (machine, state) in states.iter().enumerate() {
            let database = &database;
            scope.spawn(move || {
                let store = opened(database);
                for number in 0..8 {
                    let session = format!("s{}", (machine as u64 + number) % 2);
                    store.append(vec![entry(&session, number)]).unwrap();
                    seal(&store, state.path());
                    assert_eq!(found(&*store, state.path()), []);
                }
            });
        }
    });
    let store = opened(&database);
    for state in &states {
        seal(&store, state.path());
        let request = VerifyRequest {
            keys: Some(Keys::in_state(state.path())),
            ..VerifyRequest::default()
        };
        let found = verify(&*store, &request).unwrap();
        assert_eq!((found.verdict, found.findings), (Verdict::Proved, vec![]));
        assert_eq!(found.chains.len(), 3);
        let own = found.chains.iter().filter(|one| one.vouched_by.is_some());
        assert_eq!(own.count(), 1);
    }
    // What one sealed, another finds changed too.
    database.ask("UPDATE auto_recovery.stored_entry SET error_message = 'other' WHERE place = 1");
    for state in &states {
        assert_eq!(found(&*store, state.path()), [ChangedEntries]);
    }
}

#[test]
fn a_record_that_is_committed_late_comes_behind_what_was_sealed() {
    let database = shared().database();
    let state = tempfile::tempdir().unwrap();
    let store = opened(&database);
    store.append(vec![entry("a", 1)]).unwrap();
    seal(&store, state.path());
    thread::scope(|scope| {
        // It takes its id now, and is seen later.
        let late = scope.spawn(|| {
            database.ask(
                "BEGIN; INSERT INTO auto_recovery.journal (session_id, at, event, record, hash, token) \
                 SELECT session_id, at, event, record, hash, token FROM auto_recovery.journal LIMIT 1; \
                 SELECT pg_sleep(2); COMMIT",
            )
        });
        while database.ask(
            "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep' \
             AND datname = current_database()",
        ) == "0"
        {
            thread::yield_now();
        }
        for number in 2..5 {
            store.append(vec![entry("a", number)]).unwrap();
            seal(&store, state.path());
            assert_eq!(found(&*store, state.path()), []);
        }
        assert!(!late.is_finished());
    });
    assert_eq!(found(&*store, state.path()), []);
    seal(&store, state.path());
    assert_eq!(found(&*store, state.path()), []);
    let order = "SELECT count(*) FROM auto_recovery.journal_leaf AS one \
                 JOIN auto_recovery.journal_leaf AS other ON one.leaf < other.leaf AND one.id > other.id";
    assert_ne!(
        database.ask(order),
        "0",
        "the order is another than that of the ids"
    );
}

/// What a writer does until it is killed, once it has its orders.
#[test]
fn a_writer_that_is_killed() {
    if let Some(([seed, _], dir)) = orders() {
        let url = fs::read_to_string(dir.join("url")).unwrap();
        crate::seal_crowd::write(seed, &|| at(&url), &dir.join("state"));
    }
}

fn at(url: &str) -> Arc<dyn AuditStore> {
    let recorder = Recorder::new(Arc::new(SystemHost::new()));
    Arc::new(PostgresStore::open(url, PostgresOptions::default(), recorder).unwrap())
}

#[test]
fn nothing_is_found_while_processes_write_seal_and_die() {
    let database = shared().database();
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("url"), &database.url).unwrap();
    let test = "postgres_seals::a_writer_that_is_killed";
    crate::seal_crowd::verify_meanwhile(test, dir.path(), &at(&database.url));
}
