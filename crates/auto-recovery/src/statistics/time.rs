//! Times as they are written in records, compared as the moments they mean.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

/// Nanoseconds since the epoch of what `text` says: RFC 3339 with any offset, or without one, which
/// is then UTC. `None` if it is no time.
pub fn instant(text: &str) -> Option<i128> {
    let time = match text.parse::<Timestamp>() {
        Ok(time) => time,
        Err(_) => {
            let civil: DateTime = text.parse().ok()?;
            civil.to_zoned(TimeZone::UTC).ok()?.timestamp()
        }
    };
    Some(time.as_nanosecond())
}

/// The earlier of two times as it is written; whichever is a time where only one is. Where they mean the
/// same moment, it does not depend on which is named first.
pub fn earlier<'a>(a: Option<&'a str>, b: Option<&'a str>) -> Option<&'a str> {
    pick(a, b, |a, b| a < b)
}

/// The later of two times, as [`earlier`] is the earlier.
pub fn later<'a>(a: Option<&'a str>, b: Option<&'a str>) -> Option<&'a str> {
    pick(a, b, |a, b| a > b)
}

fn pick<'a>(
    a: Option<&'a str>,
    b: Option<&'a str>,
    comes_first: impl Fn((i128, &str), (i128, &str)) -> bool,
) -> Option<&'a str> {
    let (Some(first), Some(second)) = (a, b) else {
        return a.or(b);
    };
    match (instant(first), instant(second)) {
        (Some(x), Some(y)) if comes_first((y, second), (x, first)) => b,
        (None, Some(_)) => b,
        _ => a,
    }
}
