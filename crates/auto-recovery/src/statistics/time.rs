//! Times as text in records, compared as moments.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

/// A time is one in the years from 0 to 9999: others have no four digits, and no order as text.
const FIRST_US: i64 = -62_167_219_200_000_000;
const LAST_US: i64 = 253_402_300_799_999_999;

/// Microseconds since the epoch of the time in `text`: RFC 3339 with any offset, or without one,
/// which is then UTC. `None` if it is no time. Databases know no finer times.
pub fn instant(text: &str) -> Option<i64> {
    if let Some(moment) = ours(text.as_bytes()) {
        return Some(moment);
    }
    let time = match text.parse::<Timestamp>() {
        Ok(time) => time,
        Err(_) => {
            let civil: DateTime = text.parse().ok()?;
            civil.to_zoned(TimeZone::UTC).ok()?.timestamp()
        }
    };
    let moment = time.as_microsecond();
    (FIRST_US..=LAST_US).contains(&moment).then_some(moment)
}

/// The same for our own form, `2026-01-31T23:59:59.999Z`, in a tenth of the time.
fn ours(text: &[u8]) -> Option<i64> {
    const FORM: &[u8; 24] = b"0000-00-00T00:00:00.000Z";
    let text: &[u8; 24] = text.try_into().ok()?;
    let fits = text.iter().zip(FORM).all(|(byte, form)| match form {
        b'0' => byte.is_ascii_digit(),
        sign => byte == sign,
    });
    if !fits {
        return None;
    }
    let number = |from: usize, to: usize| {
        let digits = text[from..to].iter();
        digits.fold(0, |number, digit| number * 10 + i64::from(digit - b'0'))
    };
    let (year, month, day) = (number(0, 4), number(5, 7), number(8, 10));
    let (hour, minute, second) = (number(11, 13), number(14, 16), number(17, 19));
    // The slower way decides on rare days, and on text that is no time.
    if !(1..=12).contains(&month) || !(1..=28).contains(&day) {
        return None;
    }
    if hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let seconds = ((days(year, month, day) * 24 + hour) * 60 + minute) * 60 + second;
    Some((seconds * 1000 + number(20, 23)) * 1000)
}

/// Days from the epoch to a date. After Howard Hinnant, "chrono-Compatible Low-Level Date
/// Algorithms": years begin in March, so that a leap day is the last of its year.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = year - i64::from(month <= 2);
    let (era, of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

/// The hour of a moment in UTC, as `2026-01-31T23:00:00Z`.
pub fn hour_of(moment_us: i64) -> String {
    let time = Timestamp::from_microsecond(moment_us).unwrap_or(Timestamp::UNIX_EPOCH);
    time.strftime("%Y-%m-%dT%H:00:00Z").to_string()
}

/// A moment as RFC 3339 in UTC, to the microsecond; empty for one that no calendar has.
pub fn rfc3339_us(moment_us: i64) -> String {
    let time = Timestamp::from_microsecond(moment_us);
    time.map(|time| format!("{time:.6}")).unwrap_or_default()
}

/// A moment as RFC 3339 in UTC with milliseconds; empty for one that no calendar has.
pub(super) fn rfc3339(moment_us: i64) -> String {
    let time = Timestamp::from_microsecond(moment_us);
    time.map(|time| format!("{time:.3}")).unwrap_or_default()
}

/// The earlier of two times as it is written; the only time if one is none. It does not depend on
/// their order, also where they mean the same moment or neither is a time.
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_we_write_means_what_it_means_to_others(
            year in 0..10_000, month in 0..14, day in 0..33,
            hour in 0..26, minute in 0..62, second in 0..62, ms in 0..1000,
        ) {
            let text = format!(
                "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{ms:03}Z"
            );
            let theirs = text.parse::<Timestamp>().ok().map(|time| time.as_microsecond());
            if let Some(ours) = ours(text.as_bytes()) {
                prop_assert_eq!(Some(ours), theirs, "{}", text);
            } else {
                prop_assert!(theirs.is_none() || day > 28 || second > 59, "{}", text);
            }
        }
    }

    #[test]
    fn a_time_is_known_however_it_is_written() {
        for (text, expected) in [
            ("1970-01-01T00:00:00.001Z", Some(1000)),
            ("1970-01-01T00:00:00Z", Some(0)),
            ("1970-01-01T01:00:00.123456+01:00", Some(123_456)),
            ("1970-01-01T00:00:01", Some(1_000_000)),
            ("0000-01-01T00:00:00Z", Some(FIRST_US)),
            (
                "9999-12-30T22:00:00Z",
                Some(LAST_US - 26 * 3_600_000_000 + 1),
            ),
            ("-000001-12-31T00:00:00Z", None),
            ("2026-02-30T00:00:00.000Z", None),
            ("now", None),
            ("", None),
        ] {
            assert_eq!(instant(text), expected, "{text}");
        }
    }
}
