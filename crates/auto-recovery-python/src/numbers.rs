//! The numbering of attempts that a Python manager keeps between its recoveries.

use std::sync::Arc;

use pyo3::prelude::*;

/// Numbers the attempts of a session, for all threads that recover with one manager.
#[pyclass(frozen, module = "auto_recovery._auto_recovery")]
#[derive(Debug, Default)]
pub(crate) struct AttemptNumbers {
    pub(crate) shared: Arc<auto_recovery::manager::AttemptNumbers>,
}

#[pymethods]
impl AttemptNumbers {
    #[new]
    fn new() -> Self {
        Self::default()
    }

    /// Forgets what it gave: the next number follows the record's last.
    fn forget(&self) {
        self.shared.forget();
    }
}
