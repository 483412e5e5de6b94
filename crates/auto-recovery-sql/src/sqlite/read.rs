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
        let unreadable = match entry::raw(row, session_id, &mut made) {
            Ok(raw) => match StoredEntry::read(raw) {
                Ok(stored) => {
                    visit(stored)?;
                    continue;
                }
                Err(error) => (raw.len(), error.to_string()),
            },
            Err(error) => (0, error.to_string()),
        };
        damage.push(damaged(database, row, session_id, unreadable)?);
    }
    Ok(damage)
}

/// Says that the entry in `row` has so many bytes that cannot be read, and why.
fn damaged(
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
