//! Values as columns hold them.

use std::borrow::Cow;

use crate::text::to_column;

/// All 64 bits of `number`: a database counts with signs, and few numbers are so large that it shows.
pub(super) fn signed(number: u64) -> i64 {
    number as i64
}

/// The number that [`signed`] made this of.
pub(super) fn unsigned(column: i64) -> u64 {
    column as u64
}

/// A text that may be missing.
pub(super) fn optional(text: &Option<String>) -> Option<Cow<'_, str>> {
    text.as_deref().map(to_column)
}

/// The two halves in which durations are summed up.
pub(super) fn halves(ms: i64) -> (i64, i64) {
    (ms >> 32, ms & 0xffff_ffff)
}

/// The sum whose halves these are, as far as it can be counted.
pub(super) fn whole((high, low): (i64, i64)) -> u64 {
    let sum = (i128::from(high) << 32) + i128::from(low);
    u64::try_from(sum).unwrap_or(u64::MAX)
}

/// The JSON form of a value of ours, all of which have one.
pub(super) fn json(value: &impl serde::Serialize) -> String {
    serde_json::to_string(value)
        .expect("strings, numbers, bools, lists and their structs serialise")
}

/// The number in a column that has no sign.
pub(super) fn number(row: &rusqlite::Row<'_>, index: usize) -> rusqlite::Result<u64> {
    row.get(index).map(unsigned)
}
