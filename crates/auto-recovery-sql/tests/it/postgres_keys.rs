//! Keys of encrypted sessions in PostgreSQL: as in a store of files, whoever makes them, and with
//! the rights of each role.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::thread;

use auto_recovery::ErrorKind;
use auto_recovery::audit::encrypting::KeyFile;
use auto_recovery::audit::{AuditStore, Durability, JournalEvent, Recorder, SessionStarted};
use auto_recovery::host::SystemHost;
use auto_recovery_sql::{PostgresOptions, PostgresStore};

use crate::encrypted::{
    SECRET, append, assert_copies_take_keys, assert_replaced_all_or_none, files, opened, recorder,
    says_that_a_key_went, texts,
};
use crate::postgres_access::make_roles;
use crate::postgres_server::{Database, shared};
use crate::seal_mutants::{found, live, seal};

fn open_at(url: &str, recorder: Arc<Recorder>) -> Arc<dyn AuditStore> {
    let options = PostgresOptions {
        durability: Durability::Flush,
        ..PostgresOptions::default()
    };
    Arc::new(PostgresStore::open(url, options, recorder).unwrap())
}

/// The store of a process that encrypts.
fn open(database: &Database) -> Arc<dyn AuditStore> {
    open_at(&database.url, recorder())
}

fn start(store: &dyn AuditStore, session: &str) {
    let started = SessionStarted {
        command: Some(vec![SECRET.to_owned()]),
        ..SessionStarted::default()
    };
    let event = JournalEvent::SessionStarted(started);
    store.record(Some(session), event).unwrap();
}

/// Every row of every table, as text.
fn rows(database: &Database) -> String {
    let tables = "SELECT format('%I.%I', schemaname, tablename) FROM pg_tables \
         WHERE schemaname = 'auto_recovery'";
    let mut rows = String::new();
    for table in database.ask(tables).lines() {
        rows += &database.ask(&format!("SELECT t::text FROM {table} AS t"));
    }
    rows
}

fn has_secret(database: &Database) -> bool {
    let hex: String = SECRET.bytes().map(|byte| format!("{byte:02x}")).collect();
    let rows = rows(database);
    rows.contains(SECRET) || rows.contains(&hex)
}

#[test]
fn texts_are_in_no_row_and_open_with_the_identity() {
    let database = shared().database();
    let store = open(&database);
    start(&*store, "s");
    append(&*store, "s");
    append(&*open(&database), "s");
    assert!(!has_secret(&database));
    assert_eq!(texts(&store, "s"), [SECRET, SECRET]);
    let mut commands = Vec::new();
    let read = opened(&store).read_journal(Some("s"), &mut |record| {
        if let JournalEvent::SessionStarted(started) = record.event {
            commands.extend(started.command);
        }
        Ok(())
    });
    assert_eq!(read.unwrap(), []);
    assert_eq!(commands, [[SECRET]]);
    assert_eq!(store.statistics("s").unwrap().total_attempts, 2);
    assert_eq!(files(&*store, "s").len(), 2);
    let keys = store.keys().unwrap().unwrap();
    assert_eq!(keys.key_sessions().unwrap(), ["s"]);
    let place = keys.keys_place();
    assert!(
        place.contains(&database.name) && !place.contains("secret"),
        "{place}"
    );
    // Who encrypts nothing is found by the same search.
    let plain = Recorder::new(Arc::new(SystemHost::new()));
    append(&*open_at(&database.url, plain), "plain");
    assert!(has_secret(&database));
}

#[test]
fn keys_go_with_their_session_and_the_journal_says_so() {
    let database = shared().database();
    let store = open(&database);
    for session in ["s", "t"] {
        append(&*store, session);
    }
    assert_eq!(store.clear("s").unwrap(), Some(1));
    assert!(says_that_a_key_went(&*store, "s"));
    let keys = store.keys().unwrap().unwrap();
    assert_eq!(keys.key_sessions().unwrap(), ["t"]);
    // What is recorded of it from now on has another.
    append(&*store, "s");
    assert_eq!(texts(&store, "s"), [SECRET]);
    assert_eq!(keys.destroy_keys("t").unwrap(), 1);
    assert_eq!(keys.destroy_keys("t").unwrap(), 0);
    assert_eq!(keys.key_stamp("t", 1).unwrap(), None);
    append(&*store, "t");
    assert_eq!(files(&*store, "t").len(), 1);
    assert_eq!(
        database.ask("SELECT count(*) FROM auto_recovery.session_key"),
        "2"
    );
}

#[test]
fn keys_are_replaced_all_or_none() {
    let database = shared().database();
    let store = open(&database);
    for session in ["s", "t"] {
        append(&*store, session);
    }
    let other = open(&database);
    let stamp = |store: &dyn AuditStore| {
        let keys = store.keys().unwrap().unwrap();
        keys.key_stamp("s", 1).unwrap()
    };
    let before = stamp(&*other);
    assert_replaced_all_or_none(&*other);
    assert_ne!(stamp(&*other), before);
}

#[test]
fn copies_take_the_keys_along_both_ways() {
    let (database, back) = (shared().database(), shared().database());
    let store = open(&database);
    append(&*store, "s");
    assert_copies_take_keys(&*store, &open(&back));
}

#[test]
fn many_at_once_never_get_the_same_number() {
    let database = shared().database();
    open(&database).sessions().unwrap();
    let added: Vec<u64> = thread::scope(|scope| {
        let threads: Vec<_> = (0..6_u8)
            .map(|who| {
                let database = &database;
                scope.spawn(move || {
                    let store = open(database);
                    let keys = store.keys().unwrap().unwrap();
                    let add = |number: u8| keys.add_key("s", "", &[who, number]).unwrap();
                    (0..5).map(add).collect::<Vec<_>>()
                })
            })
            .collect();
        let joined = threads.into_iter().map(|thread| thread.join().unwrap());
        joined.flatten().collect()
    });
    assert_eq!(added.len(), 30);
    assert_eq!(BTreeSet::from_iter(added), BTreeSet::from_iter(1..=30));
    // Whoever lost the answer adds the same once more, and it is there once.
    let store = open(&database);
    let number = store.keys().unwrap().unwrap().add_key("s", "", &[3, 3]);
    assert!(number.unwrap() <= 30);
    assert_eq!(files(&*store, "s").len(), 30);
}

#[test]
fn an_encrypted_store_is_proved_without_a_key() {
    let database = shared().database();
    let store = open(&database);
    let state = tempfile::tempdir().unwrap();
    live(&store, state.path());
    append(&*store, "s");
    assert_eq!(store.clear("s").unwrap(), Some(1));
    seal(&store, state.path());
    let plain = open_at(&database.url, Recorder::new(Arc::new(SystemHost::new())));
    assert_eq!(found(&*plain, state.path()), []);
    assert!(rows(&database).contains("enc:1:"));
}

#[test]
fn a_store_that_is_closed_leaves_nothing_open() {
    let database = shared().database();
    let recorder = recorder();
    let last = Arc::downgrade(&recorder);
    let store = open_at(&database.url, recorder);
    append(&*store, "s");
    drop(store);
    assert!(last.upgrade().is_none());
}

#[test]
fn each_role_does_with_keys_what_it_is_for() {
    let database = shared().database();
    append(&*open(&database), "s");
    make_roles(&database);
    let of = |role: &str| {
        let user = format!("{role}_of_{}", database.name);
        database.ask(&format!(
            "CREATE USER {user} PASSWORD 'the secret'; GRANT recover_{role} TO {user}"
        ));
        open_at(
            &database.url.replace("//postgres:", &format!("//{user}:")),
            recorder(),
        )
    };
    let (reader, writer, keeper) = (of("reader"), of("writer"), of("keeper"));
    append(&*writer, "s");
    assert_eq!(texts(&reader, "s"), [SECRET, SECRET]);
    let replaced = |number| {
        let file = b"new".to_vec();
        [("s".to_owned(), KeyFile { number, file })]
    };
    for store in [&reader, &writer] {
        let keys = store.keys().unwrap().unwrap();
        for refused in [
            keys.destroy_keys("s").map(drop).unwrap_err(),
            keys.replace_keys(&replaced(1)).unwrap_err(),
        ] {
            assert_eq!(refused.kind(), ErrorKind::Refused, "{}", refused.chain());
        }
    }
    let refused = reader.keys().unwrap().unwrap().add_key("s", "", b"mine");
    assert_eq!(refused.unwrap_err().kind(), ErrorKind::Refused);
    let keys = keeper.keys().unwrap().unwrap();
    keys.replace_keys(&replaced(1)).unwrap();
    assert_eq!(files(&*reader, "s")[0], b"new");
    assert_eq!(keys.destroy_keys("s").unwrap(), 2);
}
