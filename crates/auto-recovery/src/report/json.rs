//! The report of the specification.

use std::io::Write;
use std::time::SystemTime;

use serde::Serialize;

use crate::audit::{AuditStore, Damage};
use crate::error::{Error, Result};
use crate::escape::{Escapes, EscapingWriter};
use crate::export::{Document, list_entries};
use crate::host::timestamp;

/// What `report_type` says.
const REPORT_TYPE: &str = "recovery_audit_report";

#[derive(Serialize)]
struct Metadata<'s> {
    session_id: &'s str,
    generated_at: String,
    session_start: Option<&'s str>,
    report_type: &'static str,
}

#[derive(Serialize)]
struct Summary {
    total_attempts: u64,
    success_rate: String,
    total_duration_seconds: f64,
    files_modified: u64,
}

/// Writes the report of `session_id` to `out` and returns what of the trail could not be read. A
/// session without entries has a report that says so.
///
/// # Errors
/// If the store cannot be read or `out` not be written.
pub fn write_json(
    store: &dyn AuditStore,
    session_id: &str,
    now: SystemTime,
    out: &mut dyn Write,
) -> Result<Vec<Damage>> {
    let (statistics, mut damage) = store.read_statistics(session_id)?;
    let metadata = Metadata {
        session_id,
        generated_at: timestamp(now),
        session_start: statistics.session_start.as_deref(),
        report_type: REPORT_TYPE,
    };
    let summary = Summary {
        total_attempts: statistics.total_attempts,
        // As many decimals as it needs, and at least one.
        success_rate: format!("{:?}%", statistics.success_rate),
        total_duration_seconds: statistics.total_duration_seconds,
        files_modified: statistics.files_modified_count,
    };
    let mut out = EscapingWriter::new(out, Escapes::Json);
    let mut document = Document::begin(&mut out);
    document.field("report_metadata", &metadata)?;
    document.field("summary", &summary)?;
    document.field("statistics", &statistics)?;
    let count = statistics.total_attempts;
    let of_entries = list_entries(&mut document, "detailed_entries", store, session_id, count)?;
    document.finish()?;
    out.finish()
        .map_err(|error| Error::os("write the report", error))?;
    Damage::join(&mut damage, of_entries);
    Ok(damage)
}
