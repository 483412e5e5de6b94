//! Moments as people write them: how long ago, a date, or a time.

use std::time::SystemTime;

use auto_recovery::statistics::instant;

use crate::settings::parse_duration;

/// The moment that `text` says, in microseconds since the epoch.
///
/// # Errors
/// What is wrong with it and how to write it.
pub(crate) fn parse_moment(text: &str, now: SystemTime) -> Result<i64, String> {
    let midnight = format!("{text}T00:00:00Z");
    if let Some(moment) = instant(text).or_else(|| instant(&midnight)) {
        return Ok(moment);
    }
    let unreadable = || {
        format!("`{text}` is no time: write it like 30d (ago), 2026-01-31 or 2026-01-31T12:00:00Z")
    };
    let ago = parse_duration(text).map_err(|_| unreadable())?;
    let since_epoch = now.checked_sub(ago).ok_or_else(unreadable)?;
    let since_epoch = since_epoch
        .duration_since(SystemTime::UNIX_EPOCH)
        .map_err(|_| unreadable())?;
    i64::try_from(since_epoch.as_micros()).map_err(|_| unreadable())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_moment_is_a_time_a_date_or_how_long_ago() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000);
        for (text, expected) in [
            ("1970-01-02", Ok(86_400_000_000)),
            ("1970-01-01T00:00:01Z", Ok(1_000_000)),
            ("1970-01-01T01:00:01.5+01:00", Ok(1_500_000)),
            ("1970-01-01T00:00:02", Ok(2_000_000)),
            ("1970-01-01 00:00:02", Ok(2_000_000)),
            ("1s", Ok(999_999_000_000)),
            ("0s", Ok(1_000_000_000_000)),
        ] {
            assert_eq!(parse_moment(text, now), expected, "{text}");
        }
        for text in ["", "yesterday", "30", "2026-13-01", "100d"] {
            let error = parse_moment(text, now).unwrap_err();
            assert!(error.contains("write it like"), "{text}: {error}");
        }
    }
}
