//! The report of the specification.

use std::io::Write;
use std::time::SystemTime;

use serde::Serialize;

use crate::audit::{AuditStore, Damage};
use crate::error::Result;
use crate::export::{Entries, Outcome, write_pretty};
use crate::host::timestamp;
use crate::statistics::RecoveryStatistics;

/// What `report_type` says.
const REPORT_TYPE: &str = "recovery_audit_report";

#[derive(Serialize)]
struct Report<'s> {
    report_metadata: Metadata<'s>,
    summary: Summary,
    statistics: &'s RecoveryStatistics,
    detailed_entries: Entries<'s>,
}

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
    let statistics = store.statistics(session_id)?;
    let outcome = Outcome::default();
    let report = Report {
        report_metadata: Metadata {
            session_id,
            generated_at: timestamp(now),
            session_start: statistics.session_start.as_deref(),
            report_type: REPORT_TYPE,
        },
        summary: Summary {
            total_attempts: statistics.total_attempts,
            success_rate: format!("{:.1}%", statistics.success_rate),
            total_duration_seconds: statistics.total_duration_seconds,
            files_modified: statistics.files_modified_count,
        },
        statistics: &statistics,
        detailed_entries: Entries::new(store, session_id, statistics.total_attempts, &outcome),
    };
    write_pretty(&report, &outcome, out)
}
