//! Lists of the kinds of failure, from the sums that are kept.

use std::ops::Range;
use std::str::FromStr;

use auto_recovery::Result;
use auto_recovery::statistics::wilson;
use auto_recovery::{Error, ErrorKind};
use rusqlite::{Connection, OptionalExtension as _, Row, params};
use serde::Serialize;

use super::database::Database;
use super::failures::TOOK_MS;

/// Projects and strategies that are told of each kind; more are counted.
const PARTS: u32 = 10;

/// The order of a list.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Sort {
    /// Those of most sessions first.
    #[default]
    Sessions,
    /// Those that cost most time first.
    Time,
    /// Those that were seen last first.
    Last,
}

/// Which kinds are asked for; the default is all.
#[derive(Clone, Debug, Default)]
pub(crate) struct KindQuery {
    /// Only this one.
    pub(crate) kind: Option<String>,
    /// Only those that this project had.
    pub(crate) project: Option<String>,
    /// Only those that have this in their type or message.
    pub(crate) text: Option<String>,
    pub(crate) sort: Sort,
    /// The number by which a kind has its place, and the kind, behind which the page begins.
    pub(crate) after: Option<(f64, String)>,
    pub(crate) limit: u32,
}

/// What is known of one kind.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub(crate) struct FailureKind {
    pub(crate) kind: String,
    /// The tool that reported it, or nothing.
    pub(crate) source: String,
    pub(crate) error_type: String,
    /// As it was when it was first seen here.
    pub(crate) message: String,
    pub(crate) sessions: u64,
    pub(crate) recovered_sessions: u64,
    pub(crate) escalated_sessions: u64,
    /// Sessions that passed by plain retry.
    pub(crate) flaky_sessions: u64,
    pub(crate) total_duration_seconds: f64,
    /// RFC 3339; `None` if nobody said when.
    pub(crate) first_timestamp: Option<String>,
    pub(crate) last_timestamp: Option<String>,
    pub(crate) projects_count: u64,
    /// Those with most sessions.
    pub(crate) projects: Vec<OfProject>,
    /// Those that were tried most.
    pub(crate) strategies: Vec<OfStrategy>,
}

/// The sessions of a kind in one project.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct OfProject {
    pub(crate) project: String,
    pub(crate) sessions: u64,
    pub(crate) recovered_sessions: u64,
}

/// The attempts of one strategy at a kind.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub(crate) struct OfStrategy {
    pub(crate) strategy: String,
    pub(crate) total_attempts: u64,
    pub(crate) successful_attempts: u64,
    /// Percent, and Wilson's interval at 95 %.
    pub(crate) success_rate: f64,
    pub(crate) success_rate_low: f64,
    pub(crate) success_rate_high: f64,
}

/// Sessions that began in a quarter of an hour, and what became of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Slot {
    pub(crate) slot: i64,
    pub(crate) sessions: u64,
    pub(crate) recovered: u64,
    pub(crate) escalated: u64,
    /// Sessions that passed by plain retry.
    pub(crate) flaky: u64,
    pub(crate) attempts: u64,
    /// Attempts that helped.
    pub(crate) cured: u64,
}

impl Slot {
    /// Adds what `other` has.
    pub(crate) fn add(&mut self, other: &Self) {
        self.sessions += other.sessions;
        self.recovered += other.recovered;
        self.escalated += other.escalated;
        self.flaky += other.flaky;
        self.attempts += other.attempts;
        self.cured += other.cured;
    }
}

/// The kind of a session, and the sessions of that kind next to it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Neighbours {
    pub(crate) kind: String,
    pub(crate) older: Option<String>,
    pub(crate) newer: Option<String>,
}

impl Sort {
    pub(crate) const ALL: [Self; 3] = [Self::Sessions, Self::Time, Self::Last];

    /// Its name in addresses.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Sessions => "sessions",
            Self::Time => "time",
            Self::Last => "last",
        }
    }

    fn column(self) -> &'static str {
        match self {
            Self::Sessions => "sessions",
            Self::Time => "seconds",
            Self::Last => "last_us",
        }
    }
}

impl FromStr for Sort {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let found = Self::ALL.into_iter().find(|one| one.as_str() == text);
        found.ok_or_else(|| {
            let text = format!("there is no order {text:?}: sessions, time, last");
            Error::new(ErrorKind::InvalidInput, text)
        })
    }
}

impl Database {
    /// The kinds that are asked for, each with the number by which it has its place.
    pub(crate) fn kinds(&self, query: &KindQuery) -> Result<Vec<(f64, FailureKind)>> {
        self.read(|connection| {
            let moment = connection.unchecked_transaction()?;
            let column = query.sort.column();
            let mut select = moment.prepare_cached(&format!(
                "SELECT kind, tool, error_type, message, first_us, last_us, sessions, recovered,
                 escalated, flaky, seconds, {column} FROM failure_kind
                 WHERE (?1 IS NULL OR kind = ?1)
                 AND (?2 IS NULL OR kind IN
                     (SELECT kind FROM failure_part WHERE part = 'project' AND name = ?2 AND count > 0))
                 AND (?3 IS NULL OR instr(lower(error_type || ' ' || message), lower(?3)) > 0)
                 AND (?4 IS NULL OR ({column}, kind) < (?4, ?5))
                 ORDER BY {column} DESC, kind DESC LIMIT ?6"
            ))?;
            let (value, kind) = query.after.clone().unzip();
            let values = params![query.kind, query.project, query.text, value, kind, query.limit];
            let rows = select.query_map(values, |row| Ok((row.get(11)?, kind_of(row)?)))?;
            let mut kinds = rows.collect::<rusqlite::Result<Vec<(f64, FailureKind)>>>()?;
            for (_, kind) in &mut kinds {
                add_parts(&moment, kind)?;
            }
            Ok(kinds)
        })
    }

    /// The slots of `kind` from `since` on.
    pub(crate) fn slots(&self, kind: &str, since: i64) -> Result<Vec<Slot>> {
        self.read(|connection| {
            let mut select = connection.prepare_cached(
                "SELECT slot, sessions, recovered, escalated, flaky, attempts, cured FROM failure_slot
                 WHERE kind = ? AND slot >= ? AND sessions > 0 ORDER BY slot",
            )?;
            let rows = select.query_map(params![kind, since], slot_of)?;
            rows.collect()
        })
    }

    /// What the slots of `kind` come to that are in this range.
    pub(crate) fn sum(&self, kind: &str, slots: Range<i64>) -> Result<Slot> {
        self.read(|connection| {
            let mut select = connection.prepare_cached(
                "SELECT coalesce(min(slot), 0), coalesce(sum(sessions), 0),
                    coalesce(sum(recovered), 0), coalesce(sum(escalated), 0),
                    coalesce(sum(flaky), 0), coalesce(sum(attempts), 0), coalesce(sum(cured), 0)
                 FROM failure_slot WHERE kind = ? AND slot >= ? AND slot < ? AND sessions > 0",
            )?;
            select.query_row(params![kind, slots.start, slots.end], slot_of)
        })
    }

    /// How many attempts at `kind` took how long, by [`TOOK_MS`].
    pub(crate) fn took(&self, kind: &str) -> Result<[u64; TOOK_MS.len() + 1]> {
        self.read(|connection| {
            let mut select = connection.prepare_cached(
                "SELECT name, count FROM failure_part WHERE kind = ? AND part = 'took'",
            )?;
            let mut counts = [0; TOOK_MS.len() + 1];
            let mut rows = select.query([kind])?;
            while let Some(row) = rows.next()? {
                let place: String = row.get(0)?;
                let place = place.parse().ok();
                if let Some(count) = place.and_then(|place: usize| counts.get_mut(place)) {
                    *count = number(row, 1)?;
                }
            }
            Ok(counts)
        })
    }

    /// At most `limit` sessions of `kind`, the newest first.
    pub(crate) fn sessions_of_kind(&self, kind: &str, limit: u32) -> Result<Vec<String>> {
        self.read(|connection| {
            let mut select = connection.prepare_cached(
                "SELECT session_id FROM failure_session WHERE kind = ?
                 ORDER BY at_us DESC LIMIT ?",
            )?;
            select
                .query_map(params![kind, limit], |row| row.get(0))?
                .collect()
        })
    }

    /// The kind of failure of the session `id`, and the sessions before and after it that had the
    /// same; `None` if nothing failed in it.
    pub(crate) fn neighbours(&self, id: &str) -> Result<Option<Neighbours>> {
        self.read(|connection| {
            let mut select = connection
                .prepare_cached("SELECT kind, at_us FROM failure_session WHERE session_id = ?")?;
            let found = select.query_row([id], |row| Ok((row.get(0)?, row.get(1)?)));
            let Some((kind, at_us)): Option<(String, i64)> = found.optional()? else {
                return Ok(None);
            };
            let mut older = connection.prepare_cached(
                "SELECT session_id FROM failure_session
                 WHERE kind = ?1 AND (at_us, session_id) < (?2, ?3)
                 ORDER BY at_us DESC, session_id DESC LIMIT 1",
            )?;
            let mut newer = connection.prepare_cached(
                "SELECT session_id FROM failure_session
                 WHERE kind = ?1 AND (at_us, session_id) > (?2, ?3)
                 ORDER BY at_us, session_id LIMIT 1",
            )?;
            let here = params![kind, at_us, id];
            let older = older.query_row(here, |row| row.get(0)).optional()?;
            let newer = newer.query_row(here, |row| row.get(0)).optional()?;
            Ok(Some(Neighbours { kind, older, newer }))
        })
    }
}

fn slot_of(row: &Row<'_>) -> rusqlite::Result<Slot> {
    Ok(Slot {
        slot: row.get(0)?,
        sessions: number(row, 1)?,
        recovered: number(row, 2)?,
        escalated: number(row, 3)?,
        flaky: number(row, 4)?,
        attempts: number(row, 5)?,
        cured: number(row, 6)?,
    })
}

fn kind_of(row: &Row<'_>) -> rusqlite::Result<FailureKind> {
    let seconds: f64 = row.get(10)?;
    Ok(FailureKind {
        kind: row.get(0)?,
        source: row.get(1)?,
        error_type: row.get(2)?,
        message: row.get(3)?,
        first_timestamp: moment(row.get(4)?),
        last_timestamp: moment(row.get(5)?),
        sessions: number(row, 6)?,
        recovered_sessions: number(row, 7)?,
        escalated_sessions: number(row, 8)?,
        flaky_sessions: number(row, 9)?,
        total_duration_seconds: (seconds * 1000.0).round() / 1000.0,
        ..FailureKind::default()
    })
}

/// Sums are never negative; a database that says so is read as if they were nothing.
fn number(row: &Row<'_>, column: usize) -> rusqlite::Result<u64> {
    let number: i64 = row.get(column)?;
    Ok(u64::try_from(number).unwrap_or(0))
}

fn moment(us: i64) -> Option<String> {
    let since = std::time::Duration::from_micros(u64::try_from(us).ok().filter(|us| *us > 0)?);
    let time = std::time::SystemTime::UNIX_EPOCH.checked_add(since)?;
    Some(auto_recovery::host::timestamp(time))
}

fn add_parts(connection: &Connection, kind: &mut FailureKind) -> rusqlite::Result<()> {
    let mut select = connection.prepare_cached(
        "SELECT name, count, good FROM failure_part WHERE kind = ? AND part = ? AND count > 0
         ORDER BY count DESC, name LIMIT ?",
    )?;
    let rows = select.query_map(params![kind.kind, "project", PARTS], |row| {
        Ok(OfProject {
            project: row.get(0)?,
            sessions: number(row, 1)?,
            recovered_sessions: number(row, 2)?,
        })
    })?;
    kind.projects = rows.collect::<rusqlite::Result<_>>()?;
    let rows = select.query_map(params![kind.kind, "strategy", PARTS], |row| {
        let (total, successful) = (number(row, 1)?, number(row, 2)?);
        let (low, high) = wilson(successful, total);
        let rate = successful as f64 / total.max(1) as f64;
        Ok(OfStrategy {
            strategy: row.get(0)?,
            total_attempts: total,
            successful_attempts: successful,
            success_rate: (rate * 10_000.0).round() / 100.0,
            success_rate_low: low,
            success_rate_high: high,
        })
    })?;
    kind.strategies = rows.collect::<rusqlite::Result<_>>()?;
    let mut count = connection.prepare_cached(
        "SELECT count(*) FROM failure_part WHERE kind = ? AND part = 'project' AND count > 0",
    )?;
    kind.projects_count = count.query_row([&kind.kind], |row| number(row, 0))?;
    Ok(())
}
