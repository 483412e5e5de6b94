//! An entry as a row of a table, and back to the byte.

use auto_recovery::RecoveryAuditEntry;
use auto_recovery::audit::{RecordedEntry, StoredEntry};
use auto_recovery::statistics::{bucket_of, instant, whole_ms};

/// The columns of an entry that are its own; its session and its place there are the store's.
///
/// The stored text is made anew from the columns. Where that would not give the same bytes (another
/// layout, a duration that is no whole number of milliseconds), `raw` has them.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct EntryRow {
    pub(crate) entry: RecoveryAuditEntry,
    /// When the attempt ended, in microseconds since the epoch; `None` if its timestamp is no time.
    pub(crate) at_us: Option<i64>,
    pub(crate) duration_ms: i64,
    /// As [`bucket_of`] says.
    pub(crate) duration_bucket: i32,
    pub(crate) raw: Option<String>,
    /// Number of bytes of its stored text, with a line's end.
    pub(crate) bytes: i64,
}

impl EntryRow {
    /// The row of `recorded`; `text` is the text that its recorder made.
    pub(crate) fn recorded(recorded: RecordedEntry, text: &str) -> Self {
        Self::written(recorded.into_entry(), text)
    }

    /// The row of `stored`, which others made and whose bytes are `raw`, as it is.
    pub(crate) fn taken_over(stored: StoredEntry<'_>, raw: &str) -> Self {
        let mut row = Self::written(stored.into_entry(), raw);
        if row.raw.is_none() && row.entry.to_json() != raw {
            row.raw = Some(raw.to_owned());
        }
        row
    }

    /// The row of `entry`; `raw` is the JSON that we write.
    fn written(entry: RecoveryAuditEntry, raw: &str) -> Self {
        let duration_ms = whole_ms(entry.duration_seconds);
        let mut row = Self {
            at_us: instant(&entry.timestamp),
            duration_ms: limit(duration_ms),
            duration_bucket: bucket_of(duration_ms) as i32,
            raw: None,
            bytes: limit(raw.len() as u64 + 1),
            entry,
        };
        row.raw = (!row.has_all()).then(|| raw.to_owned());
        row
    }

    /// Whether the columns that hold numbers hold these whole.
    fn has_all(&self) -> bool {
        let (seconds, number) = (self.entry.duration_seconds, self.entry.attempt_number);
        seconds.to_bits() == self.seconds().to_bits() && number == self.attempt_number() as u64
    }

    fn seconds(&self) -> f64 {
        self.duration_ms as f64 / 1000.0
    }

    /// The number of its attempt, as far as a column can hold it.
    pub(crate) fn attempt_number(&self) -> i64 {
        limit(self.entry.attempt_number)
    }

    /// The bytes that it was stored as.
    pub(crate) fn into_raw(self) -> String {
        match self.raw {
            Some(raw) => raw,
            None => self.made_anew(),
        }
    }

    /// Makes the text from the columns alone.
    fn made_anew(&self) -> String {
        let entry = RecoveryAuditEntry {
            attempt_number: self.attempt_number() as u64,
            duration_seconds: self.seconds(),
            ..self.entry.clone()
        };
        entry.to_json()
    }
}

/// `number`, or the largest that a column can hold.
fn limit(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
