//! Moments as people write them: how long ago, a date, or a time.

use std::time::SystemTime;

use auto_recovery::statistics::instant;
use auto_recovery::{Error, ErrorKind, Result};

use crate::settings::parse_duration;

/// The moment that `text` says, the value of `flag`, in microseconds since the epoch.
///
/// # Errors
/// [`ErrorKind::InvalidInput`], in the words of the parser's other refusals.
pub(crate) fn parse_moment(flag: &str, text: &str, now: SystemTime) -> Result<i64> {
    moment(text, now).ok_or_else(|| {
        let context = format!(
            "`{text}` cannot be the value of `{flag}`: write it like 30d (ago), 2026-01-31 or \
             2026-01-31T12:00:00Z"
        );
        Error::new(ErrorKind::InvalidInput, context)
    })
}

fn moment(text: &str, now: SystemTime) -> Option<i64> {
    let midnight = format!("{text}T00:00:00Z");
    if let Some(moment) = instant(text).or_else(|| instant(&midnight)) {
        return Some(moment);
    }
    let then = now.checked_sub(parse_duration(text).ok()?)?;
    let since_epoch = then.duration_since(SystemTime::UNIX_EPOCH).ok()?;
    i64::try_from(since_epoch.as_micros()).ok()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_moment_is_a_time_a_date_or_how_long_ago() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000);
        for (text, expected) in [
            ("1970-01-02", 86_400_000_000),
            ("1970-01-01T00:00:01Z", 1_000_000),
            ("1970-01-01T01:00:01.5+01:00", 1_500_000),
            ("1970-01-01T00:00:02", 2_000_000),
            ("1970-01-01 00:00:02", 2_000_000),
            ("1s", 999_999_000_000),
            ("0s", 1_000_000_000_000),
        ] {
            assert_eq!(moment(text, now), Some(expected), "{text}");
        }
        for text in ["", "yesterday", "30", "2026-13-01", "100d"] {
            assert_eq!(moment(text, now), None, "{text}");
        }
        let refused = parse_moment("--since", "yesterday", now).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::InvalidInput);
        let says = "`yesterday` cannot be the value of `--since`: write it like 30d (ago), ";
        assert!(refused.chain().starts_with(says), "{}", refused.chain());
    }
}
