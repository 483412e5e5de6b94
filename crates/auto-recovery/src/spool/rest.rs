//! The time for which a server that could not be reached is left alone.

use std::time::Duration;

/// The first rest, and the longest.
const FIRST: Duration = Duration::from_secs(1);
const MAX: Duration = Duration::from_secs(30);

/// How long the server is left alone, where a spool takes what comes.
#[derive(Debug, Default)]
pub struct Rest {
    until: Option<Duration>,
    last: Duration,
    is_told: bool,
}

impl Rest {
    /// Whether it is too early, at the moment `now`, to try again.
    pub fn is_early(&self, now: Duration) -> bool {
        self.until.is_some_and(|until| now < until)
    }

    /// Begins a rest at the moment `now`, twice as long as the one before. Returns whether nobody
    /// was told yet.
    pub fn begin(&mut self, now: Duration) -> bool {
        if self.until.is_none_or(|until| until <= now) {
            self.last = (self.last * 2).clamp(FIRST, MAX);
            self.until = Some(now + self.last);
        }
        !std::mem::replace(&mut self.is_told, true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rests_grow_to_a_limit_and_are_told_once() {
        let mut rest = Rest::default();
        let mut now = Duration::ZERO;
        assert!(!rest.is_early(now));
        for (round, seconds) in [1, 2, 4, 8, 16, 30, 30].into_iter().enumerate() {
            assert_eq!(rest.begin(now), round == 0);
            let length = Duration::from_secs(seconds);
            assert!(rest.is_early(now + length - Duration::from_millis(1)));
            rest.begin(now + Duration::from_millis(1));
            now += length;
            assert!(!rest.is_early(now));
        }
    }
}
