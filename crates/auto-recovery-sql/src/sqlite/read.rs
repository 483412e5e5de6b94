//! Reading trails.

use auto_recovery::audit::{Damage, ReadAfter, Seen, StoredEntry, session_id};
use auto_recovery::error::Result;
use rusqlite::{Connection, Row};

use super::connection::Database;
use super::entry;
use super::failure::At;
use super::session::{PLACE_BITS, SessionRow};

/// The callback for each entry.
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
    let Some(reader) = database.reader()? else {
        return Ok(Vec::new());
    };
    let found = SessionRow::find(reader.database(), session_id).at("read", &database.path)?;
    let Some(session) = found else {
        return Ok(Vec::new());
    };
    let (mut first, _) = session.entries();
    if let Some(count) = count {
        let count = i64::try_from(count).unwrap_or(i64::MAX);
        first = session.next_id().saturating_sub(count).max(first);
    }
    entries(database, reader.database(), &session, first, visit)
}

/// The place at which a reader of a trail stopped: the row of its session, which is never given
/// twice, and the next entry.
struct Place {
    session: i64,
    next: i64,
}

/// Calls `visit` for the entries of `session_id` that were not `seen`.
pub(super) fn after(
    database: &Database,
    session_id: &str,
    seen: &mut Seen,
    visit: &mut Visit<'_>,
) -> Result<ReadAfter> {
    session_id::encode(session_id)?;
    let Some(reader) = database.reader()? else {
        return Ok(seen.of_no_trail());
    };
    let found = SessionRow::find(reader.database(), session_id).at("read", &database.path)?;
    let Some(session) = found else {
        return Ok(seen.of_no_trail());
    };
    let stopped = seen.place::<Place>();
    let next = match stopped.map(|place| (place.session == session.id, place.next)) {
        Some((true, next)) => next,
        stopped => {
            if stopped.is_some()
                && let ReadAfter::Removed = seen.of_no_trail()
            {
                return Ok(ReadAfter::Removed);
            }
            let (next, _) = session.entries();
            let session = session.id;
            seen.begin_at(Place { session, next });
            next
        }
    };
    let mut passing = seen.passing(visit);
    let mut take = |stored: StoredEntry<'_>| passing.take(stored);
    let damage = entries(database, reader.database(), &session, next, &mut take)?;
    // What cannot be read counts for nothing, so of a damaged trail nobody can tell.
    if !passing.has_passed() && !damage.iter().any(Damage::is_of_all) {
        return Ok(seen.of_no_trail());
    }
    let next = session.next_id();
    let session = session.id;
    seen.set_place(Place { session, next }, 0);
    Ok(ReadAfter::Read(damage))
}

/// Calls `visit` for the entries of `session` from the id `first` on.
fn entries(
    database: &Database,
    connection: &Connection,
    session: &SessionRow,
    first: i64,
    visit: &mut Visit<'_>,
) -> Result<Vec<Damage>> {
    let path = &database.path;
    let session_id = &session.session_id;
    let (_, last) = session.entries();
    let select = connection.prepare_cached(entry::SELECT);
    let mut select = select.at("read", path)?;
    let mut rows = select.query([first, last]).at("read", path)?;
    let (mut made, mut damage) = (Vec::new(), Vec::new());
    while let Some(row) = rows.next().at("read", path)? {
        match stored(row, session_id, &mut made) {
            Ok(stored) => visit(stored)?,
            Err(unreadable) => damage.push(damaged(database, row, session_id, unreadable)?),
        }
    }
    Ok(damage)
}

/// The entry of `session_id` in `row`, or the number of bytes that cannot be read, and why. Text
/// that must be rebuilt is put into `made`.
pub(super) fn stored<'r>(
    row: &'r Row<'_>,
    session_id: &str,
    made: &'r mut Vec<u8>,
) -> std::result::Result<StoredEntry<'r>, (usize, String)> {
    let raw = entry::raw(row, session_id, made).map_err(|error| (0, error.to_string()))?;
    StoredEntry::read(raw).map_err(|error| (raw.len(), error.to_string()))
}

/// The damage for the entry in `row`: this many bytes that cannot be read, and why.
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
