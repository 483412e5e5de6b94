//! Kinds of failure: how often each was seen, where and when, and what cured it.
//!
//! Sums are kept beside the positions and move with them in one transaction: a list of kinds asks
//! no session. A session tells of its first failure; what was tried in it counts for that kind. A
//! session whose trail is removed is counted no more.

use std::collections::BTreeMap;

use auto_recovery::Result;
use auto_recovery::audit::AuditStore;
use auto_recovery::entry::RecoveryAuditEntry;
use auto_recovery::failure::Failure;
use auto_recovery::statistics::{instant, whole_ms};
use auto_recovery::wording::cut;
use rusqlite::{Connection, OptionalExtension as _, params};
use serde::{Deserialize, Serialize};

/// Characters that are kept of a message, and of a name.
const MESSAGE_CHARS: usize = 1000;
const NAME_CHARS: usize = 100;

/// Microseconds of a slot, the finest time that sums have: every zone's day begins with one.
pub(crate) const SLOT_US: i64 = 15 * 60 * 1_000_000;

/// Durations of attempts are counted up to each of these, in milliseconds, and beyond the last.
pub(crate) const TOOK_MS: [u64; 11] = [
    100, 300, 1000, 3000, 10_000, 30_000, 120_000, 300_000, 900_000, 3_600_000, 10_800_000,
];

/// The kind under which the slots of all sessions are.
pub(crate) const ALL: &str = "";

const TABLES: &str = "
CREATE TABLE failure_session (
    session_id TEXT PRIMARY KEY,
    kind TEXT NOT NULL,
    at_us INTEGER NOT NULL,
    told TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX failure_session_of_kind ON failure_session (kind, at_us);
CREATE TABLE failure_kind (
    kind TEXT PRIMARY KEY,
    tool TEXT NOT NULL,
    error_type TEXT NOT NULL,
    message TEXT NOT NULL,
    first_us INTEGER NOT NULL,
    last_us INTEGER NOT NULL,
    sessions INTEGER NOT NULL,
    recovered INTEGER NOT NULL,
    escalated INTEGER NOT NULL,
    flaky INTEGER NOT NULL,
    seconds REAL NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX failure_kind_by_sessions ON failure_kind (sessions, kind);
CREATE INDEX failure_kind_by_time ON failure_kind (seconds, kind);
CREATE INDEX failure_kind_by_last ON failure_kind (last_us, kind);
CREATE TABLE failure_part (
    kind TEXT NOT NULL,
    part TEXT NOT NULL,
    name TEXT NOT NULL,
    count INTEGER NOT NULL,
    good INTEGER NOT NULL,
    PRIMARY KEY (kind, part, name)
) STRICT, WITHOUT ROWID;
CREATE INDEX failure_part_by_name ON failure_part (part, name);
CREATE TABLE failure_slot (
    kind TEXT NOT NULL,
    slot INTEGER NOT NULL,
    sessions INTEGER NOT NULL,
    recovered INTEGER NOT NULL,
    escalated INTEGER NOT NULL,
    flaky INTEGER NOT NULL,
    attempts INTEGER NOT NULL,
    cured INTEGER NOT NULL,
    PRIMARY KEY (kind, slot)
) STRICT, WITHOUT ROWID;
";

/// Makes the tables where they lack. A feed from before them looks at all of its sessions again.
pub(super) fn make_tables(connection: &Connection) -> rusqlite::Result<()> {
    let transaction = connection.unchecked_transaction()?;
    let has_tables: bool = transaction.query_row(
        "SELECT count(*) FROM sqlite_master WHERE name = 'failure_session'",
        [],
        |row| row.get(0),
    )?;
    if !has_tables {
        transaction.execute_batch(TABLES)?;
        transaction.execute("UPDATE position SET look = NULL", [])?;
    }
    transaction.commit()
}

/// What a session tells of its failure, so that it can be taken back.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Told {
    /// Empty as long as no failure is known.
    kind: String,
    at_us: i64,
    project: Option<String>,
    outcome: Option<String>,
    flaky: bool,
    seconds: f64,
    /// How often each strategy was tried, and how often it helped.
    strategies: BTreeMap<String, (u64, u64)>,
    /// How many attempts took how long, by [`TOOK_MS`].
    took: BTreeMap<usize, u64>,
    /// The failure, until its kind has words.
    #[serde(skip)]
    words: Words,
}

/// A failure in words.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
struct Words {
    source: String,
    error_type: String,
    message: String,
}

/// What is read of a journal record.
#[derive(Deserialize)]
struct Record {
    at: String,
    event: String,
    #[serde(default)]
    project: Option<String>,
    #[serde(default)]
    outcome: Option<String>,
    #[serde(default)]
    flaky: bool,
    #[serde(default)]
    failure: Words,
}

impl Told {
    /// What the whole session `id` of `store` tells.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub(super) fn read(store: &dyn AuditStore, id: &str) -> Result<Self> {
        let mut told = Self::default();
        store.read_records_raw(Some(id), &mut |raw| {
            told.record(raw);
            Ok(())
        })?;
        store.read_trail(id, &mut |stored| {
            told.entry(&stored.entry());
            Ok(())
        })?;
        Ok(told)
    }

    /// Takes in a record of the journal.
    pub(super) fn record(&mut self, raw: &[u8]) {
        let Ok(record) = serde_json::from_slice::<Record>(raw) else {
            return;
        };
        match &*record.event {
            "session_started" => {
                let name = record.project.map(|name| cut(&name, NAME_CHARS));
                self.project = name.or(self.project.take());
            }
            "failure_detected" => self.failed(record.failure, &record.at),
            "session_finished" => {
                self.outcome = record.outcome;
                self.flaky = record.flaky;
            }
            "session_cleared" | "session_pruned" => *self = Self::default(),
            _ => {}
        }
    }

    /// Takes in an entry.
    pub(super) fn entry(&mut self, entry: &RecoveryAuditEntry) {
        if self.kind.is_empty() {
            // Programs that record attempts alone say the failure with each.
            let words = Words {
                error_type: entry.error_type.clone(),
                message: entry.error_message.clone(),
                ..Words::default()
            };
            self.failed(words, &entry.timestamp);
        }
        let tried = self.strategies.entry(cut(&entry.strategy, NAME_CHARS));
        let (tried, helped) = tried.or_default();
        *tried += 1;
        *helped += u64::from(entry.success);
        self.seconds += entry.duration_seconds.max(0.0);
        let ms = whole_ms(entry.duration_seconds);
        let place = TOOK_MS.iter().position(|most| ms <= *most);
        *self.took.entry(place.unwrap_or(TOOK_MS.len())).or_default() += 1;
    }

    /// Forgets the entries, which are read again.
    pub(super) fn forget_entries(&mut self) {
        self.strategies.clear();
        self.took.clear();
        self.seconds = 0.0;
    }

    fn failed(&mut self, words: Words, at: &str) {
        if !self.kind.is_empty() {
            return;
        }
        self.kind = Failure::new(&*words.error_type, &*words.message, &*words.source).kind();
        self.at_us = instant(at).unwrap_or(0);
        self.words = words;
    }

    /// 1 if the session ended with `outcome`.
    fn ended(&self, outcome: &str) -> i64 {
        i64::from(self.outcome.as_deref() == Some(outcome))
    }
}

/// What the session `id` told before; `None` if nothing is known of it.
pub(super) fn load(connection: &Connection, id: &str) -> rusqlite::Result<Option<Told>> {
    let mut select =
        connection.prepare_cached("SELECT told FROM failure_session WHERE session_id = ?")?;
    let told: Option<String> = select.query_row([id], |row| row.get(0)).optional()?;
    Ok(told.and_then(|told| serde_json::from_str(&told).ok()))
}

/// Counts the session `id` as it tells `now`, and no more as it told `before`.
pub(super) fn save(
    connection: &Connection,
    id: &str,
    before: &Told,
    now: &Told,
) -> rusqlite::Result<()> {
    if before == now || (before.kind.is_empty() && now.kind.is_empty()) {
        return Ok(());
    }
    if now.kind.is_empty() {
        let mut delete =
            connection.prepare_cached("DELETE FROM failure_session WHERE session_id = ?")?;
        delete.execute([id])?;
    } else {
        let mut insert = connection
            .prepare_cached("INSERT OR REPLACE INTO failure_session VALUES (?, ?, ?, ?)")?;
        let told = serde_json::to_string(now).unwrap_or_default();
        insert.execute(params![id, now.kind, now.at_us, told])?;
    }
    if !before.kind.is_empty() {
        count(connection, before, -1)?;
    }
    if !now.kind.is_empty() {
        name(connection, now)?;
        count(connection, now, 1)?;
    }
    if !before.kind.is_empty() && before.kind != now.kind {
        take_back(connection, &before.kind)?;
    }
    Ok(())
}

/// Makes sure that the kind of `told` has a row.
fn name(connection: &Connection, told: &Told) -> rusqlite::Result<()> {
    let mut insert = connection.prepare_cached(
        "INSERT OR IGNORE INTO failure_kind VALUES (?1, ?2, ?3, ?4, ?5, ?5, 0, 0, 0, 0, 0)",
    )?;
    let Words {
        source,
        error_type,
        message,
    } = &told.words;
    let message = cut(message, MESSAGE_CHARS);
    let (tool, error_type) = (cut(source, NAME_CHARS), cut(error_type, NAME_CHARS));
    insert
        .execute(params![told.kind, tool, error_type, message, told.at_us])
        .map(drop)
}

/// Counts the session that tells `told` as often as `sign` says.
fn count(connection: &Connection, told: &Told, sign: i64) -> rusqlite::Result<()> {
    let (recovered, escalated) = (told.ended("recovered"), told.ended("escalated"));
    let mut update = connection.prepare_cached(
        "UPDATE failure_kind SET sessions = sessions + ?2, recovered = recovered + ?3,
         escalated = escalated + ?4, flaky = flaky + ?5, seconds = seconds + ?6,
         first_us = min(first_us, ?7), last_us = max(last_us, ?7) WHERE kind = ?1",
    )?;
    let flaky = sign * i64::from(told.flaky);
    let (recovered, escalated) = (sign * recovered, sign * escalated);
    let seconds = if sign < 0 {
        -told.seconds
    } else {
        told.seconds
    };
    update.execute(params![
        told.kind, sign, recovered, escalated, flaky, seconds, told.at_us
    ])?;
    let mut part = connection.prepare_cached(
        "INSERT INTO failure_part VALUES (?1, ?2, ?3, ?4, ?5)
         ON CONFLICT DO UPDATE SET count = count + excluded.count, good = good + excluded.good",
    )?;
    if let Some(project) = &told.project {
        part.execute(params![told.kind, "project", project, sign, recovered])?;
    }
    let number = |number: u64| sign * i64::try_from(number).unwrap_or(i64::MAX);
    for (place, count) in &told.took {
        for kind in [ALL, &told.kind] {
            part.execute(params![
                kind,
                "took",
                format!("{place:02}"),
                number(*count),
                0
            ])?;
        }
    }
    for (strategy, (tried, helped)) in &told.strategies {
        part.execute(params![
            told.kind,
            "strategy",
            strategy,
            number(*tried),
            number(*helped)
        ])?;
    }
    let mut slot = connection.prepare_cached(
        "INSERT INTO failure_slot VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
         ON CONFLICT DO UPDATE SET sessions = sessions + excluded.sessions,
         recovered = recovered + excluded.recovered, escalated = escalated + excluded.escalated,
         flaky = flaky + excluded.flaky, attempts = attempts + excluded.attempts,
         cured = cured + excluded.cured",
    )?;
    let attempts = number(told.strategies.values().map(|(tried, _)| tried).sum());
    let cured = number(told.strategies.values().map(|(_, helped)| helped).sum());
    for kind in [ALL, &told.kind] {
        let place = told.at_us.div_euclid(SLOT_US);
        let outcomes = params![
            kind, place, sign, recovered, escalated, flaky, attempts, cured
        ];
        slot.execute(outcomes)?;
    }
    Ok(())
}

/// Removes what is no more of `kind`, after a session was taken back.
fn take_back(connection: &Connection, kind: &str) -> rusqlite::Result<()> {
    for statement in [
        "DELETE FROM failure_part WHERE kind = ? AND count <= 0",
        "DELETE FROM failure_slot WHERE kind = ? AND sessions <= 0",
        "DELETE FROM failure_kind WHERE kind = ? AND sessions <= 0",
        "UPDATE failure_kind SET
         first_us = (SELECT min(at_us) FROM failure_session AS one WHERE one.kind = failure_kind.kind),
         last_us = (SELECT max(at_us) FROM failure_session AS one WHERE one.kind = failure_kind.kind)
         WHERE kind = ?",
    ] {
        connection.prepare_cached(statement)?.execute([kind])?;
    }
    Ok(())
}
