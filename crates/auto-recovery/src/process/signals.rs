//! Signals to the program itself, for a binary to install; the library never does by itself.
//!
//! A thread takes the signals in: nothing is done in a handler. Those that ask to stop become an
//! [`Interrupt`]; the others that would end this program are passed on to the command that runs, as
//! if they had been sent to it, and end nothing by themselves. Signals that the program was started
//! to ignore, as `nohup` does with `SIGHUP`, stay ignored.

use std::io;
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use libc::{
    SIGABRT, SIGALRM, SIGCHLD, SIGHUP, SIGINT, SIGIO, SIGPROF, SIGPWR, SIGQUIT, SIGSTKFLT, SIGTERM,
    SIGTSTP, SIGUSR1, SIGUSR2, SIGVTALRM, SIGWINCH, SIGXCPU, SIGXFSZ,
};

use super::arrivals::{Arrivals, Arrived};
use super::children;
use super::rawsignal::{let_stop, raise_by_default};
use crate::error::{Error, Result};
use crate::exit::EXIT_SIGNAL_BASE;
use crate::interrupt::Interrupt;
use crate::platform::processes::{ignored_signals, leave_no_core};

/// Signals that ask to stop, whoever sends them.
const STOPPING: [i32; 3] = [SIGHUP, SIGINT, SIGTERM];
/// Signals of the terminal, and of the end of a child.
const NEWS: [i32; 3] = [SIGCHLD, SIGTSTP, SIGWINCH];
/// Signals for the command. Those that tell of a fault in this program itself are not among them.
const FORWARDED: [i32; 12] = [
    SIGABRT, SIGALRM, SIGIO, SIGPWR, SIGPROF, SIGQUIT, SIGSTKFLT, SIGUSR1, SIGUSR2, SIGVTALRM,
    SIGXCPU, SIGXFSZ,
];
/// The greatest number of a signal.
const SIGNAL_MAX: i32 = 64;

/// While it lives, signals are turned into an interrupt, or passed on.
#[derive(Debug)]
pub struct Signals {
    interrupt: Arc<Interrupt>,
    arrivals: Arrivals,
    thread: Option<JoinHandle<()>>,
}

impl Signals {
    /// From here on `SIGHUP`, `SIGINT`, `SIGTERM` and a `SIGQUIT` that was typed raise `interrupt`,
    /// `SIGTSTP` stops the running command and then this program, `SIGWINCH` resizes its terminals,
    /// and what else would end this program is sent to the command. What was typed while a command
    /// had the terminal reaches the caller's process group as well. Where this program is a
    /// subreaper, orphans are collected when they end. Commands are stopped when they reach for the
    /// terminal, even where this program was started to ignore that, as by an interactive shell's
    /// `$(…)`: it is how a command is given the terminal, and without it they could not read.
    pub fn install(interrupt: Arc<Interrupt>) -> Result<Self> {
        let failed = |e: io::Error| Error::os("install signal handlers", e);
        let ignored = ignored();
        let real_time = libc::SIGRTMIN()..=libc::SIGRTMAX().min(SIGNAL_MAX);
        let named = STOPPING.into_iter().chain(NEWS).chain(FORWARDED);
        let wanted = named.chain(real_time).filter(|signal| {
            // Whoever ignores this one never learns how its children end, and that is our work.
            !ignored.contains(signal) || *signal == SIGCHLD
        });
        let arrivals = Arrivals::take(wanted).map_err(failed)?;
        [libc::SIGTTIN, libc::SIGTTOU]
            .into_iter()
            .for_each(let_stop);
        let takes = Arc::clone(&interrupt);
        let thread = thread::Builder::new()
            .name("recover-signals".to_owned())
            .spawn(move || {
                while let Some(arrived) = Arrivals::next() {
                    take(&takes, arrived);
                }
            })
            .map_err(failed)?;
        interrupt.set_handled(true);
        Ok(Self {
            interrupt,
            arrivals,
            thread: Some(thread),
        })
    }
}

fn take(interrupt: &Interrupt, Arrived { signal, code }: Arrived) {
    if interrupt.is_own(signal) {
        return;
    }
    // The kernel sends this one for a terminal, on which it was typed; anybody else means the
    // command.
    let is_typed = signal == SIGQUIT && code == libc::SI_KERNEL;
    match signal {
        SIGCHLD => children::collect_orphans(),
        SIGTSTP => interrupt.ask_to_pause(),
        SIGWINCH => interrupt.say_resized(),
        _ if is_typed || STOPPING.contains(&signal) => interrupt.raise(signal),
        _ => interrupt.forward(signal),
    }
}

impl Drop for Signals {
    fn drop(&mut self) {
        self.interrupt.set_handled(false);
        self.arrivals.end();
        if let Some(thread) = self.thread.take() {
            // It only passes signals on, and has nothing to say when it ends.
            let _ = thread.join();
        }
    }
}

/// The signals that this program was started to ignore.
pub(super) fn ignored() -> Vec<i32> {
    let mask = ignored_signals();
    (1..=SIGNAL_MAX)
        .filter(|signal| mask >> (signal - 1) & 1 == 1)
        .collect()
}

/// Ends this program as `signal` ends one that does not handle it, so that whoever started it sees
/// what became of the command. Returns the exit code to use instead where that is not possible, as
/// for the first process of a container. Nothing is dumped: the core that tells something is the
/// command's.
pub fn die_by_signal(signal: i32) -> i32 {
    leave_no_core();
    raise_by_default(signal);
    EXIT_SIGNAL_BASE + signal
}
