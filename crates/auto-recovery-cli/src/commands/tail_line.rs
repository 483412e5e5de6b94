//! An attempt as `recover tail` tells it, in a line.

use auto_recovery::audit::session_id;
use auto_recovery::wording;
use auto_recovery::{RecoveryAuditEntry, Result};

use crate::output::{Escapes, Printer, escape_text, stdout_error};

/// How far what goes on below is set in: under the session.
const BELOW: usize = 26;

/// Tells one attempt, which is `json` as it is stored.
///
/// # Errors
/// If stdout cannot be written.
pub(super) fn tell_attempt(
    printer: &Printer,
    entry: &RecoveryAuditEntry,
    project: Option<&str>,
    json: &str,
) -> Result<()> {
    if printer.json {
        return printer.data(Escapes::Json, |out| {
            writeln!(out, "{json}").map_err(stdout_error)
        });
    }
    let line = format!(
        "{}  {}  {}  attempt {}, {}: {}: {}",
        entry.timestamp,
        session_id::short(&entry.session_id),
        project.unwrap_or("—"),
        entry.attempt_number,
        entry.strategy,
        wording::result(entry.success, entry.rollback_performed),
        entry.error_type,
    );
    printer.line(&escape_text(&line), BELOW)
}
