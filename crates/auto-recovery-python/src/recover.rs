//! One recovery of a Python manager: the library's loop over Python's strategies.

use std::sync::{Arc, Mutex};

use auto_recovery::audit::AuditStore;
use auto_recovery::failure::Context;
use auto_recovery::host::Host;
use auto_recovery::manager::{AutoRecoveryManager, Incident, ManagerSettings, Recovery};
use auto_recovery::mutex;
use auto_recovery::plan::GivenOrder;
use auto_recovery::{Category, RecoveryAuditLogger, RecoveryStrategyType};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyList, PyType};

use crate::attempt::{self, Failures};
use crate::case::Case;
use crate::error::exception;
use crate::failure::failure;
use crate::foreign::ForeignLog;
use crate::host::PythonHost;
use crate::log::AuditLog;
use crate::numbers::AttemptNumbers;
use crate::strategy::{PythonStrategy, PythonVerifier};
use crate::value::{duration, float, text, whole};
use crate::watch::Watch;

/// The rule that the journal names where the manager's own classification was replaced.
const RULE_CALLER: &str = "caller";

/// What the manager knows when a recovery begins.
#[derive(FromPyObject)]
pub(crate) struct Request<'py> {
    /// The strategies to try, in order.
    strategies: Vec<Bound<'py, PyAny>>,
    /// Whether the category is the library's own word.
    is_own_category: bool,
    /// The log to record in, where the loop may do that by itself.
    native: Option<Py<AuditLog>>,
    /// The log that keeps the journal, where a logger of the caller's own is asked to record.
    journal: Option<Py<AuditLog>>,
    /// Waits in the place of `time.sleep`.
    sleep: Option<Py<PyAny>>,
}

/// Recovers from `error` with the strategies of `request`, tried through the methods of `manager`.
/// Returns the result, which is then in the manager's history.
#[pyfunction]
pub(crate) fn recover<'py>(
    manager: &Bound<'py, PyAny>,
    error: &Bound<'py, PyAny>,
    context: &Bound<'py, PyAny>,
    request: Request<'py>,
) -> PyResult<Bound<'py, PyAny>> {
    let py = manager.py();
    let case = Arc::new(Case::new(
        manager,
        error.clone().unbind(),
        context.clone().unbind(),
    ));
    let host: Arc<dyn Host> = Arc::new(PythonHost::new(
        Arc::clone(&case.stop),
        request.sleep.as_ref().map(|sleep| sleep.clone_ref(py)),
    ));
    let incident = incident(error, &request)?;
    let raised = Arc::default();
    let settings = settings(manager, &*host)?;
    let logger = logger(manager, &request, &case, &raised, &host)?;
    let mut inner = AutoRecoveryManager::with_logger(settings, logger, host);
    prepare(&mut inner, manager, &request, &case)?;
    let recovered = py.detach(|| inner.recover(incident, &Context::new()));
    match recovered {
        Ok(recovery) => {
            let result = result(py, &recovery, &case)?;
            let history = manager.getattr(intern!(py, "recovery_history"))?;
            history.call_method1(intern!(py, "append"), (&result,))?;
            case.stop.take().map_or(Ok(result), Err)
        }
        Err(error) => {
            let raised = mutex::lock(&raised).take();
            let reason = case.stop.take().or(raised);
            Err(reason.unwrap_or_else(|| exception(py, &error)))
        }
    }
}

fn incident(error: &Bound<'_, PyAny>, request: &Request<'_>) -> PyResult<Incident> {
    let failure = failure(error)?;
    let (category, rule) = match request.is_own_category {
        true => auto_recovery::classify::classify(&failure),
        false => (Category::Unknown, RULE_CALLER),
    };
    Ok(Incident::new(failure, category, rule))
}

fn kinds(request: &Request<'_>) -> PyResult<Vec<RecoveryStrategyType>> {
    let names = request.strategies.iter().map(text);
    names
        .map(|name| name.map(RecoveryStrategyType::from))
        .collect()
}

fn settings(manager: &Bound<'_, PyAny>, host: &dyn Host) -> PyResult<ManagerSettings> {
    let py = manager.py();
    let seconds = |name: &str| {
        let value = float(&manager.getattr(name)?, name)?;
        duration(py, value, name)
    };
    let deadline = match manager.getattr(intern!(py, "deadline"))?.is_none() {
        true => None,
        false => Some(host.monotonic().saturating_add(seconds("deadline")?)),
    };
    let max_attempts = whole(
        &manager.getattr(intern!(py, "max_attempts"))?,
        "max_attempts",
    )?;
    Ok(ManagerSettings {
        max_attempts: u32::try_from(max_attempts).unwrap_or(u32::MAX),
        base_delay: seconds("base_delay")?,
        max_delay: seconds("max_delay")?,
        jitter: manager.getattr(intern!(py, "jitter"))?.is_truthy()?,
        deadline,
        ..ManagerSettings::default()
    })
}

/// The library's logger for this recovery: the log's own, or one whose entries go to a Python
/// logger.
fn logger(
    manager: &Bound<'_, PyAny>,
    request: &Request<'_>,
    case: &Arc<Case>,
    raised: &Arc<Mutex<Option<PyErr>>>,
    host: &Arc<dyn Host>,
) -> PyResult<Option<Arc<RecoveryAuditLogger>>> {
    let py = manager.py();
    if let Some(log) = &request.native {
        return Ok(Some(Arc::clone(&log.get().logger)));
    }
    let logger = manager.getattr(intern!(py, "audit_logger"))?;
    if logger.is_none() {
        return Ok(None);
    }
    let journal = request.journal.as_ref();
    let store: Arc<dyn AuditStore> = Arc::new(ForeignLog {
        logger: logger.unbind(),
        session_id: manager.getattr(intern!(py, "current_session_id"))?.unbind(),
        case: Arc::clone(case),
        journal: journal.map(|log| Arc::clone(log.get().logger.store())),
        raised: Arc::clone(raised),
    });
    Ok(Some(Arc::new(RecoveryAuditLogger::new(
        store,
        Arc::clone(host),
        None,
    ))))
}

/// Gives the loop its session, its strategies and who verifies and watches.
fn prepare(
    inner: &mut AutoRecoveryManager,
    manager: &Bound<'_, PyAny>,
    request: &Request<'_>,
    case: &Arc<Case>,
) -> PyResult<()> {
    let py = manager.py();
    let session_id = manager.getattr(intern!(py, "current_session_id"))?;
    if !session_id.is_none() {
        inner.current_session_id = Some(text(&session_id)?);
    }
    let numbers = manager.getattr(intern!(py, "_numbers"))?;
    inner.numbers = Arc::clone(&numbers.cast::<AttemptNumbers>()?.get().shared);
    let kinds = kinds(request)?;
    inner.planner = Box::new(GivenOrder(kinds.clone()));
    let mut known = Vec::new();
    for (kind, strategy) in kinds.into_iter().zip(&request.strategies) {
        // Selected twice, it is one strategy that is tried twice.
        if !known.contains(&kind) {
            known.push(kind.clone());
            inner.add_strategy(Box::new(PythonStrategy {
                kind,
                strategy: strategy.clone().unbind(),
                case: Arc::clone(case),
                is_missing: false,
            }));
        }
    }
    let verifier = manager.getattr(intern!(py, "verifier"))?;
    if !verifier.is_none() {
        inner.verifier = Some(Box::new(PythonVerifier(Arc::clone(case))));
    }
    inner.observer = Some(Box::new(Watch(Arc::clone(case))));
    Ok(())
}

/// What came of the recovery, as an instance of the data class.
fn result<'py>(py: Python<'py>, recovery: &Recovery, case: &Case) -> PyResult<Bound<'py, PyAny>> {
    static CLASS: PyOnceLock<Py<PyType>> = PyOnceLock::new();
    let class = CLASS.import(py, "auto_recovery._model", "RecoveryResult")?;
    let result = &recovery.result;
    let error = case.error.bind(py);
    let attempts = PyList::empty(py);
    for (index, attempt) in result.attempts.iter().enumerate() {
        attempts.append(match case.attempt(py, index) {
            Some(attempt) => attempt,
            None => {
                let failures = Failures {
                    before: error,
                    after: case.error_after(py, Some(index)),
                };
                attempt::instance(py, attempt, failures)?
            }
        })?;
    }
    let final_error = match result.final_error {
        Some(_) => error.clone(),
        None => py.None().into_bound(py),
    };
    class.call1((
        result.success,
        strategy(py, &result.strategy_used)?,
        attempts,
        final_error,
        &result.message,
        result.escalated_to_human,
        &result.timestamp,
    ))
}

/// `kind` as a member of the enum; by its name where the enum has none.
fn strategy<'py>(py: Python<'py>, kind: &RecoveryStrategyType) -> PyResult<Bound<'py, PyAny>> {
    static CLASS: PyOnceLock<Py<PyType>> = PyOnceLock::new();
    let class = CLASS.import(py, "auto_recovery._model", "RecoveryStrategyType")?;
    match kind {
        RecoveryStrategyType::Custom(name) => Ok(name.into_pyobject(py)?.into_any()),
        kind => class.call1((kind.as_str(),)),
    }
}
