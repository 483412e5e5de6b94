//! The threads of a server, and its end, which waits for none of them for long.
//!
//! Each may hang where others are asked: a receiver that does not answer, a store on a disk of the
//! network. Nothing is lost with a thread that is left behind: what it was doing is done again by
//! the next server, as after a kill.

use std::convert::Infallible;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

/// Threads that end with the server.
pub(crate) struct Threads {
    /// Each has one, and drops it at its end.
    running: Sender<Infallible>,
    ended: Receiver<Infallible>,
}

impl Threads {
    /// None yet.
    pub(crate) fn new() -> Self {
        let (running, ended) = channel();
        Self { running, ended }
    }

    /// Does `work` in a thread of its own.
    pub(crate) fn start(&self, work: impl FnOnce() + Send + 'static) {
        let running = self.running.clone();
        std::thread::spawn(move || {
            work();
            drop(running);
        });
    }

    /// Waits until all have ended, but not longer than `limit`. Returns whether they have.
    pub(crate) fn wait(self, limit: Duration) -> bool {
        drop(self.running);
        let ended = self.ended.recv_timeout(limit);
        ended == Err(std::sync::mpsc::RecvTimeoutError::Disconnected)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_waits_for_those_that_end_and_not_for_one_that_hangs() {
        let long = Duration::from_secs(60);
        let threads = Threads::new();
        threads.start(|| {});
        assert!(threads.wait(long));
        let threads = Threads::new();
        let (_never, hangs) = channel::<()>();
        threads.start(move || assert!(hangs.recv().is_err()));
        assert!(!threads.wait(Duration::from_millis(1)));
        let threads = Threads::new();
        threads.start(|| panic!("a thread that panics has ended too"));
        assert!(threads.wait(long));
    }
}
