//! The outside world as an argument: clock, sleep and randomness.
//!
//! This is the only module that reads a clock, sleeps or draws randomness, so whole recoveries run
//! in tests without taking real time. Running commands has its own room, [`crate::process`].
//!
//! Whoever waits for others (a lock, a server, a program of ours) does it in [`crate::patience`].

mod ids;

use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime};

use crate::interrupt::Interrupt;
use crate::mutex;

pub use crate::interrupt::Wait;

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

    /// The moment on the monotonic clock from which on nobody is waited for; `None` without one.
    fn deadline(&self) -> Option<Duration> {
        None
    }

    /// Nobody is waited for from the moment `at` on. A host that knows no deadline ignores it.
    fn set_deadline(&self, at: Option<Duration>) {
        let _ = at;
    }

    /// Says what has been waited for so long that a person wants to know it.
    fn tell_waiting(&self, what: &str) {
        let _ = what;
    }
}

/// Is told what is waited for.
type OnWait = Box<dyn Fn(&str) + Send + Sync>;

/// The real world.
pub struct SystemHost {
    started: Instant,
    interrupt: Arc<Interrupt>,
    deadline: Mutex<Option<Duration>>,
    on_wait: Option<OnWait>,
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
            deadline: Mutex::new(None),
            on_wait: None,
        }
    }

    /// The same host; what is waited for long is told to `on_wait`, in words.
    #[must_use]
    pub fn telling(mut self, on_wait: impl Fn(&str) + Send + Sync + 'static) -> Self {
        self.on_wait = Some(Box::new(on_wait));
        self
    }
}

impl fmt::Debug for SystemHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SystemHost")
            .field("started", &self.started)
            .field("interrupt", &self.interrupt)
            .field("deadline", &self.deadline)
            .finish_non_exhaustive()
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

    fn deadline(&self) -> Option<Duration> {
        *mutex::lock(&self.deadline)
    }

    fn set_deadline(&self, at: Option<Duration>) {
        *mutex::lock(&self.deadline) = at;
    }

    fn tell_waiting(&self, what: &str) {
        if let Some(on_wait) = &self.on_wait {
            on_wait(what);
        }
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
