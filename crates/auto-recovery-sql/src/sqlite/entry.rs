//! The row of an entry.

use auto_recovery::RecoveryAuditEntry;
use rusqlite::{CachedStatement, Connection, Row, params};

use super::column::{list, number, read_list, signed};
use super::session::SessionRow;
use crate::row::EntryRow;
use crate::text::{from_column, is_as_it_was, to_column};

/// An entry on its way to the database, with all that can be made of it beforehand.
pub(super) struct ReadyEntry {
    pub(super) row: EntryRow,
    /// Whether it is to get the session's next number. The row then has a 0.
    pub(super) number_by_store: bool,
    changes_made: String,
    files_modified: String,
}

impl ReadyEntry {
    /// The entry of `row`.
    pub(super) fn new(row: EntryRow, number_by_store: bool) -> Self {
        Self {
            changes_made: list(&row.entry.changes_made),
            files_modified: list(&row.entry.files_modified),
            row,
            number_by_store,
        }
    }

    /// Gives it its number in place of the 0.
    pub(super) fn set_number(&mut self, number: u64) {
        self.row.entry.attempt_number = number;
        // The first digit stands where the 0 stood.
        self.row.bytes += i64::from(number.max(1).ilog10());
        if self.row.raw.is_some() || i64::try_from(number).is_err() {
            self.row.raw = Some(self.row.entry.to_json());
        }
    }
}

const INSERT: &str = "INSERT INTO entry (id, at_us, strategy, error_type, success, \
     rollback_performed, duration_ms, duration_bucket, attempt_number, entry_id, timestamp, \
     files_modified, changes_made, next_action, error_message, recovery_message, raw, \
     trail_successes, trail_bytes, trail_highest_number) \
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";

/// Adds rows.
pub(super) struct Insert<'c>(CachedStatement<'c>);

impl<'c> Insert<'c> {
    pub(super) fn new(database: &'c Connection) -> rusqlite::Result<Self> {
        Ok(Self(database.prepare_cached(INSERT)?))
    }

    /// Adds the row of `ready` to `session`.
    pub(super) fn run(
        &mut self,
        session: &mut SessionRow,
        ready: &ReadyEntry,
    ) -> rusqlite::Result<()> {
        let id = session.add(&ready.row);
        let row = &ready.row;
        let entry = &row.entry;
        self.0.execute(params![
            id,
            row.at_us,
            to_column(&entry.strategy),
            to_column(&entry.error_type),
            entry.success,
            entry.rollback_performed,
            row.duration_ms,
            row.duration_bucket,
            row.attempt_number(),
            to_column(&entry.entry_id),
            to_column(&entry.timestamp),
            ready.files_modified,
            ready.changes_made,
            to_column(&entry.next_action),
            to_column(&entry.error_message),
            to_column(&entry.recovery_message),
            row.raw,
            signed(session.tally.successful),
            session.bytes,
            signed(session.highest_number),
        ])?;
        Ok(())
    }
}

/// Calls `visit` with the `entry_id` of each row from `first` to `last`, in order.
pub(super) fn for_each_id(
    database: &Connection,
    (first, last): (i64, i64),
    mut visit: impl FnMut(String),
) -> rusqlite::Result<()> {
    let mut select = database
        .prepare_cached("SELECT entry_id FROM entry WHERE id BETWEEN ? AND ? ORDER BY id")?;
    let mut rows = select.query([first, last])?;
    while let Some(row) = rows.next()? {
        visit(from_column(row.get(0)?));
    }
    Ok(())
}

/// The statement that reads the entries `?1` to `?2`, in order: what [`raw`] reads, their ids, and
/// `$more` columns.
macro_rules! select {
    ($more:literal) => {
        concat!(
            "SELECT raw, entry_id, timestamp, error_type, strategy, attempt_number, success, \
             changes_made, files_modified, rollback_performed, next_action, duration_ms, \
             error_message, recovery_message, id",
            $more,
            " FROM entry WHERE id BETWEEN ?1 AND ?2 ORDER BY id"
        )
    };
}

/// The columns that [`raw`] reads, and the id.
pub(super) const SELECT: &str = select!("");

/// The same, and those that hold what can be derived.
pub(super) const SELECT_DERIVED: &str =
    select!(", at_us, duration_bucket, trail_successes, trail_bytes, trail_highest_number");

/// What the entry of `session_id` in `row` was stored as. What must be made anew is made in `made`.
pub(super) fn raw<'r>(
    row: &'r Row<'_>,
    session_id: &str,
    made: &'r mut Vec<u8>,
) -> rusqlite::Result<&'r [u8]> {
    if let Some(raw) = row.get_ref(0)?.as_str_or_null()? {
        return Ok(raw.as_bytes());
    }
    made.clear();
    if !copy(row, session_id, made)? {
        *made = decoded(row, session_id)?.into_bytes();
    }
    Ok(made)
}

/// Writes the entry in `row` to `out` as its JSON, with texts and lists as the columns have them:
/// most stand for themselves. Returns whether all do.
fn copy(row: &Row<'_>, session_id: &str, out: &mut Vec<u8>) -> rusqlite::Result<bool> {
    let mut are_as_they_were = true;
    let mut column = |index: usize| -> rusqlite::Result<&str> {
        let kept = row.get_ref(index)?.as_str()?;
        are_as_they_were &= is_as_it_was(kept);
        Ok(kept)
    };
    let truth = |index: usize| row.get::<_, bool>(index);
    put(out, "{\"entry_id\":", column(1)?);
    put(out, ",\"timestamp\":", column(2)?);
    put(out, ",\"session_id\":", session_id);
    put(out, ",\"error_type\":", column(3)?);
    put(out, ",\"strategy\":", column(4)?);
    put(out, ",\"attempt_number\":", &number(row, 5)?);
    put(out, ",\"success\":", &truth(6)?);
    out.extend_from_slice(b",\"changes_made\":");
    out.extend_from_slice(column(7)?.as_bytes());
    out.extend_from_slice(b",\"files_modified\":");
    out.extend_from_slice(column(8)?.as_bytes());
    put(out, ",\"rollback_performed\":", &truth(9)?);
    put(out, ",\"next_action\":", column(10)?);
    let seconds = row.get::<_, i64>(11)? as f64 / 1000.0;
    put(out, ",\"duration_seconds\":", &seconds);
    put(out, ",\"error_message\":", column(12)?);
    put(out, ",\"recovery_message\":", column(13)?);
    out.push(b'}');
    Ok(are_as_they_were)
}

/// Writes `key`, and `value` as JSON.
fn put(out: &mut Vec<u8>, key: &str, value: &(impl serde::Serialize + ?Sized)) {
    out.extend_from_slice(key.as_bytes());
    serde_json::to_writer(out, value).expect("texts, numbers and bools always serialise");
}

/// The same, by way of the entry that the columns hold.
fn decoded(row: &Row<'_>, session_id: &str) -> rusqlite::Result<String> {
    let text = |index: usize| -> rusqlite::Result<String> { Ok(from_column(row.get(index)?)) };
    let entry = RecoveryAuditEntry {
        entry_id: text(1)?,
        timestamp: text(2)?,
        session_id: session_id.to_owned(),
        error_type: text(3)?,
        strategy: text(4)?,
        attempt_number: number(row, 5)?,
        success: row.get(6)?,
        changes_made: read_list(row, 7)?,
        files_modified: read_list(row, 8)?,
        rollback_performed: row.get(9)?,
        next_action: text(10)?,
        duration_seconds: 0.0,
        error_message: text(12)?,
        recovery_message: text(13)?,
    };
    let made_anew = EntryRow {
        entry,
        at_us: None,
        duration_ms: row.get(11)?,
        duration_bucket: 0,
        raw: None,
        bytes: 0,
    };
    Ok(made_anew.into_raw())
}
