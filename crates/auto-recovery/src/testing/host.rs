//! A host whose clock moves only when it is told to, so that whole recoveries take no real time and
//! come out the same every time.

use std::sync::{Mutex, MutexGuard};
use std::time::{Duration, SystemTime};

use super::random::Random;
use crate::host::{Host, Wait};
use crate::mutex;

/// Where every scripted clock starts: 2026-01-02T03:04:05Z, in seconds since the epoch.
const START_UNIX_SECONDS: u64 = 1_767_323_045;

/// A host with a clock that is moved by hand and by sleeping, a log of its sleeps, and randomness
/// that is seeded or given.
#[derive(Debug)]
pub struct ScriptedHost {
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    elapsed: Duration,
    sleeps: Vec<Duration>,
    interrupted: bool,
    interrupt_in_sleep: Option<usize>,
    random: Random,
    fixed_random: Option<u64>,
}

impl ScriptedHost {
    /// A host at 2026-01-02T03:04:05Z, seeded with 0.
    pub fn new() -> Self {
        Self::with_seed(0)
    }

    /// The same with another seed.
    pub fn with_seed(seed: u64) -> Self {
        Self {
            state: Mutex::new(State {
                elapsed: Duration::ZERO,
                sleeps: Vec::new(),
                interrupted: false,
                interrupt_in_sleep: None,
                random: Random::new(seed),
                fixed_random: None,
            }),
        }
    }

    /// Moves both clocks on.
    pub fn advance(&self, by: Duration) {
        self.lock().elapsed += by;
    }

    /// Every sleep that was asked for, in order, also the interrupted ones.
    pub fn sleeps(&self) -> Vec<Duration> {
        self.lock().sleeps.clone()
    }

    /// The user asks to stop, now.
    pub fn interrupt(&self) {
        self.lock().interrupted = true;
    }

    /// The user asks to stop in the middle of the sleep number `sleep`, counted from 0: half of it
    /// passes.
    pub fn interrupt_in_sleep(&self, sleep: usize) {
        self.lock().interrupt_in_sleep = Some(sleep);
    }

    /// Every draw gives `bits` from now on.
    pub fn fix_random(&self, bits: u64) {
        self.lock().fixed_random = Some(bits);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        mutex::lock(&self.state)
    }
}

impl Default for ScriptedHost {
    fn default() -> Self {
        Self::new()
    }
}

impl Host for ScriptedHost {
    fn now(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(START_UNIX_SECONDS) + self.lock().elapsed
    }

    fn monotonic(&self) -> Duration {
        self.lock().elapsed
    }

    fn sleep(&self, duration: Duration) -> Wait {
        let mut state = self.lock();
        let number = state.sleeps.len();
        state.sleeps.push(duration);
        if state.interrupted {
            return Wait::Interrupted;
        }
        if state.interrupt_in_sleep == Some(number) {
            state.interrupted = true;
            state.elapsed += duration / 2;
            return Wait::Interrupted;
        }
        state.elapsed += duration;
        Wait::Elapsed
    }

    fn is_interrupted(&self) -> bool {
        self.lock().interrupted
    }

    fn random(&self) -> u64 {
        let mut state = self.lock();
        if let Some(bits) = state.fixed_random {
            return bits;
        }
        state.random.bits()
    }
}
