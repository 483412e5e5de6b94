//! Signals that arrive, as a stream that one thread reads.
//!
//! One handler serves all signals and writes each, its number and the code that says who sent it,
//! into one pipe; it does nothing
//! else, so it is safe wherever it interrupts. A pipe that is full, some eight thousand signals
//! behind, loses the newest. It refuses a second reader at a time. There is no safe call to install
//! a handler, and a library that does costs 1 ms a start for the fifty signals that a run takes.
#![expect(unsafe_code, reason = "sigaction and a handler have no safe form")]

use std::ffi::{c_int, c_void};
use std::io::{self, PipeReader, PipeWriter, Read, Write};
use std::mem::MaybeUninit;
use std::os::fd::AsRawFd;
use std::ptr;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};

use rustix::io::ioctl_fionbio;

/// The pipe: made once and never closed, so that a handler that is under way while the reader ends
/// cannot write into a file that came after it.
static PIPE: OnceLock<(PipeReader, PipeWriter)> = OnceLock::new();
/// What the handler writes to: the descriptor of the pipe's end.
static WRITES_TO: AtomicI32 = AtomicI32::new(-1);
static IS_READ: AtomicBool = AtomicBool::new(false);

/// A signal that arrived.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Arrived {
    pub(super) signal: i32,
    /// `si_code`: who sent it.
    pub(super) code: i32,
}

/// While it lives, the signals that it was made for arrive at it and do nothing else.
#[derive(Debug)]
pub(super) struct Arrivals {
    pipe: &'static (PipeReader, PipeWriter),
    before: Vec<(i32, libc::sigaction)>,
}

impl Arrivals {
    /// Takes `signals`, and interrupts no system call that can be taken up again.
    pub(super) fn take(signals: impl Iterator<Item = i32>) -> io::Result<Self> {
        let pipe = pipe()?;
        if IS_READ.swap(true, Ordering::SeqCst) {
            return Err(io::Error::other("this program takes signals already"));
        }
        WRITES_TO.store(pipe.1.as_raw_fd(), Ordering::SeqCst);
        let mut taken = Self {
            pipe,
            before: Vec::new(),
        };
        for signal in signals {
            let before = handle(signal)?;
            taken.before.push((signal, before));
        }
        Ok(taken)
    }

    /// Waits for the next signal. There is none any more after [`Self::end`].
    pub(super) fn next() -> Option<Arrived> {
        let mut record = [[0; 4]; 2];
        let mut reader = &PIPE.get()?.0;
        reader.read_exact(record.as_flattened_mut()).ok()?;
        if !IS_READ.load(Ordering::SeqCst) {
            return None;
        }
        let [signal, code] = record.map(i32::from_ne_bytes);
        Some(Arrived { signal, code })
    }

    /// Ends the stream for whoever waits in [`Self::next`].
    pub(super) fn end(&self) {
        IS_READ.store(false, Ordering::SeqCst);
        // Wakes the reader; one whose pipe is full is awake.
        let _ = (&self.pipe.1).write_all([[0; 4]; 2].as_flattened());
    }
}

impl Drop for Arrivals {
    /// Gives the signals back what they did before.
    fn drop(&mut self) {
        for (signal, before) in &self.before {
            // SAFETY: the action is what the system said of this same signal.
            unsafe {
                libc::sigaction(*signal, before, ptr::null_mut());
            }
        }
        IS_READ.store(false, Ordering::SeqCst);
    }
}

fn pipe() -> io::Result<&'static (PipeReader, PipeWriter)> {
    if let Some(pipe) = PIPE.get() {
        return Ok(pipe);
    }
    let (reader, writer) = io::pipe()?;
    ioctl_fionbio(&writer, true)?;
    Ok(PIPE.get_or_init(|| (reader, writer)))
}

/// Has `signal` written into the pipe. Returns what it did before.
fn handle(signal: i32) -> io::Result<libc::sigaction> {
    let mut before = MaybeUninit::<libc::sigaction>::zeroed();
    // SAFETY: an action of zeros is a valid one; the handler has the form that `SA_SIGINFO` asks
    // for, and calls nothing but what a handler may; both pointers are valid for the call.
    unsafe {
        let mut action = MaybeUninit::<libc::sigaction>::zeroed().assume_init();
        action.sa_sigaction =
            note as extern "C" fn(c_int, *mut libc::siginfo_t, *mut c_void) as usize;
        action.sa_flags = libc::SA_SIGINFO | libc::SA_RESTART;
        match libc::sigaction(signal, &raw const action, before.as_mut_ptr()) {
            0 => Ok(before.assume_init()),
            _ => Err(io::Error::last_os_error()),
        }
    }
}

/// The handler of every signal that is taken.
extern "C" fn note(signal: c_int, info: *mut libc::siginfo_t, _context: *mut c_void) {
    // SAFETY: the system gives a valid `info` for the time of the call; `write` may be called in a
    // handler; what was interrupted finds `errno` as it was.
    unsafe {
        let errno = libc::__errno_location();
        let before = *errno;
        let record = [signal, (*info).si_code];
        libc::write(
            WRITES_TO.load(Ordering::SeqCst),
            record.as_ptr().cast(),
            size_of_val(&record),
        );
        *errno = before;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signals_arrive_in_order_at_one_reader_until_it_ends() {
        // Nothing else raises them in this process.
        let [first, second] = [libc::SIGURG, libc::SIGRTMIN() + 7];
        let arrivals = Arrivals::take([first, second].into_iter()).unwrap();
        assert!(Arrivals::take([first].into_iter()).is_err(), "one reader");
        for signal in [second, first, second] {
            // SAFETY: it takes a number, and the signal has a handler.
            assert_eq!(unsafe { libc::raise(signal) }, 0);
            let code = libc::SI_TKILL;
            assert_eq!(Arrivals::next(), Some(Arrived { signal, code }));
        }
        arrivals.end();
        assert_eq!(Arrivals::next(), None);
        drop(arrivals);
        let before = handle(first).unwrap().sa_sigaction;
        assert_eq!(before, libc::SIG_DFL, "as it was");
    }
}
