//! Removing long trails: gone from sight at once, deleted some at a time, and nothing is left.

use auto_recovery::audit::AuditStore;
use auto_recovery::statistics::AggregateQuery;
use auto_recovery::testing::store_contract::{assert_exact, entry, recount};

use crate::sqlite_support::{database, number, store};

const LONG: u64 = 25_000;

/// Every table but the journal, and those that SQLite keeps.
const EMPTY: [&str; 6] = [
    "session",
    "session_facts",
    "entry",
    "tally",
    "file",
    "leftover",
];

fn fill(store: &dyn AuditStore, session_id: &str) {
    store
        .append((0..LONG).map(|n| entry(session_id, n)).collect())
        .unwrap();
}

#[test]
fn nothing_is_left_of_a_long_trail() {
    let dir = tempfile::tempdir().unwrap();
    let store = store(dir.path());
    fill(&store, "long");
    store.append(vec![entry("short", 1)]).unwrap();
    assert_eq!(store.clear("long").unwrap(), Some(LONG));
    assert_eq!(number(dir.path(), "SELECT count(*) FROM entry"), 1);
    let all = AggregateQuery::default();
    assert_eq!(store.aggregate(&all).unwrap(), recount(&store, &all));
    assert_exact(&store, "short");
    assert_eq!(store.clear("short").unwrap(), Some(1));
    for table in EMPTY {
        let sql = format!("SELECT count(*) FROM {table}");
        assert_eq!(number(dir.path(), &sql), 0, "{table}");
    }
}

#[test]
fn what_a_removal_left_that_died_is_nobodys_and_goes_with_the_next_write() {
    let dir = tempfile::tempdir().unwrap();
    let first = store(dir.path());
    fill(&first, "long");
    first.append(vec![entry("short", 1)]).unwrap();
    drop(first);
    // As after the transaction that removes the session, when nothing was deleted yet.
    database(dir.path())
        .execute_batch(
            "INSERT INTO leftover SELECT id FROM session WHERE session_id = 'long'; \
             DELETE FROM session WHERE session_id = 'long'; \
             DELETE FROM tally; DELETE FROM file; UPDATE session SET counted = 0, is_counted = 0",
        )
        .unwrap();
    let store = store(dir.path());
    let all = AggregateQuery::default();
    let by_day = AggregateQuery {
        by: vec![auto_recovery::statistics::Dimension::Day],
        ..all.clone()
    };
    assert_eq!(store.sessions().unwrap().len(), 1);
    for query in [&all, &by_day] {
        assert_eq!(store.aggregate(query).unwrap(), recount(&store, query));
    }
    // A session of that name is another.
    store.append(vec![entry("long", 7)]).unwrap();
    assert_exact(&store, "long");
    assert_eq!(store.statistics("long").unwrap().total_attempts, 1);
    assert_eq!(number(dir.path(), "SELECT count(*) FROM entry"), 2);
    assert_eq!(number(dir.path(), "SELECT count(*) FROM leftover"), 0);
}
