//! How much a recipe may do at worst, and a recipe as those name it who need no more of it.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::error::{Error, ErrorKind};

/// The worst that a recipe may do.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum Tier {
    /// It changes only what a tool changes to mend its own findings.
    #[default]
    Safe,
    /// It changes manifests, locks or caches, without the network.
    Moderate,
    /// It may download.
    Network,
}

impl Tier {
    /// Every tier, least first.
    pub const ALL: [Self; 3] = [Self::Safe, Self::Moderate, Self::Network];

    /// The name used in flags, configuration and messages.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Safe => "safe",
            Self::Moderate => "moderate",
            Self::Network => "network",
        }
    }
}

impl fmt::Display for Tier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for Tier {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        Self::ALL
            .into_iter()
            .find(|tier| tier.as_str() == text)
            .ok_or_else(|| {
                let context = format!("`{text}` is no tier: use safe, moderate or network");
                Error::new(ErrorKind::InvalidInput, context)
            })
    }
}

/// A recipe as records and messages name it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecipeRef {
    /// Its name.
    pub name: String,
    /// The worst it may do.
    pub tier: Tier,
}

impl fmt::Display for RecipeRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, {}", self.name, self.tier)
    }
}
