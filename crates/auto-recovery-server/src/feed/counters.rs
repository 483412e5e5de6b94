//! Counters that only grow, whatever is removed from the store.

use std::collections::BTreeMap;

use auto_recovery::Result;
use auto_recovery::entry::RecoveryAuditEntry;
use rusqlite::{Connection, params};
use serde::Deserialize;
use serde_json::Value;

use super::database::Database;

/// Different labels of one counter, at most: what others put into a record bounds nothing itself.
const LABELS_MAX: i64 = 100;

/// The longest value of a label, in bytes.
const LABEL_BYTES_MAX: usize = 60;

/// A counter with one set of labels.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Counter {
    pub(crate) name: String,
    /// `name="value"` pairs as they are written, or nothing.
    pub(crate) labels: String,
    pub(crate) value: f64,
}

/// What some rows add to the counters.
#[derive(Debug, Default)]
pub(super) struct Counts(BTreeMap<(&'static str, String), f64>);

/// The fields of a journal record that are counted.
#[derive(Deserialize)]
struct Counted {
    event: String,
    #[serde(default)]
    outcome: Value,
    #[serde(default)]
    flaky: bool,
}

impl Counts {
    fn add(&mut self, name: &'static str, labels: String, value: f64) {
        *self.0.entry((name, labels)).or_default() += value;
    }

    /// Counts an entry.
    pub(super) fn entry(&mut self, entry: &RecoveryAuditEntry) {
        let strategy = label(&entry.strategy);
        let result = if entry.success { "cured" } else { "failed" };
        let labels = format!("strategy=\"{strategy}\",result=\"{result}\"");
        self.add("recover_attempts_total", labels, 1.0);
        let of_strategy = format!("strategy=\"{strategy}\"");
        let seconds = entry.duration_seconds.max(0.0);
        self.add("recover_attempt_seconds_total", of_strategy, seconds);
        if entry.rollback_performed {
            self.add("recover_undone_total", String::new(), 1.0);
        }
    }

    /// Counts a record of the journal.
    pub(super) fn record(&mut self, raw: &str) {
        let Ok(record) = serde_json::from_str::<Counted>(raw) else {
            return;
        };
        if record.event != "session_finished" {
            return;
        }
        let outcome = label(record.outcome.as_str().unwrap_or("unknown"));
        self.add(
            "recover_sessions_total",
            format!("outcome=\"{outcome}\""),
            1.0,
        );
        if record.flaky {
            self.add("recover_flaky_total", String::new(), 1.0);
        }
    }

    /// Adds them to those in the database.
    pub(super) fn store(&mut self, connection: &Connection) -> rusqlite::Result<()> {
        for ((name, labels), value) in std::mem::take(&mut self.0) {
            let mut known = connection.prepare_cached(
                "SELECT count(*), coalesce(sum(labels = ?2), 0) FROM counter WHERE name = ?1",
            )?;
            let (labelled, has): (i64, bool) =
                known.query_row([name, &labels], |row| Ok((row.get(0)?, row.get(1)?)))?;
            let labels = match has || labelled < LABELS_MAX {
                true => labels,
                false => rest_of(&labels),
            };
            count(connection, name, &labels, value)?;
        }
        Ok(())
    }
}

impl Database {
    /// Every counter, in order.
    pub(crate) fn counters(&self) -> Result<Vec<Counter>> {
        self.read(|connection| {
            let mut select = connection
                .prepare_cached("SELECT name, labels, value FROM counter ORDER BY name, labels")?;
            let rows = select.query_map([], |row| {
                Ok(Counter {
                    name: row.get(0)?,
                    labels: row.get(1)?,
                    value: row.get(2)?,
                })
            })?;
            rows.collect()
        })
    }
}

/// Adds `value` to the counter `name` with `labels`, which are of a fixed number.
pub(crate) fn count(
    connection: &Connection,
    name: &str,
    labels: &str,
    value: f64,
) -> rusqlite::Result<()> {
    let mut upsert = connection.prepare_cached(
        "INSERT INTO counter VALUES (?, ?, ?)
         ON CONFLICT DO UPDATE SET value = value + excluded.value",
    )?;
    upsert.execute(params![name, labels, value]).map(drop)
}

/// `labels` with every value but those of a fixed list replaced by `other`.
fn rest_of(labels: &str) -> String {
    let pairs = labels.split(',').map(|pair| match pair.split_once('=') {
        Some((name @ "strategy", _)) => format!("{name}=\"other\""),
        _ => pair.to_owned(),
    });
    pairs.collect::<Vec<_>>().join(",")
}

/// `text` as the value of a label: letters, digits and few signs, so that nothing needs escapes.
fn label(text: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | ':');
    let plain = text.chars().map(|c| if is_plain(c) { c } else { '_' });
    plain.take(LABEL_BYTES_MAX).collect()
}
