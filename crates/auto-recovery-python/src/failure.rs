//! Python's `Error` as the library's failure, and what kind of failure it is.
//!
//! Any object with the seven attributes will do. Nothing in it fails a recovery: a context value
//! that JSON has no form for is recorded as its `repr`.

use auto_recovery::failure::{Context, Failure};
use pyo3::exceptions::PyException;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyMapping};
use serde_json::Value;

use crate::value::{optional_text, text};

/// How much of one text goes to the journal, in bytes. Five texts of a failure and its context of
/// at most [`CONTEXT_BYTES_MAX`] are escaped to at most 6 times that and stay below the 16 MiB of a
/// line.
const TEXT_BYTES_MAX: usize = 256 * 1024;

/// How much of a context goes to the journal, in bytes of JSON.
const CONTEXT_BYTES_MAX: usize = 256 * 1024;

/// The category of `error`, and the rule that says so.
#[pyfunction]
pub(crate) fn classify(error: &Bound<'_, PyAny>) -> PyResult<(&'static str, &'static str)> {
    let (category, rule) = auto_recovery::classify::classify(&failure(error)?);
    Ok((category.as_str(), rule))
}

/// The failure that `error` describes.
pub(crate) fn failure(error: &Bound<'_, PyAny>) -> PyResult<Failure> {
    let py = error.py();
    let optional = |name| match error.getattr_opt(name)? {
        Some(value) => Ok(optional_text(&value)?.map(cut)),
        None => Ok::<_, PyErr>(None),
    };
    let line_number = error.getattr_opt(intern!(py, "line_number"))?;
    Ok(Failure {
        error_type: cut(text(&error.getattr(intern!(py, "error_type"))?)?),
        message: cut(text(&error.getattr(intern!(py, "message"))?)?),
        source: cut(text(&error.getattr(intern!(py, "source"))?)?),
        context: match error.getattr_opt(intern!(py, "context"))? {
            Some(values) => context(&values)?,
            None => Context::new(),
        },
        stack_trace: optional(intern!(py, "stack_trace"))?,
        file_path: optional(intern!(py, "file_path"))?,
        // What is no line number is none.
        line_number: line_number.and_then(|number| number.extract().ok()),
    })
}

fn context(values: &Bound<'_, PyAny>) -> PyResult<Context> {
    let mut context = Context::new();
    let mut left = CONTEXT_BYTES_MAX;
    let Ok(mapping) = values.cast::<PyMapping>() else {
        return Ok(context);
    };
    for item in mapping.items()? {
        let (key, value): (Bound<'_, PyAny>, Bound<'_, PyAny>) = item.extract()?;
        let key = described(&key)?;
        let (json, size) = json(&value)?;
        // What does not fit is left out whole, so that the rest stays true.
        let Some(rest) = left.checked_sub(key.len() + size) else {
            continue;
        };
        left = rest;
        context.insert(key, json);
    }
    Ok(context)
}

/// `value` as JSON, and its size there; as its `repr` where JSON has no form for it.
fn json(value: &Bound<'_, PyAny>) -> PyResult<(Value, usize)> {
    if let Some(text) = unless_exception(value.py(), dumped(value))?
        && let Ok(json) = serde_json::from_str(&text)
    {
        return Ok((json, text.len()));
    }
    let text = cut(represented(value)?);
    let size = text.len();
    Ok((Value::String(text), size))
}

fn dumped(value: &Bound<'_, PyAny>) -> PyResult<String> {
    let py = value.py();
    let options = PyDict::new(py);
    options.set_item("allow_nan", false)?;
    options.set_item("default", py.import("builtins")?.getattr("repr")?)?;
    let dumps = py.import("json")?.getattr("dumps")?;
    dumps.call((value,), Some(&options))?.extract()
}

fn described(value: &Bound<'_, PyAny>) -> PyResult<String> {
    match unless_exception(value.py(), text(value))? {
        Some(text) => Ok(text),
        None => represented(value),
    }
}

fn represented(value: &Bound<'_, PyAny>) -> PyResult<String> {
    let shown = value.repr().and_then(|repr| text(repr.as_any()));
    match unless_exception(value.py(), shown)? {
        Some(shown) => Ok(shown),
        None => Ok(format!("<{}>", text(value.get_type().name()?.as_any())?)),
    }
}

/// `result`, `None` where it is an `Exception`. What is none, such as `KeyboardInterrupt`, is
/// nobody's to swallow.
fn unless_exception<T>(py: Python<'_>, result: PyResult<T>) -> PyResult<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.is_instance_of::<PyException>(py) => Ok(None),
        Err(error) => Err(error),
    }
}

/// `text`, cut at a character where it is too long for the journal.
fn cut(mut text: String) -> String {
    if text.len() > TEXT_BYTES_MAX {
        let keep = text.floor_char_boundary(TEXT_BYTES_MAX);
        let gone = text.len() - keep;
        text.truncate(keep);
        text.push_str(&format!("… {gone} bytes cut"));
    }
    text
}
