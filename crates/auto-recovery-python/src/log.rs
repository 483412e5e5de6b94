//! The audit log that Python's `RecoveryAuditLogger` keeps: the library's logger over one store.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use auto_recovery::audit::sealing::SealWhen;
use auto_recovery::audit::{Damage, Durability, NewEntry, Recorder, SessionStarted, redaction_key};
use auto_recovery::host::SystemHost;
use auto_recovery::jsonl::{JsonlOptions, JsonlStore};
use auto_recovery::logger::AttemptRecord;
use auto_recovery::redaction::{Redactor, is_secret_name};
use auto_recovery::statistics::AggregateQuery;
use auto_recovery::workspace::Workspace;
use auto_recovery::{Error, ErrorKind, RecoveryAuditEntry, RecoveryAuditLogger};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList};
use serde::Serialize;

use crate::attempt;
use crate::encryption;
use crate::entry;
use crate::error::{exception, invalid};
use crate::value::{optional_text, python, text, texts};

/// An audit trail on disk. Threads may share it; each call releases the interpreter while it works.
#[pyclass(frozen, module = "auto_recovery._auto_recovery")]
#[derive(Debug)]
pub(crate) struct AuditLog {
    pub(crate) logger: Arc<RecoveryAuditLogger>,
}

#[pymethods]
impl AuditLog {
    /// The log in `directory`, where exports and reports go too. `durability` is `sync` or `flush`.
    /// `command` is this process's own, of `user`: its sessions say so. `secrets` are variables of
    /// the environment, and values without a name; `None` keeps everything as it is. Texts are
    /// encrypted to the `recipients`, if there are any, and opened with what is in the file
    /// `identity`; `login_dir` is this login's own. What is recorded is sealed with keys in
    /// `state_dir`, if there is one, when `seal` says: `attempts`, `sessions` or `off`.
    #[new]
    #[expect(
        clippy::too_many_arguments,
        reason = "one class calls it, which has names for them"
    )]
    fn new(
        py: Python<'_>,
        directory: PathBuf,
        durability: &str,
        command: &Bound<'_, PyAny>,
        user: &Bound<'_, PyAny>,
        secrets: Option<Vec<(String, Vec<u8>)>>,
        recipients: Vec<String>,
        identity: Option<PathBuf>,
        login_dir: Option<PathBuf>,
        seal: &str,
        state_dir: Option<PathBuf>,
    ) -> PyResult<Self> {
        let durability = match durability {
            "sync" => Durability::Sync,
            "flush" => Durability::Flush,
            other => {
                let context = format!("unknown durability {other:?}: use sync or flush");
                return Err(invalid(py, context));
            }
        };
        let options = JsonlOptions {
            durability,
            ..JsonlOptions::default()
        };
        let caller = caller(texts(command)?, text(user)?);
        let host = Arc::new(SystemHost::new());
        let redactor = Arc::new(redactor(&host, secrets));
        let encryption = encryption::to(&recipients, (host.clone(), login_dir));
        let encryption = encryption.map_err(|error| exception(py, &error))?;
        let recorder = match encryption {
            None => Recorder::with_redactor(host.clone(), redactor),
            Some(encryption) => Recorder::encrypting(host.clone(), redactor, encryption),
        };
        let store = JsonlStore::open(&directory, options, recorder)
            .map_err(|error| exception(py, &error))?;
        let store = encryption::opened(Arc::new(store), identity);
        let when: SealWhen = seal.parse().map_err(|error| exception(py, &error))?;
        let when = when.with(durability);
        let logger = RecoveryAuditLogger::new(store, host, Some(directory)).for_caller(caller);
        let logger = match state_dir {
            Some(state_dir) => logger.sealing(&state_dir, when),
            None => logger,
        };
        Ok(Self {
            logger: Arc::new(logger),
        })
    }

    /// Seals what was recorded and is under no seal yet; returns why not, if it cannot.
    fn seal(&self, py: Python<'_>) -> Option<String> {
        let sealed = py.detach(|| self.logger.close());
        sealed.err().map(|error| error.chain())
    }

    /// Begins a session, or continues the one that has this id; returns the id.
    fn start_session(&self, session_id: &Bound<'_, PyAny>) -> PyResult<String> {
        let py = session_id.py();
        let session_id = optional_text(session_id)?;
        self.released(py, |logger| logger.start_session(session_id.as_deref()))
    }

    /// Records `attempt` and returns the id of its entry.
    fn log(
        &self,
        py: Python<'_>,
        attempt: &Bound<'_, PyAny>,
        session_id: &Bound<'_, PyAny>,
        files_modified: &Bound<'_, PyAny>,
        rollback_performed: bool,
        next_action: &Bound<'_, PyAny>,
    ) -> PyResult<String> {
        let record = AttemptRecord {
            files_modified: texts(files_modified)?,
            rollback_performed,
            next_action: text(next_action)?,
        };
        let new = attempt::entry(attempt, text(session_id)?, record)?;
        let appended = self.released(py, |logger| logger.log_entries(vec![new]))?;
        match appended.into_iter().next() {
            Some(appended) => Ok(appended.entry_id),
            None => Err(exception(
                py,
                &Error::new(ErrorKind::Damaged, "the store acknowledged nothing"),
            )),
        }
    }

    /// Records an entry that is ready, as it is.
    fn write(&self, entry: &Bound<'_, PyAny>) -> PyResult<()> {
        let new = NewEntry {
            entry: entry::read(entry)?,
            number_by_store: false,
        };
        self.released(entry.py(), |logger| logger.log_entries(vec![new]).map(drop))
    }

    /// The entries of a session, as instances of the data class.
    fn history<'py>(&self, session_id: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyList>> {
        self.list(session_id, entry::instance)
    }

    /// The entries of a session, as flat dictionaries.
    fn records<'py>(&self, session_id: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyList>> {
        self.list(session_id, entry::record)
    }

    /// The statistics of a session: the 15 keys of the specification.
    fn statistics<'py>(&self, session_id: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyDict>> {
        let py = session_id.py();
        let session_id = text(session_id)?;
        let (statistics, damage) =
            self.released(py, |logger| logger.store().read_statistics(&session_id))?;
        warn(py, &damage)?;
        dictionary(py, statistics)
    }

    /// The statistics of all sessions.
    fn aggregate<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let (aggregates, damage) = self.released(py, |logger| {
            logger.store().read_aggregate(&AggregateQuery::default())
        })?;
        warn(py, &damage)?;
        dictionary(py, aggregates.total)
    }

    /// Writes the trail of a session to a new file in the log's directory; returns its path.
    fn export(&self, session_id: &Bound<'_, PyAny>, format: &str) -> PyResult<PathBuf> {
        let py = session_id.py();
        let session_id = text(session_id)?;
        let (path, damage) =
            self.released(py, |logger| logger.export(&session_id, format.parse()?))?;
        warn(py, &damage)?;
        Ok(path)
    }

    /// Writes the report of a session to `output_path` or to a new file in the log's directory;
    /// returns its path.
    fn report(
        &self,
        session_id: &Bound<'_, PyAny>,
        output_path: Option<PathBuf>,
    ) -> PyResult<PathBuf> {
        let py = session_id.py();
        let session_id = text(session_id)?;
        let (path, damage) = self.released(py, |logger| {
            logger.report(&session_id, output_path.as_deref())
        })?;
        warn(py, &damage)?;
        Ok(path)
    }

    /// The sessions that have entries, newest first.
    fn session_ids(&self, py: Python<'_>) -> PyResult<Vec<String>> {
        let (ids, damage) = self.released(py, RecoveryAuditLogger::read_session_ids)?;
        warn(py, &damage)?;
        Ok(ids)
    }

    /// Removes the trail of a session; returns how many entries went, `None` for an unknown one.
    fn clear_session(&self, session_id: &Bound<'_, PyAny>) -> PyResult<Option<u64>> {
        let py = session_id.py();
        let session_id = text(session_id)?;
        self.released(py, |logger| logger.clear_session(&session_id))
    }

    /// Removes all trails; returns how many sessions went.
    fn clear_all_sessions(&self, py: Python<'_>) -> PyResult<u64> {
        self.released(py, RecoveryAuditLogger::clear_all_sessions)
    }
}

impl AuditLog {
    /// The entries of a session, each as `form` makes it.
    fn list<'py, T>(
        &self,
        session_id: &Bound<'py, PyAny>,
        form: impl Fn(Python<'py>, RecoveryAuditEntry) -> PyResult<Bound<'py, T>>,
    ) -> PyResult<Bound<'py, PyList>> {
        let py = session_id.py();
        let session_id = text(session_id)?;
        let (entries, damage) = self.released(py, |logger| logger.read_history(&session_id))?;
        warn(py, &damage)?;
        let list = PyList::empty(py);
        for entry in entries {
            list.append(form(py, entry)?.into_any())?;
        }
        Ok(list)
    }

    /// Runs `work` with the interpreter released, and returns its result.
    fn released<T: Send>(
        &self,
        py: Python<'_>,
        work: impl FnOnce(&RecoveryAuditLogger) -> auto_recovery::Result<T> + Send,
    ) -> PyResult<T> {
        py.detach(|| work(&self.logger))
            .map_err(|error| exception(py, &error))
    }
}

/// What masks secrets: of the variables among `secrets` those whose names say it count.
fn redactor(host: &SystemHost, secrets: Option<Vec<(String, Vec<u8>)>>) -> Redactor {
    let Some(secrets) = secrets else {
        return Redactor::off();
    };
    let redactor = Redactor::new(redaction_key(host));
    let (given, variables): (Vec<_>, Vec<_>) =
        secrets.into_iter().partition(|(name, _)| name.is_empty());
    let variables = variables
        .into_iter()
        .filter(|(name, _)| is_secret_name(name));
    let given = given
        .into_iter()
        .map(|(_, value)| ("value".to_owned(), value));
    redactor.learn_when_needed(variables.chain(given).collect());
    redactor
}

/// What is known of this process. A directory that cannot be found fails nothing: it is not named.
fn caller(command: Vec<String>, user: String) -> SessionStarted {
    let cwd = std::env::current_dir().ok();
    let workspace = cwd
        .as_deref()
        .and_then(|cwd| Workspace::find(cwd, None).ok());
    let root = workspace.as_ref().map(Workspace::root);
    SessionStarted {
        command: (!command.is_empty()).then_some(command),
        cwd: cwd.map(|cwd| cwd.display().to_string()),
        workspace: root.map(|root| root.display().to_string()),
        project: root
            .and_then(Path::file_name)
            .map(|name| name.to_string_lossy().into_owned()),
        user: Some(user),
        ..SessionStarted::default()
    }
}

/// Logs the damage that was met while reading.
fn warn(py: Python<'_>, damage: &[Damage]) -> PyResult<()> {
    if damage.is_empty() {
        return Ok(());
    }
    let logging = py.import(intern!(py, "logging"))?;
    let logger = logging.call_method1(intern!(py, "getLogger"), ("maestro.auto_recovery",))?;
    for place in damage {
        logger.call_method1(intern!(py, "warning"), ("%s", place.to_string()))?;
    }
    Ok(())
}

/// Statistics as a dictionary.
fn dictionary(py: Python<'_>, statistics: impl Serialize) -> PyResult<Bound<'_, PyDict>> {
    let json = serde_json::to_value(statistics)
        .expect("a struct of strings, finite numbers, lists and maps serialises");
    Ok(python(py, &json)?.cast_into()?)
}
