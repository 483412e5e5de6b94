//! How long to wait before a strategy is tried again. Pure.

use std::time::Duration;

/// Delays between tries of one strategy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backoff {
    /// Delay before try 2.
    pub base: Duration,
    /// The longest delay.
    pub max: Duration,
    /// Whether a delay d becomes d/2 + random(0, d/2).
    pub jitter: bool,
}

impl Backoff {
    /// The delay before try `attempt` (from 1), given 64 random bits.
    ///
    /// Try 1 comes at once; before try k ≥ 2 it is min(base · 2^(k−2), max), computed so that no
    /// try number can overflow it.
    pub fn delay(&self, attempt: u32, random: u64) -> Duration {
        let Some(doublings) = attempt.checked_sub(2) else {
            return Duration::ZERO;
        };
        let factor = 1u32.checked_shl(doublings).unwrap_or(u32::MAX);
        let delay = self.base.saturating_mul(factor).min(self.max);
        if !self.jitter {
            return delay;
        }
        let half = delay / 2;
        // 53 bits are what an f64 holds exactly.
        let share = (random >> 11) as f64 / (1u64 << 53) as f64;
        half + half.mul_f64(share)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EXACT: Backoff = Backoff {
        base: Duration::from_secs(1),
        max: Duration::from_secs(60),
        jitter: false,
    };

    #[test]
    fn doubles_from_the_second_try_up_to_the_maximum() {
        let delays: Vec<u64> = (1..=9).map(|k| EXACT.delay(k, 0).as_secs()).collect();
        assert_eq!(delays, [0, 1, 2, 4, 8, 16, 32, 60, 60]);
    }

    #[test]
    fn no_try_number_overflows() {
        for attempt in [33, 34, 35, 58, 10_000, u32::MAX] {
            assert_eq!(EXACT.delay(attempt, u64::MAX), EXACT.max, "{attempt}");
        }
        let huge = Backoff {
            base: Duration::MAX,
            max: Duration::MAX,
            jitter: true,
        };
        assert!(huge.delay(u32::MAX, u64::MAX) <= Duration::MAX);
    }

    #[test]
    fn jitter_stays_between_half_and_whole() {
        let jittered = Backoff {
            jitter: true,
            ..EXACT
        };
        assert_eq!(jittered.delay(4, 0), Duration::from_secs(2));
        let most = jittered.delay(4, u64::MAX);
        assert!(most > Duration::from_millis(3_999) && most <= Duration::from_secs(4));
        assert_eq!(jittered.delay(1, u64::MAX), Duration::ZERO);
    }
}
