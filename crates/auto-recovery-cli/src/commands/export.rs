//! `recover export`: trails written out whole.

use std::path::{Path, PathBuf};
use std::time::SystemTime;

use auto_recovery::audit::AuditStore;
use auto_recovery::export::{self, ExportOptions};
use auto_recovery::{Error, ErrorKind, Result};

use crate::args::ExportFormat;
use crate::commands::session::{self, Asked, Trail};
use crate::exit::Exit;
use crate::output::{
    Escapes, Printer, counted, format_by_ending, session_argument, session_word, write_output,
};

/// What is exported, and how.
pub(crate) struct Export<'a> {
    /// Session to export; none for every one.
    pub(crate) asked: Option<Asked<'a>>,
    /// Format, if one was asked for.
    pub(crate) format: Option<ExportFormat>,
    /// Where to write; none for stdout.
    pub(crate) output: Option<PathBuf>,
    /// Whether text that a spreadsheet would run is left exact.
    pub(crate) raw: bool,
}

/// Writes trails of `store` out.
pub(crate) fn export(
    store: &dyn AuditStore,
    request: Export<'_>,
    now: SystemTime,
    printer: &Printer,
) -> Result<Exit> {
    let Export {
        asked,
        format,
        output,
        raw,
    } = request;
    let named = output.as_deref().filter(|_| format.is_none());
    let ending =
        named.map(|path| format_by_ending(path, by_ending, ".json, .csv, .jsonl or .parquet"));
    let format = format
        .or(ending.transpose()?.flatten())
        .unwrap_or(ExportFormat::Json);
    let options = ExportOptions {
        format: library_format(format)?,
        raw_cells: raw,
    };
    let escapes = match format {
        ExportFormat::Json | ExportFormat::Jsonl => Escapes::Json,
        ExportFormat::Csv => Escapes::Text,
        ExportFormat::Parquet => refuse_terminal(output.as_deref(), printer)?,
    };
    let session = match asked {
        None => None,
        Some(asked) => Some(with_entries(
            store,
            session::asked_for(store, asked, printer)?,
        )?),
    };
    let summary = write_output(output.as_deref(), escapes, printer, |out| match &session {
        Some(session) => export::export_session(store, session, &options, now, out),
        None => export::export_all(store, &options, now, out),
    })?;
    if let Some(path) = output.filter(|path| path != Path::new("-")) {
        printer.note(format_args!(
            "wrote {} to {}",
            counted(summary.entries, "entry"),
            path.display()
        ));
    }
    printer.damage(&summary.damage);
    Ok(Exit::OK)
}

/// A file for programs is nothing to look at.
fn refuse_terminal(output: Option<&Path>, printer: &Printer) -> Result<Escapes> {
    let is_file = output.is_some_and(|path| path != Path::new("-"));
    if is_file || !printer.is_terminal {
        return Ok(Escapes::Text);
    }
    Err(Error::new(
        ErrorKind::InvalidInput,
        "a Parquet file is nothing for a terminal: name a file with -o",
    ))
}

/// `session`, if it has anything to export.
fn with_entries(store: &dyn AuditStore, session: String) -> Result<String> {
    match session::trail(store, &session)? {
        Trail::HasEntries => Ok(session),
        Trail::Unreadable(damage) => Err(session::nothing_readable(&session, &damage)),
        Trail::Empty => Err(Error::new(
            ErrorKind::NotFound,
            format!(
                "nothing was tried in session {}; `recover show {}` tells why",
                session_word(&session),
                session_argument(&session)
            ),
        )),
    }
}

fn by_ending(ending: &str) -> Option<ExportFormat> {
    match ending {
        "json" => Some(ExportFormat::Json),
        "csv" => Some(ExportFormat::Csv),
        "jsonl" | "ndjson" => Some(ExportFormat::Jsonl),
        "parquet" => Some(ExportFormat::Parquet),
        _ => None,
    }
}

fn library_format(format: ExportFormat) -> Result<export::ExportFormat> {
    Ok(match format {
        ExportFormat::Json => export::ExportFormat::Json,
        ExportFormat::Csv => export::ExportFormat::Csv,
        ExportFormat::Jsonl => export::ExportFormat::Jsonl,
        #[cfg(feature = "parquet")]
        ExportFormat::Parquet => export::ExportFormat::Parquet,
        #[cfg(not(feature = "parquet"))]
        ExportFormat::Parquet => {
            let lacks = crate::build::lacks("Parquet", "parquet");
            return Err(Error::new(ErrorKind::InvalidInput, lacks));
        }
    })
}
