//! The library's host in an interpreter: it waits as Python waits, with the interpreter released
//! until the time is over or Python has a signal to handle.

use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use auto_recovery::host::{Host, SystemHost, Wait};
use auto_recovery::mutex;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::PyCFunction;

/// The longest part of a wait between two looks for signals.
const LOOK: Duration = Duration::from_millis(100);

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

    /// Waits by `time.sleep`, and ends with what the handler of a signal raises.
    ///
    /// A signal ends a sleep only when it comes during it and to its thread. Python's own
    /// `time.sleep` is therefore called for a part of the time after another, with a look for
    /// signals before each.
    fn wait(&self, py: Python<'_>, duration: Duration) -> PyResult<()> {
        py.check_signals()?;
        // Looked up each time: callers patch it, so that their tests take no time.
        let sleep = py
            .import(intern!(py, "time"))?
            .getattr(intern!(py, "sleep"))?;
        if !sleep.is_instance_of::<PyCFunction>() {
            return sleep.call1((duration.as_secs_f64(),)).map(drop);
        }
        let started = self.system.monotonic();
        loop {
            let left = duration.saturating_sub(self.system.monotonic().saturating_sub(started));
            if left.is_zero() {
                return Ok(());
            }
            sleep.call1((left.min(LOOK).as_secs_f64(),))?;
            py.check_signals()?;
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
        let slept = Python::attach(|py| match &self.sleep {
            Some(sleep) => sleep.call1(py, (duration.as_secs_f64(),)).map(drop),
            None => self.wait(py, duration),
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
