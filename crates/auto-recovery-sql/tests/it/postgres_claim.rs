//! One server a database, whichever machine it is on.

use std::sync::Arc;

use auto_recovery::ErrorKind;
use auto_recovery::audit::{AuditStore, Recorder};
use auto_recovery::host::SystemHost;
use auto_recovery_sql::{PostgresOptions, PostgresStore};

use crate::postgres_server::shared;

fn open(url: &str) -> PostgresStore {
    let recorder = Recorder::new(Arc::new(SystemHost::new()));
    PostgresStore::open(url, PostgresOptions::default(), recorder).unwrap()
}

#[test]
fn a_database_has_one_server_and_another_database_its_own() {
    let (database, elsewhere) = (shared().database(), shared().database());
    let (store, other) = (open(&database.url), open(&database.url));
    let mut claim = store.claim().unwrap().unwrap();
    claim.check().unwrap();
    let refused = other.claim().err().unwrap();
    assert_eq!(refused.kind(), ErrorKind::Busy);
    let says = refused.to_string();
    assert!(says.contains("served already from 127.0.0.1"), "{says}");
    assert!(!says.contains("secret"), "{says}");
    open(&elsewhere.url)
        .claim()
        .unwrap()
        .unwrap()
        .check()
        .unwrap();
    drop(claim);
    // The server of the database takes a moment to see that the connection is gone.
    while other
        .claim()
        .is_err_and(|error| error.kind() == ErrorKind::Busy)
    {
        std::thread::yield_now();
    }
}

#[test]
fn a_claim_whose_connection_was_ended_holds_no_more() {
    let database = shared().database();
    let store = open(&database.url);
    let mut claim = store.claim().unwrap().unwrap();
    database.ask(
        "SELECT pg_terminate_backend(pid) FROM pg_locks JOIN pg_database ON oid = database \
         WHERE locktype = 'advisory' AND datname = current_database()",
    );
    let lost = claim.check().unwrap_err();
    assert_eq!(lost.kind(), ErrorKind::Unreachable);
    store.claim().unwrap().unwrap().check().unwrap();
}
