//! Automatic removal of old trails.

use std::path::PathBuf;
use std::time::Duration;

use auto_recovery::Result;
use auto_recovery::retention::RetentionRules;

use crate::settings::section::Section;
use crate::settings::value::absolute_path;
use crate::settings::{Setting, parse_size};

/// The rules of `[retention]`. With none, nothing is removed.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct RetentionSettings {
    /// Sessions older than this are removed.
    pub(crate) older_than: Option<Setting<Duration>>,
    /// This many of the newest sessions are kept.
    pub(crate) keep_last: Option<Setting<u32>>,
    /// While all sessions have more bytes, the oldest is removed.
    pub(crate) max_size: Option<Setting<u64>>,
    /// The directory of archives.
    pub(crate) archive: Option<Setting<PathBuf>>,
}

impl RetentionSettings {
    /// Reads the table of a file.
    pub(crate) fn read(section: &mut Section<'_>) -> Result<Self> {
        let settings = Self {
            older_than: section.duration("older_than")?,
            keep_last: section.number("keep_last", 0)?,
            max_size: section.parsed("max_size", parse_size)?,
            archive: section.parsed("archive", absolute_path)?,
        };
        section.finish()?;
        Ok(settings)
    }

    /// The rules.
    pub(crate) fn rules(&self) -> RetentionRules {
        let value = |setting: &Option<Setting<u64>>| setting.as_ref().map(|one| one.value);
        RetentionRules {
            older_than: self.older_than.as_ref().map(|one| one.value),
            keep_last: self.keep_last.as_ref().map(|one| one.value.into()),
            max_bytes: value(&self.max_size),
            project: None,
        }
    }
}
