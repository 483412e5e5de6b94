//! Removing trails: why one goes, and what came of it.

use sha2::{Digest, Sha256};

use crate::audit::{JournalEvent, SessionCleared, SessionHeld, SessionPruned};

/// Why a trail is removed.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Removal {
    /// Somebody said so.
    #[default]
    Cleared,
    /// A rule said so.
    Pruned(Pruning),
}

/// The rule that a trail goes by.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Pruning {
    /// The rule, in words.
    pub reason: String,
    /// On whose behalf.
    pub user: Option<String>,
    /// On which machine.
    pub host: Option<String>,
    /// The file that has its entries now.
    pub archive: Option<String>,
    /// What the trail was when that was decided: any other stays.
    pub digest: TrailDigest,
}

/// What came of removing a trail.
#[derive(Clone, Debug, PartialEq)]
pub enum Removed {
    /// It is gone, with so many entries.
    Gone {
        /// How many.
        entries: u64,
    },
    /// There was none.
    Unknown,
    /// It is no longer what it was when that was decided, and stays.
    Changed,
    /// It is to be kept, and stays.
    Held(SessionHeld),
}

impl Removal {
    /// The journal's record of it, given what goes.
    pub fn event(&self, trail: SessionCleared) -> JournalEvent {
        match self {
            Self::Cleared => JournalEvent::SessionCleared(trail),
            Self::Pruned(pruning) => JournalEvent::SessionPruned(SessionPruned {
                trail,
                sha256: pruning.digest.sha256.clone(),
                reason: pruning.reason.clone(),
                user: pruning.user.clone(),
                host: pruning.host.clone(),
                archive: pruning.archive.clone(),
            }),
        }
    }

    /// What the trail must be in order to go; `None` if it goes whatever it is.
    pub fn expected(&self) -> Option<&TrailDigest> {
        match self {
            Self::Cleared => None,
            Self::Pruned(pruning) => Some(&pruning.digest),
        }
    }
}

/// What tells a trail from every other.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TrailDigest {
    /// How many entries it has.
    pub entries: u64,
    /// How many bytes they have, each with a line's end.
    pub bytes: u64,
    /// SHA-256 of these bytes, in hex.
    pub sha256: String,
}

/// Makes a [`TrailDigest`] as entries come.
#[derive(Clone, Debug, Default)]
pub struct Digester {
    entries: u64,
    bytes: u64,
    hash: Sha256,
}

impl Digester {
    /// Adds the next entry, as it is stored.
    pub fn push(&mut self, raw: &[u8]) {
        self.entries += 1;
        self.bytes += raw.len() as u64 + 1;
        self.hash.update(raw);
        self.hash.update(b"\n");
    }

    /// The digest of what was added.
    pub fn finish(self) -> TrailDigest {
        TrailDigest {
            entries: self.entries,
            bytes: self.bytes,
            sha256: hex(&self.hash.finalize()),
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
