//! What a verification is asked, and what it says of chains.

use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};

use super::keys::Keys;
use crate::host::timestamp;
use crate::integrity::{Cosignature, Seal, SealRefused, ShortSeal, WitnessKey, origin_line};

/// What is to be verified, and with what.
#[derive(Clone, Debug, Default)]
pub struct VerifyRequest {
    /// The sessions whose trails are read; all if there are none.
    pub sessions: Vec<String>,
    /// What was kept outside.
    pub against: Vec<Outside>,
    /// Names of chains that somebody wrote down.
    pub pins: Vec<String>,
    /// What must be so for the record to be proved.
    pub require: Requirements,
    /// The keys of this machine.
    pub keys: Option<Keys>,
    /// The witnesses whose signatures count.
    pub witnesses: Vec<WitnessKey>,
}

/// A seal that was kept outside.
#[derive(Clone, Debug)]
pub enum Outside {
    /// Its short form.
    Short(ShortSeal),
    /// All of it.
    Whole(Seal),
}

impl Outside {
    /// The seals in `text`: signed notes one after the other, or lines as a store keeps them.
    ///
    /// # Errors
    /// If something in it should be one and is none.
    pub fn read_all(text: &str) -> Result<Vec<Self>, SealRefused> {
        let mut notes: Vec<String> = Vec::new();
        for line in text.split_inclusive('\n') {
            if let Ok(kept) = serde_json::from_str::<KeptNote>(line) {
                notes.push(kept.note);
            } else if line.starts_with(&origin_line("")) {
                notes.push(line.to_owned());
            } else if let Some(note) = notes.last_mut() {
                note.push_str(line);
            }
        }
        let seals = notes
            .iter()
            .map(|note| Seal::read(&format!("{}\n", note.trim_end())));
        seals.map(|seal| seal.map(Self::Whole)).collect()
    }
}

/// A line of the seals, as far as it is needed of a copy.
#[derive(Deserialize)]
struct KeptNote {
    note: String,
}

/// What must be so for a record to be proved.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Requirements {
    /// Nothing was recorded since the newest seal.
    pub sealed: bool,
    /// A chain that was written down has sealed it.
    pub pinned: bool,
    /// A seal that was kept outside agrees, or one that a witness signed.
    pub outside: bool,
}

/// A seal that witnesses signed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Witnessed {
    /// The seal, in its short form.
    pub seal: String,
    /// Who did.
    pub witnesses: Vec<Witness>,
}

/// A witness, and when it signed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Witness {
    /// Its name.
    pub name: String,
    /// When, by its own clock, RFC 3339 in UTC.
    pub at: String,
}

impl From<&Cosignature> for Witness {
    fn from(signed: &Cosignature) -> Self {
        let since = Duration::from_secs(signed.at_s);
        let at = SystemTime::UNIX_EPOCH.checked_add(since);
        Self {
            name: signed.name.clone(),
            at: at.map_or_else(|| format!("second {}", signed.at_s), timestamp),
        }
    }
}

/// A chain of seals.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ChainReport {
    /// Its name.
    pub chain: String,
    /// Number of its seals.
    pub seals: u64,
    /// Number of journal records under its newest.
    pub size: u64,
    /// Who vouches for it.
    pub vouched_by: Option<Voucher>,
}

/// Who vouches for a chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Voucher {
    /// This machine began it.
    Memory,
    /// The key for its next seal is on this machine.
    Key,
    /// A seal of it was kept outside, or a witness signed one.
    Outside,
    /// Somebody wrote its name down.
    Pin,
}
