//! The row of a session: what its entries come to, and what its journal says.

use auto_recovery::audit::{JournalEvent, JournalSummary, SessionSummary};
use auto_recovery::statistics::{Tally, instant};
use auto_recovery::{Error, ErrorKind, Result};
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;

use super::cell::get;
use super::columns::Columns;
use crate::text::{from_column, to_column};

/// The columns that make a [`Session`].
pub(super) const COLUMNS: &str = "id, session_id, entries, successful, bytes, highest_number, first_timestamp, first_us, \
                       last_timestamp, last_us, last_succeeded, facts";

/// The rows of these sessions, made if there are none, and locked in the order of their ids.
pub(super) const LOCK: &str = "INSERT INTO auto_recovery.stored_session AS of (session_id) \
     SELECT wanted FROM unnest($1::text[]) AS wanted ORDER BY wanted COLLATE \"C\" \
     ON CONFLICT (session_id) DO UPDATE SET session_id = of.session_id \
     RETURNING id, session_id, entries, successful, bytes, highest_number, first_timestamp, first_us, \
     last_timestamp, last_us, last_succeeded, facts";

/// What changes when something is added.
pub(super) const UPDATE: &str = "UPDATE auto_recovery.stored_session SET entries = $2, successful = $3, \
     bytes = $4, highest_number = $5, first_timestamp = $6, first_us = $7, last_timestamp = $8, last_us = $9, \
     last_succeeded = $10, facts = $11, first_at = $12, first_at_us = $13, outcome = $14, took_ms = $15, \
     flaky = $16, category = $17, source = $18, project = $19, host = $20, \"user\" = $21, cwd = $22, \
     command = $23, pid = $24, held = $25 WHERE id = $1";

/// The same where only entries were added.
pub(super) const UPDATE_SUMS: &str = "UPDATE auto_recovery.stored_session SET entries = $2, successful = $3, \
     bytes = $4, highest_number = $5, first_timestamp = $6, first_us = $7, last_timestamp = $8, last_us = $9, \
     last_succeeded = $10 WHERE id = $1";

/// Whether a row is what an update would make it. Its facts are text that a later release writes in
/// another way.
pub(super) const IS_AS: &str = "SELECT EXISTS (SELECT FROM auto_recovery.stored_session WHERE id = $1 \
     AND entries = $2 AND successful = $3 AND bytes = $4 AND highest_number = $5 \
     AND first_timestamp IS NOT DISTINCT FROM $6 AND first_us IS NOT DISTINCT FROM $7 \
     AND last_timestamp IS NOT DISTINCT FROM $8 AND last_us IS NOT DISTINCT FROM $9 \
     AND last_succeeded = $10 AND $11::text IS NOT NULL AND first_at IS NOT DISTINCT FROM $12 \
     AND first_at_us IS NOT DISTINCT FROM $13 AND outcome IS NOT DISTINCT FROM $14 \
     AND took_ms IS NOT DISTINCT FROM $15 AND flaky = $16 AND category IS NOT DISTINCT FROM $17 \
     AND source IS NOT DISTINCT FROM $18 AND project IS NOT DISTINCT FROM $19 \
     AND host IS NOT DISTINCT FROM $20 AND \"user\" IS NOT DISTINCT FROM $21 \
     AND cwd IS NOT DISTINCT FROM $22 AND command IS NOT DISTINCT FROM $23 \
     AND pid IS NOT DISTINCT FROM $24 AND held = $25)";

/// One session.
pub(super) struct Session {
    pub id: i64,
    pub session_id: String,
    pub entries: i64,
    successful: i64,
    bytes: i64,
    /// The highest attempt number so far.
    pub highest: u64,
    /// As columns hold them.
    first_timestamp: Option<String>,
    first_us: Option<i64>,
    last_timestamp: Option<String>,
    last_us: Option<i64>,
    last_succeeded: bool,
    pub facts: JournalSummary,
    pub facts_changed: bool,
}

/// The statement that reads sessions, `which` saying which.
pub(super) fn select(which: &str) -> String {
    format!("SELECT {COLUMNS} FROM auto_recovery.stored_session {which}")
}

impl Session {
    /// The session in `row`.
    pub(super) fn read(row: &Row) -> Result<Self> {
        let session_id: String = get(row, 1)?;
        let facts: String = get(row, 11)?;
        let facts = serde_json::from_str(&facts).map_err(|error| {
            Error::new(
                ErrorKind::Damaged,
                format!("the facts of session {session_id} in auto_recovery.stored_session cannot be read"),
            )
            .with_source(error)
        })?;
        Ok(Self {
            id: get(row, 0)?,
            session_id,
            entries: get(row, 2)?,
            successful: get(row, 3)?,
            bytes: get(row, 4)?,
            highest: get::<i64>(row, 5)? as u64,
            first_timestamp: get(row, 6)?,
            first_us: get(row, 7)?,
            last_timestamp: get(row, 8)?,
            last_us: get(row, 9)?,
            last_succeeded: get(row, 10)?,
            facts,
            facts_changed: false,
        })
    }

    /// The same row with nothing in it.
    pub(super) fn emptied(&self) -> Self {
        Self {
            id: self.id,
            session_id: self.session_id.clone(),
            entries: 0,
            successful: 0,
            bytes: 0,
            highest: 0,
            first_timestamp: None,
            first_us: None,
            last_timestamp: None,
            last_us: None,
            last_succeeded: false,
            facts: JournalSummary::default(),
            facts_changed: false,
        }
    }

    /// Whether anybody sees it.
    pub(super) fn is_there(&self) -> bool {
        self.entries > 0 || self.facts.first_at.is_some()
    }

    /// What a list shows of its entries.
    pub(super) fn tally(&self) -> Tally {
        Tally {
            total: self.entries as u64,
            successful: self.successful as u64,
            first_timestamp: self.first_timestamp.clone().map(from_column),
            last_timestamp: self.last_timestamp.clone().map(from_column),
            last_succeeded: self.last_succeeded,
        }
    }

    /// What a list shows of it.
    pub(super) fn summary(&self) -> SessionSummary {
        self.facts
            .summary(self.session_id.clone(), self.tally(), self.bytes as u64)
    }

    /// How many of its entries have some four megabytes.
    pub(super) fn page_rows(&self) -> i64 {
        const PAGE_BYTES: i64 = 4 << 20;
        const ROWS_MIN: i64 = 16;
        const ROWS_MAX: i64 = 2048;
        let average = self.bytes / self.entries.max(1);
        (PAGE_BYTES / average.max(1)).clamp(ROWS_MIN, ROWS_MAX)
    }

    /// Gives `entry` its place and counts it; its attempt has this number.
    pub(super) fn add(&mut self, entry: &mut Columns, number: u64) {
        self.entries += 1;
        entry.session = self.id;
        entry.place = self.entries;
        self.successful += i64::from(entry.success());
        self.bytes += entry.bytes();
        self.highest = self.highest.max(number);
        let timestamp = entry.timestamp();
        if self.entries == 1 {
            self.first_timestamp = Some(timestamp.to_owned());
            self.first_us = entry.at_us();
        }
        let last = self.last_timestamp.get_or_insert_default();
        last.clear();
        last.push_str(timestamp);
        self.last_us = entry.at_us();
        self.last_succeeded = entry.success();
    }

    /// Adds what a record says.
    pub(super) fn apply(&mut self, at: &str, event: &JournalEvent) {
        self.facts.apply(at, event);
        self.facts_changed = true;
    }

    /// The number that follows the highest.
    pub(super) fn next_number(&self) -> Result<u64> {
        self.highest.checked_add(1).ok_or_else(|| {
            Error::new(
                ErrorKind::InvalidInput,
                format!(
                    "no attempt number is left after {}: use another session",
                    u64::MAX
                ),
            )
        })
    }

    /// What [`UPDATE`] is given.
    pub(super) fn update(&self) -> Update {
        let facts = &self.facts;
        let started = facts.started.clone().unwrap_or_default();
        let text = |text: Option<&str>| text.map(|text| to_column(text).into_owned());
        let command = started.command.as_ref().map(|words| {
            let words = words.iter().map(|word| to_column(word).into_owned());
            words.collect::<Vec<_>>()
        });
        Update {
            sums: self.sums(),
            changes_facts: self.facts_changed,
            facts: serde_json::to_string(facts).expect("facts are texts, numbers and lists"),
            first_at: text(facts.first_at.as_deref()),
            first_at_us: facts.first_at.as_deref().and_then(instant),
            outcome: facts.outcome.map(|outcome| outcome.as_str().to_owned()),
            took_ms: facts
                .took_ms
                .map(|ms| i64::try_from(ms).unwrap_or(i64::MAX)),
            flaky: i64::try_from(facts.flaky).unwrap_or(i64::MAX),
            category: text(facts.category.as_deref()),
            source: text(facts.source.as_deref()),
            project: text(started.project.as_deref()),
            host: text(started.host.as_deref()),
            user: text(started.user.as_deref()),
            cwd: text(started.cwd.as_deref()),
            command,
            pid: facts.started.as_ref().map(|started| i64::from(started.pid)),
            held: facts.held.is_some(),
        }
    }

    fn sums(&self) -> Sums {
        Sums {
            id: self.id,
            entries: self.entries,
            successful: self.successful,
            bytes: self.bytes,
            highest: self.highest as i64,
            first_timestamp: self.first_timestamp.clone(),
            first_us: self.first_us,
            last_timestamp: self.last_timestamp.clone(),
            last_us: self.last_us,
            last_succeeded: self.last_succeeded,
        }
    }
}

/// What changed of a session.
#[derive(PartialEq)]
pub(super) struct Update {
    sums: Sums,
    pub changes_facts: bool,
    facts: String,
    first_at: Option<String>,
    first_at_us: Option<i64>,
    outcome: Option<String>,
    took_ms: Option<i64>,
    flaky: i64,
    category: Option<String>,
    source: Option<String>,
    project: Option<String>,
    host: Option<String>,
    user: Option<String>,
    cwd: Option<String>,
    command: Option<Vec<String>>,
    pid: Option<i64>,
    held: bool,
}

#[derive(PartialEq)]
struct Sums {
    id: i64,
    entries: i64,
    successful: i64,
    bytes: i64,
    highest: i64,
    first_timestamp: Option<String>,
    first_us: Option<i64>,
    last_timestamp: Option<String>,
    last_us: Option<i64>,
    last_succeeded: bool,
}

impl Update {
    /// What the statement is given: [`UPDATE`] if it changes facts, else [`UPDATE_SUMS`].
    pub(super) fn params(&self) -> Vec<&(dyn ToSql + Sync)> {
        let sums = &self.sums;
        let mut params: Vec<&(dyn ToSql + Sync)> = vec![
            &sums.id,
            &sums.entries,
            &sums.successful,
            &sums.bytes,
            &sums.highest,
            &sums.first_timestamp,
            &sums.first_us,
            &sums.last_timestamp,
            &sums.last_us,
            &sums.last_succeeded,
        ];
        if self.changes_facts {
            let facts: [&(dyn ToSql + Sync); 15] = [
                &self.facts,
                &self.first_at,
                &self.first_at_us,
                &self.outcome,
                &self.took_ms,
                &self.flaky,
                &self.category,
                &self.source,
                &self.project,
                &self.host,
                &self.user,
                &self.cwd,
                &self.command,
                &self.pid,
                &self.held,
            ];
            params.extend(facts);
        }
        params
    }
}
