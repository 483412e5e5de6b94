//! Durations as people write them: `10ms`, `2s`, `1.5s`, `5m30s`, `2m 30s`.
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
            "a duration needs its unit: write `{text}s`, `{text}m`, `{text}h` or `{text}d`"
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
        let part_ms = in_ms(amount, unit_ms).ok_or_else(|| unreadable(text))?;
        total_ms = part_ms
            .and_then(|part| total_ms.checked_add(part))
            .filter(|total| *total <= DURATION_MS_MAX)
            .ok_or_else(|| format!("`{text}` is longer than 100 years"))?;
        // One blank may stand between two parts.
        rest = match after.strip_prefix(' ') {
            Some(next) if next.starts_with(|c: char| c.is_ascii_digit()) => next,
            _ => after,
        };
    }
    Ok(Duration::from_millis(total_ms))
}

/// The limit that `text` says: a duration, and not none at all, which would end everything at once.
///
/// # Errors
/// As [`parse_duration`], and for no time.
pub(crate) fn parse_limit(text: &str) -> Result<Duration, String> {
    match parse_duration(text)? {
        Duration::ZERO => Err("that leaves no time at all: leave it out to have no limit".into()),
        limit => Ok(limit),
    }
}

/// The amount and the unit that `text` begins with, and what follows them.
fn split_part(text: &str) -> Option<(&str, &str, &str)> {
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.')?;
    let rest = &text[digits..];
    let letters = rest
        .find(|c: char| !c.is_ascii_alphabetic())
        .unwrap_or(rest.len());
    Some((&text[..digits], &rest[..letters], &rest[letters..]))
}

/// What `amount` units of `unit_ms` come to, in whole milliseconds; inside, `None` for too many.
/// `None` where it is no number, or one that has parts of a millisecond.
fn in_ms(amount: &str, unit_ms: u64) -> Option<Option<u64>> {
    /// Most digits behind the point: with more, the arithmetic could overflow.
    const DIGITS_MAX: usize = 6;

    let (whole, part) = amount.split_once('.').unwrap_or((amount, "0"));
    let whole: u64 = whole.parse().ok()?;
    if part.len() > DIGITS_MAX {
        return None;
    }
    let scale = 10_u64.pow(u32::try_from(part.len()).ok()?);
    let part_ms = part.parse::<u64>().ok()? * unit_ms;
    if !part_ms.is_multiple_of(scale) {
        return None;
    }
    let whole_ms = whole.checked_mul(unit_ms);
    Some(whole_ms.and_then(|whole_ms| whole_ms.checked_add(part_ms / scale)))
}

fn unreadable(text: &str) -> String {
    format!("`{text}` is no duration: write it like 10ms, 1.5s or 5m30s (units d, h, m, s, ms)")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_may_have_a_point_and_a_blank_between_them() {
        let cases = [
            ("10ms", Some(10)),
            ("1.5s", Some(1_500)),
            ("0.25h", Some(900_000)),
            ("2m 30s", Some(150_000)),
            ("2m30s", Some(150_000)),
            ("1.5m 1.001s", Some(91_001)),
            ("1.0005s", None),
            ("1.5ms", None),
            ("1.s", None),
            (".5s", None),
            ("1..5s", None),
            ("1.1234567d", None),
            ("2m  30s", None),
            ("2m ", None),
            (" 2m", None),
            ("5 s", None),
            ("30s 2m", None),
        ];
        for (text, expected) in cases {
            let parsed = parse_duration(text).ok();
            assert_eq!(parsed, expected.map(Duration::from_millis), "{text:?}");
        }
    }
}
