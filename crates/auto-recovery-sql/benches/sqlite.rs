//! Cost of the SQLite store, compared with SQLite itself: durable appends beside a prepared INSERT
//! into one table, many callers beside transactions of as many rows, and statistics over a million
//! entries beside the best SQL for the same numbers.
//!
//! `cargo bench --bench sqlite` does both in turn and prints medians. The directory that TMPDIR
//! names should be on the disk that is of interest.
#![expect(clippy::disallowed_methods, reason = "a measurement reads the clock")]

#[path = "../../auto-recovery/benches/side_by_side.rs"]
mod side_by_side;

use std::cell::Cell;
use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use auto_recovery::audit::{AuditStore, Durability, NewEntry, Recorder, StoredEntry};
use auto_recovery::entry::RecoveryAuditEntry;
use auto_recovery::host::SystemHost;
use auto_recovery::statistics::{AggregateQuery, Dimension};
use auto_recovery_sql::{SqliteOptions, SqliteStore};
use rusqlite::{Connection, params};
use side_by_side::{Pair, say};

/// Appends a round.
const ENTRIES: usize = 256;

const ROUNDS: usize = 31;

/// Callers at once, and rows that a bare transaction has.
const CALLERS: usize = 64;

/// Appends of each caller a round: enough that starting threads does not count.
const EACH: usize = 512;

/// Entries that are summed up, in sessions of [`SESSION_ENTRIES`].
const SUMMED: u64 = 1_000_000;
const SESSION_ENTRIES: u64 = 100;

/// The same as every column of one table.
const TABLE: &str = "CREATE TABLE entry (entry_id TEXT PRIMARY KEY, timestamp TEXT, \
     session_id TEXT, error_type TEXT, strategy TEXT, attempt_number INTEGER, success INTEGER, \
     changes_made TEXT, files_modified TEXT, rollback_performed INTEGER, next_action TEXT, \
     duration_seconds REAL, error_message TEXT, recovery_message TEXT)";

const INSERT: &str = "INSERT INTO entry VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";

fn main() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    say("| what | ours | SQLite | ratio | limit |");
    say("|---|---|---|---|---|");
    append(dir.path());
    sum_up(dir.path());
}

fn append(dir: &Path) {
    let store = Arc::new(store(&dir.join("ours.db"), Durability::Sync));
    let bare = Bare::new(&dir.join("bare.db"));
    let pair = Pair::take(
        ROUNDS,
        || (0..ENTRIES).for_each(|_| bare.append(1)),
        || (0..ENTRIES).for_each(|_| append_one(&store)),
    );
    rates("durable, one by one, entries/s", pair, ENTRIES, "≥ 0.9");
    let pair = Pair::take(
        ROUNDS,
        || (0..EACH).for_each(|_| bare.append(CALLERS)),
        || at_once(&store, EACH),
    );
    rates(
        "durable, 64 callers; bare with 64 rows a transaction, entries/s",
        pair,
        CALLERS * EACH,
        "≥ 0.7",
    );
}

fn rates(what: &str, pair: Pair, count: usize, limit: &str) {
    let (ours, rival) = pair.medians();
    let rate = |time: Duration| count as f64 / time.as_secs_f64();
    say(&format!(
        "| {what} | {:.0} | {:.0} | {:.2} | {limit} |",
        rate(ours),
        rate(rival),
        rate(ours) / rate(rival)
    ));
}

/// Rows in one table, each transaction synced.
struct Bare {
    database: Connection,
    inserted: Cell<u64>,
}

impl Bare {
    fn new(path: &Path) -> Self {
        let database = Connection::open(path).expect("opened");
        let pragmas = "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL";
        database.execute_batch(pragmas).expect("set");
        database.execute_batch(TABLE).expect("created");
        Self {
            database,
            inserted: Cell::new(0),
        }
    }

    fn append(&self, rows: usize) {
        let run = |sql| {
            let mut statement = self.database.prepare_cached(sql).expect("prepared");
            statement.execute([]).expect("done");
        };
        run("BEGIN IMMEDIATE");
        let mut insert = self.database.prepare_cached(INSERT).expect("prepared");
        for _ in 0..rows {
            self.inserted.set(self.inserted.get() + 1);
            let entry = entry(self.inserted.get());
            insert
                .execute(params![
                    entry.entry_id,
                    entry.timestamp,
                    entry.session_id,
                    entry.error_type,
                    entry.strategy,
                    entry.attempt_number as i64,
                    entry.success,
                    serde_json::to_string(&entry.changes_made).expect("JSON"),
                    serde_json::to_string(&entry.files_modified).expect("JSON"),
                    entry.rollback_performed,
                    entry.next_action,
                    entry.duration_seconds,
                    entry.error_message,
                    entry.recovery_message,
                ])
                .expect("inserted");
        }
        run("COMMIT");
    }
}

fn store(path: &Path, durability: Durability) -> SqliteStore {
    let options = SqliteOptions { durability };
    SqliteStore::open(path, options, Recorder::new(Arc::new(SystemHost::new()))).expect("opened")
}

fn append_one(store: &SqliteStore) {
    let mut new = NewEntry {
        entry: entry(1),
        number_by_store: false,
    };
    new.entry.entry_id.clear();
    store.append(vec![new]).expect("appended");
}

/// Each of many callers appends this many entries.
fn at_once(store: &Arc<SqliteStore>, each: usize) {
    thread::scope(|scope| {
        for _ in 0..CALLERS {
            scope.spawn(|| (0..each).for_each(|_| append_one(store)));
        }
    });
}

/// An entry, different for each number in what sums look at.
fn entry(number: u64) -> RecoveryAuditEntry {
    RecoveryAuditEntry {
        entry_id: format!("entry_{number:032x}"),
        timestamp: format!(
            "2026-01-{:02}T{:02}:{:02}:{:02}.000Z",
            1 + number / 86_400 % 28,
            number / 3600 % 24,
            number / 60 % 60,
            number % 60
        ),
        session_id: format!("session_{:032x}", number / SESSION_ENTRIES),
        error_type: [
            "E0308",
            "AssertionError",
            "formatting",
            "TimeoutError",
            "ImportError",
        ][number as usize % 5]
            .to_owned(),
        strategy: ["fix", "retry", "alternative"][number as usize % 3].to_owned(),
        attempt_number: 1 + number % SESSION_ENTRIES,
        success: number.is_multiple_of(3),
        changes_made: vec!["ran `cargo fmt`".to_owned()],
        files_modified: vec![
            format!("src/module_{}.rs", number * 7919 % 5000),
            "src/main.rs".to_owned(),
        ],
        rollback_performed: !number.is_multiple_of(3),
        next_action: "retry".to_owned(),
        duration_seconds: ((number * number * 37) % 100_000) as f64 / 1000.0,
        error_message: "mismatched types: expected `u32`, found `&str`".to_owned(),
        recovery_message: "`cargo fmt`: exit 0; `cargo check` still fails (exit 101)".to_owned(),
    }
}

fn sum_up(dir: &Path) {
    let path = dir.join("million.db");
    let store = store(&path, Durability::Flush);
    for session in 0..SUMMED / SESSION_ENTRIES {
        let numbers = session * SESSION_ENTRIES..(session + 1) * SESSION_ENTRIES;
        let batch = numbers.map(|number| NewEntry {
            entry: entry(number),
            number_by_store: false,
        });
        store.append(batch.collect()).expect("appended");
    }
    let database = Connection::open(&path).expect("opened");
    let all = AggregateQuery::default();
    let pair = Pair::take(
        ROUNDS,
        || best_sql(&database),
        || drop(store.aggregate(&all).expect("summed up")),
    );
    times("statistics of 1,000,000 entries, ms", pair, "≤ 1.2");
    let pair = Pair::take(
        5,
        || sql_over_entries(&database),
        || drop(store.aggregate(&all).expect("summed up")),
    );
    times("the same beside SQL over the table of entries", pair, "");
    let by_strategy = AggregateQuery {
        by: vec![Dimension::Strategy],
        ..AggregateQuery::default()
    };
    let pair = Pair::take(
        3,
        || sql_by_strategy(&database),
        || drop(store.aggregate(&by_strategy).expect("summed up")),
    );
    times("grouped by strategy", pair, "");
    let pair = Pair::take(
        3,
        || walk(&database, "SELECT * FROM entry ORDER BY id"),
        || read_all(&store),
    );
    times("every trail read; beside its rows", pair, "");
}

fn times(what: &str, pair: Pair, limit: &str) {
    let (ours, rival) = pair.medians();
    let ms = |time: Duration| time.as_secs_f64() * 1000.0;
    say(&format!(
        "| {what} | {:.1} | {:.1} | {:.2} | {limit} |",
        ms(ours),
        ms(rival),
        ours.as_secs_f64() / rival.as_secs_f64()
    ));
}

/// The same numbers by hand, from what the tables have ready.
fn best_sql(database: &Connection) {
    for sql in [
        "SELECT sum(entries), sum(successes), sum(rollbacks), sum(ms_high), sum(ms_low) FROM tally",
        "SELECT strategy, sum(entries) FROM tally GROUP BY strategy",
        "SELECT error_type, sum(entries) FROM tally GROUP BY error_type",
        "SELECT duration_bucket, sum(entries) FROM tally GROUP BY duration_bucket",
        "SELECT count(*) FROM file WHERE mentions > 0",
        "SELECT name, mentions FROM file ORDER BY mentions DESC, name LIMIT 10",
        "SELECT count(*), sum(iif(outcome IS NULL, last_succeeded, outcome = 'recovered')), \
         sum(outcome = 'escalated'), sum(flaky) FROM session",
        "SELECT first_timestamp FROM session ORDER BY first_us, first_timestamp LIMIT 1",
        "SELECT last_timestamp FROM session ORDER BY last_us DESC, last_timestamp DESC LIMIT 1",
        "SELECT iif(outcome IS NULL, (last_us - start_us) / 1000, took_ms), count(*) FROM session \
         WHERE iif(outcome IS NULL, last_succeeded, outcome = 'recovered') GROUP BY 1",
    ] {
        walk(database, sql);
    }
}

/// The same numbers by hand, from the entries.
fn sql_over_entries(database: &Connection) {
    for sql in [
        "SELECT strategy, error_type, duration_bucket, count(*), sum(success), \
         sum(rollback_performed), sum(duration_ms) FROM entry GROUP BY 1, 2, 3",
        "SELECT value, count(*) AS n FROM entry, json_each(files_modified) GROUP BY value \
         ORDER BY n DESC, value",
        "SELECT count(*), sum(iif(outcome IS NULL, last_succeeded, outcome = 'recovered')), \
         sum(outcome = 'escalated'), sum(flaky), \
         min(first_us), max(last_us) FROM session",
        "SELECT iif(outcome IS NULL, (last_us - start_us) / 1000, took_ms), count(*) FROM session \
         WHERE iif(outcome IS NULL, last_succeeded, outcome = 'recovered') GROUP BY 1",
    ] {
        walk(database, sql);
    }
}

/// The same numbers by hand for each strategy.
fn sql_by_strategy(database: &Connection) {
    for sql in [
        "SELECT strategy, error_type, duration_bucket, count(*), sum(success), \
         sum(rollback_performed), sum(duration_ms) FROM entry GROUP BY 1, 2, 3",
        "SELECT strategy, value, count(*) FROM entry, \
         json_each(files_modified) GROUP BY 1, 2",
        "SELECT strategy, session, min(id), max(id) FROM entry GROUP BY 1, 2",
    ] {
        walk(database, sql);
    }
}

fn read_all(store: &SqliteStore) {
    for session in store.sessions().expect("listed") {
        let mut visit = |_: StoredEntry<'_>| Ok(());
        store
            .read_trail(&session.session_id, &mut visit)
            .expect("read");
    }
}

fn walk(database: &Connection, sql: &str) {
    let mut select = database.prepare_cached(sql).expect("prepared");
    let mut rows = select.query([]).expect("asked");
    while rows.next().expect("answered").is_some() {}
}
