//! Exporting one session, or all of them.

use std::io::{BufWriter, Write};
use std::time::SystemTime;

use super::compact::compact;
use super::csv::Table;
use super::entries::{Entries, Outcome};
use super::format::{ExportFormat, ExportOptions, ExportSummary};
use super::json::{AllDocument, SessionDocument, Sessions, write_pretty};
use crate::audit::{AuditStore, SessionSummary};
use crate::error::{Error, ErrorKind, Result};
use crate::host::timestamp;

/// Writes the trail of `session_id` to `out`.
///
/// # Errors
/// [`ErrorKind::InvalidInput`] if it has no entries; otherwise if the store cannot be read or `out` not
/// be written.
pub fn export_session(
    store: &dyn AuditStore,
    session_id: &str,
    options: &ExportOptions,
    now: SystemTime,
    out: &mut dyn Write,
) -> Result<ExportSummary> {
    let statistics = store.statistics(session_id)?;
    let count = statistics.total_attempts;
    if count == 0 {
        return Err(Error::new(
            ErrorKind::InvalidInput,
            format!("session {session_id} has no entries to export"),
        ));
    }
    if options.format != ExportFormat::Json {
        return export_rows(store, &[session_id], options, out);
    }
    let outcome = Outcome::default();
    let document = SessionDocument {
        session_id,
        session_start: statistics.session_start.as_deref(),
        export_timestamp: &timestamp(now),
        total_entries: count,
        entries: Entries::new(store, session_id, count, &outcome),
    };
    Ok(ExportSummary {
        entries: count,
        damage: write_pretty(&document, &outcome, out)?,
    })
}

/// Writes the trails of all sessions that have entries to `out`, the newest session first.
///
/// # Errors
/// If the store cannot be read or `out` not be written.
pub fn export_all(
    store: &dyn AuditStore,
    options: &ExportOptions,
    now: SystemTime,
    out: &mut dyn Write,
) -> Result<ExportSummary> {
    let mut summaries = store.sessions()?;
    summaries.retain(|summary| summary.total_attempts > 0);
    if options.format != ExportFormat::Json {
        let ids: Vec<&str> = summaries
            .iter()
            .map(|one| one.session_id.as_str())
            .collect();
        return export_rows(store, &ids, options, out);
    }
    let outcome = Outcome::default();
    let export_timestamp = timestamp(now);
    let total_entries = total(&summaries);
    let document = AllDocument {
        export_timestamp: &export_timestamp,
        total_sessions: summaries.len() as u64,
        total_entries,
        sessions: Sessions {
            store,
            summaries: &summaries,
            export_timestamp: &export_timestamp,
            outcome: &outcome,
        },
    };
    Ok(ExportSummary {
        entries: total_entries,
        damage: write_pretty(&document, &outcome, out)?,
    })
}

fn total(summaries: &[SessionSummary]) -> u64 {
    summaries.iter().map(|one| one.total_attempts).sum()
}

/// The formats that are a row for each entry.
fn export_rows(
    store: &dyn AuditStore,
    session_ids: &[&str],
    options: &ExportOptions,
    out: &mut dyn Write,
) -> Result<ExportSummary> {
    match options.format {
        ExportFormat::Csv => {
            let mut table = Table::new(out, options.raw_cells)?;
            let summary = each_entry(store, session_ids, &mut |stored| table.push(&stored.entry))?;
            table.finish()?;
            Ok(summary)
        }
        ExportFormat::Json | ExportFormat::Jsonl => {
            let failed = |error| Error::os("write the export", error);
            let mut out = BufWriter::with_capacity(64 * 1024, out);
            let summary = each_entry(store, session_ids, &mut |stored| {
                out.write_all(&compact(stored.raw))
                    .and_then(|()| out.write_all(b"\n"))
                    .map_err(failed)
            })?;
            out.flush().map_err(failed)?;
            Ok(summary)
        }
    }
}

fn each_entry(
    store: &dyn AuditStore,
    session_ids: &[&str],
    visit: &mut dyn FnMut(crate::audit::StoredEntry<'_>) -> Result<()>,
) -> Result<ExportSummary> {
    let mut summary = ExportSummary::default();
    for session_id in session_ids {
        let damage = store.read_trail(session_id, &mut |stored| {
            summary.entries += 1;
            visit(stored)
        })?;
        summary.damage.extend(damage);
    }
    Ok(summary)
}
