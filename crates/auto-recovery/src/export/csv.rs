//! Entries as CSV.
//!
//! A cell that begins with `=`, `+`, `-`, `@`, a tab or a carriage return is a formula to a
//! spreadsheet, and what a failing program printed decides what is in it. Such text gets a leading
//! `'`.

use std::borrow::Cow;
use std::io::Write;

use csv::{Writer, WriterBuilder};
use serde::Serialize;

use crate::audit::StoredEntry;
use crate::entry::{EntryLine, RecoveryAuditEntry, Text};
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
    pub(super) fn push(&mut self, stored: &StoredEntry<'_>) -> Result<()> {
        match stored.line() {
            Some(line) => self.push_line(line),
            None => self.push_entry(&stored.entry()),
        }
    }

    fn push_line(&mut self, line: &EntryLine<'_>) -> Result<()> {
        let cell = |text: Text| self.cell(line.text(text));
        self.push_cells([
            &cell(line.entry_id),
            &cell(line.timestamp),
            &cell(line.session_id),
            &cell(line.error_type),
            &cell(line.strategy),
            &line.attempt_number.to_string(),
            truth(line.success),
            line.list(line.changes_made),
            line.list(line.files_modified),
            truth(line.rollback_performed),
            &cell(line.next_action),
            line.duration_seconds(),
            &cell(line.error_message),
            &cell(line.recovery_message),
        ])
    }

    fn push_entry(&mut self, entry: &RecoveryAuditEntry) -> Result<()> {
        let cell = |text: &str| self.cell(text.to_owned().into());
        self.push_cells([
            &cell(&entry.entry_id),
            &cell(&entry.timestamp),
            &cell(&entry.session_id),
            &cell(&entry.error_type),
            &cell(&entry.strategy),
            &entry.attempt_number.to_string(),
            truth(entry.success),
            &json(&entry.changes_made),
            &json(&entry.files_modified),
            truth(entry.rollback_performed),
            &cell(&entry.next_action),
            &json(&entry.duration_seconds),
            &cell(&entry.error_message),
            &cell(&entry.recovery_message),
        ])
    }

    fn push_cells(&mut self, cells: [&str; 14]) -> Result<()> {
        self.rows.write_record(cells).map_err(failed)
    }

    /// Writes what is left.
    pub(super) fn finish(mut self) -> Result<()> {
        self.rows
            .flush()
            .map_err(|error| Error::os("write the export", error))
    }

    fn cell<'t>(&self, text: Cow<'t, str>) -> Cow<'t, str> {
        if !self.raw_cells && text.starts_with(FORMULA_STARTS) {
            return format!("'{text}").into();
        }
        text
    }
}

fn truth(value: bool) -> &'static str {
    if value { "true" } else { "false" }
}

fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("numbers and lists of strings always serialise")
}

fn failed(error: csv::Error) -> Error {
    match error.into_kind() {
        csv::ErrorKind::Io(error) => Error::os("write the export", error),
        other => Error::new(ErrorKind::Damaged, format!("write the export: {other:?}")),
    }
}
