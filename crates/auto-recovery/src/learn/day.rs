//! Moments and UTC days, as counts.

use std::fmt;

use crate::statistics::instant;

/// Seconds of a day.
pub(super) const DAY_SECONDS: i64 = 86_400;

/// A moment: seconds since 1970 in UTC.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment(pub i64);

impl Moment {
    /// The moment of `timestamp`, as records have it.
    pub fn of(timestamp: &str) -> Option<Self> {
        instant(timestamp).map(|micros| Self(micros.div_euclid(1_000_000)))
    }

    /// Its day.
    pub fn day(self) -> Day {
        let days = self.0.div_euclid(DAY_SECONDS);
        Day(i32::try_from(days).unwrap_or(i32::MAX))
    }
}

/// A UTC day: days since 1970.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Day(pub i32);

impl Day {
    /// The day that `text` says as `2026-11-28`.
    pub fn parse(text: &str) -> Option<Self> {
        let is_day = text.len() == 10 && text.as_bytes()[4] == b'-';
        let moment = Moment::of(&format!("{text}T00:00:00Z"));
        moment.filter(|_| is_day).map(Moment::day)
    }

    /// Its last second.
    pub fn end(self) -> Moment {
        Moment((i64::from(self.0) + 1) * DAY_SECONDS - 1)
    }

    /// The days from it to `later`; none where that is earlier.
    pub(super) fn until(self, later: Self) -> i32 {
        later.0.saturating_sub(self.0).max(0)
    }
}

impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let time = jiff::Timestamp::from_second(i64::from(self.0) * DAY_SECONDS);
        let text = time.unwrap_or(jiff::Timestamp::UNIX_EPOCH).to_string();
        f.write_str(&text[..10])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_read_and_written() {
        let cases = [("1970-01-01", Some(0)), ("2026-11-28", Some(20_785))];
        for (text, expected) in cases {
            let day = Day::parse(text);
            assert_eq!(day.map(|day| day.0), expected, "{text}");
            assert_eq!(day.map(|day| day.to_string()).as_deref(), Some(text));
        }
        for text in [
            "",
            "2026-11-31",
            "28.11.2026",
            "2026-11-28T10:00:00Z",
            "2026/11/28",
        ] {
            assert_eq!(Day::parse(text), None, "{text}");
        }
        assert_eq!(Moment::of("1970-01-02T00:00:01Z").unwrap().day(), Day(1));
        assert_eq!(Moment::of("1969-12-31T23:59:59Z").unwrap().day(), Day(-1));
        assert_eq!(Day(3).until(Day(1)), 0);
    }
}
