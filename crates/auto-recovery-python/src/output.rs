//! What kind of failure the output of a command shows, by the built-in rules.

use auto_recovery::detect::{Detection, Observation, Rules, detect};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyDict, PyType};

use crate::value::texts;

/// Classifies `text`, the output of the command `argv`. Returns the category, the failure as an
/// instance of the data class, and the rule that decided.
#[pyfunction]
pub(crate) fn classify_output<'py>(
    py: Python<'py>,
    text: &[u8],
    exit_code: Option<i32>,
    argv: &Bound<'py, PyAny>,
) -> PyResult<(&'static str, Bound<'py, PyAny>, String)> {
    let argv = texts(argv)?;
    let observation = Observation {
        argv: &argv,
        exit_code,
        signal: None,
        timed_out: false,
        stdout: b"",
        stderr: text,
    };
    let Detection {
        failure,
        category,
        rule,
    } = py.detach(|| detect(&observation, Rules::builtin()));
    static CLASS: PyOnceLock<Py<PyType>> = PyOnceLock::new();
    let class = CLASS.import(py, "auto_recovery._model", "Error")?;
    let named = PyDict::new(py);
    named.set_item(intern!(py, "stack_trace"), failure.stack_trace)?;
    named.set_item(intern!(py, "file_path"), failure.file_path)?;
    named.set_item(intern!(py, "line_number"), failure.line_number)?;
    let texts = (failure.error_type, failure.message, failure.source);
    let error = class.call(texts, Some(&named))?;
    Ok((category.as_str(), error, rule.to_string()))
}
