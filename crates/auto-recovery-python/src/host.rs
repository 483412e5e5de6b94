//! The library's host in an interpreter: it waits as Python waits, with the interpreter released
//! until the time is over or Python has a signal to handle.

use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use auto_recovery::host::{Host, SystemHost, Wait};
use auto_recovery::mutex;
use pyo3::intern;
use pyo3::prelude::*;

/// What ended a recovery from outside: `KeyboardInterrupt`, `SystemExit`, whatever a signal handler
/// raised. It is raised again once everything is on record.
#[derive(Debug, Default)]
pub(crate) struct Stop(Mutex<Option<PyErr>>);

impl Stop {
    /// Ends the recovery because of `error`. The first reason stays.
    pub(crate) fn set(&self, error: PyErr) {
        mutex::lock(&self.0).get_or_insert(error);
    }

    /// The reason, if there is one.
    pub(crate) fn take(&self) -> Option<PyErr> {
        mutex::lock(&self.0).take()
    }

    fn is_set(&self) -> bool {
        mutex::lock(&self.0).is_some()
    }
}

/// The real world.
#[derive(Debug)]
pub(crate) struct PythonHost {
    system: SystemHost,
    stop: Arc<Stop>,
    /// Waits in the place of `time.sleep`.
    sleep: Option<Py<PyAny>>,
}

impl PythonHost {
    /// A host that `stop` interrupts, and that waits by `sleep` where it is given one.
    pub(crate) fn new(stop: Arc<Stop>, sleep: Option<Py<PyAny>>) -> Self {
        Self {
            system: SystemHost::new(),
            stop,
            sleep,
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
        if self.stop.is_set() {
            return Wait::Interrupted;
        }
        let seconds = (duration.as_secs_f64(),);
        let slept = Python::attach(|py| {
            // A signal that came since Python last looked would not end the wait.
            py.check_signals()?;
            match &self.sleep {
                Some(sleep) => sleep.call1(py, seconds).map(drop),
                // Looked up each time: callers patch it, so that their tests take no time.
                None => {
                    let time = py.import(intern!(py, "time"))?;
                    time.call_method1(intern!(py, "sleep"), seconds).map(drop)
                }
            }
        });
        if let Err(error) = slept {
            self.stop.set(error);
        }
        match self.stop.is_set() {
            true => Wait::Interrupted,
            false => Wait::Elapsed,
        }
    }

    fn is_interrupted(&self) -> bool {
        self.stop.is_set()
    }

    fn random(&self) -> u64 {
        self.system.random()
    }
}
