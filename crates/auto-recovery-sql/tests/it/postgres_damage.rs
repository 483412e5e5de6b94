//! Rows that were changed by hand so that they cannot be read: they are told of, and hide nothing
//! else.

use std::time::SystemTime;

use auto_recovery::audit::{AuditStore, JournalEvent, SessionStarted};
use auto_recovery::export::{self, ExportOptions};
use auto_recovery::statistics::AggregateQuery;
use auto_recovery::testing::store_contract::entry;
use auto_recovery_sql::PostgresOptions;

use crate::postgres_server::shared;

#[test]
fn an_unreadable_row_hides_no_other() {
    let database = shared().database();
    let store = database.open(PostgresOptions::default());
    for id in ["bad", "good"] {
        let event = JournalEvent::SessionStarted(SessionStarted::default());
        store.record(Some(id), event).unwrap();
        store
            .append((1..=3).map(|n| entry(id, n)).collect())
            .unwrap();
    }
    database.ask(
        "UPDATE auto_recovery.stored_session SET facts = '1' WHERE session_id = 'bad'; \
         UPDATE auto_recovery.stored_entry SET raw = 'oops' WHERE place = 2",
    );
    let (sessions, damage) = store.read_sessions().unwrap();
    let ids: Vec<_> = sessions.iter().map(|one| &*one.session_id).collect();
    let told = (ids.as_slice(), damage.len());
    assert_eq!(
        told,
        (["good"].as_slice(), 3),
        "a session, and an entry of each"
    );
    assert_eq!(damage[0].place, "auto_recovery.stored_session");
    let mut numbers = Vec::new();
    let damage = store.read_trail("good", &mut |stored| {
        numbers.push(stored.attempt_number());
        Ok(())
    });
    assert_eq!(numbers, [1, 3]);
    let damage = damage.unwrap();
    assert_eq!(damage[0].line, 2);
    // Who reads sums alone is told the same.
    let sums = store.read_statistics("good").unwrap();
    assert_eq!((sums.0.total_attempts, sums.1), (3, damage));
    let query = AggregateQuery::default();
    assert_eq!(store.read_aggregate(&query).unwrap().1.len(), 2);
    let later = AggregateQuery {
        since_us: Some(i64::MAX),
        ..query
    };
    assert_eq!(store.read_aggregate(&later).unwrap().1, []);
    let (options, mut text) = (ExportOptions::default(), Vec::new());
    let exported = export::export_all(&store, &options, SystemTime::UNIX_EPOCH, &mut text);
    let lines: Vec<u64> = exported
        .unwrap()
        .damage
        .iter()
        .map(|one| one.line)
        .collect();
    assert_eq!(
        lines.iter().filter(|line| **line == 2).count(),
        lines.len() - 1
    );
    assert_eq!(store.statistics("good").unwrap().total_attempts, 3);
}
