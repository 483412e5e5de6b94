//! The time to try again, as far as the refusing side said it: in headers, fields and sentences.
//! Only words addressed to the caller count, not a tool's announcements of its own retries
//! (`retrying in 5 s`). The last one said holds.

use std::sync::LazyLock;
use std::time::{Duration, SystemTime};

use regex::bytes::Regex;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::failure::Failure;

/// Bytes searched at the end of a stream: the answer that ended the command is there.
const TAIL_BYTES: usize = 64 * 1024;

/// Longest wait that is noted; longer ones are cut to this: a year, which no run waits either.
const WAIT_MAX: Duration = Duration::from_secs(366 * 24 * 60 * 60);

/// Numbers from here on are moments, in seconds since 1970; smaller ones are spans.
const EPOCH_MIN: f64 = 1_000_000_000.0;

/// Name in a failure's context: seconds from the moment when the failure was seen.
const SECONDS: &str = "retry_after_seconds";
/// Name in a failure's context: a moment, RFC 3339.
const MOMENT: &str = "retry_at";
/// Name in a failure's context: a time of the day, in the form of [`Clock`].
const CLOCK: &str = "retry_at_clock";

/// Longest time for which a time of the day counts as just past, rather than as tomorrow's.
const JUST_GONE: Duration = Duration::from_secs(60 * 60);

/// The time to try again.
#[derive(Clone, Debug, PartialEq)]
enum Said {
    After(Duration),
    At(SystemTime),
    Clock(Clock),
}

/// A time as a clock on the wall shows it, on a day of the year or on the next day that has it, in
/// a zone or in ours.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Clock {
    /// Month and day.
    date: Option<(i8, i8)>,
    hour: i8,
    minute: i8,
    /// A name of the time zone database.
    zone: Option<String>,
}

/// Headers, fields and sentences; in each, `when` captures the time.
static SAYINGS: LazyLock<[Regex; 7]> = LazyLock::new(|| {
    [
        // `Retry-After: 3`, also a date; `retry_after: 3`, `"retryDelay": "34s"`.
        r#"(?i)\b(?:retry[-_]?after(?:[-_](?P<ms>ms))?|retry[-_]?delay)["']?\s*[:=]\s*["']?(?P<when>[^"'\r\n,}]+(?:, \d\d [^"'\r\n]+)?)"#,
        // `x-ratelimit-reset: 1732856400`, `ratelimit-reset: 30`.
        r#"(?i)\b(?:x-)?rate-?limit-reset(?:-\w+)?["']?\s*[:=]\s*["']?(?P<when>[^"'\r\n,}]+)"#,
        // `try again in 20 seconds`, `retry after 6m0s`, `wait 30 s before`.
        r"(?i)\b(?:(?:try|retry)(?: again| your request)?(?: in| after)|wait)(?: about| approximately| at least)? (?P<when>\d[\d.]*\s*[a-z]+(?:\s*\d[\d.]*\s*[a-z]+)*)",
        // `"resets_in_seconds":9568`, `"resets_at":1732856400`, `limit reached|1732856400`.
        r#"(?i)(?:\bresets_(?:in_seconds|at)["']?\s*[:=]\s*["']?|\blimit reached\|)(?P<when>\d[^"'\r\n,}]*)"#,
        // `resets in 3 h 20 min`.
        r"(?i)\bresets? in (?P<when>\d[\d.]*\s*[a-z]+(?:\s*\d[\d.]*\s*[a-z]+)*)",
        // `resets at 2026-11-29T03:00:00Z`, `limit reset at 1732856400`.
        r"(?i)\bresets?(?: at| on)? (?P<when>\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d)?(?:\.\d+)?\s*(?:Z|UTC|[+-]\d\d:?\d\d)|\d{10})\b",
        // `resets 5pm (Europe/Berlin)`, `try again at 3:28 PM`, `resets Nov 30 at 2:15 pm`.
        r"(?i)\b(?:resets?(?: at| on)?|(?:try|retry)(?: again)?(?: at| on)) (?P<when>(?:[a-z]{3,9} \d\d?(?:st|nd|rd|th)?,?(?: at)? )?\d\d?(?::\d\d)? ?(?:[ap]m\b|UTC\b|\(UTC\))(?: \([a-z_]+(?:/[a-z_]+)*\))?)",
    ]
    .map(|pattern| Regex::new(pattern).expect("a pattern of ours, which is tested"))
});

/// Notes the time to try again in `failure`, if the output says one.
pub(super) fn note(failure: &mut Failure, streams: [&[u8]; 2]) {
    let tails = streams.map(|stream| &stream[stream.len().saturating_sub(TAIL_BYTES)..]);
    let said = tails.iter().find_map(|tail| last_said(tail));
    let (name, value): (&str, Value) = match said {
        Some(Said::After(wait)) => (SECONDS, json!(wait.as_secs_f64())),
        Some(Said::At(moment)) => (
            MOMENT,
            json!(
                jiff::Timestamp::try_from(moment)
                    .unwrap_or(jiff::Timestamp::MAX)
                    .to_string()
            ),
        ),
        Some(Said::Clock(clock)) => (CLOCK, json!(clock)),
        None => return,
    };
    failure.context.insert(name.to_owned(), value);
}

/// The wait from `now` on that `failure` asks for; `None` if it asks for none.
pub fn retry_after(failure: &Failure, now: SystemTime) -> Option<Duration> {
    if let Some(seconds) = failure.context.get(SECONDS).and_then(Value::as_f64) {
        return Duration::try_from_secs_f64(seconds).ok();
    }
    if let Some(clock) = failure.context.get(CLOCK) {
        return Clock::deserialize(clock).ok()?.wait_from(now);
    }
    let moment = failure.context.get(MOMENT)?.as_str()?;
    let moment: jiff::Timestamp = moment.parse().ok()?;
    Some(
        SystemTime::from(moment)
            .duration_since(now)
            .unwrap_or_default(),
    )
}

impl Clock {
    /// `5pm (Europe/Berlin)`, `3:28 PM`, `Nov 30 at 2:15 pm`, `17:00 UTC`.
    fn read(text: &str) -> Option<Self> {
        static SHAPE: LazyLock<Regex> = LazyLock::new(|| {
            let shape = r"(?i)^(?:(?P<month>[a-z]{3})[a-z]* (?P<day>\d\d?)\w*,?(?: at)? )?(?P<hour>\d\d?)(?::(?P<minute>\d\d))? ?(?P<half>[ap]m)?(?: ?\(?(?P<zone>[a-z_/]+)\)?)?$";
            Regex::new(shape).expect("a pattern of ours, which is tested")
        });
        let found = SHAPE.captures(text.as_bytes())?;
        let part = |name| Some(std::str::from_utf8(found.name(name)?.as_bytes()).expect("ASCII"));
        let number = |name| part(name)?.parse::<i8>().ok();
        let date = match part("month") {
            Some(month) => Some((month_number(month)?, number("day")?)),
            None => None,
        };
        let hour = number("hour")?;
        let hour = match part("half").map(str::to_ascii_lowercase).as_deref() {
            Some(_) if !(1..=12).contains(&hour) => return None,
            Some("am") => hour % 12,
            Some(_) => hour % 12 + 12,
            None => hour,
        };
        Some(Self {
            date,
            hour,
            minute: number("minute").unwrap_or(0),
            zone: part("zone").map(str::to_owned),
        })
    }

    /// The wait from `now` until that time is next. A past date is no wait at all: no message names
    /// one of the next year.
    fn wait_from(&self, now: SystemTime) -> Option<Duration> {
        let zone = match &self.zone {
            Some(name) => jiff::tz::TimeZone::get(name).ok()?,
            None => jiff::tz::TimeZone::system(),
        };
        let now = jiff::Timestamp::try_from(now).ok()?.to_zoned(zone);
        let day = match self.date {
            Some((month, day)) => jiff::civil::Date::new(now.year(), month, day).ok()?,
            None => now.date(),
        };
        let time = jiff::civil::Time::new(self.hour, self.minute, 0, 0).ok()?;
        let at = |day: jiff::civil::Date| day.to_datetime(time).to_zoned(now.time_zone().clone());
        let until = |at: &jiff::Zoned| at.timestamp().duration_since(now.timestamp());
        let today = until(&at(day).ok()?);
        if self.date.is_none() && -today > JUST_GONE.try_into().ok()? {
            let tomorrow = until(&at(day.tomorrow().ok()?).ok()?);
            return tomorrow.try_into().ok();
        }
        Some(today.try_into().unwrap_or_default())
    }
}

/// The number of a month by the first three letters of its name.
fn month_number(name: &str) -> Option<i8> {
    const MONTHS: [&str; 12] = [
        "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec",
    ];
    let at = MONTHS
        .iter()
        .position(|month| name.eq_ignore_ascii_case(month))?;
    i8::try_from(at + 1).ok()
}

fn last_said(tail: &[u8]) -> Option<Said> {
    let mut last: Option<(usize, Said)> = None;
    for saying in SAYINGS.iter() {
        for found in saying.captures_iter(tail) {
            let Some(when) = found.name("when") else {
                continue;
            };
            let is_ms = found.name("ms").is_some();
            let text = String::from_utf8_lossy(when.as_bytes());
            let Some(said) = read(text.trim(), is_ms) else {
                continue;
            };
            if last.as_ref().is_none_or(|(at, _)| *at < when.start()) {
                last = Some((when.start(), said));
            }
        }
    }
    last.map(|(_, said)| said)
}

/// A number of seconds, a moment in seconds since 1970, a span with units, or a date.
fn read(text: &str, is_ms: bool) -> Option<Said> {
    if let Ok(number) = text.parse::<f64>() {
        if number >= EPOCH_MIN && !is_ms {
            let since = Duration::try_from_secs_f64(number).ok();
            let moment = since.and_then(|since| SystemTime::UNIX_EPOCH.checked_add(since));
            return Some(moment.map_or(Said::After(WAIT_MAX), Said::At));
        }
        return after(if is_ms { number / 1_000.0 } else { number });
    }
    if let Some(seconds) = span(text) {
        return after(seconds);
    }
    let moment = moment(text).map(Said::At);
    moment.or_else(|| Clock::read(text).map(Said::Clock))
}

/// Makes a wait of this many seconds. One that is too long to be a wait is still no leave to try at
/// once.
fn after(seconds: f64) -> Option<Said> {
    let is_wait = seconds >= 0.0;
    let wait = Duration::try_from_secs_f64(seconds).unwrap_or(WAIT_MAX);
    is_wait.then_some(Said::After(wait.min(WAIT_MAX)))
}

/// Reads `20 seconds`, `6m0s`, `1.5 min`: numbers with units, added up, in seconds. The rest is
/// ignored.
fn span(text: &str) -> Option<f64> {
    let mut rest = text;
    let mut whole = None;
    while let Some(end) = rest.find(|c: char| !c.is_ascii_digit() && c != '.') {
        let Ok(number) = rest[..end].parse::<f64>() else {
            break;
        };
        rest = rest[end..].trim_start();
        let word = rest.find(|c: char| !c.is_ascii_alphabetic());
        let (unit, after) = rest.split_at(word.unwrap_or(rest.len()));
        let Some(scale) = seconds_in(unit) else {
            break;
        };
        whole = Some(whole.unwrap_or(0.0) + number * scale);
        rest = after.trim_start();
    }
    whole
}

fn seconds_in(unit: &str) -> Option<f64> {
    Some(match &*unit.to_ascii_lowercase() {
        "ms" | "millisecond" | "milliseconds" => 0.001,
        "s" | "sec" | "secs" | "second" | "seconds" => 1.0,
        "m" | "min" | "mins" | "minute" | "minutes" => 60.0,
        "h" | "hr" | "hrs" | "hour" | "hours" => 3_600.0,
        "d" | "day" | "days" => 86_400.0,
        _ => return None,
    })
}

/// Reads a moment in RFC 3339 (a blank or `UTC` in it as people write it) or in HTTP's form.
fn moment(text: &str) -> Option<SystemTime> {
    let plain = text
        .replacen(' ', "T", 1)
        .replace(" UTC", "Z")
        .replace("UTC", "Z");
    let parsed = plain.parse::<jiff::Timestamp>().ok();
    let parsed = parsed.or_else(|| {
        let http = text.replace("GMT", "+0000");
        jiff::fmt::rfc2822::parse(&http)
            .ok()
            .map(|zoned| zoned.timestamp())
    });
    parsed.map(SystemTime::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(output: &str) -> Option<f64> {
        let mut failure = Failure::default();
        note(&mut failure, [output.as_bytes(), b""]);
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000);
        retry_after(&failure, now).map(|wait| wait.as_secs_f64())
    }

    #[test]
    fn what_is_said_to_the_caller_is_read() {
        let cases = [
            ("< HTTP/2 429\n< retry-after: 3\n", 3.0),
            ("Retry-After: 120\r\n\r\nslow down", 120.0),
            (r#"{"error":{"message":"slow","retry_after":1.5}}"#, 1.5),
            (r#""retryDelay": "34s""#, 34.0),
            ("retry_after_ms=2500", 2.5),
            ("Rate limit reached. Please try again in 20s. Visit", 20.0),
            ("Please try again in 6m0s.", 360.0),
            ("Please retry after 1m26.4s", 86.4),
            ("you must wait 30 seconds before pushing again", 30.0),
            ("toomanyrequests: retry after 12 minutes", 720.0),
            ("x-ratelimit-reset: 1800000030", 30.0),
            ("ratelimit-reset: 30", 30.0),
            ("usage limit; resets at 2027-01-15T08:01:00Z", 60.0),
            ("limit resets on 2027-01-15 08:01 UTC", 60.0),
            ("Retry-After: Fri, 15 Jan 2027 08:00:45 GMT", 45.0),
            ("Retry-After: 9\nsecond answer\nRetry-After: 4", 4.0),
            ("resets at 2020-01-01T00:00:00Z", 0.0),
            (r#"{"resets_at":1800000030,"resets_in_seconds":30}"#, 30.0),
            ("Claude AI usage limit reached|1800000045", 45.0),
            ("5-hour limit reached; resets in 1h 20m", 4800.0),
            ("Quota exceeded. Please retry in 34.5s.", 34.5),
            // Such an answer does not mean at once.
            ("Retry-After: 864000", 864_000.0),
            ("Retry-After: 99999999", 31_622_400.0),
            ("Retry-After: 100000000000000000000", 31_622_400.0),
            ("try again in 900 days", 31_622_400.0),
            ("or try again in 3 days 6 hours 57 minutes.", 284_220.0),
            // It is 08:00 on 15 January in London, 09:00 in Berlin.
            (
                "You've hit your limit · resets 5pm (Europe/Berlin)",
                8.0 * 3_600.0,
            ),
            ("limit reached ∙ resets 9:30am (Europe/Berlin)", 1_800.0),
            ("resets 8:30am (Europe/Berlin)", 0.0),
            ("resets 7am (Europe/Berlin)", 22.0 * 3_600.0),
            ("try again at 12:15 PM (UTC)", 4.25 * 3_600.0),
            ("resets at 12am (UTC)", 16.0 * 3_600.0),
            (
                "Weekly limit reached · resets Jan 16 at 8am (UTC)",
                86_400.0,
            ),
            ("resets January 14th, 8am (UTC)", 0.0),
            ("try again at 10:00 UTC", 7_200.0),
        ];
        for (output, expected) in cases {
            assert_eq!(seconds(output), Some(expected), "{output}");
        }
    }

    #[test]
    fn what_is_not_is_left() {
        let cases = [
            "retrying in 5 seconds",
            "wait for it",
            "Retry-After: soon",
            "Retry-After: -5",
            "Retry-After: NaN",
            "try again in a few minutes",
            "the test waited 30 seconds",
            "resets at noon",
            "resets 25pm (UTC)",
            "resets 5pm (Nowhere/Atall)",
            "resets Foo 5 at 5pm",
            "resets 5 counters",
        ];
        for output in cases {
            assert_eq!(seconds(output), None, "{output}");
        }
    }
}
