//! A line of `recover log`: the entry that it becomes.

use auto_recovery::audit::{NewEntry, session_id};
use auto_recovery::entry::LogLine;

use crate::commands::not_json::in_words;

/// The entry that `line` says. A line without a session belongs to `default_session`.
///
/// # Errors
/// What is wrong with the line and what would be right, in one line.
pub(crate) fn parse(line: &[u8], default_session: &str) -> Result<NewEntry, String> {
    // It would be taken for the keys in their order.
    if line.trim_ascii_start().starts_with(b"[") {
        return Err("it is an array: an attempt is an object, with its keys by name".to_owned());
    }
    let line: LogLine = serde_json::from_slice(line).map_err(|error| in_words(&error))?;
    let (entry, number_by_store) = line.into_entry(default_session)?;
    session_id::encode(&entry.session_id).map_err(|error| error.chain())?;
    Ok(NewEntry {
        entry,
        number_by_store,
    })
}
