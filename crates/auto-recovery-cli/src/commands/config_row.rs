//! A row of `recover config`: a setting, its value and its origin.

use serde::Serialize;
use serde_json::Value;

use crate::settings::Setting;

/// A setting as it is shown.
#[derive(Serialize)]
pub(super) struct Row {
    pub(super) key: String,
    pub(super) value: Value,
    pub(super) origin: String,
}

/// The row of `setting`, with its value as `value` shows it.
pub(super) fn row<T>(key: &str, setting: &Setting<T>, value: impl FnOnce(&T) -> Value) -> Row {
    Row {
        key: key.to_owned(),
        value: value(&setting.value),
        origin: setting.origin.to_string(),
    }
}

/// The same where nothing may be set.
pub(super) fn optional_row<T>(
    key: &str,
    setting: &Option<Setting<T>>,
    value: impl FnOnce(&T) -> Value,
) -> Row {
    match setting {
        Some(setting) => row(key, setting, value),
        None => row(key, &Setting::default(()), |()| Value::Null),
    }
}
