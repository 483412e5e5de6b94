//! Whether the order of strategies is learned, and from what.
//!
//! That is the user's to say: a project could turn it on, and teach what suits its author. It may
//! only turn it off.

use std::time::Duration;

use auto_recovery::Result;
use auto_recovery::learn::{LearnMode, LearnScope, LearnSettings as Learn};

use crate::settings::Setting;
use crate::settings::section::Section;

/// What one place says in `[learn]`.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct LearnLayer {
    /// Whether the order is learned.
    pub(crate) mode: Option<Setting<LearnMode>>,
    /// Whose trials count.
    pub(crate) scope: Option<Setting<LearnScope>>,
    /// Cost of a person who has to look.
    pub(crate) person: Option<Setting<Duration>>,
    /// Share of sessions that keep the shipped order, in percent.
    pub(crate) control: Option<Setting<u32>>,
}

/// The same, resolved.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct LearnSettings {
    pub(crate) mode: Setting<LearnMode>,
    pub(crate) scope: Setting<LearnScope>,
    pub(crate) person: Setting<Duration>,
    pub(crate) control: Setting<u32>,
}

impl LearnLayer {
    /// What the user's own file says.
    pub(crate) fn of_user(root: &mut Section<'_>) -> Result<Self> {
        let Some(mut section) = root.table("learn")? else {
            return Ok(Self::default());
        };
        let settings = Self {
            mode: section.parsed("mode", str::parse)?,
            scope: section.parsed("scope", str::parse)?,
            person: section.duration("person")?,
            control: section.parsed("control", percent)?,
        };
        section.finish()?;
        Ok(settings)
    }

    /// What a project's file says, which can only turn it off.
    pub(crate) fn of_project(root: &mut Section<'_>) -> Result<Self> {
        let Some(mut section) = root.table("learn")? else {
            return Ok(Self::default());
        };
        let only_off = |text: &str| match text {
            "off" => Ok(LearnMode::Off),
            _ => Err("a project can only say \"off\": set the rest in your own config.toml"),
        };
        let mode = section.parsed("mode", only_off)?;
        section.finish()?;
        Ok(Self {
            mode,
            ..Self::default()
        })
    }

    /// Takes from `weaker` whatever this says nothing about.
    pub(crate) fn lay_over(&mut self, weaker: &Self) {
        fn fill<T: Clone>(place: &mut Option<T>, weaker: &Option<T>) {
            if place.is_none() {
                place.clone_from(weaker);
            }
        }
        let Self {
            mode,
            scope,
            person,
            control,
        } = weaker;
        fill(&mut self.mode, mode);
        fill(&mut self.scope, scope);
        fill(&mut self.person, person);
        fill(&mut self.control, control);
    }

    /// It with the defaults.
    pub(crate) fn resolve(self) -> LearnSettings {
        let default = Learn::default();
        LearnSettings {
            mode: self.mode.unwrap_or_else(|| Setting::default(default.mode)),
            scope: self
                .scope
                .unwrap_or_else(|| Setting::default(default.scope)),
            person: self
                .person
                .unwrap_or_else(|| Setting::default(default.person)),
            control: self
                .control
                .unwrap_or_else(|| Setting::default(default.control_percent)),
        }
    }
}

impl LearnSettings {
    /// As the library takes it.
    pub(crate) fn settings(&self) -> Learn {
        Learn {
            mode: self.mode.value,
            scope: self.scope.value,
            person: self.person.value,
            control_percent: self.control.value,
        }
    }
}

/// A share like `10%`.
fn percent(text: &str) -> Result<u32, String> {
    let number = text
        .strip_suffix('%')
        .and_then(|number| number.parse().ok());
    number
        .filter(|percent| *percent <= 100)
        .ok_or_else(|| format!("`{text}` is no share: write one from \"0%\" to \"100%\""))
}
