//! `recover export`: trails written out whole.

use std::path::Path;

use auto_recovery::audit::encrypting::Unopened;
use auto_recovery::audit::{AuditStore, RedactedStore};
use auto_recovery::export::{self, ExportOptions};
use auto_recovery::{Error, ErrorKind, Result};

use crate::args::{ExportArgs, ExportFormat};
use crate::commands::redact::redactor;
use crate::commands::session::{self, Trail};
use crate::context::Context;
use crate::exit::Exit;
use crate::output::{
    Escapes, Printer, counted, format_by_ending, session_argument, session_word, tell_other_ending,
    write_output,
};

/// Writes trails of the store out.
pub(crate) fn export(context: &Context, args: ExportArgs) -> Result<Exit> {
    let ExportArgs {
        session,
        last: _,
        all,
        format,
        output,
        raw,
        redact,
        any_project,
    } = args;
    let (store, printer, now) = (
        &*context.readable_store(Unopened::Box)?,
        &context.printer,
        context.host.now(),
    );
    let named = output.as_deref().filter(|_| format.is_none());
    let ending =
        named.map(|path| format_by_ending(path, by_ending, ".json, .csv, .jsonl or .parquet"));
    let format = format
        .or(ending.transpose()?.flatten())
        .unwrap_or(ExportFormat::Json);
    tell_other_ending(output.as_deref(), &format, by_ending, printer);
    let options = ExportOptions {
        format: library_format(format)?,
        raw_cells: raw,
    };
    let escapes = match format {
        ExportFormat::Json | ExportFormat::Jsonl => Escapes::Json,
        ExportFormat::Csv => Escapes::Text,
        ExportFormat::Parquet => refuse_terminal(output.as_deref(), printer)?,
    };
    let session = match all {
        true => None,
        false => Some(with_entries(
            store,
            session::asked_for(store, context.asked(session, any_project), printer)?,
        )?),
    };
    let redactor = redact.then(|| redactor(context)).transpose()?;
    let masked = redactor.map(|redactor| RedactedStore::new(store, redactor));
    let store = masked.as_ref().map_or(store, |masked| masked);
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
