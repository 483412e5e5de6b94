//! Several processes write to one store, and some are killed: what was acknowledged is there.

use std::sync::Arc;

use auto_recovery::testing::store_processes;

use crate::audit_support::store;

const WRITER: &str = "audit_processes::writer";

/// No test, but what the processes run.
#[test]
fn writer() {
    if let Some((numbers, dir)) = store_processes::orders() {
        store_processes::write(&store(&dir), numbers);
    }
}

#[test]
fn processes_share_a_trail_without_losing_or_mixing_anything() {
    let dir = tempfile::tempdir().unwrap();
    store_processes::share(WRITER, dir.path(), &|| Arc::new(store(dir.path())));
}

#[test]
fn killed_writers_lose_nothing_they_acknowledged() {
    let dir = tempfile::tempdir().unwrap();
    store_processes::kill(WRITER, dir.path(), &|| Arc::new(store(dir.path())));
}
