//! Taking over what others hold.

use super::{DEAD_PID, Place, assert_exact, entry, finished, read, started};
use crate::audit::{AuditStore, JournalEvent, JournalRecord, SessionOutcome};
use crate::error::ErrorKind;

pub(super) fn raw(session_id: &str, number: u64) -> Vec<u8> {
    entry(session_id, number).entry.to_json().into_bytes()
}

/// As the Python original wrote it, with a duration that is no whole number of milliseconds.
pub(super) fn pretty(session_id: &str, number: u64) -> Vec<u8> {
    let mut entry = entry(session_id, number).entry;
    entry.timestamp = "2026-01-02T03:04:05.678901+00:00".to_owned();
    entry.duration_seconds = 0.123_456_789;
    let value: serde_json::Value = serde_json::from_str(&entry.to_json()).unwrap();
    serde_json::to_vec_pretty(&value).unwrap()
}

pub(super) fn stored(store: &dyn AuditStore, session_id: &str) -> Vec<Vec<u8>> {
    let mut all = Vec::new();
    let mut visit = |stored: crate::audit::StoredEntry<'_>| {
        all.push(stored.raw().to_vec());
        Ok(())
    };
    assert_eq!(store.read_trail(session_id, &mut visit).unwrap(), []);
    all
}

pub(super) fn entries(place: &dyn Place) {
    let store = place.open();
    store.append(vec![entry("s", 1), entry("s", 2)]).unwrap();
    // The id of the third stands twice, and the fourth is another's layout.
    let all = [
        raw("s", 1),
        raw("s", 2),
        raw("s", 3),
        raw("s", 3),
        pretty("s", 4),
    ];
    let mut importer = store.importer().unwrap();
    assert_eq!(importer.entries("s", &all[..3]).unwrap(), 1);
    assert_eq!(importer.entries("s", &all[3..]).unwrap(), 2);
    assert_eq!(importer.entries("t", &[raw("t", 1)]).unwrap(), 1);
    drop(importer);
    assert_eq!(stored(&*store, "s"), all, "every byte");
    assert_exact(&*store, "s");
    // Again, by another process, from the beginning: nothing is added.
    let other = place.open();
    let mut importer = other.importer().unwrap();
    assert_eq!(importer.entries("s", &all).unwrap(), 0);
    assert_eq!(
        importer.entries("t", &[raw("t", 1), raw("t", 2)]).unwrap(),
        1
    );
    for (session_id, wrong) in [
        ("s", raw("t", 5)),
        ("s", b"{}".to_vec()),
        ("s", b"no JSON".to_vec()),
        ("", raw("", 5)),
    ] {
        let error = importer.entries(session_id, &[wrong]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput, "{error}");
    }
    drop(importer);
    assert_eq!(stored(&*store, "s"), all);
    assert_eq!(read(&*other, "t").len(), 2);
    // It goes on where the numbers ended.
    let mut next = entry("s", 9);
    next.number_by_store = true;
    assert_eq!(store.append(vec![next]).unwrap()[0].attempt_number, 5);
    // What was removed can be taken over again.
    store.clear("s").unwrap();
    assert_eq!(other.importer().unwrap().entries("s", &all).unwrap(), 5);
    assert_eq!(stored(&*store, "s"), all);
}

pub(super) fn records(place: &dyn Place) {
    let store = place.open();
    let record = |at: &str, session_id: &str, event| JournalRecord {
        v: JournalRecord::VERSION,
        at: at.to_owned(),
        session_id: Some(session_id.to_owned()),
        event,
    };
    let all = [
        record(
            "2026-01-02T03:00:00.000Z",
            "s",
            JournalEvent::SessionStarted(started(&["make"], DEAD_PID)),
        ),
        record(
            "2026-01-02T03:00:09.000Z",
            "s",
            JournalEvent::SessionFinished(finished(SessionOutcome::Recovered)),
        ),
    ];
    assert_eq!(store.importer().unwrap().records(&all[..1]).unwrap(), 1);
    let other = place.open();
    assert_eq!(other.importer().unwrap().records(&all).unwrap(), 1);
    assert_eq!(store.importer().unwrap().records(&all).unwrap(), 0);
    let mut read = Vec::new();
    let mut visit = |record| {
        read.push(record);
        Ok(())
    };
    store.read_journal(Some("s"), &mut visit).unwrap();
    assert_eq!(read, all, "the times are those of the records");
    let sessions = store.sessions().unwrap();
    assert_eq!(
        sessions[0].session_start.as_deref(),
        Some("2026-01-02T03:00:00.000Z")
    );
    assert_eq!(sessions[0].outcome, SessionOutcome::Recovered);
    // What was removed can be taken over again.
    store.clear("s").unwrap();
    assert_eq!(other.importer().unwrap().records(&all).unwrap(), 2);
    assert_eq!(store.importer().unwrap().records(&all).unwrap(), 0);
    let again = store.sessions().unwrap();
    assert_eq!(again[0], sessions[0]);
}
