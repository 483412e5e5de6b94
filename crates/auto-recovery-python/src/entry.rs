//! Entries as Python's `RecoveryAuditEntry`, and as flat dictionaries.

use auto_recovery::RecoveryAuditEntry;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyDict, PyTuple, PyType};

use crate::value::{float, text, texts, whole};

/// The entry that `entry`, any object with the attributes of the data class, says.
pub(crate) fn read(entry: &Bound<'_, PyAny>) -> PyResult<RecoveryAuditEntry> {
    let py = entry.py();
    let words = |name| text(&entry.getattr(name)?);
    let list = |name| texts(&entry.getattr(name)?);
    let truth = |name| entry.getattr(name)?.is_truthy();
    let number = entry.getattr(intern!(py, "attempt_number"))?;
    let seconds = entry.getattr(intern!(py, "duration_seconds"))?;
    Ok(RecoveryAuditEntry {
        entry_id: words(intern!(py, "entry_id"))?,
        timestamp: words(intern!(py, "timestamp"))?,
        session_id: words(intern!(py, "session_id"))?,
        error_type: words(intern!(py, "error_type"))?,
        strategy: words(intern!(py, "strategy"))?,
        attempt_number: whole(&number, "attempt_number")?,
        success: truth(intern!(py, "success"))?,
        changes_made: list(intern!(py, "changes_made"))?,
        files_modified: list(intern!(py, "files_modified"))?,
        rollback_performed: truth(intern!(py, "rollback_performed"))?,
        next_action: words(intern!(py, "next_action"))?,
        duration_seconds: float(&seconds, "duration_seconds")?,
        error_message: words(intern!(py, "error_message"))?,
        recovery_message: words(intern!(py, "recovery_message"))?,
    })
}

/// `entry` as an instance of the data class.
pub(crate) fn instance<'py>(
    py: Python<'py>,
    entry: RecoveryAuditEntry,
) -> PyResult<Bound<'py, PyAny>> {
    static CLASS: PyOnceLock<Py<PyType>> = PyOnceLock::new();
    let class = CLASS.import(py, "auto_recovery._model", "RecoveryAuditEntry")?;
    class.call1(PyTuple::new(py, fields(py, entry)?)?)
}

/// `entry` as a dictionary with the names of its fields.
pub(crate) fn record<'py>(
    py: Python<'py>,
    entry: RecoveryAuditEntry,
) -> PyResult<Bound<'py, PyDict>> {
    let dict = PyDict::new(py);
    for (name, value) in RecoveryAuditEntry::FIELDS
        .into_iter()
        .zip(fields(py, entry)?)
    {
        dict.set_item(name, value)?;
    }
    Ok(dict)
}

/// The values of `entry` in the order of its fields.
fn fields<'py>(py: Python<'py>, entry: RecoveryAuditEntry) -> PyResult<[Bound<'py, PyAny>; 14]> {
    Ok([
        entry.entry_id.into_pyobject(py)?.into_any(),
        entry.timestamp.into_pyobject(py)?.into_any(),
        entry.session_id.into_pyobject(py)?.into_any(),
        entry.error_type.into_pyobject(py)?.into_any(),
        entry.strategy.into_pyobject(py)?.into_any(),
        entry.attempt_number.into_pyobject(py)?.into_any(),
        entry.success.into_pyobject(py)?.to_owned().into_any(),
        entry.changes_made.into_pyobject(py)?.into_any(),
        entry.files_modified.into_pyobject(py)?.into_any(),
        entry
            .rollback_performed
            .into_pyobject(py)?
            .to_owned()
            .into_any(),
        entry.next_action.into_pyobject(py)?.into_any(),
        entry.duration_seconds.into_pyobject(py)?.into_any(),
        entry.error_message.into_pyobject(py)?.into_any(),
        entry.recovery_message.into_pyobject(py)?.into_any(),
    ])
}
