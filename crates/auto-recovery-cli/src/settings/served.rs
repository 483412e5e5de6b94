//! The further duties of a server: it tells people of alerts, and sends traces.

use auto_recovery::Result;

use crate::settings::section::Section;
use crate::settings::{AlertSettings, OtlpSettings};

/// What the user's own file says of it.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct ServedSettings {
    /// What is watched for and who is told.
    pub(crate) alerts: AlertSettings,
    /// Where traces and logs go.
    pub(crate) otlp: OtlpSettings,
}

impl ServedSettings {
    /// What the user's own file says.
    pub(super) fn of_user(root: &mut Section<'_>) -> Result<Self> {
        Ok(Self {
            alerts: AlertSettings::of_user(root)?,
            otlp: OtlpSettings::of_user(root)?,
        })
    }

    /// Takes from `weaker` whatever this says nothing about.
    pub(super) fn lay_over(&mut self, weaker: &Self) {
        let Self { alerts, otlp } = weaker;
        self.alerts.lay_over(alerts);
        self.otlp.lay_over(otlp);
    }
}
