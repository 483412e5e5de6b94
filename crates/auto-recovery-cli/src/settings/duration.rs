//! Durations as people write them: `10ms`, `2s`, `5m30s`.
//!
//! A bare number is refused: nobody can tell whether it means seconds or milliseconds.

use std::time::Duration;

/// The units, longest first, each with its milliseconds.
const UNITS: [(&str, u64); 5] = [
    ("d", 24 * 60 * 60 * 1000),
    ("h", 60 * 60 * 1000),
    ("m", 60 * 1000),
    ("s", 1000),
    ("ms", 1),
];

/// The longest duration that can be given: 100 years of 365 days. Far from the range where adding
/// it to a time could overflow.
const DURATION_MS_MAX: u64 = 100 * 365 * 24 * 60 * 60 * 1000;

/// The duration that `text` says.
///
/// # Errors
/// What is wrong with it and how to write it.
pub(crate) fn parse_duration(text: &str) -> Result<Duration, String> {
    if text.is_empty() {
        return Err("a duration is written like 10ms, 2s or 5m30s".to_owned());
    }
    if text
        .bytes()
        .all(|byte| byte.is_ascii_digit() || byte == b'.')
    {
        return Err(format!(
            "a duration needs its unit: write `{text}s` or `{text}ms`"
        ));
    }
    let mut rest = text;
    let mut total_ms: u64 = 0;
    let mut smallest_so_far = u64::MAX;
    while !rest.is_empty() {
        let (amount, unit, after) = split_part(rest).ok_or_else(|| unreadable(text))?;
        let (_, unit_ms) = UNITS
            .into_iter()
            .find(|(name, _)| *name == unit)
            .ok_or_else(|| unreadable(text))?;
        if unit_ms >= smallest_so_far {
            return Err(format!(
                "the units of `{text}` must go from large to small, each once"
            ));
        }
        smallest_so_far = unit_ms;
        total_ms = amount
            .checked_mul(unit_ms)
            .and_then(|part| total_ms.checked_add(part))
            .filter(|total| *total <= DURATION_MS_MAX)
            .ok_or_else(|| format!("`{text}` is longer than 100 years"))?;
        rest = after;
    }
    Ok(Duration::from_millis(total_ms))
}

/// The amount and the unit that `text` begins with, and what follows them.
fn split_part(text: &str) -> Option<(u64, &str, &str)> {
    let digits = text.find(|c: char| !c.is_ascii_digit())?;
    let amount = text[..digits].parse().ok()?;
    let rest = &text[digits..];
    let letters = rest
        .find(|c: char| !c.is_ascii_alphabetic())
        .unwrap_or(rest.len());
    Some((amount, &rest[..letters], &rest[letters..]))
}

fn unreadable(text: &str) -> String {
    format!("`{text}` is no duration: write it like 10ms, 2s or 5m30s (units d, h, m, s, ms)")
}
