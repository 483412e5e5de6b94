//! The part of an address behind `?`: names that are known, each at most once.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use auto_recovery::statistics::instant;

use super::problem::Problem;

/// The parameters of a request that are still to be taken.
#[derive(Debug)]
pub(crate) struct Query(BTreeMap<String, String>);

impl Query {
    /// Those in `text`.
    ///
    /// # Errors
    /// If one stands there twice.
    pub(crate) fn read(text: Option<&str>) -> Result<Self, Problem> {
        let mut values = BTreeMap::new();
        for (name, value) in form_urlencoded::parse(text.unwrap_or_default().as_bytes()) {
            let name = name.into_owned();
            if values.insert(name.clone(), value.into_owned()).is_some() {
                return Err(Problem::invalid(format!(
                    "parameter `{name}` stands there twice"
                )));
            }
        }
        Ok(Self(values))
    }

    /// The value of `name`; one that is empty is none.
    pub(crate) fn take(&mut self, name: &str) -> Option<String> {
        self.0.remove(name).filter(|value| !value.is_empty())
    }

    /// The number that `name` has, from 1 to `max`; `default` where there is none.
    ///
    /// # Errors
    /// If it has something else.
    pub(crate) fn number(&mut self, name: &str, default: u64, max: u64) -> Result<u64, Problem> {
        let Some(text) = self.take(name) else {
            return Ok(default);
        };
        let number = text
            .parse()
            .ok()
            .filter(|number| (1..=max).contains(number));
        number.ok_or_else(|| {
            Problem::invalid(format!("parameter `{name}` is no number from 1 to {max}"))
        })
    }

    /// Whether all is asked for that a store knows: `whole=1`.
    ///
    /// # Errors
    /// If it has something else.
    pub(crate) fn whole(&mut self) -> Result<bool, Problem> {
        match self.take("whole").as_deref() {
            None => Ok(false),
            Some("1") => Ok(true),
            Some(_) => Err(Problem::invalid("parameter `whole` is 1 or not there")),
        }
    }

    /// The moment that `name` has, in microseconds since the epoch: a time, a date, or how long
    /// before `now`.
    ///
    /// # Errors
    /// If it has something else.
    pub(crate) fn moment(&mut self, name: &str, now: SystemTime) -> Result<Option<i64>, Problem> {
        let Some(text) = self.take(name) else {
            return Ok(None);
        };
        let midnight = format!("{text}T00:00:00Z");
        let moment = instant(&text)
            .or_else(|| instant(&midnight))
            .or_else(|| ago(&text, now));
        let wrong = || {
            format!(
                "parameter `{name}` is no time: write it like 30d (ago), 2026-01-31 or 2026-01-31T12:00:00Z"
            )
        };
        moment.map(Some).ok_or_else(|| Problem::invalid(wrong()))
    }

    /// That no parameter is left.
    ///
    /// # Errors
    /// If there is one that nobody took.
    pub(crate) fn end(self) -> Result<(), Problem> {
        match self.0.into_keys().next() {
            None => Ok(()),
            Some(name) => Err(Problem::invalid(format!(
                "there is no parameter `{name}` here"
            ))),
        }
    }
}

/// `30d`, `12h`, `5m`, `10s` before `now`.
fn ago(text: &str, now: SystemTime) -> Option<i64> {
    let since = now
        .checked_sub(length(text)?)?
        .duration_since(SystemTime::UNIX_EPOCH)
        .ok()?;
    i64::try_from(since.as_micros()).ok()
}

/// The time that `30d`, `12h`, `5m` or `10s` is.
pub(crate) fn length(text: &str) -> Option<Duration> {
    let digits = text.find(|c: char| !c.is_ascii_digit())?;
    let number: u64 = text[..digits].parse().ok()?;
    let seconds = match &text[digits..] {
        "s" => 1,
        "m" => 60,
        "h" => 3600,
        "d" => 86400,
        _ => return None,
    };
    Some(Duration::from_secs(number.checked_mul(seconds)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_known_and_stand_there_once() {
        let query = |text| Query::read(Some(text));
        assert!(query("a=1&a=2").is_err());
        let mut taken = query("a=1&b=&c=%20x+y").unwrap();
        assert_eq!(taken.number("a", 5, 9).unwrap(), 1);
        assert_eq!(taken.take("b"), None);
        assert_eq!(taken.take("c").as_deref(), Some(" x y"));
        assert!(taken.end().is_ok());
        assert!(query("a=1").unwrap().end().is_err());
        for text in ["a=0", "a=10", "a=x", "a=-1", "a=99999999999999999999"] {
            assert!(query(text).unwrap().number("a", 1, 9).is_err(), "{text}");
        }
    }

    #[test]
    fn a_moment_is_a_time_a_date_or_how_long_ago() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000);
        let moment = |text: &str| Query::read(Some(text)).unwrap().moment("t", now);
        assert_eq!(moment("t=1970-01-02").unwrap(), Some(86_400_000_000));
        assert_eq!(moment("t=10s").unwrap(), Some(999_990_000_000));
        assert_eq!(moment("").unwrap(), None);
        for text in [
            "t=yesterday",
            "t=100d",
            "t=99999999999999999999d",
            "t=5",
            "t=%C3%A4",
        ] {
            assert!(moment(text).is_err(), "{text}");
        }
    }
}
