//! `recover report`: a session told, for people and for programs.

use std::path::{Path, PathBuf};
use std::time::SystemTime;

use auto_recovery::Result;
use auto_recovery::audit::AuditStore;
use auto_recovery::report;

use crate::args::ReportFormat;
use crate::commands::session::{self, Asked};
use crate::exit::Exit;
use crate::output::{Escapes, Printer, write_output};

/// Writes a report of the session `asked` for to `output` or stdout.
pub(crate) fn report(
    store: &dyn AuditStore,
    asked: Asked<'_>,
    format: Option<ReportFormat>,
    output: Option<PathBuf>,
    now: SystemTime,
    printer: &Printer,
) -> Result<Exit> {
    let format = format
        .or_else(|| output.as_deref().and_then(by_ending))
        .unwrap_or(if printer.json {
            ReportFormat::Json
        } else {
            ReportFormat::Markdown
        });
    let session = session::asked_for(store, asked, printer)?;
    let escapes = match format {
        ReportFormat::Json => Escapes::Json,
        ReportFormat::Markdown => Escapes::Text,
    };
    let damage = write_output(output.as_deref(), escapes, printer, |out| match format {
        ReportFormat::Json => report::write_json(store, &session, now, out),
        ReportFormat::Markdown => report::write_markdown(store, &session, now, out),
    })?;
    if let Some(path) = output.filter(|path| path != Path::new("-")) {
        printer.note(format_args!("wrote {}", path.display()));
    }
    session::told(store, &session, 0, &damage, printer)
}

fn by_ending(path: &Path) -> Option<ReportFormat> {
    match path.extension()?.to_str()? {
        "json" => Some(ReportFormat::Json),
        "md" | "markdown" => Some(ReportFormat::Markdown),
        _ => None,
    }
}
