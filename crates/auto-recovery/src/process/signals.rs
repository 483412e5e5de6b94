//! Signals to the program itself, for a binary to install; the library never does by itself.
//!
//! A thread takes the signals in and turns them into an [`Interrupt`]: nothing is done in a
//! handler. Signals that the program was started to ignore, as `nohup` does with `SIGHUP`, stay
//! ignored.

use std::fs;
use std::io;
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use rustix::process::{DumpableBehavior, set_dumpable_behavior};
use signal_hook::consts::signal::{SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGTSTP, SIGWINCH};
use signal_hook::iterator::{Handle, Signals as Arriving};

use super::interrupt::Interrupt;
use crate::error::{Error, Result};
use crate::exit::EXIT_SIGNAL_BASE;

/// Signals that ask to stop.
const STOPPING: [i32; 4] = [SIGHUP, SIGINT, SIGQUIT, SIGTERM];

/// While it lives, signals are turned into an interrupt.
#[derive(Debug)]
pub struct Signals {
    handle: Handle,
    thread: Option<JoinHandle<()>>,
}

impl Signals {
    /// From here on `SIGHUP`, `SIGINT`, `SIGQUIT` and `SIGTERM` raise `interrupt`, `SIGTSTP` stops
    /// the running command and then this program, and `SIGWINCH` resizes its terminals.
    pub fn install(interrupt: Arc<Interrupt>) -> Result<Self> {
        let failed = |e: io::Error| Error::os("install signal handlers", e);
        let ignored = ignored();
        let wanted = STOPPING.into_iter().chain([SIGTSTP, SIGWINCH]);
        let mut arriving =
            Arriving::new(wanted.filter(|signal| !ignored.contains(signal))).map_err(failed)?;
        let handle = arriving.handle();
        let thread = thread::Builder::new()
            .name("recover-signals".to_owned())
            .spawn(move || {
                for signal in arriving.forever() {
                    match signal {
                        SIGTSTP => interrupt.ask_to_pause(),
                        SIGWINCH => interrupt.say_resized(),
                        _ => interrupt.raise(signal),
                    }
                }
            })
            .map_err(failed)?;
        Ok(Self {
            handle,
            thread: Some(thread),
        })
    }
}

impl Drop for Signals {
    fn drop(&mut self) {
        self.handle.close();
        if let Some(thread) = self.thread.take() {
            // It only passes signals on, and has nothing to say when it ends.
            let _ = thread.join();
        }
    }
}

/// The signals that this program was started to ignore.
fn ignored() -> Vec<i32> {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status
        .lines()
        .find_map(|line| line.strip_prefix("SigIgn:"))
        .and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok())
        .unwrap_or(0);
    (1..=64)
        .filter(|signal| mask >> (signal - 1) & 1 == 1)
        .collect()
}

/// Ends this program as `signal` ends one that does not handle it, so that whoever started it sees
/// what became of the command. Returns the exit code to use instead where that is not possible.
/// Nothing is dumped: the core that tells something is the command's.
pub fn die_by_signal(signal: i32) -> i32 {
    let _ = set_dumpable_behavior(DumpableBehavior::NotDumpable);
    let _ = signal_hook::low_level::emulate_default_handler(signal);
    EXIT_SIGNAL_BASE + signal
}
