//! Where the server sends traces and logs: `[otlp]` of the user's own file.

use std::path::PathBuf;

use auto_recovery::Result;

use crate::settings::Setting;
use crate::settings::section::Section;
use crate::settings::value::absolute_path;

/// What the user's own file says of it. No project and no variable says anything: a variable may
/// be meant for other programs.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct OtlpSettings {
    /// The receiver, as `http://127.0.0.1:4318`.
    pub(crate) endpoint: Option<Setting<String>>,
    /// A file with headers of each request, `Name: value` a line: they may be secret.
    pub(crate) headers_file: Option<Setting<PathBuf>>,
    /// Certificates that are trusted, as a PEM file.
    pub(crate) ca_file: Option<Setting<PathBuf>>,
}

impl OtlpSettings {
    /// What `[otlp]` of the user's own file says.
    pub(super) fn of_user(root: &mut Section<'_>) -> Result<Self> {
        let Some(mut section) = root.table("otlp")? else {
            return Ok(Self::default());
        };
        let settings = Self {
            endpoint: section.text("endpoint")?,
            headers_file: section.parsed("headers_file", absolute_path)?,
            ca_file: section.parsed("ca_file", absolute_path)?,
        };
        section.finish()?;
        match settings.endpoint {
            None => Err(section.refuse("has no `endpoint`: say where traces and logs go")),
            Some(_) => Ok(settings),
        }
    }

    /// Takes from `weaker` whatever this says nothing about.
    pub(super) fn lay_over(&mut self, weaker: &Self) {
        let Self {
            endpoint,
            headers_file,
            ca_file,
        } = weaker;
        self.endpoint = self.endpoint.take().or_else(|| endpoint.clone());
        self.headers_file = self.headers_file.take().or_else(|| headers_file.clone());
        self.ca_file = self.ca_file.take().or_else(|| ca_file.clone());
    }
}
