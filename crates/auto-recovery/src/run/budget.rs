//! The retry budget: how often, on this machine, a command is simply run again without anybody
//! having asked for it.
//!
//! A token bucket shared by all runs of a user. When many things fail at once, as when a service is
//! down, it keeps their retries from becoming the next failure. A retry that helps costs nothing.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use crate::host::Host;
use crate::run::state_file::StateFile;

/// Tokens of a full bucket: a hundred retries in a row.
const CAPACITY: f64 = 500.0;
/// Tokens that a retry costs.
const COST: f64 = 5.0;
/// Tokens that come back in a second: twelve retries a minute for as long as one likes.
const REFILL_PER_SECOND: f64 = 1.0;

/// The bucket of this user on this machine.
#[derive(Clone)]
pub(super) struct RetryBudget {
    file: StateFile,
    host: Arc<dyn Host>,
}

/// What the file holds.
#[derive(Serialize, Deserialize)]
struct Bucket {
    tokens: f64,
    /// When that was so, in seconds since 1970.
    at: f64,
}

impl Default for Bucket {
    fn default() -> Self {
        Self {
            tokens: CAPACITY,
            at: 0.0,
        }
    }
}

impl RetryBudget {
    pub(super) fn new(state_dir: &Path, host: Arc<dyn Host>) -> Self {
        Self {
            file: StateFile::new(state_dir, "retry-budget.json"),
            host,
        }
    }

    /// Takes what one retry costs.
    ///
    /// # Errors
    /// Why there is none, in words.
    pub(super) fn take(&self) -> Result<(), String> {
        let now = self.now();
        let wait = self.file.change(|bucket: &mut Bucket| {
            bucket.refill(now);
            if bucket.tokens < COST {
                return Some(Duration::from_secs_f64(
                    (COST - bucket.tokens) / REFILL_PER_SECOND,
                ));
            }
            bucket.tokens -= COST;
            None
        });
        match wait.flatten() {
            Some(wait) => Err(format!(
                "the retry budget of this machine is spent, the next retry is in {:.0} s; --retry N \
                 retries all the same",
                wait.as_secs_f64().ceil()
            )),
            None => Ok(()),
        }
    }

    /// Gives back what a retry cost that helped.
    pub(super) fn refund(&self) {
        let now = self.now();
        self.file.change(|bucket: &mut Bucket| {
            bucket.refill(now);
            bucket.tokens = (bucket.tokens + COST).min(CAPACITY);
        });
    }

    fn now(&self) -> f64 {
        self.host
            .now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default()
            .as_secs_f64()
    }
}

impl Bucket {
    fn refill(&mut self, now: f64) {
        // A clock that went back refills nothing.
        let passed = (now - self.at).max(0.0);
        let tokens = if self.tokens.is_finite() {
            self.tokens.max(0.0)
        } else {
            0.0
        };
        self.tokens = (tokens + passed * REFILL_PER_SECOND).min(CAPACITY);
        self.at = now;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::ScriptedHost;

    #[test]
    fn a_full_bucket_pays_a_hundred_retries_and_fills_again() {
        let state = tempfile::tempdir().unwrap();
        let host = Arc::new(ScriptedHost::new());
        let budget = || RetryBudget::new(state.path(), host.clone());
        for retry in 1..=100 {
            assert_eq!(
                budget().take(),
                Ok(()),
                "retry {retry}, by whichever process"
            );
        }
        let why = budget().take().unwrap_err();
        assert!(why.contains("5 s") && why.contains("--retry"), "{why}");
        host.advance(Duration::from_secs(5));
        assert_eq!(budget().take(), Ok(()));
        assert!(budget().take().is_err());
        budget().refund();
        assert_eq!(budget().take(), Ok(()), "a retry that helped costs nothing");
        host.advance(Duration::from_secs(1_000_000));
        assert_eq!(
            (1..).take_while(|_| budget().take().is_ok()).count(),
            100,
            "never over full"
        );
    }

    #[test]
    fn a_damaged_or_unwritable_file_restrains_nothing() {
        let state = tempfile::tempdir().unwrap();
        std::fs::write(state.path().join("retry-budget.json"), "{\"tokens\":").unwrap();
        let host = Arc::new(ScriptedHost::new());
        assert_eq!(RetryBudget::new(state.path(), host.clone()).take(), Ok(()));
        let file = state.path().join("file");
        std::fs::write(&file, "").unwrap();
        assert_eq!(RetryBudget::new(&file, host).take(), Ok(()));
    }
}
