//! The user's wish to stop.

use std::time::Duration;

use crate::host::Wait;

/// The user's wish to stop, as a value that waits can watch.
#[derive(Debug)]
pub struct Interrupt {}

impl Interrupt {
    /// An interrupt that is never raised.
    pub fn none() -> Self {
        Self {}
    }

    /// The signal it was raised with, once it was.
    pub fn raised(&self) -> Option<i32> {
        None
    }

    /// Waits for `duration`, or until it is raised.
    pub fn wait(&self, duration: Duration) -> Wait {
        std::thread::sleep(duration);
        Wait::Elapsed
    }
}
