//! Reading trails.

use auto_recovery::audit::{Damage, StoredEntry, session_id};
use auto_recovery::error::Result;
use rusqlite::Row;

use super::connection::Database;
use super::entry;
use super::failure::At;
use super::session::{PLACE_BITS, SessionRow};

/// What is called for each entry.
type Visit<'v> = dyn FnMut(StoredEntry<'_>) -> Result<()> + 'v;

/// Calls `visit` for each entry of `session_id`, or for the last `count`, in order. Returns the
/// damage met on the way.
pub(super) fn trail(
    database: &Database,
    session_id: &str,
    count: Option<usize>,
    visit: &mut Visit<'_>,
) -> Result<Vec<Damage>> {
    session_id::encode(session_id)?;
    let mut damage = Vec::new();
    let path = &database.path;
    let Some(reader) = database.reader()? else {
        return Ok(damage);
    };
    let found = SessionRow::find(reader.database(), session_id).at("read", path)?;
    let Some(session) = found else {
        return Ok(damage);
    };
    let (mut first, last) = session.entries();
    if let Some(count) = count {
        let count = i64::try_from(count).unwrap_or(i64::MAX);
        first = session.next_id().saturating_sub(count).max(first);
    }
    let mut select = reader
        .database()
        .prepare_cached(entry::SELECT)
        .at("read", path)?;
    let mut rows = select.query([first, last]).at("read", path)?;
    let mut made = Vec::new();
    while let Some(row) = rows.next().at("read", path)? {
        match stored(row, session_id, &mut made) {
            Ok(stored) => visit(stored)?,
            Err(unreadable) => damage.push(damaged(database, row, session_id, unreadable)?),
        }
    }
    Ok(damage)
}

/// The entry of `session_id` in `row`, or how many bytes cannot be read, and why. What must be made
/// anew is made in `made`.
pub(super) fn stored<'r>(
    row: &'r Row<'_>,
    session_id: &str,
    made: &'r mut Vec<u8>,
) -> std::result::Result<StoredEntry<'r>, (usize, String)> {
    let raw = entry::raw(row, session_id, made).map_err(|error| (0, error.to_string()))?;
    StoredEntry::read(raw).map_err(|error| (raw.len(), error.to_string()))
}

/// Says that the entry in `row` has so many bytes that cannot be read, and why.
pub(super) fn damaged(
    database: &Database,
    row: &Row<'_>,
    session_id: &str,
    (bytes, reason): (usize, String),
) -> Result<Damage> {
    let id: i64 = row.get(14).at("read", &database.path)?;
    Ok(Damage {
        place: format!("entries of {session_id} in {}", database.path.display()),
        line: (id & ((1 << PLACE_BITS) - 1)) as u64 + 1,
        bytes: bytes as u64,
        reason,
        is_aside: false,
    })
}
