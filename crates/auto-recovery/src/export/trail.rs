//! Exporting one session, or all of them.

use std::io::{BufWriter, Write};
use std::time::SystemTime;

use super::compact::compact;
use super::csv::Table;
use super::document::Document;
use super::entries::list_entries;
use super::format::{ExportFormat, ExportOptions, ExportSummary};
use crate::audit::{AuditStore, Damage, SessionSummary, StoredEntry};
use crate::error::{Error, ErrorKind, Result};
use crate::host::timestamp;

/// Writes the trail of `session_id` to `out`.
///
/// ```
/// use auto_recovery::Result;
/// use auto_recovery::audit::AuditStore;
/// use auto_recovery::export::{ExportFormat, ExportOptions, export_session};
/// use auto_recovery::host::Host;
///
/// /// The trail of `session` as a table, one row an attempt.
/// fn as_csv(store: &dyn AuditStore, session: &str, host: &dyn Host) -> Result<Vec<u8>> {
///     let options = ExportOptions {
///         format: ExportFormat::Csv,
///         ..ExportOptions::default()
///     };
///     let mut table = Vec::new();
///     let summary = export_session(store, session, &options, host.now(), &mut table)?;
///     for missing in &summary.damage {
///         println!("line {} of {} is not in it", missing.line, missing.place);
///     }
///     Ok(table)
/// }
/// ```
///
/// # Errors
/// [`ErrorKind::InvalidInput`] if it has no entries; otherwise if the store cannot be read or `out`
/// not be written.
pub fn export_session(
    store: &dyn AuditStore,
    session_id: &str,
    options: &ExportOptions,
    now: SystemTime,
    out: &mut dyn Write,
) -> Result<ExportSummary> {
    if options.format != ExportFormat::Json {
        if is_empty(store, session_id)? {
            return Err(nothing_to_export(session_id));
        }
        return export_rows(store, &[session_id], options, out);
    }
    let (statistics, mut damage) = store.read_statistics(session_id)?;
    let count = statistics.total_attempts;
    if count == 0 {
        return Err(nothing_to_export(session_id));
    }
    let mut document = Document::begin(out);
    let start = statistics.session_start.as_deref();
    let of_entries = session(&mut document, store, session_id, start, count, now)?;
    Damage::join(&mut damage, of_entries);
    document.finish()?;
    Ok(ExportSummary {
        entries: count,
        damage,
    })
}

fn is_empty(store: &dyn AuditStore, session_id: &str) -> Result<bool> {
    let mut is_empty = true;
    store.read_last(session_id, 1, &mut |_| {
        is_empty = false;
        Ok(())
    })?;
    Ok(is_empty)
}

fn nothing_to_export(session_id: &str) -> Error {
    Error::new(
        ErrorKind::InvalidInput,
        format!("session {session_id} has no entries to export"),
    )
}

/// Adds the fields of a session's export to `document`.
fn session(
    document: &mut Document<'_>,
    store: &dyn AuditStore,
    session_id: &str,
    session_start: Option<&str>,
    count: u64,
    now: SystemTime,
) -> Result<Vec<Damage>> {
    document.field("session_id", &session_id)?;
    document.field("session_start", &session_start)?;
    document.field("export_timestamp", &timestamp(now))?;
    document.field("total_entries", &count)?;
    list_entries(document, "entries", store, session_id, count)
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
    let (mut summaries, mut damage) = store.read_sessions()?;
    summaries.retain(|summary| summary.total_attempts > 0);
    if options.format != ExportFormat::Json {
        let ids: Vec<&str> = summaries
            .iter()
            .map(|one| one.session_id.as_str())
            .collect();
        let mut summary = export_rows(store, &ids, options, out)?;
        Damage::join(&mut damage, summary.damage);
        summary.damage = damage;
        return Ok(summary);
    }
    let total_entries = total(&summaries);
    let mut document = Document::begin(out);
    document.field("export_timestamp", &timestamp(now))?;
    document.field("total_sessions", &summaries.len())?;
    document.field("total_entries", &total_entries)?;
    document.begin_list("sessions");
    let mut of_entries = Vec::new();
    for one in &summaries {
        document.begin_item();
        let start = one.session_start.as_deref();
        let (id, count) = (&one.session_id, one.total_attempts);
        of_entries.extend(session(&mut document, store, id, start, count, now)?);
        document.end_item();
    }
    document.end_list();
    document.finish()?;
    Damage::join(&mut damage, of_entries);
    Ok(ExportSummary {
        entries: total_entries,
        damage,
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
            let summary = each_entry(store, session_ids, &mut |stored| table.push(&stored))?;
            table.finish()?;
            Ok(summary)
        }
        #[cfg(feature = "parquet")]
        ExportFormat::Parquet => {
            let mut table = super::parquet::Table::new(out)?;
            let mut push = |stored: StoredEntry<'_>| table.push(stored.into_entry());
            let summary = each_entry(store, session_ids, &mut push)?;
            table.finish()?;
            Ok(summary)
        }
        ExportFormat::Json | ExportFormat::Jsonl => {
            let failed = |error| Error::os("write the export", error);
            let mut out = BufWriter::with_capacity(64 * 1024, out);
            let summary = each_entry(store, session_ids, &mut |stored| {
                out.write_all(&compact(stored.raw()))
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
    visit: &mut dyn FnMut(StoredEntry<'_>) -> Result<()>,
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
