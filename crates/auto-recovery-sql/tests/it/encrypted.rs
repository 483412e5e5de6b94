//! What the tests of keys share, whatever the database.

use std::sync::Arc;

use auto_recovery::audit::encrypting::{Encryption, KeyFile, OpenedStore, Opener, Unlocked};
use auto_recovery::audit::{AuditStore, NewEntry, Recorder};
use auto_recovery::encryption::{Identity, age};
use auto_recovery::host::{Host, SystemHost};
use auto_recovery::jsonl::{JsonlOptions, JsonlStore};
use auto_recovery::redaction::Redactor;
use auto_recovery::{ErrorKind, RecoveryAuditEntry, transfer};

/// The text that nothing may have.
pub(crate) const SECRET: &str = "planted-text";

fn identity() -> Identity {
    Identity::new(&mut || [7; 32])
}

/// A recorder as in a process of its own, which has no key of others.
pub(crate) fn recorder() -> Arc<Recorder> {
    let host: Arc<dyn Host> = Arc::new(SystemHost::new());
    let encryption = Encryption::new(Arc::clone(&host), vec![identity().recipient()], None);
    Recorder::encrypting(host, Arc::new(Redactor::off()), encryption.unwrap())
}

pub(crate) fn append(store: &dyn AuditStore, session: &str) {
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

/// The store as somebody sees it who has the identity.
pub(crate) fn opened(store: &Arc<dyn AuditStore>) -> OpenedStore<Arc<dyn AuditStore>> {
    let opener = Opener::new(|file| {
        let opened = age::open(&[identity()], file);
        Ok(opened.map_or(Unlocked::ForOthers, Unlocked::Text))
    });
    OpenedStore::new(Arc::clone(store), Arc::new(opener))
}

/// The messages of `session` for whoever has the identity.
pub(crate) fn texts(store: &Arc<dyn AuditStore>, session: &str) -> Vec<String> {
    let mut texts = Vec::new();
    let damage = opened(store).read_trail(session, &mut |stored| {
        texts.push(stored.into_entry().error_message);
        Ok(())
    });
    assert!(damage.unwrap().is_empty());
    texts
}

/// The files of the keys of `session`.
pub(crate) fn files(store: &dyn AuditStore, session: &str) -> Vec<Vec<u8>> {
    let keys = store.keys().unwrap().unwrap().read_keys(session).unwrap();
    keys.into_iter().map(|key| key.file).collect()
}

/// Whether the journal says that one key went with `session`.
pub(crate) fn says_that_a_key_went(store: &dyn AuditStore, session: &str) -> bool {
    let mut said = String::new();
    let read = store.read_records_raw(Some(session), &mut |raw| {
        said.push_str(&String::from_utf8_lossy(raw));
        Ok(())
    });
    assert_eq!(read.unwrap(), []);
    said.contains("\"keys\":1")
}

/// Asserts that the keys of `s` and `t`, one of each, are replaced together or not at all.
pub(crate) fn assert_replaced_all_or_none(store: &dyn AuditStore) {
    let keys = store.keys().unwrap().unwrap();
    let old = files(store, "s");
    let new = |session: &str, number| {
        let file = vec![b'n'; 300];
        (session.to_owned(), KeyFile { number, file })
    };
    let refused = keys.replace_keys(&[new("s", 1), new("t", 2)]).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::NotFound);
    assert_eq!(files(store, "s"), old);
    let stamp = keys.key_stamp("s", 1).unwrap();
    assert!(stamp.is_some());
    keys.replace_keys(&[new("s", 1), new("t", 1)]).unwrap();
    for session in ["s", "t"] {
        assert_eq!(files(store, session), [[b'n'; 300]]);
    }
}

/// Asserts that a copy of `store` in files, and a copy of that in `back`, have what opens `s`.
pub(crate) fn assert_copies_take_keys(store: &dyn AuditStore, back: &Arc<dyn AuditStore>) {
    let dir = tempfile::tempdir().unwrap();
    let files_in = dir.path().join("audit");
    let copy = JsonlStore::open(&files_in, JsonlOptions::default(), recorder());
    let copy: Arc<dyn AuditStore> = Arc::new(copy.unwrap());
    for _ in 0..2 {
        transfer::copy(store, &*copy, &mut |_| {}).unwrap();
        transfer::copy(&*copy, &**back, &mut |_| {}).unwrap();
        for copied in [&copy, back] {
            assert_eq!(texts(copied, "s"), [SECRET]);
            assert_eq!(files(&**copied, "s"), files(store, "s"));
        }
    }
}
