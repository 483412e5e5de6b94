//! Removing trails by rule, and holding them against it.

use super::{DEAD_PID, Place, assert_exact, entry, read, started};
use crate::audit::{
    AuditStore, JournalEvent, Pruning, Removal, Removed, SessionHeld, SessionReleased,
};
use crate::error::ErrorKind;

fn pruning(store: &dyn AuditStore, session_id: &str) -> Removal {
    let (digest, damage) = store.digest(session_id).unwrap();
    assert_eq!(damage, []);
    Removal::Pruned(Pruning {
        reason: "older than 90d".to_owned(),
        user: Some("ana".to_owned()),
        host: Some("alpha".to_owned()),
        archive: Some("/archive/s.jsonl.zst".to_owned()),
        digest,
    })
}

pub(super) fn pruned(place: &dyn Place) {
    let store = place.open();
    let other = place.open();
    let start = JournalEvent::SessionStarted(started(&["make"], DEAD_PID));
    store.record(Some("s"), start.clone()).unwrap();
    store.record(Some("bare"), start).unwrap();
    store
        .append((1..=3).map(|n| entry("s", n)).collect())
        .unwrap();
    store.append(vec![entry("stays", 1)]).unwrap();
    let bytes = |id: &str| {
        let sessions = other.sessions().unwrap();
        sessions
            .iter()
            .find(|one| one.session_id == id)
            .unwrap()
            .bytes
    };
    let removal = pruning(&*store, "s");
    assert_eq!(removal.expected().unwrap().entries, 3);
    assert_eq!(removal.expected().unwrap().bytes, bytes("s"));
    // Another handle adds to the trail after it was selected.
    other.append(vec![entry("s", 4)]).unwrap();
    assert_eq!(store.remove("s", &removal).unwrap(), Removed::Changed);
    assert_eq!(read(&*store, "s").len(), 4);
    let removal = pruning(&*store, "s");
    assert_eq!(
        store.remove("s", &removal).unwrap(),
        Removed::Gone { entries: 4 }
    );
    for store in [&store, &other] {
        assert!(read(&**store, "s").is_empty());
        assert_exact(&**store, "s");
        assert_eq!(store.sessions().unwrap().len(), 2);
        assert_eq!(store.remove("s", &removal).unwrap(), Removed::Unknown);
    }
    assert_recorded(&*store, removal);
    // A session in which nothing was tried.
    let removal = pruning(&*store, "bare");
    assert_eq!(
        store.remove("bare", &removal).unwrap(),
        Removed::Gone { entries: 0 }
    );
    assert_eq!(store.sessions().unwrap().len(), 1);
    store.append(vec![entry("s", 9)]).unwrap();
    assert_eq!(read(&*other, "s").len(), 1);
    assert_exact(&*other, "s");
}

/// Asserts that the journal records the pruning of `s`.
fn assert_recorded(store: &dyn AuditStore, removal: Removal) {
    let mut last = None;
    let mut visit = |record: crate::audit::JournalRecord| {
        last = Some(record.event);
        Ok(())
    };
    store.read_journal(Some("s"), &mut visit).unwrap();
    let Some(JournalEvent::SessionPruned(event)) = last else {
        panic!("the journal ends with {last:?}");
    };
    let Removal::Pruned(pruning_of_s) = removal else {
        panic!("it is one");
    };
    assert_eq!(event.trail.entries, 4);
    assert_eq!(
        event.trail.first_timestamp.as_deref(),
        Some("2026-01-02T03:00:01.000Z")
    );
    assert_eq!(
        event.trail.last_timestamp.as_deref(),
        Some("2026-01-02T03:00:04.000Z")
    );
    assert_eq!(event.sha256, pruning_of_s.digest.sha256);
    assert_eq!(event.reason, "older than 90d");
    assert_eq!(event.user.as_deref(), Some("ana"));
    assert_eq!(event.archive.as_deref(), Some("/archive/s.jsonl.zst"));
}

pub(super) fn held(place: &dyn Place) {
    let store = place.open();
    let other = place.open();
    store.append(vec![entry("s", 1)]).unwrap();
    let hold = SessionHeld {
        reason: Some("an incident".to_owned()),
        user: Some("ana".to_owned()),
        host: None,
    };
    store
        .record(Some("s"), JournalEvent::SessionHeld(hold.clone()))
        .unwrap();
    for store in [&store, &other] {
        assert_eq!(store.sessions().unwrap()[0].held.as_ref(), Some(&hold));
        let removal = pruning(&**store, "s");
        assert_eq!(
            store.remove("s", &removal).unwrap(),
            Removed::Held(hold.clone())
        );
        let error = store.clear("s").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Refused);
        assert!(error.to_string().contains("an incident"), "{error}");
        assert_eq!(read(&**store, "s").len(), 1);
    }
    let released = JournalEvent::SessionReleased(SessionReleased::default());
    other.record(Some("s"), released).unwrap();
    assert_eq!(store.sessions().unwrap()[0].held, None);
    let removal = pruning(&*store, "s");
    assert_eq!(
        store.remove("s", &removal).unwrap(),
        Removed::Gone { entries: 1 }
    );
}
