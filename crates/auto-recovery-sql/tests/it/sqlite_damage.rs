//! Rows that were changed by hand so that they cannot be read: they are reported, and hide nothing
//! else.

use std::time::SystemTime;

use auto_recovery::ErrorKind;
use auto_recovery::audit::{AuditStore, JournalEvent, SessionStarted};
use auto_recovery::export::{self, ExportOptions};
use auto_recovery::statistics::{AggregateQuery, Dimension};
use auto_recovery::testing::store_contract::entry;

use crate::sqlite_support::{database, file, open, store};

#[test]
fn an_unreadable_entry_is_told_of_with_its_place() {
    let dir = tempfile::tempdir().unwrap();
    let store = store(dir.path());
    store
        .append((1..=5).map(|n| entry("s", n)).collect())
        .unwrap();
    database(dir.path())
        .execute_batch(
            "UPDATE entry SET changes_made = '[oops' WHERE attempt_number = 2; \
             UPDATE entry SET raw = '{}' WHERE attempt_number = 4",
        )
        .unwrap();
    let mut numbers = Vec::new();
    let mut visit = |stored: auto_recovery::audit::StoredEntry<'_>| {
        numbers.push(stored.attempt_number());
        Ok(())
    };
    let damage = store.read_trail("s", &mut visit).unwrap();
    assert_eq!(numbers, [1, 3, 5]);
    let lines: Vec<u64> = damage.iter().map(|one| one.line).collect();
    assert_eq!(lines, [2, 4]);
    assert!(damage[0].place.contains("entries of s in"), "{damage:?}");
    // A reader of sums alone gets the same damage.
    let sums = store.read_statistics("s").unwrap();
    assert_eq!((sums.0.total_attempts, &sums.1), (5, &damage));
    assert_eq!(store.read_sessions().unwrap().1, damage);
    let lines_of = |query: AggregateQuery| {
        let (_, damage) = store.read_aggregate(&query).unwrap();
        damage.iter().map(|one| one.line).collect::<Vec<_>>()
    };
    assert_eq!(lines_of(AggregateQuery::default()), [2, 4]);
    let by = vec![Dimension::Strategy];
    let apart = AggregateQuery {
        by,
        ..AggregateQuery::default()
    };
    assert_eq!(lines_of(apart), [2, 4]);
    let later = AggregateQuery {
        since_us: Some(i64::MAX),
        ..AggregateQuery::default()
    };
    assert_eq!(lines_of(later), [0; 0]);
    store.append(vec![entry("t", 1)]).unwrap();
    assert_eq!(store.read_statistics("t").unwrap().1, []);
}

#[test]
fn an_unreadable_record_is_told_of_with_its_place() {
    let dir = tempfile::tempdir().unwrap();
    let store = store(dir.path());
    for _ in 0..3 {
        let event = JournalEvent::SessionStarted(SessionStarted::default());
        store.record(Some("s"), event).unwrap();
    }
    database(dir.path())
        .execute_batch("UPDATE journal SET record = 'oops' WHERE id = 2")
        .unwrap();
    let mut records = 0;
    let mut visit = |_| {
        records += 1;
        Ok(())
    };
    let damage = store.read_journal(None, &mut visit).unwrap();
    assert_eq!((records, damage.len()), (2, 1));
    assert_eq!((damage[0].line, damage[0].bytes), (2, 4));
    // The damaged record could be the one that says that the session is held.
    let error = store.held("s").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Damaged, "{}", error.chain());
    assert!(store.held("t").unwrap().is_none());
}

#[test]
fn a_damaged_file_is_no_empty_store() {
    let dir = tempfile::tempdir().unwrap();
    let store = store(dir.path());
    store
        .append((1..=500).map(|n| entry("s", n)).collect())
        .unwrap();
    drop(store);
    let path = file(dir.path());
    let mut bytes = std::fs::read(&path).unwrap();
    let half = bytes.len() / 2;
    bytes[100..half].fill(0x55);
    std::fs::write(&path, bytes).unwrap();
    let error = open(&path).and_then(|store| store.sessions()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Damaged, "{}", error.chain());
}

#[test]
fn an_unreadable_row_hides_no_other_and_keeps_nobody_from_writing() {
    let dir = tempfile::tempdir().unwrap();
    let store = store(dir.path());
    for id in ["bad", "good"] {
        let event = JournalEvent::SessionStarted(SessionStarted::default());
        store.record(Some(id), event).unwrap();
        store
            .append((1..=3).map(|n| entry(id, n)).collect())
            .unwrap();
    }
    database(dir.path())
        .execute_batch(
            "UPDATE session_facts SET facts = 'oops' \
             WHERE session = (SELECT id FROM session WHERE session_id = 'bad'); \
             UPDATE entry SET files_modified = '[oops' WHERE attempt_number = 2",
        )
        .unwrap();
    let (sessions, damage) = store.read_sessions().unwrap();
    let ids: Vec<_> = sessions.iter().map(|one| &*one.session_id).collect();
    assert_eq!(ids, ["good"]);
    assert_eq!(
        damage.len(),
        3,
        "a session, and an entry of each: {damage:?}"
    );
    assert!(damage[0].place.starts_with("sessions in "), "{damage:?}");
    assert_eq!(store.statistics("good").unwrap().total_attempts, 3);
    for by in [Vec::new(), vec![Dimension::Strategy]] {
        let query = AggregateQuery {
            by,
            ..AggregateQuery::default()
        };
        assert_eq!(store.aggregate(&query).unwrap().total.total_attempts, 6);
    }
    let (options, mut text) = (ExportOptions::default(), Vec::new());
    let summary =
        export::export_session(&store, "good", &options, SystemTime::UNIX_EPOCH, &mut text);
    assert_eq!(summary.unwrap().damage.len(), 1);
    // Enough entries that they are counted, the unreadable ones among them.
    for _ in 0..5 {
        let more = (1..=1000).map(|_| entry("other", 9)).collect();
        store.append(more).unwrap();
    }
    assert_eq!(store.statistics("other").unwrap().total_attempts, 5000);
    assert_eq!(store.clear("good").unwrap(), Some(3));
}
