//! Who said what about alerts, for the page and for the journal of the store.
//!
//! It is noted in the transaction that changes something, and recorded in the store after: a store
//! that is away keeps nobody from saying that they know. What waits is recorded later.

use std::time::SystemTime;

use auto_recovery::audit::{AlertSaid, AuditStore, JournalEvent};
use auto_recovery::host::timestamp;
use rusqlite::{Connection, params};

/// Rows of a list, and of one look for what waits.
const ROWS_MAX: i64 = 50;

/// What somebody did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Did {
    Silenced,
    SilenceEnded,
    Acknowledged,
    AcknowledgementEnded,
    SentAgain,
}

impl Did {
    fn as_str(self) -> &'static str {
        match self {
            Self::Silenced => "silenced",
            Self::SilenceEnded => "silence_ended",
            Self::Acknowledged => "acknowledged",
            Self::AcknowledgementEnded => "acknowledgement_ended",
            Self::SentAgain => "sent_again",
        }
    }
}

/// A word of somebody about alerts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Said {
    /// When, RFC 3339.
    pub(crate) at: String,
    /// What was done, as the journal names it.
    pub(crate) did: String,
    /// The silence, the incident or the message.
    pub(crate) about: String,
    /// Why; empty if nobody said.
    pub(crate) reason: String,
    /// Who.
    pub(crate) by: String,
}

/// Notes that `who` did something, for `reason`.
pub(super) fn note(
    connection: &Connection,
    (did, about): (Did, &str),
    (reason, who): (&str, &str),
    now: SystemTime,
) -> rusqlite::Result<()> {
    let mut insert = connection.prepare_cached(
        "INSERT INTO alert_said (at, did, about, reason, said_by, is_recorded)
         VALUES (?, ?, ?, ?, ?, 0)",
    )?;
    let values = params![timestamp(now), did.as_str(), about, reason, who];
    insert.execute(values).map(drop)
}

/// The newest words, the newest first.
pub(crate) fn said(connection: &Connection) -> rusqlite::Result<Vec<Said>> {
    let rows = rows(connection, "ORDER BY number DESC")?;
    Ok(rows.into_iter().map(|(_, said)| said).collect())
}

/// Those that are not in the journal yet, each with its number, in order.
pub(crate) fn unrecorded(connection: &Connection) -> rusqlite::Result<Vec<(i64, Said)>> {
    rows(connection, "WHERE is_recorded = 0 ORDER BY number")
}

/// Notes that the word `number` is in the journal.
pub(crate) fn recorded(connection: &Connection, number: i64) -> rusqlite::Result<()> {
    let mut update =
        connection.prepare_cached("UPDATE alert_said SET is_recorded = 1 WHERE number = ?")?;
    update.execute([number]).map(drop)
}

/// Records `said` in the journal of `store`; `host` is this machine.
///
/// # Errors
/// If it cannot be recorded.
pub(crate) fn record(
    store: &dyn AuditStore,
    said: Said,
    host: Option<&str>,
) -> auto_recovery::Result<()> {
    let event = JournalEvent::AlertSaid(AlertSaid {
        did: said.did,
        about: said.about,
        reason: Some(said.reason).filter(|reason| !reason.is_empty()),
        said_at: said.at,
        user: Some(said.by),
        host: host.map(str::to_owned),
    });
    store.record(None, event).map(drop)
}

fn rows(connection: &Connection, which: &str) -> rusqlite::Result<Vec<(i64, Said)>> {
    let select = format!(
        "SELECT number, at, did, about, reason, said_by FROM alert_said {which} LIMIT {ROWS_MAX}"
    );
    let mut select = connection.prepare_cached(&select)?;
    let rows = select.query_map([], |row| {
        let said = Said {
            at: row.get(1)?,
            did: row.get(2)?,
            about: row.get(3)?,
            reason: row.get(4)?,
            by: row.get(5)?,
        };
        Ok((row.get(0)?, said))
    })?;
    rows.collect()
}
