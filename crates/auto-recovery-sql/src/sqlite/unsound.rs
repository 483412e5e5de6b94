//! Entries whose text cannot be read. Sums need none of it: their numbers stand in columns; but
//! who reads sums is told of them all the same, as who reads the trail.
//!
//! An index of those few has what is suspect; each is read, so what is told is what the trail says.

use auto_recovery::audit::Damage;
use auto_recovery::error::Result;
use rusqlite::{Connection, ToSql};

use super::connection::Database;
use super::entry;
use super::failure::At;
use super::read::{damaged, stored};
use super::session::PLACE_BITS;
use crate::text::from_column;

/// The entries that are suspect, `e`, of sessions `s`: as the index has it.
const ENTRIES: &str = "entry e INDEXED BY entry_unsound CROSS JOIN session s ON s.id = e.id >> 32";

/// What makes one suspect, in the words of the index.
const CONDITION: &str = "(json_valid(e.changes_made) = 0 OR json_valid(e.files_modified) = 0 \
     OR (e.raw IS NOT NULL \
     AND CASE json_valid(e.raw) WHEN 1 THEN json_extract(e.raw, '$.entry_id') END IS NOT e.entry_id))";

/// The most that are told one by one.
const DAMAGE_MAX: usize = 1_000;

/// What cannot be read of the entries for which `also` holds, and which `parameters` name.
pub(super) fn damage(
    database: &Database,
    connection: &Connection,
    also: &str,
    parameters: &[(&str, &dyn ToSql)],
) -> Result<Vec<Damage>> {
    let sql =
        format!("SELECT e.id, s.session_id FROM {ENTRIES} WHERE {CONDITION} {also} ORDER BY e.id");
    let suspects = suspects(connection, &sql, parameters).at("read", &database.path)?;
    let mut damage = Vec::new();
    for (id, session_id) in suspects {
        damage.extend(damage_of(database, connection, id, &session_id)?);
        if damage.len() == DAMAGE_MAX {
            break;
        }
    }
    Ok(damage)
}

fn suspects(
    connection: &Connection,
    sql: &str,
    parameters: &[(&str, &dyn ToSql)],
) -> rusqlite::Result<Vec<(i64, String)>> {
    let mut select = connection.prepare_cached(sql)?;
    let rows = select.query_map(parameters, |row| {
        Ok((row.get(0)?, from_column(row.get(1)?)))
    })?;
    rows.collect()
}

/// What cannot be read of the entry `id`, if anything.
fn damage_of(
    database: &Database,
    connection: &Connection,
    id: i64,
    session_id: &str,
) -> Result<Option<Damage>> {
    let path = &database.path;
    let select = connection.prepare_cached(entry::SELECT);
    let mut select = select.at("read", path)?;
    let mut rows = select.query([id, id]).at("read", path)?;
    let Some(row) = rows.next().at("read", path)? else {
        return Ok(None);
    };
    let mut made = Vec::new();
    match stored(row, session_id, &mut made) {
        Ok(_) => Ok(None),
        Err(unreadable) => damaged(database, row, session_id, unreadable).map(Some),
    }
}

/// The same of all entries.
pub(super) fn damage_of_all(database: &Database) -> Result<Vec<Damage>> {
    match database.reader()? {
        Some(reader) => damage(database, reader.database(), "", &[]),
        None => Ok(Vec::new()),
    }
}

/// The same of one session alone.
pub(super) fn damage_of_session(
    database: &Database,
    connection: &Connection,
    session: i64,
) -> Result<Vec<Damage>> {
    let (first, last) = (session << PLACE_BITS, ((session + 1) << PLACE_BITS) - 1);
    let parameters: [(&str, &dyn ToSql); 2] = [(":first", &first), (":last", &last)];
    damage(
        database,
        connection,
        "AND e.id BETWEEN :first AND :last",
        &parameters,
    )
}
