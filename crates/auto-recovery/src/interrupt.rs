//! The user's wish to stop, as a value that every wait can watch.
//!
//! Raising is a few atomic operations and a `write`, so a signal handler may do it. Nothing is ever
//! taken back: once raised, an interrupt stays raised, and any number of waits see it.

mod pause;

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicU32, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Signal, kill_current_process_group};

use crate::error::{Error, Result};
use crate::mutex;
use crate::platform::pipes::pipe_without_waits;

pub(crate) use self::pause::{stop_our_group, stop_ourselves};

/// Real-time signals that wait to be passed on, at most.
const FORWARDED_MAX: usize = 8192;

/// How a wait ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wait {
    /// The whole time passed.
    Elapsed,
    /// The user asked to stop.
    Interrupted,
}

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
    nudge: Latch,
    pause_asked: AtomicBool,
    resized: AtomicBool,
    /// Signals to pass on to the command, in the order in which they came.
    forwarded: Mutex<Vec<i32>>,
    /// Runs that take nudges.
    attended: AtomicU32,
    /// Whether a handler of ours takes in what is sent to us.
    handled: AtomicBool,
    /// Signals that we sent to our own group and have not taken in: bit n - 1 stands for signal n.
    own: AtomicU64,
}

/// What the terminal has to say to a running command.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Nudge {
    /// The user wants it to pause.
    pub(crate) pause: bool,
    /// The terminal's size may have changed.
    pub(crate) resized: bool,
    /// Signals for the command.
    pub(crate) forwarded: Vec<i32>,
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
                nudge: Latch::new()?,
                pause_asked: AtomicBool::new(false),
                resized: AtomicBool::new(false),
                forwarded: Mutex::new(Vec::new()),
                attended: AtomicU32::new(0),
                handled: AtomicBool::new(false),
                own: AtomicU64::new(0),
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

    /// Says that the user wants everything to pause: the running command does it, and then we do;
    /// without one we do at once.
    pub(crate) fn ask_to_pause(&self) {
        let Some(state) = &self.state else { return };
        state.pause_asked.store(true, Ordering::SeqCst);
        if state.attended.load(Ordering::SeqCst) > 0 {
            state.nudge.open();
        } else {
            state.pause_if_asked();
        }
    }

    /// Says that the terminal's size may have changed.
    pub(crate) fn say_resized(&self) {
        let Some(state) = &self.state else { return };
        state.resized.store(true, Ordering::SeqCst);
        state.nudge.open();
    }

    /// Says that `signal`, one of 1 to 64, was sent for the command; without one it is for nobody.
    /// As in the kernel, real-time signals queue up, and another one waits once at most.
    pub(crate) fn forward(&self, signal: i32) {
        let Some(state) = &self.state else { return };
        if state.attended.load(Ordering::SeqCst) == 0 {
            return;
        }
        let mut forwarded = mutex::lock(&state.forwarded);
        let queues = signal >= libc::SIGRTMIN() && forwarded.len() < FORWARDED_MAX;
        if queues || !forwarded.contains(&signal) {
            forwarded.push(signal);
        }
        drop(forwarded);
        state.nudge.open();
    }

    /// From here on, or no longer, a handler of ours takes in what is sent to this process.
    pub(crate) fn set_handled(&self, handled: bool) {
        if let Some(state) = &self.state {
            state.handled.store(handled, Ordering::SeqCst);
        }
    }

    /// What was typed while the command had the terminal is for our own group as well: a script
    /// that waits for us, and a run that we are part of, would have got it had the command been in
    /// that group. For us it is nothing new. Without a handler it would end us, and is not sent.
    pub(crate) fn share_typed(&self, signal: Signal) {
        let Some(state) = &self.state else { return };
        let asks_to_stop = signal == Signal::INT || signal == Signal::QUIT;
        if asks_to_stop && state.handled.load(Ordering::SeqCst) {
            let bit = bit(signal.as_raw());
            state.own.fetch_or(bit, Ordering::SeqCst);
            if kill_current_process_group(signal).is_err() {
                state.own.fetch_and(!bit, Ordering::SeqCst);
            }
        }
    }

    /// Whether `signal`, one of 1 to 64, which arrived, is what we sent to our own group.
    pub(crate) fn is_own(&self, signal: i32) -> bool {
        let Some(state) = &self.state else {
            return false;
        };
        let bit = bit(signal);
        state.own.fetch_and(!bit, Ordering::SeqCst) & bit != 0
    }

    /// From here until the value is dropped, somebody takes nudges.
    pub(crate) fn attend(&self) -> Attending<'_> {
        let state = self.state.as_ref();
        if let Some(state) = state {
            state.attended.fetch_add(1, Ordering::SeqCst);
        }
        Attending { state }
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

impl State {
    fn pause_if_asked(&self) {
        if self.pause_asked.swap(false, Ordering::SeqCst) {
            stop_ourselves();
        }
    }
}

/// Takes what the terminal has to say to a running command.
#[derive(Debug)]
pub(crate) struct Attending<'a> {
    state: Option<&'a State>,
}

impl Attending<'_> {
    /// Readable when there is a nudge to take.
    pub(crate) fn nudged(&self) -> Option<BorrowedFd<'_>> {
        self.state.map(|state| state.nudge.watched.as_fd())
    }

    /// Takes what was said.
    pub(crate) fn take(&self) -> Nudge {
        let Some(state) = self.state else {
            return Nudge::default();
        };
        state.nudge.close();
        Nudge {
            pause: state.pause_asked.swap(false, Ordering::SeqCst),
            resized: state.resized.swap(false, Ordering::SeqCst),
            forwarded: std::mem::take(&mut *mutex::lock(&state.forwarded)),
        }
    }
}

impl Drop for Attending<'_> {
    fn drop(&mut self) {
        let Some(state) = self.state else { return };
        // Asked in the last moment: nobody else is there to do it. What was for this command is
        // not for the next one.
        if state.attended.fetch_sub(1, Ordering::SeqCst) == 1 {
            mutex::lock(&state.forwarded).clear();
            state.pause_if_asked();
        }
    }
}

/// What stands for `signal`, one of 1 to 64, among others.
fn bit(signal: i32) -> u64 {
    1 << (signal - 1)
}

/// A pipe that is readable once it was opened, until it is closed.
#[derive(Debug)]
struct Latch {
    watched: OwnedFd,
    opener: OwnedFd,
}

impl Latch {
    fn new() -> Result<Self> {
        let (watched, opener) = pipe_without_waits()
            .map_err(|e| Error::os("create the pipe of an interrupt", e.into()))?;
        Ok(Self { watched, opener })
    }

    fn open(&self) {
        // A pipe that has no room for one more byte is open already.
        let _ = rustix::io::write(&self.opener, b"!");
    }

    fn close(&self) {
        let mut bytes = [0; 64];
        while rustix::io::read(&self.watched, &mut bytes).is_ok_and(|count| count == bytes.len()) {}
    }
}

/// `duration` for the system, cut at what the system can count.
pub(crate) fn timespec(duration: Duration) -> Timespec {
    Timespec::try_from(duration).unwrap_or(Timespec {
        tv_sec: i64::MAX,
        tv_nsec: 0,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn real_time_signals_queue_up_and_others_wait_once() {
        let interrupt = Interrupt::new().unwrap();
        let (usr1, real_time) = (libc::SIGUSR1, libc::SIGRTMIN() + 2);
        interrupt.forward(usr1);
        let attending = interrupt.attend();
        for signal in [real_time, usr1, real_time, usr1, real_time] {
            interrupt.forward(signal);
        }
        let forwarded = [real_time, usr1, real_time, real_time];
        assert_eq!(attending.take().forwarded, forwarded);
        assert_eq!(attending.take(), Nudge::default());
    }
}
