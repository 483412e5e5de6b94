//! Taking over what others hold.

use super::{DEAD_PID, Place, assert_exact, entry, finished, read, started};
use crate::audit::{AuditStore, JournalEvent, JournalLine, JournalRecord, SessionOutcome};
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
    // The id of the third occurs twice, and the fourth has another layout.
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
    // The next number follows the last.
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
    let taken = lines(&all);
    assert_eq!(store.importer().unwrap().records(&taken[..1]).unwrap(), 1);
    let other = place.open();
    assert_eq!(other.importer().unwrap().records(&taken).unwrap(), 1);
    assert_eq!(store.importer().unwrap().records(&taken).unwrap(), 0);
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
    assert_eq!(other.importer().unwrap().records(&taken).unwrap(), 2);
    assert_eq!(store.importer().unwrap().records(&taken).unwrap(), 0);
    let again = store.sessions().unwrap();
    assert_eq!(again[0], sessions[0]);
}

/// `records` as others hold them.
///
/// # Panics
/// If one is too large.
pub fn lines(records: &[JournalRecord]) -> Vec<JournalLine> {
    let line = |record| JournalLine::taken_over(&serde_json::to_vec(record).unwrap()).unwrap();
    records.iter().map(line).collect()
}

fn texts(store: &dyn AuditStore, session_id: Option<&str>) -> Vec<String> {
    let mut all = Vec::new();
    let mut visit = |raw: &[u8]| {
        all.push(String::from_utf8(raw.to_vec()).unwrap());
        Ok(())
    };
    let damage = store.read_records_raw(session_id, &mut visit).unwrap();
    assert_eq!(damage, []);
    all
}

pub(super) fn unknown_records(place: &dyn Place) {
    let store = place.open();
    let begun = JournalEvent::SessionStarted(started(&["make"], DEAD_PID));
    store.record(Some("s"), begun).unwrap();
    // An event, and fields of one, that this release does not know, in another order than ours.
    let unknown = [
        r#"{"v":1,"at":"2026-01-02T03:00:01.000Z","session_id":"s","event":"blessed","by":[1.50,{"\u00e4":null}]}"#,
        r#"{"why":"it is \"later\"","event":"session_released","user":"u","at":"2026-01-02T03:00:02.000Z","session_id":"s","v":1}"#,
        r#"{"v":1,"at":"2026-01-02T03:00:03.000Z","session_id":"t","event":"blessed"}"#,
    ];
    let line = |text: &&str| JournalLine::taken_over(text.as_bytes()).unwrap();
    let taken: Vec<JournalLine> = unknown.iter().map(line).collect();
    assert_eq!(store.importer().unwrap().records(&taken).unwrap(), 3);
    let other = place.open();
    assert_eq!(other.importer().unwrap().records(&taken).unwrap(), 0);
    let all = texts(&*other, None);
    assert_eq!(all[1..], unknown, "every byte");
    assert_eq!(texts(&*store, Some("s")), all[..3]);
    assert_eq!(texts(&*store, Some("t")), all[3..]);
    assert_eq!(texts(&*store, Some("u")), [""; 0]);
    let mut records = Vec::new();
    let mut visit = |record| {
        records.push(record);
        Ok(())
    };
    assert_eq!(store.read_journal(None, &mut visit).unwrap(), []);
    let decoded = all.iter().map(|text| serde_json::from_str(text).unwrap());
    assert_eq!(records, decoded.collect::<Vec<JournalRecord>>());
    assert_eq!(records[1].event, JournalEvent::Other);
    assert!(matches!(records[2].event, JournalEvent::SessionReleased(_)));
    // A session known only by such a record is one, and a removed session can be imported again.
    assert!(store.is_known("t").unwrap());
    store.clear("s").unwrap();
    assert_eq!(other.importer().unwrap().records(&taken).unwrap(), 2);
    assert_eq!(texts(&*store, Some("s"))[4..], unknown[..2]);
    for wrong in ["", "no JSON", "[1]", r#"{"v":1,"at":"now"}"#] {
        let error = JournalLine::taken_over(wrong.as_bytes()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput, "{wrong}");
    }
    let of_many_lines = "{\n  \"v\": 1,\n  \"at\": \"now\",\n  \"event\": \"blessed\"\n}";
    let line = JournalLine::taken_over(of_many_lines.as_bytes()).unwrap();
    assert!(!line.json().contains('\n') && line.json().contains("blessed"));
}
