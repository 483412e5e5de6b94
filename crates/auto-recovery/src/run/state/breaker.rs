//! The crash-loop breaker: what `recover` tries by itself against one failure on one tree is not
//! tried for ever.
//!
//! When the same failure on the same tree was escalated [`ESCALATIONS_MAX`] times within
//! [`WINDOW`], nothing that comes from `recover` itself is tried any more: it escalates at once. It
//! survives restarts, and never overrides what somebody asks for.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use crate::failure::Failure;
use crate::files::hash::fnv128;
use crate::host::Host;
use crate::run::state::state_file::StateFile;

/// Escalations after which the same is not tried again.
pub(in crate::run) const ESCALATIONS_MAX: usize = 5;
/// The time in which they are counted.
pub(in crate::run) const WINDOW: Duration = Duration::from_secs(60 * 60);
/// Failures that are remembered; the oldest are forgotten first.
const FAILURES_MAX: usize = 1_000;

/// The breaker of this user on this machine.
#[derive(Clone)]
pub(in crate::run) struct Breaker {
    file: StateFile,
    host: Arc<dyn Host>,
    /// What failed, where, on which tree.
    key: String,
}

/// When which failure was escalated, in seconds since 1970.
#[derive(Default, Serialize, Deserialize)]
#[serde(transparent)]
struct Escalations(BTreeMap<String, Vec<u64>>);

impl Breaker {
    /// The breaker for `failure` of `argv` in `cwd` on the tree that `tree` names.
    pub(in crate::run) fn new(
        state_dir: &Path,
        host: Arc<dyn Host>,
        what: (&[String], &Path),
        failure: &Failure,
        tree: &str,
    ) -> Self {
        let (argv, cwd) = what;
        let text = format!("{argv:?}\0{cwd:?}\0{}\0{tree}", failure.kind());
        let key = format!("{:032x}", fnv128(text.as_bytes()));
        Self {
            file: StateFile::new(state_dir, "breaker.json"),
            host,
            key,
        }
    }

    /// The file that remembers what was escalated; without it, nothing was.
    pub(in crate::run) fn place(&self) -> PathBuf {
        self.file.path().to_owned()
    }

    /// How often this was escalated of late, if that is too often.
    pub(in crate::run) fn is_open(&self) -> Option<usize> {
        let now = self.now();
        let count = self.file.change(|escalations: &mut Escalations| {
            escalations.forget(now);
            escalations.0.get(&self.key).map_or(0, Vec::len)
        })?;
        (count >= ESCALATIONS_MAX).then_some(count)
    }

    /// It was escalated once more.
    pub(in crate::run) fn escalated(&self) {
        let now = self.now();
        self.file.change(|escalations: &mut Escalations| {
            escalations.forget(now);
            escalations.0.entry(self.key.clone()).or_default().push(now);
        });
    }

    /// It was cured: what was is forgotten.
    pub(in crate::run) fn recovered(&self) {
        self.file
            .change(|escalations: &mut Escalations| escalations.0.remove(&self.key));
    }

    fn now(&self) -> u64 {
        self.host
            .now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default()
            .as_secs()
    }
}

impl Escalations {
    /// Forgets what lies outside of the window, or in a future that a clock went back from.
    fn forget(&mut self, now: u64) {
        for times in self.0.values_mut() {
            times.retain(|at| *at <= now && now - at < WINDOW.as_secs());
        }
        self.0.retain(|_, times| !times.is_empty());
        while self.0.len() > FAILURES_MAX {
            let newest = |times: &Vec<u64>| times.last().copied().unwrap_or(0);
            let oldest = self.0.iter().min_by_key(|(_, times)| newest(times));
            let Some(oldest) = oldest.map(|(key, _)| key.clone()) else {
                return;
            };
            self.0.remove(&oldest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::ScriptedHost;

    fn breaker(state: &Path, host: &Arc<ScriptedHost>, message: &str, tree: &str) -> Breaker {
        let argv = ["make".to_owned()];
        let failure = Failure::new("E", message, "make");
        let shared: Arc<dyn Host> = host.clone();
        Breaker::new(state, shared, (&argv, Path::new("/p")), &failure, tree)
    }

    #[test]
    fn it_opens_for_the_same_failure_on_the_same_tree_only_and_for_a_while() {
        let state = tempfile::tempdir().unwrap();
        let host = Arc::new(ScriptedHost::new());
        let of = |message, tree| breaker(state.path(), &host, message, tree);
        for count in 0..ESCALATIONS_MAX {
            assert_eq!(of("m", "t").is_open(), None, "after {count}");
            of("m", "t").escalated();
        }
        assert_eq!(of("m", "t").is_open(), Some(ESCALATIONS_MAX));
        assert_eq!(of("another", "t").is_open(), None);
        assert_eq!(of("m", "another").is_open(), None);
        assert_eq!(of("m at 12:30, pid 7", "t").is_open(), None);
        host.advance(WINDOW);
        assert_eq!(of("m", "t").is_open(), None, "what was is forgotten");
    }

    #[test]
    fn a_failure_that_says_the_time_is_the_same_failure() {
        let state = tempfile::tempdir().unwrap();
        let host = Arc::new(ScriptedHost::new());
        for minute in 0..ESCALATIONS_MAX {
            let message = format!("m at 12:0{minute}, pid {}", minute * 7);
            breaker(state.path(), &host, &message, "t").escalated();
        }
        let message = "m at 13:59, pid 4711";
        let count = breaker(state.path(), &host, message, "t").is_open();
        assert_eq!(count, Some(ESCALATIONS_MAX));
    }

    #[test]
    fn a_cure_closes_it() {
        let state = tempfile::tempdir().unwrap();
        let host = Arc::new(ScriptedHost::new());
        let breaker = breaker(state.path(), &host, "m", "t");
        (0..ESCALATIONS_MAX).for_each(|_| breaker.escalated());
        breaker.recovered();
        assert_eq!(breaker.is_open(), None);
    }
}
