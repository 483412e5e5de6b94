//! The time for which a server that could not be reached is left alone.

use std::time::Duration;

/// The first rest, and the longest after a server that says at once that it is away.
const FIRST: Duration = Duration::from_secs(1);
const MAX: Duration = Duration::from_secs(30);

/// A server that keeps its callers waiting is left alone for 60 times as long, so that all waits
/// together take a sixtieth of the time at most; and the longest such rest.
const REST_FOR_WAIT: u32 = 60;
const SILENT_MAX: Duration = Duration::from_secs(300);

/// How long the server is left alone, where a spool takes what comes.
#[derive(Debug, Default)]
pub(super) struct Rest {
    until: Option<Duration>,
    last: Duration,
    /// Until when nothing is asked either: nobody waits again for what kept somebody waiting.
    silent_until: Option<Duration>,
}

impl Rest {
    /// Whether it is too early, at the moment `now`, to write again.
    pub(super) fn is_early(&self, now: Duration) -> bool {
        self.until.is_some_and(|until| now < until)
    }

    /// Whether it is too early, at the moment `now`, even to ask something.
    pub(super) fn is_silent(&self, now: Duration) -> bool {
        self.silent_until.is_some_and(|until| now < until)
    }

    /// Begins a rest at the moment `now`, twice as long as the one before, and in proportion to
    /// what was `waited` in vain for a server that said nothing.
    pub(super) fn begin(&mut self, now: Duration, waited: Option<Duration>) {
        if self.is_early(now) && waited.is_none() {
            return;
        }
        self.last = (self.last * 2).clamp(FIRST, MAX);
        let rest = waited.map(|waited| (waited * REST_FOR_WAIT).min(SILENT_MAX));
        let rest = rest.map_or(self.last, |rest| rest.max(self.last));
        self.until = Some(now + rest);
        self.silent_until = waited.map(|_| now + rest.min(MAX));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rests_grow_to_a_limit() {
        let mut rest = Rest::default();
        let mut now = Duration::ZERO;
        assert!(!rest.is_early(now));
        for seconds in [1, 2, 4, 8, 16, 30, 30] {
            rest.begin(now, None);
            let length = Duration::from_secs(seconds);
            assert!(rest.is_early(now + length - Duration::from_millis(1)));
            assert!(!rest.is_silent(now), "it said at once that it is away");
            rest.begin(now + Duration::from_millis(1), None);
            now += length;
            assert!(!rest.is_early(now));
        }
    }

    #[test]
    fn who_keeps_others_waiting_is_left_alone_for_longer() {
        let moment = Duration::from_millis(1);
        for (waited, length, silence) in [(0, 1, 1), (1, 60, 30), (5, 300, 30), (600, 300, 30)] {
            let mut rest = Rest::default();
            let now = Duration::from_secs(waited);
            rest.begin(now, Some(Duration::from_secs(waited)));
            let (length, silence) = (Duration::from_secs(length), Duration::from_secs(silence));
            assert!(rest.is_early(now + length - moment) && !rest.is_early(now + length));
            assert!(rest.is_silent(now + silence - moment) && !rest.is_silent(now + silence));
        }
    }
}
