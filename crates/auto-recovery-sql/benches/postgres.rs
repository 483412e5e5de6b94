//! What the PostgreSQL store costs beside PostgreSQL itself: many entries at once beside `\copy` of
//! the same rows, and one after the other beside bare inserts.
//!
//! `cargo bench -p auto-recovery-sql --bench postgres` starts a server of its own, in the directory
//! that TMPDIR names, with its settings as they come; it syncs.
#![expect(clippy::disallowed_methods, reason = "a measurement reads the clock")]
#![expect(
    clippy::unwrap_used,
    reason = "a measurement that cannot go on has failed"
)]

#[path = "../tests/it/postgres_server.rs"]
#[expect(dead_code, reason = "tests need more of a server than measurements")]
mod postgres_server;
#[path = "../../auto-recovery/benches/side_by_side.rs"]
mod side_by_side;

use std::fs;
use std::path::Path;
use std::thread;
use std::time::Duration;

use auto_recovery::RecoveryAuditEntry;
use auto_recovery::audit::{AuditStore, NewEntry};
use auto_recovery_sql::{PostgresOptions, PostgresStore};
use postgres_server::{Database, Server};
use side_by_side::{Pair, say};

/// Entries a call.
const BATCH: u64 = 10_000;

const ROUNDS: usize = 15;

/// Entries a round, one after the other.
const SINGLE: u64 = 128;

/// Callers at once.
const CALLERS: u64 = 64;

/// The same columns and indexes, without anything of ours around them.
const BARE: &str = "CREATE TABLE bare (LIKE auto_recovery.stored_entry INCLUDING ALL)";

fn main() {
    let server = Server::start(true, &[]);
    let database = server.own_database();
    let store = database.open(PostgresOptions::default());
    let dir = tempfile::tempdir().unwrap();
    store.append(batch("first", 0, 1)).unwrap();
    server.ask(&database.name, BARE);
    let script = dir.path().join("script.sql");
    say("| appended | ours, entries/s | PostgreSQL, rows/s | ratio | at least |");
    say("|---|---|---|---|---|");
    many(&server, &database, &store, dir.path());
    taken_over(&server, &database, &store);
    let insert = |from: u64, session: u64| {
        let inserts: String = (from..from + SINGLE)
            .map(|place| insert(session, place))
            .collect();
        fs::write(&script, inserts).unwrap();
        server.ask(&database.name, &format!("\\i {}", script.display()));
    };
    one_by_one(&store, insert);
    at_once(&store, insert);
}

fn tell(what: &str, pair: Pair, count: u64, limit: &str) {
    let (ours, bare) = pair.medians();
    let rate = |time: Duration| count as f64 / time.as_secs_f64();
    say(&format!(
        "| {what} | {:.0} | {:.0} | {:.2} | {limit} |",
        rate(ours),
        rate(bare),
        rate(ours) / rate(bare)
    ));
}

/// Calls with many entries, beside `\copy` of the same rows as text.
fn many(server: &Server, database: &Database, store: &PostgresStore, dir: &Path) {
    store.append(batch("sample", 0, BATCH)).unwrap();
    let file = dir.join("rows");
    let out = format!(
        "\\copy (SELECT e.* FROM auto_recovery.stored_entry AS e JOIN auto_recovery.stored_session AS s \
         ON s.id = e.session WHERE session_id = 'sample' ORDER BY place) TO '{}'",
        file.display()
    );
    server.ask(&database.name, &out);
    let rows = fs::read_to_string(&file).unwrap();
    let mut round = 0_u64;
    let mut pair = Pair::default();
    for _ in 0..ROUNDS {
        round += 1;
        // Of a session of their own, as ours are; made before the clock runs.
        fs::write(&file, of_session(&rows, 1_000_000 + round)).unwrap();
        let copy = format!("\\copy bare FROM '{}'", file.display());
        pair.rival(|| drop(server.ask(&database.name, &copy)));
        let entries = batch(&format!("many{round}"), round * BATCH, BATCH);
        pair.ours(|| drop(store.append(entries).unwrap()));
    }
    tell("10,000 a call; `\\copy` of the rows", pair, BATCH, "0.8");
}

/// What others hold, beside the same.
fn taken_over(server: &Server, database: &Database, store: &PostgresStore) {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("rows");
    let out = format!(
        "\\copy (SELECT * FROM bare WHERE session = 1000001 ORDER BY place) TO '{}'",
        file.display()
    );
    server.ask(&database.name, &out);
    let rows = fs::read_to_string(&file).unwrap();
    let mut pair = Pair::default();
    for round in 0..ROUNDS as u64 {
        fs::write(&file, of_session(&rows, 2_000_000 + round)).unwrap();
        let copy = format!("\\copy bare FROM '{}'", file.display());
        pair.rival(|| drop(server.ask(&database.name, &copy)));
        let session_id = format!("taken{round}");
        let raw = batch(&session_id, round * BATCH, BATCH);
        let raw: Vec<Vec<u8>> = raw
            .iter()
            .map(|new| new.entry.to_json().into_bytes())
            .collect();
        let mut importer = store.importer().unwrap();
        pair.ours(|| assert_eq!(importer.entries(&session_id, &raw).unwrap(), BATCH));
    }
    tell(
        "10,000 taken over a call; `\\copy` of the rows",
        pair,
        BATCH,
        "0.8",
    );
}

/// `rows` as they would be of another session.
fn of_session(rows: &str, session: u64) -> String {
    let lines = rows.lines().map(|line| {
        let (_, rest) = line.split_once('\t').unwrap();
        format!("{session}\t{rest}\n")
    });
    lines.collect()
}

/// Durable entries one after the other, beside a script of as many inserts, each a transaction.
fn one_by_one(store: &PostgresStore, insert: impl Fn(u64, u64)) {
    let mut place = 1;
    let pair = Pair::take(
        ROUNDS,
        || {
            insert(place, 3_000_000);
            place += SINGLE;
        },
        || {
            for _ in 0..SINGLE {
                store.append(vec![new("single", None)]).unwrap();
            }
        },
    );
    tell(
        "durable, one by one; psql with bare inserts",
        pair,
        SINGLE,
        "",
    );
}

/// Many callers at once, beside the same script.
fn at_once(store: &PostgresStore, insert: impl Fn(u64, u64)) {
    const EACH: u64 = 8;
    let mut place = 1;
    let pair = Pair::take(
        ROUNDS / 3,
        || {
            insert(place, 4_000_000);
            place += SINGLE;
        },
        || {
            thread::scope(|scope| {
                for caller in 0..CALLERS {
                    scope.spawn(move || {
                        for _ in 0..EACH {
                            let id = format!("caller{caller}");
                            store.append(vec![new(&id, None)]).unwrap();
                        }
                    });
                }
            });
        },
    );
    let (ours, bare) = pair.medians();
    let rate = |count: u64, time: Duration| count as f64 / time.as_secs_f64();
    let (ours, bare) = (rate(CALLERS * EACH, ours), rate(SINGLE, bare));
    say(&format!(
        "| durable, 64 callers; psql with bare inserts | {ours:.0} | {bare:.0} | {:.2} | |",
        ours / bare
    ));
}

/// One row, as any program would insert it.
fn insert(session: u64, place: u64) -> String {
    format!(
        "INSERT INTO bare SELECT {session}, {place}, at_us, attempt_number, duration_ms, bytes, duration_bucket, \
         occurrence, success, rollback_performed, sha256('{place}'), 'entry_{place:032x}', \"timestamp\", \
         error_type, strategy, next_action, changes_made, files_modified, error_message, recovery_message, raw \
         FROM bare WHERE session = 1000001 AND place = 1;\n"
    )
}

fn batch(session_id: &str, from: u64, count: u64) -> Vec<NewEntry> {
    (from..from + count)
        .map(|number| new(session_id, Some(number)))
        .collect()
}

fn new(session_id: &str, number: Option<u64>) -> NewEntry {
    let entry = RecoveryAuditEntry {
        entry_id: number.map_or(String::new(), |number| format!("entry_{number:032x}")),
        timestamp: number.map_or(String::new(), |number| {
            format!(
                "2026-01-02T03:{:02}:{:02}.{:03}Z",
                number / 60 % 60,
                number % 60,
                number % 1000
            )
        }),
        session_id: session_id.to_owned(),
        error_type: "E0308".to_owned(),
        strategy: "fix".to_owned(),
        attempt_number: number.unwrap_or(1),
        changes_made: vec!["ran `cargo fmt`".to_owned()],
        files_modified: vec!["src/lib.rs".to_owned(), "src/main.rs".to_owned()],
        rollback_performed: true,
        next_action: "retry".to_owned(),
        duration_seconds: 1.5,
        error_message: "mismatched types: expected `u32`, found `&str`".to_owned(),
        recovery_message: "`cargo fmt`: exit 0; `cargo check` still fails (exit 101)".to_owned(),
        ..RecoveryAuditEntry::default()
    };
    NewEntry {
        entry,
        number_by_store: number.is_none(),
    }
}
