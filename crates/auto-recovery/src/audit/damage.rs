//! What of a store could not be read, told beside what could.

use std::collections::HashSet;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::wording::counted;

/// A place in a trail or journal that could not be read, and is not hidden.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Damage {
    /// The file, as a path, or the table.
    pub place: String,
    /// The line there, counted from 1; 0 if that is not known.
    pub line: u64,
    /// How many bytes could not be read; 0 if that is not known.
    pub bytes: u64,
    /// What is wrong with them.
    pub reason: String,
    /// Whether they are what a write left that was cut short, and were moved aside: nothing that
    /// was acknowledged.
    #[serde(skip)]
    pub is_aside: bool,
}

impl Damage {
    /// That nothing of `place` could be read, because of `reason`.
    pub fn of_all(place: impl Into<String>, reason: impl Into<String>) -> Self {
        Self {
            place: place.into(),
            reason: reason.into(),
            ..Self::default()
        }
    }

    /// Whether nothing of its place could be read.
    pub fn is_of_all(&self) -> bool {
        self.line == 0 && self.bytes == 0 && !self.is_aside
    }

    /// Adds those of `more` to `all` that are not there yet.
    pub fn join(all: &mut Vec<Self>, more: Vec<Self>) {
        if more.is_empty() {
            return;
        }
        let known: HashSet<Self> = all.iter().cloned().collect();
        all.extend(more.into_iter().filter(|one| !known.contains(one)));
    }
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.place)?;
        if self.line > 0 {
            write!(f, " line {}", self.line)?;
        }
        if self.bytes > 0 {
            write!(f, ": {} could not be read", counted(self.bytes, "byte"))?;
        }
        write!(f, ": {}", self.reason)
    }
}
