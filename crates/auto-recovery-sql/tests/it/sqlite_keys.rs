//! Keys of encrypted sessions in SQLite: as in a store of files, and gone from the file once they
//! are destroyed.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use auto_recovery::audit::encrypting::{Encryption, KeyFile, OpenedStore, Opener, Unlocked};
use auto_recovery::audit::{AuditStore, NewEntry, Recorder};
use auto_recovery::encryption::{Identity, age};
use auto_recovery::host::{Host, SystemHost};
use auto_recovery::jsonl::{JsonlOptions, JsonlStore};
use auto_recovery::redaction::Redactor;
use auto_recovery::{ErrorKind, RecoveryAuditEntry, transfer};
use auto_recovery_sql::{SqliteOptions, SqliteStore};

const SECRET: &str = "planted-text";

fn identity() -> Identity {
    Identity::new(&mut || [7; 32])
}

fn recorder() -> Arc<Recorder> {
    let host: Arc<dyn Host> = Arc::new(SystemHost::new());
    let encryption = Encryption::new(Arc::clone(&host), vec![identity().recipient()], None);
    Recorder::encrypting(host, Arc::new(Redactor::off()), encryption.unwrap())
}

fn open(path: &Path) -> Arc<dyn AuditStore> {
    Arc::new(SqliteStore::open(path, SqliteOptions::default(), recorder()).unwrap())
}

fn append(store: &dyn AuditStore, session: &str) {
    let entry = RecoveryAuditEntry {
        session_id: session.to_owned(),
        error_message: SECRET.to_owned(),
        changes_made: vec![SECRET.to_owned()],
        ..RecoveryAuditEntry::default()
    };
    let new = NewEntry {
        entry,
        number_by_store: true,
    };
    store.append(vec![new]).unwrap();
}

fn texts(store: &Arc<dyn AuditStore>, session: &str) -> Vec<String> {
    let opener = Opener::new(|file| {
        let opened = age::open(&[identity()], file);
        Ok(opened.map_or(Unlocked::ForOthers, Unlocked::Text))
    });
    let opened = OpenedStore::new(Arc::clone(store), Arc::new(opener));
    let mut texts = Vec::new();
    let damage = opened.read_trail(session, &mut |stored| {
        texts.push(stored.into_entry().error_message);
        Ok(())
    });
    assert!(damage.unwrap().is_empty());
    texts
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
    let file = |session: &str| keys.read_keys(session).unwrap()[0].file.clone();
    let (of_s, of_t) = (file("s"), file("t"));
    assert!(has(dir.path(), &of_s[60..160]));
    assert_eq!(store.clear("s").unwrap(), Some(1));
    assert!(!has(dir.path(), &of_s[60..160]));
    let mut said = String::new();
    store
        .read_records_raw(Some("s"), &mut |raw| {
            said.push_str(&String::from_utf8_lossy(raw));
            Ok(())
        })
        .unwrap();
    assert!(said.contains("\"keys\":1"), "{said}");
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
    let keys = store.keys().unwrap().unwrap();
    let old = keys.read_keys("s").unwrap()[0].file.clone();
    let new = |session: &str, number| {
        let file = vec![b'n'; 300];
        (session.to_owned(), KeyFile { number, file })
    };
    let refused = keys.replace_keys(&[new("s", 1), new("t", 2)]).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::NotFound);
    assert_eq!(keys.read_keys("s").unwrap()[0].file, old);
    keys.replace_keys(&[new("s", 1), new("t", 1)]).unwrap();
    assert_eq!(keys.read_keys("s").unwrap()[0].file, [b'n'; 300]);
    assert!(!has(dir.path(), &old[60..160]));
}

#[test]
fn copies_take_the_keys_along() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(&dir.path().join("trail.db"));
    append(&*store, "s");
    let files = JsonlStore::open(
        &dir.path().join("audit"),
        JsonlOptions::default(),
        recorder(),
    );
    let files: Arc<dyn AuditStore> = Arc::new(files.unwrap());
    for _ in 0..2 {
        transfer::copy(&*store, &*files, &mut |_| {}).unwrap();
        assert_eq!(texts(&files, "s"), [SECRET]);
    }
    assert_eq!(
        files.keys().unwrap().unwrap().read_keys("s").unwrap().len(),
        1
    );
    let back = open(&dir.path().join("back.db"));
    transfer::copy(&*files, &*back, &mut |_| {}).unwrap();
    assert_eq!(texts(&back, "s"), [SECRET]);
}
