//! An entry as a row of `stored_entry`, and back.

use auto_recovery::audit::{RecordedEntry, StoredEntry};
use auto_recovery::{Error, RecoveryAuditEntry, Result};
use sha2::{Digest, Sha256};
use tokio_postgres::Row;
use tokio_postgres::types::{ToSql, Type};

use super::cell::get;
use crate::row::EntryRow;
use crate::text::{from_column, to_column};

/// How many columns a row has.
pub(super) const COUNT: usize = 21;

/// Adds rows, many at once.
pub(super) const COPY: &str = "COPY auto_recovery.stored_entry (\
     session, place, at_us, attempt_number, duration_ms, bytes, duration_bucket, occurrence, success, \
     rollback_performed, id_hash, entry_id, \"timestamp\", error_type, strategy, next_action, changes_made, \
     files_modified, error_message, recovery_message, raw) FROM STDIN (FORMAT binary)";

/// Adds one row.
pub(super) const INSERT: &str = "INSERT INTO auto_recovery.stored_entry (\
     session, place, at_us, attempt_number, duration_ms, bytes, duration_bucket, occurrence, success, \
     rollback_performed, id_hash, entry_id, \"timestamp\", error_type, strategy, next_action, changes_made, \
     files_modified, error_message, recovery_message, raw) VALUES (\
     $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21)";

/// The rows of a session from a place on.
pub(super) const SELECT: &str = "SELECT place, at_us, attempt_number, duration_ms, bytes, duration_bucket, \
     success, rollback_performed, entry_id, \"timestamp\", error_type, strategy, next_action, changes_made, \
     files_modified, error_message, recovery_message, raw \
     FROM auto_recovery.stored_entry WHERE session = $1 AND place > $2 ORDER BY place LIMIT $3";

/// What the columns are, in order.
pub(super) const TYPES: [Type; COUNT] = [
    Type::INT8,
    Type::INT8,
    Type::INT8,
    Type::INT8,
    Type::INT8,
    Type::INT8,
    Type::INT4,
    Type::INT4,
    Type::BOOL,
    Type::BOOL,
    Type::BYTEA,
    Type::TEXT,
    Type::TEXT,
    Type::TEXT,
    Type::TEXT,
    Type::TEXT,
    Type::TEXT_ARRAY,
    Type::TEXT_ARRAY,
    Type::TEXT,
    Type::TEXT,
    Type::TEXT,
];

/// A row as it is sent.
#[derive(Debug)]
pub(super) struct Columns {
    pub session: i64,
    pub place: i64,
    pub occurrence: i32,
    pub id_hash: Vec<u8>,
    attempt_number: i64,
    /// Its texts are as columns can hold them.
    row: EntryRow,
}

impl Columns {
    /// The row of `recorded`, which has its number.
    pub(super) fn new(recorded: RecordedEntry) -> Self {
        let raw = recorded.text();
        Self::of(EntryRow::recorded(recorded, &raw))
    }

    fn of(mut row: EntryRow) -> Self {
        let id_hash = hash_of(row.entry.entry_id.as_bytes());
        let entry = &mut row.entry;
        for text in [
            &mut entry.entry_id,
            &mut entry.timestamp,
            &mut entry.error_type,
            &mut entry.strategy,
            &mut entry.next_action,
            &mut entry.error_message,
            &mut entry.recovery_message,
        ] {
            keep(text);
        }
        entry.changes_made.iter_mut().for_each(keep);
        entry.files_modified.iter_mut().for_each(keep);
        row.raw.iter_mut().for_each(keep);
        Self {
            session: 0,
            place: 0,
            occurrence: 0,
            id_hash,
            attempt_number: row.attempt_number(),
            row,
        }
    }

    /// The row as `stored` is, to the byte.
    pub(super) fn of_stored(stored: StoredEntry<'_>) -> Self {
        let raw = String::from_utf8_lossy(stored.raw()).into_owned();
        Self::of(EntryRow::taken_over(stored, &raw))
    }

    /// How many bytes its line has.
    pub(super) fn bytes(&self) -> i64 {
        self.row.bytes
    }

    /// When it was, in microseconds since the epoch.
    pub(super) fn at_us(&self) -> Option<i64> {
        self.row.at_us
    }

    /// Its timestamp, as its column holds it.
    pub(super) fn timestamp(&self) -> &str {
        &self.row.entry.timestamp
    }

    /// Whether its attempt succeeded.
    pub(super) fn success(&self) -> bool {
        self.row.entry.success
    }

    /// Whether `row`, as [`SELECT`] gives it, has these columns, but for its text.
    pub(super) fn are_in(&self, row: &Row) -> Result<bool> {
        let (own, entry) = (&self.row, &self.row.entry);
        let text = |index, expected: &str| Ok::<_, Error>(get::<&str>(row, index)? == expected);
        let texts =
            |index, expected: &[String]| Ok::<_, Error>(get::<Vec<&str>>(row, index)? == expected);
        Ok(get::<Option<i64>>(row, 1)? == own.at_us
            && get::<i64>(row, 2)? == self.attempt_number
            && get::<i64>(row, 3)? == own.duration_ms
            && get::<i64>(row, 4)? == own.bytes
            && get::<i32>(row, 5)? == own.duration_bucket
            && get::<bool>(row, 6)? == entry.success
            && get::<bool>(row, 7)? == entry.rollback_performed
            && text(8, &entry.entry_id)?
            && text(9, &entry.timestamp)?
            && text(10, &entry.error_type)?
            && text(11, &entry.strategy)?
            && text(12, &entry.next_action)?
            && texts(13, &entry.changes_made)?
            && texts(14, &entry.files_modified)?
            && text(15, &entry.error_message)?
            && text(16, &entry.recovery_message)?)
    }

    /// What the columns are given.
    pub(super) fn params(&self) -> [&(dyn ToSql + Sync); COUNT] {
        let (row, entry) = (&self.row, &self.row.entry);
        [
            &self.session,
            &self.place,
            &row.at_us,
            &self.attempt_number,
            &row.duration_ms,
            &row.bytes,
            &row.duration_bucket,
            &self.occurrence,
            &entry.success,
            &entry.rollback_performed,
            &self.id_hash,
            &entry.entry_id,
            &entry.timestamp,
            &entry.error_type,
            &entry.strategy,
            &entry.next_action,
            &entry.changes_made,
            &entry.files_modified,
            &entry.error_message,
            &entry.recovery_message,
            &row.raw,
        ]
    }
}

/// The bytes that the entry in `row`, as [`SELECT`] gives it, was stored as.
pub(super) fn read(
    session_id: &str,
    row: &Row,
) -> std::result::Result<String, tokio_postgres::Error> {
    let text = |index| row.try_get::<_, String>(index).map(from_column);
    let texts = |index| -> std::result::Result<Vec<String>, tokio_postgres::Error> {
        let kept: Vec<String> = row.try_get(index)?;
        Ok(kept.into_iter().map(from_column).collect())
    };
    if let Some(raw) = row.try_get::<_, Option<String>>(17)? {
        return Ok(from_column(raw));
    }
    let duration_ms: i64 = row.try_get(3)?;
    let entry = RecoveryAuditEntry {
        entry_id: text(8)?,
        timestamp: text(9)?,
        session_id: session_id.to_owned(),
        error_type: text(10)?,
        strategy: text(11)?,
        attempt_number: row.try_get::<_, i64>(2)? as u64,
        success: row.try_get(6)?,
        changes_made: texts(13)?,
        files_modified: texts(14)?,
        rollback_performed: row.try_get(7)?,
        next_action: text(12)?,
        duration_seconds: 0.0,
        error_message: text(15)?,
        recovery_message: text(16)?,
    };
    let row = EntryRow {
        entry,
        at_us: row.try_get(1)?,
        duration_ms,
        duration_bucket: row.try_get(5)?,
        raw: None,
        bytes: row.try_get(4)?,
    };
    Ok(row.into_raw())
}

/// How many bytes a hash has: half a SHA-256.
pub(super) const HASH_BYTES: usize = 16;

/// What tells texts apart, whatever their length.
pub(super) fn hash_of(text: &[u8]) -> Vec<u8> {
    Sha256::digest(text)[..HASH_BYTES].to_vec()
}

/// Makes `text` one that a column can hold.
fn keep(text: &mut String) {
    let kept = match to_column(text) {
        std::borrow::Cow::Borrowed(_) => return,
        std::borrow::Cow::Owned(kept) => kept,
    };
    *text = kept;
}
