//! A clock that no change of the wall clock moves: while a server runs it goes with the monotonic
//! clock, and a restart adds the time that passed, never a negative one.

use std::time::{Duration, SystemTime};

use auto_recovery::host::{Host, timestamp};

/// A difference between the two clocks that is a jump, and no drift.
const JUMP_MS: i64 = 5_000;

/// The time after a jump for which times of before it are still met.
const MEMORY_MS: i64 = 10 * 60 * 1000;

/// The clock.
#[derive(Clone, Debug)]
pub(crate) struct Clock {
    /// Its time when it began, and that of the monotonic clock.
    base_ms: i64,
    monotonic: Duration,
    /// The wall clock's time at time 0 of this one, and that of before the last jump.
    wall_ms: i64,
    before: Option<(i64, i64)>,
}

impl Clock {
    /// Goes on from `kept`: its time and that of the wall clock when they were last written.
    pub(crate) fn new(kept: Option<(i64, i64)>, host: &dyn Host) -> Self {
        let wall = millis(host.now());
        let base_ms = match kept {
            Some((clock, then)) => clock + (wall - then).max(0),
            None => wall,
        };
        Self {
            base_ms,
            monotonic: host.monotonic(),
            wall_ms: wall - base_ms,
            before: None,
        }
    }

    /// Its time in milliseconds.
    pub(crate) fn now(&mut self, host: &dyn Host) -> i64 {
        let passed = host.monotonic().saturating_sub(self.monotonic);
        let now = self.base_ms + i64::try_from(passed.as_millis()).unwrap_or(i64::MAX);
        let wall_ms = millis(host.now()) - now;
        if (wall_ms - self.wall_ms).abs() > JUMP_MS {
            self.before = Some((self.wall_ms, now + MEMORY_MS));
            self.wall_ms = wall_ms;
        }
        if self.before.is_some_and(|(_, until)| now > until) {
            self.before = None;
        }
        now
    }

    /// The time `wall` of the wall clock in this one; never later than `now`.
    pub(crate) fn at(&self, wall: i64, now: i64) -> i64 {
        let offsets = [Some(self.wall_ms), self.before.map(|(wall_ms, _)| wall_ms)];
        let times = offsets
            .into_iter()
            .flatten()
            .map(|offset| (wall - offset).min(now));
        times.max().unwrap_or(now)
    }

    /// The time `ms` of this clock on the wall clock.
    pub(crate) fn wall(&self, ms: i64) -> SystemTime {
        let wall = u64::try_from(ms + self.wall_ms).unwrap_or_default();
        SystemTime::UNIX_EPOCH + Duration::from_millis(wall)
    }
}

pub(crate) fn millis(time: SystemTime) -> i64 {
    let since = time
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

/// The time that RFC 3339 `text` says, in milliseconds.
pub(crate) fn parse(text: &str) -> Option<i64> {
    text.parse::<jiff::Timestamp>()
        .ok()
        .map(|time| time.as_millisecond())
}

/// The time `wall_ms` as RFC 3339.
pub(crate) fn time(wall_ms: i64) -> String {
    let ms = u64::try_from(wall_ms).unwrap_or_default();
    timestamp(SystemTime::UNIX_EPOCH + Duration::from_millis(ms))
}
