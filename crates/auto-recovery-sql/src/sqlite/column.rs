//! Values in the form that columns hold.

use std::borrow::Cow;

use crate::text::{from_column, is_as_it_was, to_column};

/// All 64 bits of `number`: a database counts with signs, and few numbers are large enough for that
/// to show.
pub(super) fn signed(number: u64) -> i64 {
    number as i64
}

/// The number from which [`signed`] made `column`.
pub(super) fn unsigned(column: i64) -> u64 {
    column as u64
}

/// A text that may be missing.
pub(super) fn optional(text: &Option<String>) -> Option<Cow<'_, str>> {
    text.as_deref().map(to_column)
}

/// The sum of these halves, saturated.
pub(super) fn whole((high, low): (i64, i64)) -> u64 {
    let sum = (i128::from(high) << 32) + i128::from(low);
    u64::try_from(sum).unwrap_or(u64::MAX)
}

/// The JSON form of a value of ours; each has one.
pub(super) fn json(value: &impl serde::Serialize) -> String {
    serde_json::to_string(value)
        .expect("strings, numbers, bools, lists and their structs serialise")
}

/// The number without a sign in a column.
pub(super) fn number(row: &rusqlite::Row<'_>, index: usize) -> rusqlite::Result<u64> {
    row.get(index).map(unsigned)
}

/// A list of texts as a column holds it: a JSON array of texts as columns hold them.
pub(super) fn list(texts: &[String]) -> String {
    let kept: Vec<Cow<'_, str>> = texts.iter().map(|text| to_column(text)).collect();
    json(&kept)
}

/// The list from which [`list`] made this column.
pub(super) fn read_list(row: &rusqlite::Row<'_>, index: usize) -> rusqlite::Result<Vec<String>> {
    let kept = kept_list(row, index)?;
    Ok(kept.into_iter().map(from_column).collect())
}

/// The same, its texts as columns hold them.
pub(super) fn kept_list(row: &rusqlite::Row<'_>, index: usize) -> rusqlite::Result<Vec<String>> {
    let kept = row.get_ref(index)?.as_str()?;
    serde_json::from_str(kept).map_err(|error| {
        let column = rusqlite::types::Type::Text;
        rusqlite::Error::FromSqlConversionFailure(index, column, Box::new(error))
    })
}

/// The text in a column, decoded only if it must be.
pub(super) fn text<'r>(row: &'r rusqlite::Row<'_>, index: usize) -> rusqlite::Result<Cow<'r, str>> {
    let kept = row.get_ref(index)?.as_str()?;
    Ok(match is_as_it_was(kept) {
        true => kept.into(),
        false => from_column(kept.to_owned()).into(),
    })
}
