//! Seals of SQLite stores: what is changed by hand is found, as what it is.

use std::ffi::OsStr;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use auto_recovery::audit::sealing::newest_seal;
use auto_recovery::audit::{AuditStore, Recorder};
use auto_recovery::host::SystemHost;
use auto_recovery::integrity::FindingKind::{
    self, BadSignature, BrokenChain, ChangedEntries, ChangedRecords, DerivedDiffers,
    MissingEntries, MissingRecords, MissingTrail, ReturnedTrail, RolledBack, Unreadable,
};
use auto_recovery::testing::store_processes::orders;
use auto_recovery_sql::{SqliteOptions, SqliteStore};

use crate::seal_mutants::{found, live};
use crate::sqlite_support::{database, file, store};

/// The row of the session that `$1` names.
macro_rules! of {
    ($session:literal) => {
        concat!(
            "(SELECT id FROM session WHERE session_id = '",
            $session,
            "')"
        )
    };
}

/// The id of the entry at a place of a session's trail, from 0.
macro_rules! at {
    ($session:literal, $place:literal) => {
        concat!("((", of!($session), " << 32) + ", $place, ")")
    };
}

/// What somebody does to the database, and what that is found as.
#[rustfmt::skip]
const MUTANTS: &[(&str, &[FindingKind])] = &[
    (concat!("UPDATE entry SET error_message = 'other' WHERE id = ", at!("a", 5)), &[ChangedEntries]),
    (concat!("UPDATE entry SET success = 1 - success WHERE id = ", at!("a", 5)), &[ChangedEntries]),
    (concat!("UPDATE entry SET duration_ms = 7 WHERE id = ", at!("b", 0)), &[ChangedEntries]),
    (concat!("UPDATE entry SET raw = replace(raw, 'failed', 'passed') WHERE id = ", at!("c", 4)), &[ChangedEntries]),
    (concat!("UPDATE entry SET raw = NULL WHERE id = ", at!("c", 4)), &[ChangedEntries]),
    (concat!("UPDATE entry SET changes_made = 'none' WHERE id = ", at!("a", 3)), &[ChangedEntries]),
    (concat!("DELETE FROM entry WHERE id = ", at!("b", 3)), &[ChangedEntries]),
    (concat!("DELETE FROM entry WHERE id >= ", at!("b", 9), " AND id <= ", at!("b", 20)), &[MissingEntries]),
    (concat!("UPDATE entry SET id = -1 WHERE id = ", at!("a", 2), "; UPDATE entry SET id = ", at!("a", 2),
        " WHERE id = ", at!("a", 7), "; UPDATE entry SET id = ", at!("a", 7), " WHERE id = -1"), &[ChangedEntries]),
    ("DELETE FROM session WHERE session_id = 'a'", &[MissingTrail, DerivedDiffers]),
    (concat!("DELETE FROM entry WHERE id >> 32 = ", of!("a")), &[MissingEntries, DerivedDiffers]),
    ("UPDATE session SET session_id = CASE session_id WHEN 'a' THEN '~' ELSE 'a' END WHERE session_id IN ('a', 'c'); \
      UPDATE session SET session_id = 'c' WHERE session_id = '~'", &[ChangedEntries]),
    ("UPDATE journal SET record = replace(record, 'make', 'fake') WHERE id = 1", &[ChangedRecords, DerivedDiffers]),
    ("DELETE FROM journal WHERE id = 4", &[ChangedRecords]),
    ("DELETE FROM journal WHERE event = 'session_cleared'", &[ChangedRecords, MissingTrail]),
    ("DELETE FROM journal WHERE id > 5", &[MissingRecords, DerivedDiffers]),
    ("UPDATE journal SET id = -1 WHERE id = 3; UPDATE journal SET id = 3 WHERE id = 6; UPDATE journal SET id = 6 WHERE id = -1",
        &[ChangedRecords]),
    ("DELETE FROM seal", &[RolledBack]),
    ("DELETE FROM seal WHERE number = 2", &[RolledBack]),
    ("DELETE FROM seal WHERE number = 1", &[BrokenChain, RolledBack]),
    ("UPDATE seal SET note = replace(note, 'seal 1', 'seal 7') WHERE number = 1",
        &[BadSignature, BrokenChain, RolledBack, DerivedDiffers]),
    ("UPDATE seal SET id = 100 - id", &[BrokenChain, RolledBack]),
    // What the leaves do not hold.
    (concat!("UPDATE entry SET at_us = 7 WHERE id = ", at!("a", 5)), &[DerivedDiffers]),
    ("UPDATE entry SET success = 1000000 WHERE success = 1", &[DerivedDiffers]),
    ("UPDATE entry SET success = 9223372036854775807 WHERE success = 1", &[DerivedDiffers]),
    (concat!("UPDATE entry SET rollback_performed = -1 WHERE rollback_performed AND id = ", at!("a", 4)), &[DerivedDiffers]),
    ("UPDATE session SET is_counted = -1", &[DerivedDiffers]),
    ("UPDATE session SET is_counted = 2 WHERE session_id = 'b'", &[DerivedDiffers]),
    (concat!("UPDATE entry SET duration_bucket = 7 WHERE id = ", at!("a", 5)), &[DerivedDiffers]),
    (concat!("UPDATE entry SET trail_successes = 7 WHERE id = ", at!("a", 11)), &[DerivedDiffers]),
    (concat!("UPDATE entry SET strategy = 'other' WHERE id = ", at!("c", 4)), &[DerivedDiffers]),
    ("UPDATE session SET outcome = 'escalated' WHERE session_id = 'b'", &[DerivedDiffers]),
    ("UPDATE session SET first_timestamp = '2020-01-01T00:00:00Z' WHERE session_id = 'b'", &[DerivedDiffers]),
    ("UPDATE session SET host = 'there' WHERE session_id = 'b'", &[DerivedDiffers]),
    ("UPDATE session_facts SET facts = replace(facts, 'make', 'fake')", &[DerivedDiffers]),
    ("UPDATE session_facts SET command = '[\"fake\"]'", &[DerivedDiffers]),
    ("UPDATE journal SET session_id = 'b' WHERE id = 1", &[DerivedDiffers]),
    ("UPDATE journal SET event = 'session_held' WHERE id = 1", &[DerivedDiffers]),
    ("INSERT INTO tally VALUES ('fix', 'E', 1, 1, 1, 1, 1, 1)", &[DerivedDiffers]),
    ("INSERT INTO file VALUES (1, 'src/other.rs', 2)", &[DerivedDiffers]),
    // What is not sealed is not protected.
    (concat!("UPDATE entry SET error_message = 'it passed' WHERE id = ", at!("a", 12)), &[]),
];

fn opened(dir: &Path) -> Arc<dyn AuditStore> {
    Arc::new(store(dir))
}

/// Copies the database and the state of `from`.
fn copy(from: &Path, to: &Path) {
    // Brings what is in the log to the database.
    let checkpoint = "PRAGMA wal_checkpoint(TRUNCATE)";
    let row = database(from).query_row(checkpoint, [], |row| row.get::<_, i64>(0));
    assert_eq!(row.unwrap(), 0);
    fs::copy(from.join("trails.db"), to.join("trails.db")).unwrap();
    auto_recovery::files::make_private_dirs(&to.join("state/seal-keys")).unwrap();
    for file in fs::read_dir(from.join("state/seal-keys")).unwrap() {
        let file = file.unwrap();
        let to = to.join("state/seal-keys").join(file.file_name());
        let text = fs::read(file.path()).unwrap();
        fs::write(to, text).unwrap();
    }
}

/// Has the list of chains that the machine in `dir` began name the store that is there.
fn moved(from: &Path, dir: &Path) {
    let path = dir.join("state/seal-keys/seen.jsonl");
    let text = fs::read_to_string(&path).unwrap();
    let [old, new] = [from, dir].map(|dir| dir.join("trails.db").display().to_string());
    fs::write(&path, text.replace(&old, &new)).unwrap();
}

/// Whether the verifier in Python proves what is in the database in `dir`.
#[expect(clippy::disallowed_methods, reason = "the other verifier is a program")]
fn in_python(dir: &Path, chain: &str) -> bool {
    let programs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/verify");
    let run = |name: &str, arguments: &[&OsStr]| {
        let mut python = Command::new("python3");
        python.arg(programs.join(name)).args(arguments);
        python.output().unwrap()
    };
    let (database, files) = (dir.join("trails.db"), dir.join("files"));
    let written = run("from_sqlite.py", &[database.as_ref(), files.as_ref()]);
    assert!(written.status.success(), "{written:?}");
    let verified = run("verify.py", &[files.as_ref(), chain.as_ref()]);
    match verified.status.code() {
        Some(0) => true,
        Some(1) => false,
        other => panic!("{other:?}: {verified:?}"),
    }
}

#[test]
fn every_change_of_what_is_sealed_is_found_as_what_it_is() {
    let original = tempfile::tempdir().unwrap();
    let store = opened(original.path());
    live(&store, &original.path().join("state"));
    let chain = newest_seal(&*store).unwrap().unwrap().0.chain;
    let mut wrong = Vec::new();
    for (sql, expected) in MUTANTS {
        let dir = tempfile::tempdir().unwrap();
        copy(original.path(), dir.path());
        moved(original.path(), dir.path());
        let state = dir.path().join("state");
        let other = database(dir.path());
        other.pragma_update(None, "foreign_keys", false).unwrap();
        other.execute_batch(sql).unwrap();
        assert!(other.total_changes() > 0, "nothing changed: {sql}");
        drop(other);
        let kinds = found(&*opened(dir.path()), &state);
        // The other verifier counts nothing again, and knows no key.
        let by_others = [DerivedDiffers, RolledBack];
        let is_found = kinds.iter().any(|kind| !by_others.contains(kind));
        let is_found = is_found || *sql == "DELETE FROM seal";
        assert_eq!(in_python(dir.path(), &chain), !is_found, "{sql}");
        if kinds != *expected {
            wrong.push(format!("{kinds:?}, not {expected:?}: {sql}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_trail_that_was_removed_and_is_put_back_is_found() {
    let original = tempfile::tempdir().unwrap();
    let store = opened(original.path());
    let state = original.path().join("state");
    let gone = "CREATE TABLE kept AS SELECT * FROM entry; CREATE TABLE kept_session AS SELECT * FROM session";
    store
        .append(vec![auto_recovery::testing::store_contract::entry("x", 1)])
        .unwrap();
    crate::seal_mutants::seal(&store, &state);
    database(original.path()).execute_batch(gone).unwrap();
    store.clear("x").unwrap();
    crate::seal_mutants::seal(&store, &state);
    assert_eq!(found(&*store, &state), []);
    database(original.path())
        .execute_batch(
            "INSERT INTO session SELECT * FROM kept_session; \
             INSERT INTO entry (id, at_us, strategy, error_type, success, rollback_performed, duration_ms, \
             duration_bucket, attempt_number, entry_id, timestamp, files_modified, changes_made, next_action, \
             error_message, recovery_message, raw, trail_successes, trail_bytes, trail_highest_number) \
             SELECT id, at_us, strategy, error_type, success, rollback_performed, duration_ms, \
             duration_bucket, attempt_number, entry_id, timestamp, files_modified, changes_made, next_action, \
             error_message, recovery_message, raw, trail_successes, trail_bytes, trail_highest_number FROM kept",
        )
        .unwrap();
    assert_eq!(found(&*store, &state), [ReturnedTrail]);
}

#[test]
fn rows_that_cannot_be_read_are_found_and_can_be_removed() {
    let dir = tempfile::tempdir().unwrap();
    let store = opened(dir.path());
    let state = dir.path().join("state");
    live(&store, &state);
    database(dir.path())
        .execute_batch("UPDATE entry SET strategy = CAST(x'ff' AS TEXT) WHERE session = 2")
        .unwrap();
    assert_eq!(found(&*store, &state), [Unreadable]);
    assert_eq!(store.clear("b").unwrap(), Some(12));
    assert_eq!(found(&*store, &state), []);
}

/// What a writer does until it is killed, once it has its orders.
#[test]
fn a_writer_that_is_killed() {
    if let Some(([seed, _], dir)) = orders() {
        crate::seal_crowd::write(seed, &|| durable(&dir), &dir.join("state"));
    }
}

fn durable(dir: &Path) -> Arc<dyn AuditStore> {
    let recorder = Recorder::new(Arc::new(SystemHost::new()));
    let store = SqliteStore::open(&file(dir), SqliteOptions::default(), recorder);
    Arc::new(store.unwrap())
}

#[test]
fn nothing_is_found_while_processes_write_seal_and_die() {
    let dir = tempfile::tempdir().unwrap();
    let test = "sqlite_seals::a_writer_that_is_killed";
    crate::seal_crowd::verify_meanwhile(test, dir.path(), &durable(dir.path()));
}
