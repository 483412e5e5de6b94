//! What cannot be brought about from outside: a full disk, connections that break.

use auto_recovery::ErrorKind;
use auto_recovery::audit::{Recorder, Removal, Removed, SessionReleased};
use auto_recovery::testing::ScriptedHost;
use auto_recovery::testing::store_contract::{assert_exact, entry, read};
use proptest::prelude::*;
use rustix::io::Errno;

use super::*;
use auto_recovery::mutex::lock;

fn store(path: &Path) -> SqliteStore {
    let host = Arc::new(ScriptedHost::new());
    SqliteStore::open(path, SqliteOptions::default(), Recorder::new(host)).unwrap()
}

/// Has the store's writer find no more room than the database has pages, or as much as it likes.
fn limit_pages(store: &SqliteStore, pages: u32) {
    let writer = lock(&store.database.writer);
    let link = writer.as_ref().unwrap();
    link.connection
        .pragma_update_and_check(None, "max_page_count", pages, |_| Ok(()))
        .unwrap();
}

#[test]
fn a_full_disk_refuses_all_of_a_call_and_the_store_goes_on_when_there_is_room() {
    let dir = tempfile::tempdir().unwrap();
    let store = store(&dir.path().join("trails.db"));
    store.append(vec![entry("s", 1)]).unwrap();
    limit_pages(&store, 1);
    let many = (2..500).map(|number| entry("s", number)).collect();
    let error = store.append(many).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NoSpace, "{}", error.chain());
    assert!(error.to_string().contains("is full"), "{error}");
    // For whoever looks for what the system said, as of files.
    assert_eq!(error.raw_os_error(), Some(Errno::NOSPC.raw_os_error()));
    assert_eq!(read(&store, "s").len(), 1);
    assert_exact(&store, "s");
    limit_pages(&store, u32::MAX);
    store.append(vec![entry("s", 2)]).unwrap();
    assert_eq!(read(&store, "s").len(), 2);
    assert_exact(&store, "s");
}

#[test]
fn a_full_disk_fails_everybody_who_shared_the_commit() {
    let dir = tempfile::tempdir().unwrap();
    let store = store(&dir.path().join("trails.db"));
    store.append(vec![entry("s", 0)]).unwrap();
    limit_pages(&store, 1);
    let failures = std::thread::scope(|scope| {
        let writers: Vec<_> = (0..16)
            .map(|thread| {
                let many = (0..200)
                    .map(move |n| entry("s", 1000 * thread + n))
                    .collect();
                scope.spawn(|| store.append(many).unwrap_err().kind())
            })
            .collect();
        let joined = writers.into_iter().map(|writer| writer.join().unwrap());
        joined.collect::<Vec<_>>()
    });
    assert_eq!(failures, [ErrorKind::NoSpace; 16]);
    assert_eq!(read(&store, "s").len(), 1);
}

#[test]
fn a_database_that_cannot_be_written_says_so_and_is_read() {
    let dir = tempfile::tempdir().unwrap();
    let store = store(&dir.path().join("trails.db"));
    store.append(vec![entry("s", 1)]).unwrap();
    lock(&store.database.writer)
        .as_ref()
        .unwrap()
        .connection
        .pragma_update(None, "query_only", true)
        .unwrap();
    let error = store.append(vec![entry("s", 2)]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Io);
    assert!(error.to_string().contains("cannot be written"), "{error}");
    assert_eq!(read(&store, "s").len(), 1);
}

#[test]
fn who_waits_for_too_long_is_told_that_others_write() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("trails.db");
    let store = store(&path);
    store.append(vec![entry("s", 1)]).unwrap();
    lock(&store.database.writer)
        .as_ref()
        .unwrap()
        .connection
        .busy_timeout(std::time::Duration::ZERO)
        .unwrap();
    let other = rusqlite::Connection::open(&path).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let error = store.append(vec![entry("s", 2)]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Busy);
    assert!(error.is_retryable());
    assert_eq!(read(&store, "s").len(), 1, "reading waits for nobody");
    other.execute_batch("ROLLBACK").unwrap();
    store.append(vec![entry("s", 2)]).unwrap();
    let removed = store.remove("s", &Removal::Cleared).unwrap();
    assert_eq!(removed, Removed::Gone { entries: 2 });
}

#[test]
fn a_statement_is_planned_once_whatever_it_is_asked_with() {
    let dir = tempfile::tempdir().unwrap();
    let store = store(&dir.path().join("trails.db"));
    store.append(vec![entry("s", 1), entry("t", 2)]).unwrap();
    let reader = store.database.reader().unwrap().unwrap();
    for session_id in ["s", "t"] {
        let mut select = reader
            .database()
            .prepare_cached("SELECT entries FROM session_now WHERE session_id = ?")
            .unwrap();
        let entries: i64 = select.query_row([session_id], |row| row.get(0)).unwrap();
        let replans = select.get_status(rusqlite::StatementStatus::RePrepare);
        assert_eq!((entries, replans), (1, 0));
    }
}

/// What the sums of all come to, with what is not in them yet, and the same from the entries.
const SUMS: [&str; 2] = [
    "WITH part AS (SELECT strategy, error_type, duration_bucket, entries, successes, rollbacks, \
     ms_high, ms_low FROM tally UNION ALL \
     SELECT strategy, error_type, duration_bucket, 1, success, rollback_performed, \
     duration_ms >> 32, duration_ms & 4294967295 \
     FROM session s JOIN entry e ON e.id >> 32 = s.id AND e.id & 4294967295 >= s.counted) \
     SELECT strategy, error_type, duration_bucket, sum(entries), sum(successes), sum(rollbacks), \
     sum(ms_high), sum(ms_low) FROM part GROUP BY 1, 2, 3 ORDER BY 1, 2, 3",
    "WITH part AS (SELECT name, mentions FROM file UNION ALL SELECT value, 1 \
     FROM session s JOIN entry e ON e.id >> 32 = s.id AND e.id & 4294967295 >= s.counted \
     JOIN json_each(files_modified)) \
     SELECT name, sum(mentions) FROM part GROUP BY 1 ORDER BY 1",
];
const SUMS_OF_ENTRIES: [&str; 2] = [
    "SELECT strategy, error_type, duration_bucket, count(*), sum(success), \
     sum(rollback_performed), sum(duration_ms >> 32), sum(duration_ms & 4294967295) \
     FROM entry GROUP BY 1, 2, 3 ORDER BY 1, 2, 3",
    "SELECT value, count(*) FROM entry JOIN json_each(files_modified) GROUP BY 1 ORDER BY 1",
];

/// What is known of the sessions that have entries, and the same from the entries.
const SESSIONS: &str = "SELECT session_id, entries, successes, highest_number, first_timestamp, \
     last_timestamp, last_us, last_succeeded, ended FROM session_now WHERE entries > 0 ORDER BY 1";
const SESSIONS_OF_ENTRIES: &str = "SELECT session_id, count(*), sum(e.success), \
     max(e.attempt_number), f.timestamp, l.timestamp, l.at_us, l.success, \
     iif(l.success, 'recovered', NULL) FROM session s JOIN entry e ON e.id >> 32 = s.id \
     JOIN entry f ON f.id = s.id << 32 \
     JOIN entry l ON l.id = (SELECT max(id) FROM entry WHERE id < (s.id + 1) << 32) \
     GROUP BY 1 ORDER BY 1";

fn rows(path: &Path, sql: &str) -> Vec<Vec<rusqlite::types::Value>> {
    let database = rusqlite::Connection::open(path).unwrap();
    let mut select = database.prepare(sql).unwrap();
    let columns = select.column_count();
    let rows = select.query_map([], |row| (0..columns).map(|index| row.get(index)).collect());
    rows.unwrap().collect::<Result<_, _>>().unwrap()
}

/// How many bytes the trail of `session_id` has as lines.
fn bytes(store: &SqliteStore, session_id: &str) -> u64 {
    let mut bytes = 0;
    let mut visit = |stored: StoredEntry<'_>| {
        bytes += stored.raw().len() as u64 + 1;
        Ok(())
    };
    store.read_trail(session_id, &mut visit).unwrap();
    bytes
}

/// What one of two processes does.
#[derive(Clone, Debug)]
enum Act {
    Append { session: u8, entries: u16 },
    FailToAppend { session: u8 },
    Remove { session: u8 },
    Hold { session: u8 },
}

fn acts() -> impl Strategy<Value = Vec<(bool, Act)>> {
    let session = 0..3_u8;
    let act = prop_oneof![
        6 => (session.clone(), 1..700_u16)
            .prop_map(|(session, entries)| Act::Append { session, entries }),
        1 => session.clone().prop_map(|session| Act::FailToAppend { session }),
        1 => session.clone().prop_map(|session| Act::Remove { session }),
        1 => session.prop_map(|session| Act::Hold { session }),
    ];
    prop::collection::vec((prop::bool::weighted(0.2), act), 1..16)
}

fn some_entries(session: u8, entries: u16) -> Vec<NewEntry> {
    let some = (0..u64::from(entries)).map(|number| {
        let mut new = entry(&format!("s{session}"), number);
        new.number_by_store = true;
        new.entry.strategy = ["fix", "re\0try"][number as usize % 2].to_owned();
        new.entry.success = number % 3 == 0;
        new.entry.duration_seconds = [0.5, 1e13][usize::from(number % 97 == 0)];
        let file = number * 31 % 50;
        new.entry.files_modified = vec![format!("{file}"), "\0\"".to_owned(), "\0\"".to_owned()];
        new
    });
    some.collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, max_shrink_iters: 100, ..ProptestConfig::default() })]

    #[test]
    fn sums_and_rows_are_those_of_the_entries_whoever_writes(acts in acts()) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("trails.db");
        let stores = [store(&path), store(&path)];
        stores[0].append(some_entries(0, 1)).unwrap();
        for (second, act) in acts {
            let store = &stores[usize::from(second)];
            match act {
                Act::Append { session, entries } => {
                    store.append(some_entries(session, entries)).unwrap();
                }
                Act::FailToAppend { session } => {
                    store.append(some_entries(session, 1)).unwrap();
                    limit_pages(store, 1);
                    // Unless what was removed left room.
                    drop(store.append(some_entries(session, 500)));
                    limit_pages(store, u32::MAX);
                }
                Act::Remove { session } => {
                    store.remove(&format!("s{session}"), &Removal::Cleared).unwrap();
                }
                Act::Hold { session } => {
                    let event = JournalEvent::SessionReleased(SessionReleased::default());
                    store.record(Some(&format!("s{session}")), event).unwrap();
                }
            }
            for (sums, entries) in SUMS.iter().zip(SUMS_OF_ENTRIES) {
                prop_assert_eq!(rows(&path, sums), rows(&path, entries));
            }
            prop_assert_eq!(rows(&path, SESSIONS), rows(&path, SESSIONS_OF_ENTRIES));
        }
        for session in stores[0].sessions().unwrap() {
            prop_assert_eq!(session.bytes, bytes(&stores[1], &session.session_id));
        }
    }
}
