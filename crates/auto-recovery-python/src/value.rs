//! Python values as the library's, and back. Nothing here refuses text: what is no Unicode is
//! replaced.

use std::time::Duration;

use pyo3::exceptions::PyOverflowError;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList, PyString};
use serde_json::Value;

use crate::error::invalid;

/// `value` as text: a string as it is, with U+FFFD for what is no character (a lone surrogate), and
/// anything else as `str` gives it.
pub(crate) fn text(value: &Bound<'_, PyAny>) -> PyResult<String> {
    match value.cast::<PyString>() {
        Ok(string) => Ok(replaced(string)),
        Err(_) => Ok(replaced(&value.str()?)),
    }
}

fn replaced(string: &Bound<'_, PyString>) -> String {
    match string.to_str() {
        Ok(text) => text.to_owned(),
        Err(_) => string.to_string_lossy().into_owned(),
    }
}

/// As [`text`], `None` for `None`.
pub(crate) fn optional_text(value: &Bound<'_, PyAny>) -> PyResult<Option<String>> {
    match value.is_none() {
        true => Ok(None),
        false => text(value).map(Some),
    }
}

/// The items of `value` as texts; none for `None`, one for a text that stands alone.
pub(crate) fn texts(value: &Bound<'_, PyAny>) -> PyResult<Vec<String>> {
    if value.is_none() {
        return Ok(Vec::new());
    }
    if value.is_instance_of::<PyString>() {
        return Ok(vec![text(value)?]);
    }
    value.try_iter()?.map(|item| text(&item?)).collect()
}

/// `value` as a whole number of at least 0.
pub(crate) fn whole(value: &Bound<'_, PyAny>, name: &str) -> PyResult<u64> {
    value.extract::<u64>().map_err(|error| {
        let py = value.py();
        match error.is_instance_of::<PyOverflowError>(py) {
            true => invalid(
                py,
                format!(
                    "{name} is out of range: give a whole number from 0 to {}",
                    u64::MAX
                ),
            ),
            false => invalid(
                py,
                format!("{name} is {}: give a whole number, 0 or more", shown(value)),
            ),
        }
    })
}

/// `value` as a message shows it.
fn shown(value: &Bound<'_, PyAny>) -> String {
    let class = || format!("a {}", value.get_type());
    value
        .repr()
        .map_or_else(|_| class(), |repr| replaced(&repr))
}

/// `value` as a floating point number; a whole number that is too large for one is refused.
pub(crate) fn float(value: &Bound<'_, PyAny>, name: &str) -> PyResult<f64> {
    value.extract::<f64>().map_err(|error| {
        let py = value.py();
        match error.is_instance_of::<PyOverflowError>(py) {
            true => invalid(py, format!("{name} is too large: give a number of seconds")),
            false => invalid(
                py,
                format!(
                    "{name} is {}: give a number of seconds, 0 or more",
                    shown(value)
                ),
            ),
        }
    })
}

/// `seconds` as a time to wait. What is longer than can be counted is as long as can be counted.
pub(crate) fn duration(py: Python<'_>, seconds: f64, name: &str) -> PyResult<Duration> {
    if seconds.is_nan() || seconds < 0.0 {
        return Err(invalid(
            py,
            format!("{name} is {seconds}: give a number of seconds, 0 or more"),
        ));
    }
    Ok(Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX))
}

/// `value` as Python's own dictionaries, lists, strings and numbers.
pub(crate) fn python<'py>(py: Python<'py>, value: &Value) -> PyResult<Bound<'py, PyAny>> {
    Ok(match value {
        Value::Null => py.None().into_bound(py),
        Value::Bool(value) => value.into_pyobject(py)?.to_owned().into_any(),
        Value::Number(number) => match (number.as_u64(), number.as_i64()) {
            (Some(whole), _) => whole.into_pyobject(py)?.into_any(),
            (None, Some(whole)) => whole.into_pyobject(py)?.into_any(),
            (None, None) => number.as_f64().into_pyobject(py)?.into_any(),
        },
        Value::String(text) => PyString::new(py, text).into_any(),
        Value::Array(items) => {
            let list = PyList::empty(py);
            for item in items {
                list.append(python(py, item)?)?;
            }
            list.into_any()
        }
        Value::Object(map) => {
            let dict = PyDict::new(py);
            for (key, value) in map {
                dict.set_item(key, python(py, value)?)?;
            }
            dict.into_any()
        }
    })
}
