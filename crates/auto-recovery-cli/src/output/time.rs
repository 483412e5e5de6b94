//! Times and durations for people.

use std::time::SystemTime;

use jiff::Timestamp;

/// How long before `now` the RFC 3339 time `then` was: `3 min ago`. A time that cannot be read, or
/// that has not come yet, is shown as it is.
pub(crate) fn age(then: &str, now: SystemTime) -> String {
    let (Ok(then_time), Ok(now)) = (then.parse::<Timestamp>(), Timestamp::try_from(now)) else {
        return then.to_owned();
    };
    let seconds = now.as_second() - then_time.as_second();
    match seconds {
        ..0 => then.to_owned(),
        0..5 => "just now".to_owned(),
        5..60 => format!("{seconds} s ago"),
        60..3600 => format!("{} min ago", seconds / 60),
        3600..86_400 => format!("{} h ago", seconds / 3600),
        86_400..=2_592_000 => format!("{} d ago", seconds / 86_400),
        _ => then_time.strftime("%Y-%m-%d").to_string(),
    }
}

/// `seconds` in two or three figures that matter: `0.6 s`, `41 s`, `3 min 20 s`, `2 h 5 min`.
pub(crate) fn human_seconds(seconds: f64) -> String {
    if !seconds.is_finite() || seconds < 0.0 {
        return format!("{seconds} s");
    }
    if seconds < 0.0995 {
        return format!("{:.0} ms", seconds * 1000.0);
    }
    if seconds < 9.95 {
        return format!("{seconds:.1} s");
    }
    // Truncation is meant: a duration is past its last whole second, not near its next.
    let whole = seconds as u64;
    match whole {
        0..60 => format!("{whole} s"),
        60..3600 => format!("{} min {} s", whole / 60, whole % 60),
        _ => format!("{} h {} min", whole / 3600, whole % 3600 / 60),
    }
}
