//! The library's host in an interpreter: waits end when Python has a signal to handle.

use std::sync::Arc;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use auto_recovery::host::{Host, SystemHost, Wait};
use pyo3::prelude::*;

/// How long a wait goes on before it looks for signals. Ctrl-C ends a wait within this time; 20 looks a
/// second cost nothing.
const SLICE: Duration = Duration::from_millis(50);

/// What ended a recovery from outside: `KeyboardInterrupt`, `SystemExit`, whatever a signal handler
/// raised. It is raised again once everything is on record.
#[derive(Debug, Default)]
pub(crate) struct Stop(Mutex<Option<PyErr>>);

impl Stop {
    /// Ends the recovery because of `error`. The first reason stays.
    pub(crate) fn set(&self, error: PyErr) {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get_or_insert(error);
    }

    /// The reason, if there is one.
    pub(crate) fn take(&self) -> Option<PyErr> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn is_set(&self) -> bool {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .is_some()
    }
}

/// The real world, with the interpreter released while it waits.
#[derive(Debug)]
pub(crate) struct PythonHost {
    system: SystemHost,
    stop: Arc<Stop>,
}

impl PythonHost {
    /// A host that `stop` interrupts.
    pub(crate) fn new(stop: Arc<Stop>) -> Self {
        Self {
            system: SystemHost::new(),
            stop,
        }
    }
}

impl Host for PythonHost {
    fn now(&self) -> SystemTime {
        self.system.now()
    }

    fn monotonic(&self) -> Duration {
        self.system.monotonic()
    }

    fn sleep(&self, duration: Duration) -> Wait {
        let end = self.monotonic().saturating_add(duration);
        loop {
            if let Err(error) = Python::attach(|py| py.check_signals()) {
                self.stop.set(error);
            }
            if self.stop.is_set() {
                return Wait::Interrupted;
            }
            let left = end.saturating_sub(self.monotonic());
            if left.is_zero() {
                return Wait::Elapsed;
            }
            self.system.sleep(left.min(SLICE));
        }
    }

    fn is_interrupted(&self) -> bool {
        self.stop.is_set()
    }

    fn random(&self) -> u64 {
        self.system.random()
    }
}
