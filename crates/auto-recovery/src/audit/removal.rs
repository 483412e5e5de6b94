//! Removal of trails: the reason for it, and its result.

use sha2::{Digest, Sha256};

use crate::audit::{JournalEvent, SessionCleared, SessionHeld, SessionPruned};
use crate::integrity::hex;

/// The reason why a trail is removed.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Removal {
    /// A person's or a program's command.
    #[default]
    Cleared,
    /// The command of somebody who is named in the record: a user, or a token of a server.
    ClearedBy(String),
    /// A rule.
    Pruned(Pruning),
}

/// The rule that selected a trail for removal.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Pruning {
    /// The rule, in words.
    pub reason: String,
    /// The user it was done for.
    pub user: Option<String>,
    /// The machine it was done on.
    pub host: Option<String>,
    /// The file that has the entries now.
    pub archive: Option<String>,
    /// The trail's digest when it was selected: a trail with any other is kept.
    pub digest: TrailDigest,
}

/// The result of removing a trail.
#[derive(Clone, Debug, PartialEq)]
pub enum Removed {
    /// Removed, with this many entries.
    Gone {
        /// Number of entries.
        entries: u64,
    },
    /// No such trail exists.
    Unknown,
    /// Kept: the trail changed after it was selected.
    Changed,
    /// Kept: the session is held.
    Held(SessionHeld),
}

impl Removal {
    /// The journal's record of the removal of `trail`.
    pub fn event(&self, trail: SessionCleared) -> JournalEvent {
        match self {
            Self::Cleared => JournalEvent::SessionCleared(trail),
            Self::ClearedBy(user) => JournalEvent::SessionCleared(SessionCleared {
                user: Some(user.clone()),
                ..trail
            }),
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

    /// The digest that the trail must have to be removed; `None` if any will do.
    pub fn expected(&self) -> Option<&TrailDigest> {
        match self {
            Self::Cleared | Self::ClearedBy(_) => None,
            Self::Pruned(pruning) => Some(&pruning.digest),
        }
    }
}

/// The size and hash that distinguish a trail from every other.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TrailDigest {
    /// Number of its entries.
    pub entries: u64,
    /// Number of their bytes, each entry with a line's end.
    pub bytes: u64,
    /// SHA-256 of these bytes, in hex.
    pub sha256: String,
}

/// Makes a [`TrailDigest`] from entries one by one.
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

    /// The digest of the added entries.
    pub fn finish(self) -> TrailDigest {
        TrailDigest {
            entries: self.entries,
            bytes: self.bytes,
            sha256: hex(&self.hash.finalize()),
        }
    }
}
