//! Times as they are written in records, compared as the moments they mean.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

/// Years in which times are times: others have no four digits, and no order as text.
const YEARS: std::ops::RangeInclusive<i16> = 0..=9999;

/// Microseconds since the epoch of what `text` says: RFC 3339 with any offset, or without one, which
/// is then UTC. `None` if it is no time. Databases know no finer times.
pub fn instant(text: &str) -> Option<i64> {
    let time = match text.parse::<Timestamp>() {
        Ok(time) => time,
        Err(_) => {
            let civil: DateTime = text.parse().ok()?;
            civil.to_zoned(TimeZone::UTC).ok()?.timestamp()
        }
    };
    let is_known = YEARS.contains(&time.to_zoned(TimeZone::UTC).year());
    is_known.then(|| time.as_microsecond())
}

/// The hour of a moment in UTC, as `2026-01-31T23:00:00Z`.
pub fn hour_of(moment_us: i64) -> String {
    let time = Timestamp::from_microsecond(moment_us).unwrap_or(Timestamp::UNIX_EPOCH);
    time.strftime("%Y-%m-%dT%H:00:00Z").to_string()
}

/// The earlier of two times as it is written; whichever is a time where only one is. It does not depend
/// on which is named first, also where they mean the same moment or neither is a time.
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
    comes_first: impl Fn((i64, &str), (i64, &str)) -> bool,
) -> Option<&'a str> {
    let (Some(first), Some(second)) = (a, b) else {
        return a.or(b);
    };
    match (instant(first), instant(second)) {
        (Some(x), Some(y)) if comes_first((y, second), (x, first)) => b,
        (None, Some(_)) => b,
        (None, None) if comes_first((0, second), (0, first)) => b,
        _ => a,
    }
}
