//! The user's wish to stop, as a value that every wait can watch.
//!
//! Raising is a few atomic operations and a `write`, so a signal handler may do it. Nothing is ever
//! taken back: once raised, an interrupt stays raised, and any number of waits see it.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicI32, AtomicU32, Ordering};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::pipe::{PipeFlags, pipe_with};

use crate::error::{Error, Result};
use crate::host::Wait;

/// The user's wish to stop.
#[derive(Debug)]
pub struct Interrupt {
    state: Option<State>,
}

#[derive(Debug)]
struct State {
    signal: AtomicI32,
    times: AtomicU32,
    first: Latch,
    second: Latch,
}

impl Interrupt {
    /// An interrupt that is never raised.
    pub fn none() -> Self {
        Self { state: None }
    }

    /// An interrupt that [`raise`](Self::raise) raises.
    pub fn new() -> Result<Self> {
        Ok(Self {
            state: Some(State {
                signal: AtomicI32::new(0),
                times: AtomicU32::new(0),
                first: Latch::new()?,
                second: Latch::new()?,
            }),
        })
    }

    /// Says that the user asked to stop by sending `signal`. The first signal is the one that is
    /// remembered; a second call asks to hurry. May be called from a signal handler.
    pub fn raise(&self, signal: i32) {
        let Some(state) = &self.state else { return };
        // An exchange that fails finds an earlier signal, which is the one to remember.
        let _ = state
            .signal
            .compare_exchange(0, signal, Ordering::SeqCst, Ordering::SeqCst);
        match state.times.fetch_add(1, Ordering::SeqCst) {
            0 => state.first.open(),
            1 => state.second.open(),
            _ => {}
        }
    }

    /// The signal it was raised with, once it was.
    pub fn raised(&self) -> Option<i32> {
        let signal = self.state.as_ref()?.signal.load(Ordering::SeqCst);
        (signal != 0).then_some(signal)
    }

    /// Waits for `duration`, or until it is raised.
    #[expect(
        clippy::disallowed_methods,
        reason = "this is how the host sleeps; a poll cut short by a signal must know what is left"
    )]
    pub fn wait(&self, duration: Duration) -> Wait {
        let Some(state) = &self.state else {
            std::thread::sleep(duration);
            return Wait::Elapsed;
        };
        let started = Instant::now();
        loop {
            if self.raised().is_some() {
                return Wait::Interrupted;
            }
            let left = duration.saturating_sub(started.elapsed());
            if left.is_zero() {
                return Wait::Elapsed;
            }
            let mut fds = [PollFd::new(&state.first.watched, PollFlags::IN)];
            // A signal that cuts the wait short shows in the next round.
            let _ = poll(&mut fds, Some(&timespec(left)));
        }
    }

    /// Readable once it was raised, and from then on.
    pub fn first(&self) -> Option<BorrowedFd<'_>> {
        self.state.as_ref().map(|state| state.first.watched.as_fd())
    }

    /// Readable once it was raised a second time, and from then on.
    pub fn second(&self) -> Option<BorrowedFd<'_>> {
        self.state
            .as_ref()
            .map(|state| state.second.watched.as_fd())
    }
}

/// A pipe that becomes readable once and stays so, because nobody reads from it.
#[derive(Debug)]
struct Latch {
    watched: OwnedFd,
    opener: OwnedFd,
}

impl Latch {
    fn new() -> Result<Self> {
        let (watched, opener) = pipe_with(PipeFlags::CLOEXEC | PipeFlags::NONBLOCK)
            .map_err(|e| Error::os("create the pipe of an interrupt", e.into()))?;
        Ok(Self { watched, opener })
    }

    fn open(&self) {
        // One byte into an empty pipe always fits.
        let _ = rustix::io::write(&self.opener, b"!");
    }
}

/// `duration` for the system, cut at what the system can count.
pub(super) fn timespec(duration: Duration) -> Timespec {
    Timespec::try_from(duration).unwrap_or(Timespec {
        tv_sec: i64::MAX,
        tv_nsec: 0,
    })
}
