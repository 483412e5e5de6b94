//! Entries as CSV.
//!
//! A cell that begins with `=`, `+`, `-`, `@`, a tab or a carriage return is a formula to a
//! spreadsheet, and what a failing program printed decides what is in it. Such text gets a leading `'`.

use std::borrow::Cow;
use std::io::Write;

use csv::{Writer, WriterBuilder};

use crate::entry::RecoveryAuditEntry;
use crate::error::{Error, ErrorKind, Result};

/// What a formula can begin with.
const FORMULA_STARTS: [char; 6] = ['=', '+', '-', '@', '\t', '\r'];

/// A table of entries in the making.
pub(super) struct Table<'o> {
    rows: Writer<&'o mut dyn Write>,
    raw_cells: bool,
}

impl<'o> Table<'o> {
    /// A table that has its header.
    pub(super) fn new(out: &'o mut dyn Write, raw_cells: bool) -> Result<Self> {
        let mut rows = WriterBuilder::new().from_writer(out);
        rows.write_record(RecoveryAuditEntry::FIELDS)
            .map_err(failed)?;
        Ok(Self { rows, raw_cells })
    }

    /// Adds an entry.
    pub(super) fn push(&mut self, entry: &RecoveryAuditEntry) -> Result<()> {
        let cell = |text| self.cell(text);
        let changes_made = list(&entry.changes_made);
        let files_modified = list(&entry.files_modified);
        let attempt_number = entry.attempt_number.to_string();
        let duration = serde_json::to_string(&entry.duration_seconds).unwrap_or_default();
        let record: [Cow<'_, str>; 14] = [
            cell(&entry.entry_id),
            cell(&entry.timestamp),
            cell(&entry.session_id),
            cell(&entry.error_type),
            cell(&entry.strategy),
            attempt_number.into(),
            truth(entry.success),
            changes_made.into(),
            files_modified.into(),
            truth(entry.rollback_performed),
            cell(&entry.next_action),
            duration.into(),
            cell(&entry.error_message),
            cell(&entry.recovery_message),
        ];
        self.rows
            .write_record(record.iter().map(|cell| cell.as_bytes()))
            .map_err(failed)
    }

    /// Writes what is left.
    pub(super) fn finish(mut self) -> Result<()> {
        self.rows
            .flush()
            .map_err(|error| Error::os("write the export", error))
    }

    fn cell<'t>(&self, text: &'t str) -> Cow<'t, str> {
        if !self.raw_cells && text.starts_with(FORMULA_STARTS) {
            return format!("'{text}").into();
        }
        text.into()
    }
}

fn truth(value: bool) -> Cow<'static, str> {
    if value { "true" } else { "false" }.into()
}

fn list(items: &[String]) -> String {
    serde_json::to_string(items).expect("a list of strings always serialises")
}

fn failed(error: csv::Error) -> Error {
    match error.into_kind() {
        csv::ErrorKind::Io(error) => Error::os("write the export", error),
        other => Error::new(ErrorKind::Damaged, format!("write the export: {other:?}")),
    }
}
