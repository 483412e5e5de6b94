//! Every column of every table, as the database itself lists them, changed by hand: it is found, or
//! no answer of the store is another one. These are a thousand changes, and take some seconds.

use std::fmt::Debug;
use std::path::Path;
use std::sync::Arc;

use auto_recovery::audit::sealing::SealsWanted;
use auto_recovery::audit::{
    AuditStore, JournalEvent, SessionHeld, SessionOutcome, SessionQuery, SessionStarted,
};
use auto_recovery::integrity::FindingKind;
use auto_recovery::statistics::{AggregateQuery, Dimension};
use auto_recovery::testing::store_contract::entry;
use rusqlite::Connection;

use crate::seal_mutants::{found, found_of, live, seal};
use crate::sqlite_support::{database, number, store};

/// What a column of numbers is changed to, in SQL; `old` is what it was.
const NUMBERS: &[&str] = &["2", "-1", "1 - old", "old + 1", "1 << 40", "NULL"];

/// The same of any other, and what no table is to take for a number.
const OTHERS: &[&str] = &[
    "NULL",
    "'zz'",
    "old || ' '",
    "CAST(x'ff' AS TEXT)",
    // It is read as the text without it.
    "replace(old, 'e', 'e' || char(1114110) || 'x')",
    "x'00'",
    "1.5",
];

/// Columns whose change is not found though it may change an answer, and why.
const EXCEPTED: [&str; 7] = [
    // What is newest is read with a few more, which are others then. Another order is found.
    "seal.id",
    // Of seals in files it is sealed as little.
    "seal.at",
    "seal.v",
    // Keys are sealed nowhere: the loss of one is what erases texts, and whoever opens a text with
    // another is told.
    "session_key.session_id",
    "session_key.number",
    "session_key.kid",
    "session_key.file",
];

/// A table: its columns, but for those that are made of others, and its key.
struct Table {
    name: String,
    columns: Vec<String>,
    /// Those of them that hold numbers.
    numbers: Vec<String>,
    key: String,
}

fn names(database: &Connection, sql: &str) -> Vec<String> {
    let mut select = database.prepare(sql).unwrap();
    let names = select.query_map([], |row| row.get(0)).unwrap();
    names.collect::<Result<_, _>>().unwrap()
}

/// Every table that is not SQLite's own.
fn tables(database: &Connection) -> Vec<Table> {
    let all = "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'";
    let tables = names(database, all).into_iter().map(|name| {
        let columns = |which: &str| {
            let of = format!("SELECT name FROM pragma_table_info('{name}') WHERE {which}");
            names(database, &of)
        };
        Table {
            key: columns("pk > 0").join(", "),
            columns: columns("1"),
            numbers: columns("type = 'INTEGER'"),
            name,
        }
    });
    tables.collect()
}

impl Table {
    /// The row at a place, from the first (`ASC`) or from the last (`DESC`), as a condition.
    fn row(&self, order: &str) -> String {
        let Self { name, key, .. } = self;
        let by = key.replace(", ", &format!(" {order}, "));
        format!("({key}) = (SELECT {key} FROM {name} ORDER BY {by} {order} LIMIT 1)")
    }

    /// Puts back all of its rows, as they were kept.
    fn put_back(&self, database: &Connection) {
        let (name, columns) = (&self.name, self.columns.join(", "));
        let again = format!(
            "BEGIN; DELETE FROM {name}; INSERT INTO {name} ({columns}) SELECT {columns} \
             FROM temp.kept_{name}; COMMIT"
        );
        database.execute_batch(&again).unwrap();
    }
}

/// A store with a row in every table: sums of sessions that are counted, some that are not, one in
/// which nothing was tried, a hold, a key.
fn lived(dir: &Path) -> Arc<dyn AuditStore> {
    let store: Arc<dyn AuditStore> = Arc::new(store(dir));
    live(&store, &dir.join("state"));
    // The writer counts all once there are many. Without these, the sums are those of the others.
    let many = (0..1100).map(|number| entry("many", number));
    store.append(many.collect()).unwrap();
    store.clear("many").unwrap();
    store.append(vec![entry("c", 200)]).unwrap();
    let started = SessionStarted {
        command: Some(vec!["make".to_owned()]),
        project: Some("mill".to_owned()),
        ..SessionStarted::default()
    };
    let started = JournalEvent::SessionStarted(started);
    store.record(Some("nothing tried"), started).unwrap();
    // What its row says, it says of all of its entries, though they are not counted.
    let once = [15, 16].map(|number| entry("once", number));
    store.append(once.to_vec()).unwrap();
    let held = JournalEvent::SessionHeld(SessionHeld::default());
    store.record(Some("b"), held).unwrap();
    let keys = store.keys().unwrap().unwrap();
    keys.add_key("a", "kid", b"key").unwrap();
    seal(&store, &dir.join("state"));
    // What a removal may leave when it is cut short.
    database(dir)
        .execute_batch("INSERT INTO leftover VALUES (999)")
        .unwrap();
    store
}

/// What is done to a table: the first row, the last and all are deleted, and each column is changed
/// of the first and of the last, and a number wherever it is largest: what is true is 1.
fn changes_of(table: &Table) -> Vec<String> {
    let name = &table.name;
    let delete = |row: &str| format!("DELETE FROM {name} WHERE {row}");
    let (first, last) = (table.row("ASC"), table.row("DESC"));
    let rows = [&*first, &*last, "1"];
    let mut all: Vec<_> = rows.into_iter().map(delete).collect();
    if name == "session_key" {
        all.clear();
    }
    for column in &table.columns {
        if EXCEPTED.contains(&&*format!("{name}.{column}")) {
            continue;
        }
        let numbers = if table.numbers.contains(column) {
            NUMBERS
        } else {
            &[]
        };
        let largest = format!("{column} = (SELECT max({column}) FROM {name})");
        for value in numbers.iter().chain(OTHERS) {
            let value = value.replace("old", column);
            let mut rows = vec![&first, &last];
            rows.extend((value == "2").then_some(&largest));
            let another = format!("{column} IS NOT {value}");
            let change = format!("UPDATE {name} SET {column} = {value} WHERE {another}");
            all.extend(rows.into_iter().map(|row| format!("{change} AND {row}")));
        }
    }
    all
}

/// What `store` answers to all that can be asked of it.
fn answers(store: &dyn AuditStore) -> Vec<String> {
    fn text(answer: impl Debug) -> String {
        format!("{answer:?}")
    }
    let mut all = vec![text(store.read_sessions())];
    let pages = [
        SessionQuery::default(),
        SessionQuery {
            outcome: Some(SessionOutcome::Recovered),
            ..SessionQuery::default()
        },
        SessionQuery {
            project: Some("mill".to_owned()),
            ..SessionQuery::default()
        },
    ];
    for query in &pages {
        all.push(text(store.read_session_page(query, None, 2)));
        all.push(text(store.read_session_page(query, None, 9)));
    }
    for by in [None].into_iter().chain(Dimension::ALL.map(Some)) {
        let query = AggregateQuery {
            by: by.into_iter().collect(),
            ..AggregateQuery::default()
        };
        all.push(text(store.read_aggregate(&query)));
    }
    for id in ["a", "b", "c", "gone", "many", "nothing tried", "once", "zz"] {
        all.push(text(store.is_known(id)));
        all.push(text(store.highest_attempt_number(id)));
        all.push(text(store.read_statistics(id)));
        all.push(text(store.held(id)));
        let mut trail = Vec::new();
        let read = store.read_trail(id, &mut |entry| {
            trail.push(String::from_utf8_lossy(entry.raw()).into_owned());
            Ok(())
        });
        all.push(text((read, trail)));
    }
    let mut lines = Vec::new();
    let mut take = |line: &[u8]| {
        lines.push(String::from_utf8_lossy(line).into_owned());
        Ok(())
    };
    let journal = text(store.read_records_raw(None, &mut take));
    let seals = store.seals().unwrap().unwrap();
    let newest = text(seals.read_seals(SealsWanted::Newest, &mut take));
    all.extend([journal, newest, text(lines)]);
    all
}

/// The first answer of the store in `dir` that is another one, if that is not found.
fn missed(store: &dyn AuditStore, dir: &Path, expected: &[String]) -> Option<String> {
    let seals = store.seals().unwrap().unwrap();
    let mut trails = seals.trails().unwrap().into_iter();
    // A verification does this too, and takes longer.
    if trails.any(|trail| matches!(seals.recount(&trail), Ok(Some(_))))
        || matches!(seals.recount_all(), Ok(Some(_)))
    {
        return None;
    }
    let now = answers(store);
    let mut others = now.iter().zip(expected);
    let (now, before) = others.find(|(now, before)| now != before)?;
    found(store, &dir.join("state"))
        .is_empty()
        .then(|| format!("{now}, not {before}"))
}

#[test]
fn a_column_that_is_changed_is_found_or_changes_no_answer() {
    let dir = tempfile::tempdir().unwrap();
    let store = lived(dir.path());
    let expected = answers(&*store);
    let other = database(dir.path());
    other.pragma_update(None, "foreign_keys", false).unwrap();
    other.pragma_update(None, "synchronous", false).unwrap();
    let (mut all_missed, mut changes) = (Vec::new(), 0);
    for table in tables(&other) {
        let name = &table.name;
        let keep = format!("CREATE TEMP TABLE kept_{name} AS SELECT * FROM {name}");
        other.execute_batch(&keep).unwrap();
        assert!(
            number(dir.path(), &format!("SELECT count(*) FROM {name}")) > 0,
            "{name}"
        );
        for sql in changes_of(&table) {
            // A table may refuse a value, of another type most often.
            if !matches!(other.execute(&sql, []), Ok(1..)) {
                continue;
            }
            changes += 1;
            let missed = missed(&*store, dir.path(), &expected);
            all_missed.extend(missed.map(|missed| format!("{sql}: {missed}")));
            table.put_back(&other);
        }
    }
    assert!(all_missed.is_empty(), "{}", all_missed.join("\n\n"));
    assert_eq!(answers(&*store), expected);
    assert!(changes > 500, "{changes}");
}

#[test]
fn a_session_that_nobody_recorded_is_found() {
    let dir = tempfile::tempdir().unwrap();
    let store = lived(dir.path());
    let state = dir.path().join("state");
    let other = database(dir.path());
    for sql in [
        "INSERT INTO session (session_id, entries, successes, first_timestamp, last_timestamp, \
         first_at) VALUES ('zz', 5, 5, '2026-01-01T00:00:00Z', '2026-01-01T00:00:00Z', \
         '2026-01-01T00:00:00Z')",
        "INSERT INTO session (session_id, first_at) VALUES ('zz', '2026-01-01T00:00:00Z')",
        "INSERT INTO session (session_id, entries) VALUES ('zz', 5)",
    ] {
        assert_eq!(other.execute(sql, []).unwrap(), 1);
        for sessions in [&[][..], &["zz"]] {
            let found = found_of(&*store, &state, sessions);
            assert_eq!(found, [FindingKind::DerivedDiffers], "{sessions:?}: {sql}");
        }
        other
            .execute("DELETE FROM session WHERE session_id = 'zz'", [])
            .unwrap();
        assert_eq!(found_of(&*store, &state, &["zz"]), []);
    }
    // Without anything in it, it is no session.
    other
        .execute("INSERT INTO session (session_id) VALUES ('zz')", [])
        .unwrap();
    for sessions in [&[][..], &["zz"]] {
        assert_eq!(found_of(&*store, &state, sessions), []);
    }
    assert!(!store.is_known("zz").unwrap());
    // The other way round: a session that only the journal knows.
    let gone = "nothing tried";
    assert_eq!(found_of(&*store, &state, &[gone]), []);
    other
        .execute("DELETE FROM session WHERE session_id = ?", [gone])
        .unwrap();
    for sessions in [&[][..], &[gone]] {
        let found = found_of(&*store, &state, sessions);
        assert_eq!(found, [FindingKind::DerivedDiffers], "{sessions:?}");
    }
}
