//! What a user can say about learning.

use std::str::FromStr;
use std::time::Duration;

use crate::error::{Error, ErrorKind};

/// Cost of a person who has to look, unless the user says otherwise.
const PERSON: Duration = Duration::from_secs(600);

/// Whether the order is learned.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LearnMode {
    /// Nothing is looked at or shown.
    Off,
    /// The learned order is shown and recorded; the shipped one is used.
    #[default]
    Advise,
    /// The learned order is used.
    On,
}

/// Whose trials count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LearnScope {
    /// Those of this workspace alone.
    Workspace,
    /// This workspace's, and a few of each other workspace of this user on this machine.
    #[default]
    User,
    /// The same, from every machine that the store has trails of.
    Store,
}

/// What a user says about learning.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LearnSettings {
    /// Whether the order is learned.
    pub mode: LearnMode,
    /// Whose trials count.
    pub scope: LearnScope,
    /// Cost of a person who has to look.
    pub person: Duration,
    /// Share of sessions that keep the shipped order for comparison, in percent.
    pub control_percent: u32,
}

impl Default for LearnSettings {
    fn default() -> Self {
        Self {
            mode: LearnMode::default(),
            scope: LearnScope::default(),
            person: PERSON,
            control_percent: 0,
        }
    }
}

impl LearnSettings {
    /// Learning is off.
    pub const OFF: Self = Self {
        mode: LearnMode::Off,
        scope: LearnScope::User,
        person: PERSON,
        control_percent: 0,
    };

    /// Whether what other projects saw counts.
    pub fn counts_others(&self) -> bool {
        self.scope != LearnScope::Workspace
    }
}

impl LearnMode {
    const ALL: [Self; 3] = [Self::Off, Self::Advise, Self::On];

    /// The name used in configuration.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Advise => "advise",
            Self::On => "on",
        }
    }
}

impl LearnScope {
    const ALL: [Self; 3] = [Self::Workspace, Self::User, Self::Store];

    /// The name used in configuration.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Workspace => "workspace",
            Self::User => "user",
            Self::Store => "store",
        }
    }
}

impl FromStr for LearnMode {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let found = Self::ALL.into_iter().find(|one| one.as_str() == text);
        found.ok_or_else(|| {
            let context = format!("`{text}` is no mode of learning: use off, advise or on");
            Error::new(ErrorKind::InvalidInput, context)
        })
    }
}

impl FromStr for LearnScope {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let found = Self::ALL.into_iter().find(|one| one.as_str() == text);
        found.ok_or_else(|| {
            let context = format!("`{text}` is no scope of learning: use workspace, user or store");
            Error::new(ErrorKind::InvalidInput, context)
        })
    }
}
