//! The retry budget: how often, on this machine, a command is simply run again without anybody
//! having asked for it.
//!
//! A token bucket a dependency, shared by all runs of a user: what kind of failure it is, and the
//! host it is about. When many things fail at once, as when a service is down, it keeps their
//! retries from becoming the next failure; what waits for another service pays from another bucket.
//! A retry that helps costs nothing.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use crate::failure::Failure;
use crate::host::Host;
use crate::run::network::host_of;
use crate::run::state::state_file::StateFile;

/// Tokens of a full bucket: a hundred retries in a row.
const CAPACITY: f64 = 500.0;
/// Tokens that a retry costs.
const COST: f64 = 5.0;
/// Tokens that come back in a second: twelve retries a minute for as long as one likes.
const REFILL_PER_SECOND: f64 = 1.0;
/// Dependencies that are remembered; those whose buckets are full are forgotten first.
const DEPENDENCIES_MAX: usize = 1_000;
/// Characters of a name that is remembered.
const NAME_CHARS_MAX: usize = 200;

/// The buckets of this user on this machine.
#[derive(Clone)]
pub(in crate::run) struct RetryBudget {
    file: StateFile,
    host: Arc<dyn Host>,
}

/// The buckets, by dependency.
#[derive(Default, Serialize, Deserialize)]
#[serde(transparent)]
struct Buckets(BTreeMap<String, Bucket>);

/// What one holds.
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
    pub(in crate::run) fn new(state_dir: &Path, host: Arc<dyn Host>) -> Self {
        Self {
            file: StateFile::new(state_dir, "retry-budgets.json"),
            host,
        }
    }

    /// Takes what one retry against `failure` costs.
    ///
    /// # Errors
    /// Why there is none, in words.
    pub(in crate::run) fn take(&self, failure: &Failure) -> Result<(), String> {
        let (now, name) = (self.now(), dependency_of(failure));
        let wait = self.file.change(|buckets: &mut Buckets| {
            let bucket = buckets.of(&name, now);
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
                "the retry budget for {name} on this machine is spent, the next retry is in {:.0} s",
                wait.as_secs_f64().ceil()
            )),
            None => Ok(()),
        }
    }

    /// Gives back what a retry cost that helped against `failure`.
    pub(in crate::run) fn refund(&self, failure: &Failure) {
        let (now, name) = (self.now(), dependency_of(failure));
        self.file.change(|buckets: &mut Buckets| {
            let bucket = buckets.of(&name, now);
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

/// What is waited for: the kind of failure, and the host where one is named.
fn dependency_of(failure: &Failure) -> String {
    let name = match host_of(failure) {
        Some(host) => format!("{} at {host}", failure.error_type),
        None => failure.error_type.clone(),
    };
    name.chars().take(NAME_CHARS_MAX).collect()
}

impl Buckets {
    /// The bucket `name` as it is `now`.
    fn of(&mut self, name: &str, now: f64) -> &mut Bucket {
        if self.0.len() >= DEPENDENCIES_MAX && !self.0.contains_key(name) {
            self.0.values_mut().for_each(|bucket| bucket.refill(now));
            self.0.retain(|_, bucket| bucket.tokens < CAPACITY);
        }
        while self.0.len() >= DEPENDENCIES_MAX && !self.0.contains_key(name) {
            self.0.pop_first();
        }
        let bucket = self.0.entry(name.to_owned()).or_default();
        bucket.refill(now);
        bucket
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
        let away = &Failure::new("ECONNREFUSED", "connect to db.internal:5432", "app");
        for retry in 1..=100 {
            assert_eq!(
                budget().take(away),
                Ok(()),
                "retry {retry}, by whichever process"
            );
        }
        let why = budget().take(away).unwrap_err();
        assert!(why.ends_with("in 5 s"), "{why}");
        let other = Failure::new("ECONNREFUSED", "connect to cache.internal:6379", "app");
        assert_eq!(
            budget().take(&other),
            Ok(()),
            "it is paid from another bucket"
        );
        host.advance(Duration::from_secs(5));
        assert_eq!(budget().take(away), Ok(()));
        assert!(budget().take(away).is_err());
        budget().refund(away);
        assert_eq!(
            budget().take(away),
            Ok(()),
            "a retry that helped costs nothing"
        );
        host.advance(Duration::from_secs(1_000_000));
        assert_eq!(
            (1..).take_while(|_| budget().take(away).is_ok()).count(),
            100,
            "never over full"
        );
    }

    #[test]
    fn a_damaged_or_unwritable_file_restrains_nothing() {
        let state = tempfile::tempdir().unwrap();
        std::fs::write(state.path().join("retry-budgets.json"), "{\"tokens\":").unwrap();
        let host = Arc::new(ScriptedHost::new());
        assert_eq!(
            RetryBudget::new(state.path(), host.clone()).take(&Failure::default()),
            Ok(())
        );
        let file = state.path().join("file");
        std::fs::write(&file, "").unwrap();
        assert_eq!(
            RetryBudget::new(&file, host).take(&Failure::default()),
            Ok(())
        );
    }
}
