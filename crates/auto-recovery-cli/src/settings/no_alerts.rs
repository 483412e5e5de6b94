//! Tables about alerts, in a `recover` without the server: they are known, and nothing comes of
//! them.

use auto_recovery::Result;

use crate::settings::section::Section;

/// Nothing.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct AlertSettings {}

impl AlertSettings {
    /// Accepts the tables.
    pub(crate) fn of_user(root: &mut Section<'_>) -> Result<Self> {
        root.table("alerts")?;
        root.tables("alert")?;
        root.tables("notify")?;
        Ok(Self {})
    }

    pub(super) fn lay_over(&mut self, _weaker: &Self) {}
}
