//! `recover report`: a session told, for people and for programs.

use std::path::Path;

use auto_recovery::audit::{AuditStore, RedactedStore};
use auto_recovery::host::new_id;
use auto_recovery::report::{self, CiReport, Source};
use auto_recovery::{Error, Result};

use crate::args::{CiFormat, ReportArgs, ReportFormat};
use crate::commands::github::tell_github;
use crate::commands::kept::KeptOnDisk;
use crate::commands::session;
use crate::context::Context;
use crate::exit::Exit;
use crate::output::{Escapes, format_by_ending, write_output};

/// The endings that name a format, in words.
const ENDINGS: &str = ".html, .md, .json, .xml or .sarif";

/// Writes a report of the session that is asked for.
pub(crate) fn report(context: &Context, args: ReportArgs) -> Result<Exit> {
    let ReportArgs {
        session,
        last: _,
        format,
        output,
        any_project,
    } = args;
    let (place, opener) = &context.readable_place()?;
    let (printer, now) = (&context.printer, context.host.now());
    let github = &context.settings.github;
    let named = output.as_deref().filter(|_| format.is_none());
    let ending = named.map(|path| format_by_ending(path, by_ending, ENDINGS));
    let format = format
        .or(ending.transpose()?.flatten())
        .unwrap_or(if printer.json {
            ReportFormat::Json
        } else {
            ReportFormat::Markdown
        });
    let store = &*place.store;
    let session = session::asked_for(store, context.asked(session, any_project), printer)?;
    let kept = KeptOnDisk::of((place, opener), &session)?;
    // What others recorded is masked no sooner than here.
    let masked = RedactedStore::new(store, context.redactor.clone());
    let store: &dyn AuditStore = &masked;
    let source = Source {
        store,
        session_id: &session,
        kept: &kept,
        now,
    };
    let escapes = match format {
        ReportFormat::Json | ReportFormat::Gitlab | ReportFormat::Sarif => Escapes::Json,
        ReportFormat::Markdown
        | ReportFormat::Html
        | ReportFormat::Github
        | ReportFormat::Junit => Escapes::Text,
    };
    let damage = write_output(output.as_deref(), escapes, printer, |out| {
        let ci = match format {
            ReportFormat::Json => return report::write_json(store, &session, now, out),
            ReportFormat::Markdown => return report::write_markdown(&source, out),
            ReportFormat::Html => return report::write_html(&source, out),
            ReportFormat::Github => CiFormat::Github,
            ReportFormat::Gitlab => CiFormat::Gitlab,
            ReportFormat::Junit => CiFormat::Junit,
            ReportFormat::Sarif => CiFormat::Sarif,
        };
        let (report, damage) = CiReport::of_session(store, &session)?;
        let text = match ci {
            CiFormat::Github => {
                tell_github(&report, github, true, printer);
                report::github_log(&report, &new_id("output"))
            }
            CiFormat::Gitlab => report::gitlab(&report),
            CiFormat::Junit => report::junit(&report),
            CiFormat::Sarif => report::sarif(&report),
        };
        out.write_all(text.as_bytes())
            .map_err(|error| Error::os("write the report", error))?;
        Ok(damage)
    })?;
    if let Some(path) = output.filter(|path| path != Path::new("-")) {
        printer.note(format_args!("wrote {}", path.display()));
    }
    session::told(store, &session, 0, &damage, printer)
}

fn by_ending(ending: &str) -> Option<ReportFormat> {
    match ending {
        "json" => Some(ReportFormat::Json),
        "html" | "htm" => Some(ReportFormat::Html),
        "md" | "markdown" => Some(ReportFormat::Markdown),
        "xml" => Some(ReportFormat::Junit),
        "sarif" => Some(ReportFormat::Sarif),
        _ => None,
    }
}
