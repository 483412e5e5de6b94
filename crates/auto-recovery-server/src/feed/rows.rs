//! The rows of the feed: writing them, and reading on behind a number.

use rusqlite::{Connection, Row, params};

use super::database::Database;
use auto_recovery::Result;

/// Rows that are kept, and for how long: a client that was away for less misses nothing.
const ROWS_MAX: i64 = 1_000_000;
const KEPT_MS: i64 = 7 * 24 * 60 * 60 * 1000;

/// The subject of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// An entry was added to a trail.
    Entry,
    /// A record was added to the journal.
    Journal,
    /// A trail was removed; what the feed had of its entries is gone too.
    Removed,
}

impl Kind {
    /// Its name in the table and in streams.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Entry => "entry",
            Self::Journal => "journal",
            Self::Removed => "removed",
        }
    }

    fn named(name: &str) -> Self {
        match name {
            "entry" => Self::Entry,
            "journal" => Self::Journal,
            _ => Self::Removed,
        }
    }
}

/// A row of the feed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Event {
    pub(crate) seq: i64,
    pub(crate) kind: Kind,
    pub(crate) session_id: String,
    pub(crate) project: Option<String>,
    /// The entry or the record, as JSON; `None` once its trail was removed.
    pub(crate) body: Option<String>,
}

/// The rows that a reader wants; the default is all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Wanted {
    /// Only those of this session.
    pub(crate) session_id: Option<String>,
    /// Only those of sessions of this project.
    pub(crate) project: Option<String>,
}

/// Some rows, one after the other.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Page {
    pub(crate) events: Vec<Event>,
    /// The number behind which the next page begins.
    pub(crate) next: i64,
    /// Whether there are more already.
    pub(crate) has_more: bool,
}

impl Database {
    /// The numbers of the last row that was forgotten and of the newest: behind numbers from the
    /// one to the other, nothing is missing.
    pub(crate) fn bounds(&self) -> Result<(i64, i64)> {
        self.read(bounds)
    }

    /// At most `limit` of the rows that are `wanted` behind the number `after`.
    pub(crate) fn page(&self, wanted: &Wanted, after: i64, limit: usize) -> Result<Page> {
        self.read(|connection| {
            let moment = connection.unchecked_transaction()?;
            let (_, newest) = bounds(&moment)?;
            let mut select = moment.prepare_cached(
                "SELECT seq, kind, session_id, project, body FROM event
                 WHERE seq > ?1 AND (?2 IS NULL OR session_id = ?2) AND (?3 IS NULL OR project = ?3)
                 ORDER BY seq LIMIT ?4",
            )?;
            let limit = limit.max(1);
            let rows = i64::try_from(limit).unwrap_or(i64::MAX);
            let values = params![after, wanted.session_id, wanted.project, rows];
            let events = select.query_map(values, event)?;
            let events = events.collect::<rusqlite::Result<Vec<_>>>()?;
            let has_more = events.len() == limit;
            let next = match events.last() {
                Some(last) if has_more => last.seq,
                _ => newest.max(after),
            };
            Ok(Page {
                events,
                next,
                has_more,
            })
        })
    }

    /// The last `count` of the rows that are `wanted`, up to the number `newest`, in order.
    pub(crate) fn last(&self, wanted: &Wanted, newest: i64, count: usize) -> Result<Vec<Event>> {
        let mut events = self.read(|connection| {
            let mut select = connection.prepare_cached(
                "SELECT seq, kind, session_id, project, body FROM event
                 WHERE seq <= ?1 AND (?2 IS NULL OR session_id = ?2) AND (?3 IS NULL OR project = ?3)
                 ORDER BY seq DESC LIMIT ?4",
            )?;
            let count = i64::try_from(count).unwrap_or(i64::MAX);
            let values = params![newest, wanted.session_id, wanted.project, count];
            select.query_map(values, event)?.collect::<rusqlite::Result<Vec<_>>>()
        })?;
        events.reverse();
        Ok(events)
    }

    /// Forgets rows that are older than what is kept.
    pub(crate) fn forget_old(&self, now_ms: i64) -> Result<()> {
        self.write(|connection| {
            let (_, newest) = bounds(connection)?;
            let mut delete =
                connection.prepare_cached("DELETE FROM event WHERE seq <= ? OR at_ms < ?")?;
            delete.execute([newest - ROWS_MAX, now_ms - KEPT_MS])?;
            let oldest: Option<i64> =
                connection.query_row("SELECT min(seq) FROM event", [], |row| row.get(0))?;
            let forgotten = oldest.map_or(newest, |oldest| oldest - 1);
            super::database::set_meta(connection, "forgotten", &forgotten.to_string())
        })
    }
}

fn bounds(connection: &Connection) -> rusqlite::Result<(i64, i64)> {
    let forgotten = super::database::meta(connection, "forgotten")?;
    let forgotten = forgotten.and_then(|text| text.parse().ok()).unwrap_or(0);
    let mut select = connection
        .prepare_cached("SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = 'event'")?;
    Ok((forgotten, select.query_row([], |row| row.get(0))?))
}

pub(super) fn event(row: &Row<'_>) -> rusqlite::Result<Event> {
    let kind: String = row.get(1)?;
    Ok(Event {
        seq: row.get(0)?,
        kind: Kind::named(&kind),
        session_id: row.get(2)?,
        project: row.get(3)?,
        body: row.get(4)?,
    })
}

/// Adds a row, and returns its number.
pub(super) fn add(
    connection: &Connection,
    at_ms: i64,
    kind: Kind,
    (session_id, project): (&str, Option<&str>),
    body: Option<&str>,
) -> rusqlite::Result<i64> {
    let mut insert = connection.prepare_cached(
        "INSERT INTO event (at_ms, kind, session_id, project, body) VALUES (?, ?, ?, ?, ?)",
    )?;
    insert.insert(params![at_ms, kind.as_str(), session_id, project, body])
}

/// Makes `project` that of the rows of `session_id` from the number `from` on.
pub(super) fn set_project(
    connection: &Connection,
    session_id: &str,
    project: &str,
    from: i64,
) -> rusqlite::Result<()> {
    let mut update = connection
        .prepare_cached("UPDATE event SET project = ? WHERE session_id = ? AND seq >= ?")?;
    update.execute(params![project, session_id, from]).map(drop)
}

/// Drops the entries of `session_id` from the rows that are there.
pub(super) fn drop_entries(connection: &Connection, session_id: &str) -> rusqlite::Result<()> {
    let mut update = connection
        .prepare_cached("UPDATE event SET body = NULL WHERE session_id = ? AND kind = 'entry'")?;
    update.execute([session_id]).map(drop)
}
