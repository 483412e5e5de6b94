//! What leaves do not hold, counted again from what they do: columns beside a text, sums, and what
//! the journal says of a session.

use auto_recovery::Result;
use auto_recovery::audit::{JournalLine, StoredEntry};

use super::cell::get;
use super::columns::{self, Columns};
use super::read::Reader;
use super::session::{self, Session};
use crate::text::from_column;

/// How many rows are read at once.
const ROWS_A_PAGE: i64 = 500;

const RECORDS_OF: &str = "SELECT record::text FROM auto_recovery.journal \
     WHERE session_id = $1 ORDER BY id";

const RECORDS: &str = "SELECT id, session_id, at, event, hash, record::text \
     FROM auto_recovery.journal WHERE id > $1 ORDER BY id LIMIT $2";

/// In what differs what is kept of `session_id`, in words.
pub(super) fn of_session(reader: &Reader<'_>, session_id: &str) -> Result<Option<String>> {
    reader.at_one_moment(|| {
        let Some(mut kept) = reader.session(session_id)? else {
            return Ok(None);
        };
        let mut counted = kept.emptied();
        if let Some(differs) = count(reader, &mut counted)? {
            return Ok(Some(differs));
        }
        for row in reader.rows(RECORDS_OF, &[&session_id])? {
            // What cannot be read is told of by who reads the journal.
            if let Ok(line) = JournalLine::taken_over(get::<&str>(&row, 0)?.as_bytes()) {
                counted.apply(&line.record().at, &line.record().event);
            }
        }
        (kept.facts_changed, counted.facts_changed) = (true, true);
        let expected = counted.update();
        if kept.update() != expected {
            let (kept, counted) = (kept.tally(), counted.tally());
            return Ok(Some(format!(
                "kept: {} attempts, {} successful; counted: {}, {}; or else the facts are not what the \
                 journal says",
                kept.total, kept.successful, counted.total, counted.successful
            )));
        }
        let rows = reader.rows(session::IS_AS, &expected.params())?;
        let is_as_counted: Option<bool> = rows.first().map(|row| get(row, 0)).transpose()?;
        Ok((is_as_counted != Some(true))
            .then(|| "its row is not what its entries and the journal say".to_owned()))
    })
}

/// Adds the entries of `session`; else says which row is not what it should be.
fn count(reader: &Reader<'_>, session: &mut Session) -> Result<Option<String>> {
    let mut last = 0_i64;
    loop {
        let rows = reader.rows(columns::SELECT, &[&session.id, &last, &ROWS_A_PAGE])?;
        for row in &rows {
            last = get(row, 0)?;
            let raw = columns::read(&session.session_id, row);
            let stored = raw
                .as_ref()
                .ok()
                .map(|raw| StoredEntry::read(raw.as_bytes()));
            let Some(Ok(stored)) = stored else {
                return Ok(Some(format!("entry {last} cannot be read")));
            };
            let number = stored.attempt_number();
            let mut expected = Columns::of_stored(stored);
            if !expected.are_in(row)? {
                return Ok(Some(format!("the columns of entry {last} are not its own")));
            }
            session.add(&mut expected, number);
        }
        if (rows.len() as i64) < ROWS_A_PAGE {
            return Ok(None);
        }
    }
}

/// Which record of the journal stands beside columns that say something else.
pub(super) fn of_journal(reader: &Reader<'_>) -> Result<Option<String>> {
    reader.at_one_moment(|| {
        let mut last = 0_i64;
        loop {
            let rows = reader.rows(RECORDS, &[&last, &ROWS_A_PAGE])?;
            for row in &rows {
                last = get(row, 0)?;
                let Ok(line) = JournalLine::taken_over(get::<&str>(row, 5)?.as_bytes()) else {
                    continue;
                };
                let record = line.record();
                let is_as_kept = get::<Option<String>>(row, 1)? == record.session_id
                    && from_column(get(row, 2)?) == record.at
                    && from_column(get(row, 3)?) == line.event()
                    && get::<Vec<u8>>(row, 4)? == columns::hash_of(line.json().as_bytes());
                if !is_as_kept {
                    return Ok(Some(format!(
                        "the columns of the record with the id {last} are not its own"
                    )));
                }
            }
            if (rows.len() as i64) < ROWS_A_PAGE {
                return Ok(None);
            }
        }
    })
}
