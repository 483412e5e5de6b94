//! Leaves as they are read: records of the journal by their numbers, entries by their places.

use auto_recovery::Result;
use auto_recovery::integrity::Range;

use super::cell::get;
use super::columns;
use super::read::Reader;
use super::session::Session;

/// Records by their numbers. What is gone has an empty text.
const LEAVES: &str = "SELECT leaf, coalesce(record::text, '') FROM auto_recovery.journal_leaf \
     LEFT JOIN auto_recovery.journal USING (id) \
     WHERE leaf > $1 AND leaf <= $2 ORDER BY leaf LIMIT $3";

/// Records that have no number, from an id on.
const UNNUMBERED: &str = "SELECT id, record::text FROM auto_recovery.journal AS record WHERE id > $1 \
     AND NOT EXISTS (SELECT FROM auto_recovery.journal_leaf AS leaf WHERE leaf.id = record.id) \
     ORDER BY id LIMIT $2";

/// How many records or entries are read at once.
const ROWS_A_PAGE: i64 = 500;

/// The callback for each leaf.
type Visit<'v> = dyn FnMut(&[u8]) -> Result<()> + 'v;

/// Calls `visit` for the records numbered from behind `from` to `to`. Returns the last number.
pub(super) fn read_leaves(
    reader: &Reader<'_>,
    from: i64,
    to: i64,
    visit: &mut Visit<'_>,
) -> Result<i64> {
    let mut last = from;
    loop {
        let rows = reader.rows(LEAVES, &[&last, &to, &ROWS_A_PAGE])?;
        for row in &rows {
            visit(get::<&str>(row, 1)?.as_bytes())?;
            last = get(row, 0)?;
        }
        if (rows.len() as i64) < ROWS_A_PAGE {
            return Ok(last);
        }
    }
}

/// Calls `visit` for the records that have no number.
pub(super) fn read_unnumbered(reader: &Reader<'_>, visit: &mut Visit<'_>) -> Result<()> {
    let mut last = 0_i64;
    loop {
        let rows = reader.rows(UNNUMBERED, &[&last, &ROWS_A_PAGE])?;
        for row in &rows {
            last = get(row, 0)?;
            visit(get::<&str>(row, 1)?.as_bytes())?;
        }
        if (rows.len() as i64) < ROWS_A_PAGE {
            return Ok(());
        }
    }
}

/// A leaf, or that it cannot be read.
pub(super) type Read = std::result::Result<String, tokio_postgres::Error>;

/// Calls `visit` with the place and the text of each entry of a session behind `from`, up to `to`.
/// Returns the last place.
pub(super) fn read_entries(
    reader: &Reader<'_>,
    (session, session_id): (i64, &str),
    (from, to): (i64, i64),
    visit: &mut dyn FnMut(i64, Read) -> Result<()>,
) -> Result<i64> {
    let mut last = from;
    loop {
        let rows = reader.rows(columns::SELECT, &[&session, &last, &ROWS_A_PAGE])?;
        for row in &rows {
            let place = get(row, 0)?;
            if place > to {
                return Ok(last);
            }
            visit(place, columns::read(session_id, row))?;
            last = place;
        }
        if (rows.len() as i64) < ROWS_A_PAGE {
            return Ok(last);
        }
    }
}

/// The leaves of `session`, which is about to be removed.
pub(super) fn leaves(reader: &Reader<'_>, session: &Session) -> Result<Range> {
    let mut leaves = Range::default();
    let of = (session.id, session.session_id.as_str());
    read_entries(reader, of, (0, i64::MAX), &mut |_, leaf| {
        // What cannot be read must be possible to remove.
        leaves.push(leaf.unwrap_or_default().as_bytes());
        Ok(())
    })?;
    Ok(leaves)
}
