//! What is kept of alerts in the feed's database.
//!
//! `alert_session` is what rules are decided by, `alert_series` each condition that is pending or
//! fires, `alert_transition` every decision, `alert_incident` what a message says of an incident.
//! `alert_item` is one transition for one destination, and the message that tells it;
//! `alert_message` is the outbox, `alert_try` every try. `alert_silence` has what nobody is to be
//! told of, and `alert_said` who said so. Facts stand in `meta`: the cursor, the clock, the number
//! of the next incident.

use rusqlite::{Connection, OptionalExtension as _, params};

/// All tables.
pub(crate) const TABLES: &str = "
CREATE TABLE IF NOT EXISTS alert_session (
    session_id TEXT PRIMARY KEY, at_ms INTEGER NOT NULL, body TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS alert_beat (
    name TEXT PRIMARY KEY, heard_ms INTEGER NOT NULL, said TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS alert_series (
    rule TEXT NOT NULL, labels TEXT NOT NULL, body TEXT NOT NULL, PRIMARY KEY (rule, labels)
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS alert_rule (
    rule TEXT PRIMARY KEY, stale_since TEXT
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS alert_transition (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    at TEXT NOT NULL, at_ms INTEGER NOT NULL, rule TEXT NOT NULL, labels TEXT NOT NULL,
    change TEXT NOT NULL, incident INTEGER, seq INTEGER NOT NULL, summary TEXT NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS alert_incident (
    incident INTEGER PRIMARY KEY,
    id TEXT NOT NULL, rule TEXT NOT NULL, labels TEXT NOT NULL, severity TEXT NOT NULL,
    state TEXT NOT NULL, started TEXT NOT NULL, ended TEXT, body TEXT NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS alert_item (
    incident INTEGER NOT NULL, change TEXT NOT NULL, destination TEXT NOT NULL,
    state TEXT NOT NULL, message INTEGER, at_ms INTEGER NOT NULL, why TEXT,
    PRIMARY KEY (incident, change, destination)
) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS alert_item_of_message ON alert_item (message);
CREATE INDEX IF NOT EXISTS alert_item_of_state ON alert_item (state, destination, at_ms);
CREATE TABLE IF NOT EXISTS alert_message (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE, destination TEXT NOT NULL, grouped TEXT NOT NULL,
    change TEXT NOT NULL, state TEXT NOT NULL, tries INTEGER NOT NULL,
    created_ms INTEGER NOT NULL, due_ms INTEGER NOT NULL, at TEXT NOT NULL, body TEXT, why TEXT
) STRICT;
CREATE INDEX IF NOT EXISTS alert_message_of_state ON alert_message (state, destination, number);
CREATE TABLE IF NOT EXISTS alert_try (
    message INTEGER NOT NULL, try INTEGER NOT NULL, at TEXT NOT NULL, result TEXT NOT NULL,
    PRIMARY KEY (message, try)
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS alert_destination (
    destination TEXT PRIMARY KEY, disabled TEXT, failing_since_ms INTEGER
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS alert_silence (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    matchers TEXT NOT NULL, incident INTEGER, until_ms INTEGER, reason TEXT NOT NULL,
    made_by TEXT NOT NULL, at TEXT NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS alert_said (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    at TEXT NOT NULL, did TEXT NOT NULL, about TEXT NOT NULL, reason TEXT NOT NULL,
    said_by TEXT NOT NULL, is_recorded INTEGER NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS alert_transition_of_time ON alert_transition (at);
";

/// The whole number that `name` is in `meta`.
pub(crate) fn number(connection: &Connection, name: &str) -> rusqlite::Result<Option<i64>> {
    let mut select = connection.prepare_cached("SELECT value FROM meta WHERE name = ?")?;
    let text: Option<String> = select.query_row([name], |row| row.get(0)).optional()?;
    Ok(text.and_then(|text| text.parse().ok()))
}

/// Makes `number` that of `name`.
pub(crate) fn set_number(connection: &Connection, name: &str, number: i64) -> rusqlite::Result<()> {
    let mut insert = connection.prepare_cached("INSERT OR REPLACE INTO meta VALUES (?, ?)")?;
    insert.execute(params![name, number.to_string()]).map(drop)
}

/// `value` as JSON; values of ours can be written.
pub(crate) fn json(value: &impl serde::Serialize) -> String {
    serde_json::to_string(value).unwrap_or_default()
}

/// The value that `text` is; one that cannot be read is as one that is not there.
pub(crate) fn from_json<T: serde::de::DeserializeOwned>(text: &str) -> Option<T> {
    serde_json::from_str(text).ok()
}
