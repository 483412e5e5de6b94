//! Attempts: Python's `RecoveryAttempt` as an entry, and the library's as Python's.

use auto_recovery::audit::NewEntry;
use auto_recovery::logger::{AttemptRecord, ERROR_TYPE_UNKNOWN};
use auto_recovery::{RecoveryAttempt, RecoveryAuditEntry};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::PyType;

use crate::value::{float, text, texts, whole};

/// The entry of `attempt`, any object with the attributes of the data class, which `record` says
/// more of. It is made at once, without the library's attempt in between: logging is what must be
/// fast.
pub(crate) fn entry(
    attempt: &Bound<'_, PyAny>,
    session_id: String,
    record: AttemptRecord,
) -> PyResult<NewEntry> {
    let py = attempt.py();
    let field = |name| attempt.getattr(name);
    let error_before = field(intern!(py, "error_before"))?;
    let (error_type, error_message) = match error_before.is_none() {
        true => (ERROR_TYPE_UNKNOWN.to_owned(), String::new()),
        false => (
            text(&error_before.getattr(intern!(py, "error_type"))?)?,
            text(&error_before.getattr(intern!(py, "message"))?)?,
        ),
    };
    let attempt_number = whole(&field(intern!(py, "attempt_number"))?, "attempt_number")?;
    let entry = RecoveryAuditEntry {
        entry_id: String::new(),
        timestamp: text(&field(intern!(py, "timestamp"))?)?,
        session_id,
        error_type,
        strategy: text(&field(intern!(py, "strategy"))?)?,
        attempt_number,
        success: field(intern!(py, "success"))?.is_truthy()?,
        changes_made: texts(&field(intern!(py, "changes_made"))?)?,
        files_modified: record.files_modified,
        rollback_performed: record.rollback_performed,
        next_action: record.next_action,
        duration_seconds: float(&field(intern!(py, "duration_seconds"))?, "duration_seconds")?,
        error_message,
        recovery_message: text(&field(intern!(py, "message"))?)?,
    };
    Ok(NewEntry {
        // As in the library: 0 is no number.
        number_by_store: attempt_number == 0,
        entry,
    })
}

/// The failures of an attempt as the Python objects they came as.
pub(crate) struct Failures<'a, 'py> {
    pub(crate) before: &'a Bound<'py, PyAny>,
    pub(crate) after: Bound<'py, PyAny>,
}

/// `attempt` as an instance of the data class.
pub(crate) fn instance<'py>(
    py: Python<'py>,
    attempt: &RecoveryAttempt,
    failures: Failures<'_, 'py>,
) -> PyResult<Bound<'py, PyAny>> {
    static CLASS: PyOnceLock<Py<PyType>> = PyOnceLock::new();
    let class = CLASS.import(py, "auto_recovery._model", "RecoveryAttempt")?;
    class.call1((
        attempt.attempt_number,
        attempt.strategy.as_str(),
        attempt.success,
        failures.before,
        failures.after,
        &attempt.changes_made,
        &attempt.timestamp,
        attempt.duration_seconds,
        &attempt.message,
    ))
}
