//! Rows that were changed by hand so that they cannot be read: they are told of, and hide nothing
//! else.

use std::time::SystemTime;

use auto_recovery::audit::{AuditStore, JournalEvent, SessionStarted};
use auto_recovery::export::{self, ExportOptions};
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
    assert_eq!((ids.as_slice(), damage.len()), (["good"].as_slice(), 1));
    assert_eq!(damage[0].place, "auto_recovery.stored_session");
    let mut numbers = Vec::new();
    let damage = store.read_trail("good", &mut |stored| {
        numbers.push(stored.attempt_number());
        Ok(())
    });
    assert_eq!(numbers, [1, 3]);
    assert_eq!(damage.unwrap()[0].line, 2);
    let (options, mut text) = (ExportOptions::default(), Vec::new());
    let exported = export::export_all(&store, &options, SystemTime::UNIX_EPOCH, &mut text);
    let lines: Vec<u64> = exported
        .unwrap()
        .damage
        .iter()
        .map(|one| one.line)
        .collect();
    assert_eq!(lines.len(), 2, "the session and the entry");
    assert_eq!(store.statistics("good").unwrap().total_attempts, 3);
}
