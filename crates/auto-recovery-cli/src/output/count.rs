//! How many there are of something, in words.

/// `number` of `thing`: `1 entry`, `2 entries`, `0 paths`.
pub(crate) fn counted(number: u64, thing: &str) -> String {
    match (number, thing.strip_suffix('y')) {
        (1, _) => format!("1 {thing}"),
        (_, Some(stem)) => format!("{number} {stem}ies"),
        (_, None) => format!("{number} {thing}s"),
    }
}
