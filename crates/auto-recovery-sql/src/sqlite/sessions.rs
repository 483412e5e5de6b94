//! Lists of sessions, and what is asked of one by its id.

use std::path::Path;

use auto_recovery::audit::{Damage, SessionSummary, session_id, sort_newest_first};
use auto_recovery::error::Result;
use rusqlite::Row;

use super::column::unsigned;
use super::connection::Database;
use super::failure::At;
use super::session::{SessionRow, read_facts};

const ALL: &str = "SELECT id, session_id, entries, successes, bytes, highest_number, \
     first_timestamp, last_timestamp, last_succeeded, first_at, outcome, took_ms, flaky, is_counted, facts \
     FROM session_now LEFT JOIN session_facts ON session = id \
     WHERE entries > 0 OR first_at IS NOT NULL";

/// Whether there is such a session.
pub(super) fn is_known(database: &Database, session_id: &str) -> Result<bool> {
    session_id::encode(session_id)?;
    let Some(reader) = database.reader()? else {
        return Ok(false);
    };
    let session = SessionRow::find(reader.database(), session_id).at("read", &database.path)?;
    Ok(session.is_some_and(|one| one.tally.total > 0 || one.facts.first_at.is_some()))
}

/// The highest attempt number of `session_id`.
pub(super) fn highest_number(database: &Database, session_id: &str) -> Result<u64> {
    let Some(reader) = database.reader()? else {
        return Ok(0);
    };
    let session = SessionRow::find(reader.database(), session_id).at("read", &database.path)?;
    Ok(session.map_or(0, |session| session.highest_number))
}

/// Every session, newest first, and what could not be read.
pub(super) fn list(database: &Database) -> Result<(Vec<SessionSummary>, Vec<Damage>)> {
    let mut list = Vec::new();
    let damage = visit(database, &mut |session| {
        list.push(session);
        Ok(())
    })?;
    sort_newest_first(&mut list);
    Ok((list, damage))
}

/// Calls `visit` for every session. Returns what could not be read.
pub(super) fn visit(
    database: &Database,
    visit: &mut dyn FnMut(SessionSummary) -> Result<()>,
) -> Result<Vec<Damage>> {
    let mut damage = Vec::new();
    let Some(reader) = database.reader()? else {
        return Ok(damage);
    };
    let (path, doing) = (&database.path, "list the sessions of");
    let mut select = reader.database().prepare_cached(ALL).at(doing, path)?;
    let mut rows = select.query([]).at(doing, path)?;
    while let Some(row) = rows.next().at(doing, path)? {
        match summary(row) {
            Ok(session) => visit(session)?,
            Err(error) => {
                let id = row.get(0).unwrap_or_default();
                damage.push(damaged(path, id, &error));
            }
        }
    }
    Ok(damage)
}

/// Says that the row `id` of a session cannot be read, and why.
pub(super) fn damaged(path: &Path, id: i64, error: &rusqlite::Error) -> Damage {
    Damage {
        place: format!("sessions in {}", path.display()),
        line: unsigned(id),
        reason: error.to_string(),
        ..Damage::default()
    }
}

/// The session in `row`, whose last column is all that the journal says of it.
pub(super) fn summary(row: &Row<'_>) -> rusqlite::Result<SessionSummary> {
    let session = SessionRow::of(row)?;
    let facts = match row.get_ref(14)?.as_str_or_null()? {
        Some(facts) => read_facts(facts)?,
        None => session.facts,
    };
    Ok(facts.summary(session.session_id, session.tally, unsigned(session.bytes)))
}
