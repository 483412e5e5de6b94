//! What a user's file says about coding agents as fixers.
//!
//! Plain values: whether one can be called so is the library's to say.

use auto_recovery::Result;
use auto_recovery::fixer::{PresetChange, PromptBy};

use crate::settings::section::Section;
use crate::settings::{Origin, Setting};

/// `[fixer.NAME]`: changes the agent that `agent:NAME` calls, or makes one.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct FixerSetting {
    /// What the file says of it.
    pub(crate) change: PresetChange,
    /// Where it stands.
    pub(crate) origin: Origin,
}

/// Reads the `[fixer.NAME]` tables.
pub(crate) fn read_fixers(root: &mut Section<'_>) -> Result<Vec<FixerSetting>> {
    root.tables("fixer")?
        .into_iter()
        .map(|(name, section)| read_fixer(name, section))
        .collect()
}

fn read_fixer(name: String, mut section: Section<'_>) -> Result<FixerSetting> {
    let change = PresetChange {
        argv: value(section.texts("argv")?),
        prompt: value(section.parsed("prompt", str::parse::<PromptBy>)?),
        turns: value(section.number("turns", 1)?),
        budget_usd: value(section.text("budget_usd")?),
        timeout: value(section.limit("timeout")?),
        env_remove: value(section.texts("env_remove")?),
        probe: value(section.texts("probe")?),
        version_min: value(section.text("version_min")?),
        version_below: value(section.text("version_below")?),
        name,
    };
    section.finish()?;
    Ok(FixerSetting {
        change,
        origin: section.origin(),
    })
}

fn value<T>(setting: Option<Setting<T>>) -> Option<T> {
    setting.map(|setting| setting.value)
}
