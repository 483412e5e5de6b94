//! The outside world as an argument: clock, sleep and randomness.
//!
//! This is the only module that reads a clock, sleeps or draws randomness, so whole recoveries run
//! in tests without taking real time. Running commands has its own room, [`crate::process`].

mod ids;

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use crate::process::Interrupt;

/// How a wait ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wait {
    /// The whole time passed.
    Elapsed,
    /// The user asked to stop.
    Interrupted,
}

/// Clock, sleep and randomness.
pub trait Host: Send + Sync {
    /// The time of day.
    fn now(&self) -> SystemTime;

    /// Time since some fixed moment; never goes back.
    fn monotonic(&self) -> Duration;

    /// Waits for `duration`, or until the user asks to stop.
    fn sleep(&self, duration: Duration) -> Wait;

    /// Whether the user has asked to stop.
    fn is_interrupted(&self) -> bool;

    /// 64 random bits.
    fn random(&self) -> u64;
}

/// The real world.
#[derive(Debug)]
pub struct SystemHost {
    started: Instant,
    interrupt: Arc<Interrupt>,
}

impl SystemHost {
    /// A host that nobody interrupts.
    pub fn new() -> Self {
        Self::with_interrupt(Arc::new(Interrupt::none()))
    }

    /// A host whose waits end when `interrupt` is raised.
    #[expect(clippy::disallowed_methods, reason = "this is the host")]
    pub fn with_interrupt(interrupt: Arc<Interrupt>) -> Self {
        Self {
            started: Instant::now(),
            interrupt,
        }
    }
}

impl Default for SystemHost {
    fn default() -> Self {
        Self::new()
    }
}

#[expect(clippy::disallowed_methods, reason = "this is the host")]
impl Host for SystemHost {
    fn now(&self) -> SystemTime {
        SystemTime::now()
    }

    fn monotonic(&self) -> Duration {
        self.started.elapsed()
    }

    fn sleep(&self, duration: Duration) -> Wait {
        self.interrupt.wait(duration)
    }

    fn is_interrupted(&self) -> bool {
        self.interrupt.raised().is_some()
    }

    fn random(&self) -> u64 {
        uuid::Uuid::new_v4().as_u64_pair().0
    }
}

/// `time` as RFC 3339 in UTC with milliseconds and `Z`.
pub fn timestamp(time: SystemTime) -> String {
    let time = jiff::Timestamp::try_from(time).unwrap_or(jiff::Timestamp::MAX);
    format!("{time:.3}")
}

/// A new id `prefix` + UUIDv7 in hex, sortable by time.
pub fn new_id(prefix: &str) -> String {
    new_id_in(std::process::id(), prefix)
}

/// The same for a caller that knows the id of this process.
pub(crate) fn new_id_in(pid: u32, prefix: &str) -> String {
    let mut buffer = uuid::Uuid::encode_buffer();
    let hex = ids::next(pid).simple().encode_lower(&mut buffer);
    [prefix, "_", hex].concat()
}
