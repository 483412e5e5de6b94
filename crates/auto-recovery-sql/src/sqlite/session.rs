//! What lists and sums need of a session: its row, and what the last of its entries says where the
//! row is behind.

use auto_recovery::audit::{JournalSummary, SessionOutcome};
use auto_recovery::statistics::{Tally, instant};
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::column::{json, optional, signed, unsigned};
use crate::row::EntryRow;
use crate::text::{from_column, to_column};

/// How many places a trail can have: the rest of an entry's id is its session.
pub(super) const PLACE_BITS: u32 = 32;

/// What a session's row says.
#[derive(Clone, Debug)]
pub(super) struct SessionRow {
    pub(super) id: i64,
    pub(super) session_id: String,
    pub(super) tally: Tally,
    pub(super) bytes: i64,
    pub(super) highest_number: u64,
    /// What the journal says, as far as sums need it; all of it once it was loaded.
    pub(super) facts: JournalSummary,
    /// Whether all of its entries are in the sums of all.
    is_counted: bool,
    /// Whether that is to be saved as no longer so.
    is_newly_uncounted: bool,
    /// Whether all of `facts` is there.
    has_all_facts: bool,
    /// Whether `facts` is to be saved.
    facts_changed: bool,
}

const FIND: &str = "SELECT id, session_id, entries, successes, bytes, highest_number, \
     first_timestamp, last_timestamp, last_succeeded, first_at, outcome, took_ms, flaky, is_counted \
     FROM session_now WHERE session_id = ?";

impl SessionRow {
    /// The row of `session_id`, if it has one.
    pub(super) fn find(
        database: &Connection,
        session_id: &str,
    ) -> rusqlite::Result<Option<SessionRow>> {
        database
            .prepare_cached(FIND)?
            .query_row([to_column(session_id)], Self::of)
            .optional()
    }

    /// The row of `session_id`, made if it has none.
    pub(super) fn find_or_make(database: &Connection, session_id: &str) -> rusqlite::Result<Self> {
        if let Some(found) = Self::find(database, session_id)? {
            return Ok(found);
        }
        database
            .prepare_cached("INSERT INTO session (session_id) VALUES (?)")?
            .execute([to_column(session_id)])?;
        Ok(Self {
            id: database.last_insert_rowid(),
            session_id: session_id.to_owned(),
            tally: Tally::default(),
            bytes: 0,
            highest_number: 0,
            facts: JournalSummary::default(),
            is_counted: true,
            is_newly_uncounted: false,
            has_all_facts: false,
            facts_changed: false,
        })
    }

    /// The session in `row`, which has the columns of a session.
    pub(super) fn of(row: &Row<'_>) -> rusqlite::Result<Self> {
        let text = |text: Option<String>| text.map(from_column);
        Ok(Self {
            id: row.get(0)?,
            session_id: from_column(row.get(1)?),
            tally: Tally {
                total: unsigned(row.get(2)?),
                successful: unsigned(row.get(3)?),
                first_timestamp: text(row.get(6)?),
                last_timestamp: text(row.get(7)?),
                last_succeeded: row.get(8)?,
            },
            bytes: row.get(4)?,
            highest_number: unsigned(row.get(5)?),
            facts: JournalSummary {
                first_at: text(row.get(9)?),
                outcome: outcome(row.get_ref(10)?.as_str_or_null()?),
                took_ms: row.get::<_, Option<i64>>(11)?.map(unsigned),
                flaky: unsigned(row.get(12)?),
                ..JournalSummary::default()
            },
            is_counted: row.get(13)?,
            is_newly_uncounted: false,
            has_all_facts: false,
            facts_changed: false,
        })
    }

    /// Whether there is such a session, and not just something said of one that there is not.
    pub(super) fn is_there(&self) -> bool {
        self.tally.total > 0 || self.facts.first_at.is_some()
    }

    /// The ids of its entries, the first and the last that there can be.
    pub(super) fn entries(&self) -> (i64, i64) {
        let first = self.id << PLACE_BITS;
        (first, first + (1 << PLACE_BITS) - 1)
    }

    /// The id of the next entry: places are given one after the other, and entries only go all at
    /// once.
    pub(super) fn next_id(&self) -> i64 {
        (self.id << PLACE_BITS) + signed(self.tally.total)
    }

    /// Adds an entry to what the row says, and returns the id for it.
    pub(super) fn add(&mut self, row: &EntryRow) -> i64 {
        let id = self.next_id();
        self.bytes += row.bytes;
        self.highest_number = self.highest_number.max(row.entry.attempt_number);
        self.tally.add(&row.entry.timestamp, row.entry.success);
        self.is_newly_uncounted |= std::mem::take(&mut self.is_counted);
        id
    }

    /// Notes that all of its entries are in the sums of all.
    pub(super) fn set_counted(&mut self) {
        self.is_counted = true;
    }

    /// Whether it has all that the journal says of it, which can be much.
    pub(super) fn has_all_facts(&self) -> bool {
        self.has_all_facts
    }

    /// All that the journal says of it.
    pub(super) fn all_facts(&mut self, database: &Connection) -> rusqlite::Result<&JournalSummary> {
        if !self.has_all_facts {
            let facts: Option<String> = database
                .prepare_cached("SELECT facts FROM session_facts WHERE session = ?")?
                .query_row([self.id], |row| row.get(0))
                .optional()?;
            if let Some(facts) = facts {
                self.facts = read_facts(&facts)?;
            }
            self.has_all_facts = true;
        }
        Ok(&self.facts)
    }

    /// What the journal says of it, to be changed.
    pub(super) fn facts_mut(
        &mut self,
        database: &Connection,
    ) -> rusqlite::Result<&mut JournalSummary> {
        self.all_facts(database)?;
        self.facts_changed = true;
        Ok(&mut self.facts)
    }

    /// Brings the row in the database up to what was changed, but for what the last of its entries
    /// says: most appends write the entry alone.
    pub(super) fn save(&mut self, database: &Connection) -> rusqlite::Result<()> {
        let facts_changed = std::mem::take(&mut self.facts_changed);
        let is_newly_uncounted = std::mem::take(&mut self.is_newly_uncounted);
        if !facts_changed && !is_newly_uncounted {
            return Ok(());
        }
        let tally = &self.tally;
        let start = self.facts.session_start(tally.first_timestamp.as_deref());
        let moment = |text: &Option<String>| text.as_deref().and_then(instant);
        database
            .prepare_cached(
                "UPDATE session SET entries = ?, successes = ?, bytes = ?, highest_number = ?, \
                 first_timestamp = ?, first_us = ?, last_timestamp = ?, last_us = ?, \
                 last_succeeded = ? WHERE id = ?",
            )?
            .execute(params![
                signed(tally.total),
                signed(tally.successful),
                self.bytes,
                signed(self.highest_number),
                optional(&tally.first_timestamp),
                moment(&tally.first_timestamp),
                optional(&tally.last_timestamp),
                moment(&tally.last_timestamp),
                tally.last_succeeded,
                self.id,
            ])?;
        // On its own, and only where it is another, for it is in an index.
        database
            .prepare_cached(
                "UPDATE session SET start = ?1, start_us = ?2 WHERE id = ?3 AND start IS NOT ?1",
            )?
            .execute(params![optional(&start), moment(&start), self.id])?;
        if is_newly_uncounted {
            // On its own, for it touches an index.
            database
                .prepare_cached("UPDATE session SET is_counted = 0 WHERE id = ?")?
                .execute([self.id])?;
        }
        match facts_changed {
            true => self.save_facts(database),
            false => Ok(()),
        }
    }

    fn save_facts(&self, database: &Connection) -> rusqlite::Result<()> {
        let facts = &self.facts;
        let traits = facts.traits();
        database
            .prepare_cached(
                "UPDATE session SET first_at = ?, took_ms = ?, flaky = ?, category = ?, source = ? \
                 WHERE id = ?",
            )?
            .execute(params![
                optional(&facts.first_at),
                facts.took_ms.map(signed),
                signed(facts.flaky),
                traits.category.map(to_column),
                traits.source.map(to_column),
                self.id,
            ])?;
        // On their own, and only where one is another, for they are in an index.
        database
            .prepare_cached(
                "UPDATE session SET outcome = ?1, project = ?2, host = ?3 WHERE id = ?4 \
                 AND (outcome IS NOT ?1 OR project IS NOT ?2 OR host IS NOT ?3)",
            )?
            .execute(params![
                facts.outcome.map(SessionOutcome::as_str),
                traits.project.map(to_column),
                traits.host.map(to_column),
                self.id,
            ])?;
        let started = facts.started.as_ref();
        database
            .prepare_cached(
                "INSERT INTO session_facts (session, command, cwd, user, held, facts) \
                 VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (session) DO UPDATE SET \
                 command = excluded.command, cwd = excluded.cwd, user = excluded.user, \
                 held = excluded.held, facts = excluded.facts",
            )?
            .execute(params![
                self.id,
                started.and_then(|one| one.command.as_ref()).map(json),
                started.and_then(|one| one.cwd.as_deref()).map(to_column),
                started.and_then(|one| one.user.as_deref()).map(to_column),
                facts.held.as_ref().map(json),
                json(facts),
            ])?;
        Ok(())
    }
}

/// What the journal says of a session, from its column.
pub(super) fn read_facts(facts: &str) -> rusqlite::Result<JournalSummary> {
    serde_json::from_str(facts).map_err(|error| {
        let column = rusqlite::types::Type::Text;
        rusqlite::Error::FromSqlConversionFailure(0, column, Box::new(error))
    })
}

fn outcome(name: Option<&str>) -> Option<SessionOutcome> {
    let name = name?;
    let known = SessionOutcome::ALL.into_iter();
    let mut known = known.filter(|outcome| outcome.as_str() == name);
    Some(known.next().unwrap_or_default())
}
