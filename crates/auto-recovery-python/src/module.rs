//! What Python sees of the native half. The package re-exports none of it: its own classes call it.

use pyo3::prelude::*;

/// The native half of the package `auto_recovery`.
#[pymodule(gil_used = false)]
mod _auto_recovery {
    use pyo3::prelude::*;

    #[pymodule_export]
    use crate::failure::classify;
    #[pymodule_export]
    use crate::log::AuditLog;
    #[pymodule_export]
    use crate::numbers::AttemptNumbers;
    #[pymodule_export]
    use crate::output::classify_output;
    #[pymodule_export]
    use crate::recover::recover;
    #[pymodule_export]
    use crate::strategy::parse_fix_changes;

    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        module.add("__version__", env!("CARGO_PKG_VERSION"))
    }
}
