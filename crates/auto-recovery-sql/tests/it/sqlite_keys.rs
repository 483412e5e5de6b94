//! Keys of encrypted sessions in SQLite: as in a store of files, and gone from the file once they
//! are destroyed.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use auto_recovery::audit::AuditStore;
use auto_recovery_sql::{SqliteOptions, SqliteStore};

use crate::encrypted::{
    SECRET, append, assert_copies_take_keys, assert_replaced_all_or_none, files, recorder,
    says_that_a_key_went, texts,
};

fn open(path: &Path) -> Arc<dyn AuditStore> {
    Arc::new(SqliteStore::open(path, SqliteOptions::default(), recorder()).unwrap())
}

fn has(dir: &Path, bytes: &[u8]) -> bool {
    fs::read_dir(dir).unwrap().flatten().any(|file| {
        let text = fs::read(file.path()).unwrap_or_default();
        text.windows(bytes.len()).any(|window| window == bytes)
    })
}

#[test]
fn texts_are_in_no_file_and_open_with_the_identity() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(&dir.path().join("trail.db"));
    append(&*store, "s");
    append(&*open(&dir.path().join("trail.db")), "s");
    assert!(!has(dir.path(), SECRET.as_bytes()));
    assert_eq!(texts(&store, "s"), [SECRET, SECRET]);
    assert_eq!(store.statistics("s").unwrap().total_attempts, 2);
    let keys = store.keys().unwrap().unwrap();
    assert_eq!(keys.read_keys("s").unwrap().len(), 2);
    assert_eq!(keys.key_sessions().unwrap(), ["s"]);
}

#[test]
fn a_key_that_is_destroyed_is_in_no_file_any_more() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(&dir.path().join("trail.db"));
    for session in ["s", "t"] {
        append(&*store, session);
    }
    let keys = store.keys().unwrap().unwrap();
    let file = |session: &str| files(&*store, session).remove(0);
    let (of_s, of_t) = (file("s"), file("t"));
    assert!(has(dir.path(), &of_s[60..160]));
    assert_eq!(store.clear("s").unwrap(), Some(1));
    assert!(!has(dir.path(), &of_s[60..160]));
    assert!(says_that_a_key_went(&*store, "s"));
    assert_eq!(keys.destroy_keys("t").unwrap(), 1);
    assert!(!has(dir.path(), &of_t[60..160]));
    assert_eq!(keys.destroy_keys("t").unwrap(), 0);
}

#[test]
fn keys_are_replaced_all_or_none_and_old_ones_are_gone() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(&dir.path().join("trail.db"));
    for session in ["s", "t"] {
        append(&*store, session);
    }
    let old = files(&*store, "s").remove(0);
    assert_replaced_all_or_none(&*store);
    assert!(!has(dir.path(), &old[60..160]));
}

#[test]
fn copies_take_the_keys_along() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(&dir.path().join("trail.db"));
    append(&*store, "s");
    assert_copies_take_keys(&*store, &open(&dir.path().join("back.db")));
}
