//! One recovery as its callbacks share it: the Python objects it is about.

use std::sync::{Arc, Mutex};

use pyo3::prelude::*;

use crate::host::Stop;
use auto_recovery::mutex;

/// The Python objects of one recovery.
pub(crate) struct Case {
    /// The manager, whose methods are called.
    pub(crate) manager: Py<PyAny>,
    /// The error that was given to it.
    pub(crate) error: Py<PyAny>,
    /// The context that was given to it.
    pub(crate) context: Py<PyAny>,
    /// What ends it from outside.
    pub(crate) stop: Arc<Stop>,
    /// What each try said of the error it left, in order.
    errors_after: Mutex<Vec<Py<PyAny>>>,
    /// The attempts that a logger of the caller's own was given, in order.
    attempts: Mutex<Vec<Py<PyAny>>>,
}

impl Case {
    pub(crate) fn new(manager: &Bound<'_, PyAny>, error: Py<PyAny>, context: Py<PyAny>) -> Self {
        Self {
            manager: manager.clone().unbind(),
            error,
            context,
            stop: Arc::default(),
            errors_after: Mutex::default(),
            attempts: Mutex::default(),
        }
    }

    /// Notes what a try said of the error it left.
    pub(crate) fn note_error_after(&self, error: Py<PyAny>) {
        push(&self.errors_after, error);
    }

    /// The error that the try at `index` left, `None` if it said nothing of one; the last try's
    /// without an index.
    pub(crate) fn error_after<'py>(
        &self,
        py: Python<'py>,
        index: Option<usize>,
    ) -> Bound<'py, PyAny> {
        let errors = mutex::lock(&self.errors_after);
        let error = match index {
            Some(index) => errors.get(index),
            None => errors.last(),
        };
        match error {
            Some(error) => error.bind(py).clone(),
            None => py.None().into_bound(py),
        }
    }

    /// Notes an attempt that was given to a logger.
    pub(crate) fn note_attempt(&self, attempt: Py<PyAny>) {
        push(&self.attempts, attempt);
    }

    /// The attempt at `index`, if a logger was given it.
    pub(crate) fn attempt<'py>(&self, py: Python<'py>, index: usize) -> Option<Bound<'py, PyAny>> {
        let attempts = mutex::lock(&self.attempts);
        attempts.get(index).map(|attempt| attempt.bind(py).clone())
    }
}

fn push(list: &Mutex<Vec<Py<PyAny>>>, value: Py<PyAny>) {
    mutex::lock(list).push(value);
}
