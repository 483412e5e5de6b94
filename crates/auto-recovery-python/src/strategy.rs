//! Strategies and the verifier that are Python's: called with the interpreter attached, through the
//! manager's own methods, so that subclasses and patched methods are honoured.

use std::sync::Arc;
use std::time::Duration;

use auto_recovery::strategy::{
    Call, Did, HandlerResult, NextTry, Outcome, Strategy, Verification, Verifier,
    parse_fix_changes as parse,
};
use auto_recovery::{Failure, RecoveryStrategyType};
use pyo3::exceptions::{PyException, PyKeyError};
use pyo3::intern;
use pyo3::prelude::*;

use crate::case::Case;
use crate::failure::failure;
use crate::host::Stop;
use crate::value::{text, texts};

/// The changes that a fix suggestion speaks of.
#[pyfunction]
pub(crate) fn parse_fix_changes(suggestion: &Bound<'_, PyAny>) -> PyResult<Vec<String>> {
    Ok(parse(&text(suggestion)?))
}

/// A strategy that the Python manager tries.
pub(crate) struct PythonStrategy {
    pub(crate) kind: RecoveryStrategyType,
    /// What the manager called it when it selected it.
    pub(crate) strategy: Py<PyAny>,
    pub(crate) case: Arc<Case>,
    /// Whether the last try found no handler to call.
    pub(crate) is_missing: bool,
}

impl Strategy for PythonStrategy {
    fn kind(&self) -> RecoveryStrategyType {
        self.kind.clone()
    }

    fn action(&self) -> String {
        format!("the {} handler", self.kind)
    }

    /// A wait helps no handler that is not there.
    fn next_try(
        &mut self,
        _failing: &Failure,
        _faced: Option<&Failure>,
        delay: Duration,
    ) -> NextTry {
        NextTry::After(match self.is_missing {
            true => Duration::ZERO,
            false => delay,
        })
    }

    fn act(&mut self, call: &Call<'_>) -> HandlerResult<Outcome> {
        Python::attach(|py| {
            let arguments = (
                &self.strategy,
                &self.case.error,
                &self.case.context,
                call.strategy_attempt,
            );
            let manager = self.case.manager.bind(py);
            let said = manager
                .call_method1(intern!(py, "_attempt_strategy"), arguments)
                .and_then(|said| outcome(&said));
            let said = said.map(|said| {
                self.is_missing = said.is_missing;
                (said.outcome, said.error_after)
            });
            let (outcome, error_after) = match said {
                Ok((outcome, error_after)) => (Ok(outcome), error_after),
                Err(error) => {
                    self.is_missing = false;
                    let words = failed(py, error, &self.case.stop);
                    let context = format!("Strategy execution failed: {words}");
                    (Err(context.into()), py.None())
                }
            };
            self.case.note_error_after(error_after);
            outcome
        })
    }
}

/// What the dictionary that an attempt returned says.
struct Said {
    outcome: Outcome,
    /// The error it left.
    error_after: Py<PyAny>,
    /// Whether there was no handler to call.
    is_missing: bool,
}

fn outcome(said: &Bound<'_, PyAny>) -> PyResult<Said> {
    let py = said.py();
    let item = |name| match said.get_item(name) {
        Ok(value) => Ok(value),
        Err(error) if error.is_instance_of::<PyKeyError>(py) => Ok(py.None().into_bound(py)),
        Err(error) => Err(error),
    };
    let success = item(intern!(py, "success"))?.is_truthy()?;
    let message = item(intern!(py, "message"))?;
    let changes_made = texts(&item(intern!(py, "changes_made"))?)?;
    let files_modified = texts(&item(intern!(py, "files_modified"))?)?;
    let error_after = item(intern!(py, "error_after"))?;
    let outcome = Outcome {
        // Where nothing changed and nothing succeeded, there is nothing to verify.
        did: match success || !changes_made.is_empty() || !files_modified.is_empty() {
            true => Did::Acted { worked: success },
            false => Did::Nothing,
        },
        message: match message.is_none() {
            true => String::new(),
            false => text(&message)?,
        },
        changes_made,
        files_modified,
        failure: match error_after.is_none() {
            true => None,
            false => failure(&error_after).ok(),
        },
        ..Outcome::default()
    };
    Ok(Said {
        outcome,
        error_after: error_after.unbind(),
        is_missing: item(intern!(py, "is_missing"))?.is_truthy()?,
    })
}

/// The manager's verifier, which says whether an error is cured.
pub(crate) struct PythonVerifier(pub(crate) Arc<Case>);

impl Verifier for PythonVerifier {
    fn verify(&mut self, _call: &Call<'_>) -> HandlerResult<Verification> {
        Python::attach(|py| {
            let manager = self.0.manager.bind(py);
            let passed = manager.call_method1(intern!(py, "_verify"), (&self.0.error,));
            match passed.and_then(|passed| passed.is_truthy()) {
                Ok(passed) => Ok(passed.into()),
                Err(error) => Err(failed(py, error, &self.0.stop).into()),
            }
        })
    }
}

/// What `error`, which a caller's code raised, says. What is no `Exception` (`KeyboardInterrupt`,
/// `SystemExit`, a task's cancellation) ends the recovery.
fn failed(py: Python<'_>, error: PyErr, stop: &Stop) -> String {
    let words = text(error.value(py)).unwrap_or_default();
    let name = || match error.get_type(py).name() {
        Ok(name) => name.to_string_lossy().into_owned(),
        Err(_) => "an exception".to_owned(),
    };
    if !error.is_instance_of::<PyException>(py) {
        let name = name();
        stop.set(error);
        return match words.is_empty() {
            true => name,
            false => format!("{name}: {words}"),
        };
    }
    if words.is_empty() { name() } else { words }
}
