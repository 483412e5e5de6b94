//! Times and durations for people.

use std::time::{Duration, SystemTime};

use auto_recovery::wording::spelled;
use jiff::Timestamp;

const MINUTE_SECONDS: i64 = 60;
const HOUR_SECONDS: i64 = 60 * MINUTE_SECONDS;
const DAY_SECONDS: i64 = 24 * HOUR_SECONDS;
/// From here on a date says more than a number of days.
const DATE_SECONDS: i64 = 100 * DAY_SECONDS;

/// How long before `now` the RFC 3339 time `then` was: `3 min ago`. A time that cannot be read, or
/// that has not come yet, is shown as it is.
pub(crate) fn age(then: &str, now: SystemTime) -> String {
    match seconds_between(then, now) {
        None => then.to_owned(),
        Some(0..5) => "just now".to_owned(),
        Some(DATE_SECONDS..) => date(then),
        Some(seconds) => format!("{} ago", rounded(seconds)),
    }
}

/// The same for a column of ages: `3 min`.
pub(crate) fn short_age(then: &str, now: SystemTime) -> String {
    match seconds_between(then, now) {
        None => then.to_owned(),
        Some(0..5) => "now".to_owned(),
        Some(DATE_SECONDS..) => date(then),
        Some(seconds) => rounded(seconds),
    }
}

/// `seconds` as every duration is said. A number that is none, as a record may have, is shown as it
/// is.
pub(crate) fn human_seconds(seconds: f64) -> String {
    match Duration::try_from_secs_f64(seconds) {
        Ok(duration) => spelled(duration),
        Err(_) => format!("{seconds} s"),
    }
}

/// Whole seconds from `then` to `now`; none where `then` cannot be read or lies ahead.
fn seconds_between(then: &str, now: SystemTime) -> Option<i64> {
    let then: Timestamp = then.parse().ok()?;
    let seconds = Timestamp::try_from(now).ok()?.as_second() - then.as_second();
    (seconds >= 0).then_some(seconds)
}

fn rounded(seconds: i64) -> String {
    match seconds {
        ..MINUTE_SECONDS => format!("{seconds} s"),
        MINUTE_SECONDS..HOUR_SECONDS => format!("{} min", seconds / MINUTE_SECONDS),
        HOUR_SECONDS..DAY_SECONDS => format!("{} h", seconds / HOUR_SECONDS),
        DAY_SECONDS.. => format!("{} d", seconds / DAY_SECONDS),
    }
}

/// The date of an RFC 3339 time.
fn date(then: &str) -> String {
    then.chars().take("2026-01-02".len()).collect()
}
