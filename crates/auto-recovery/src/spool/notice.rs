//! The notices that a store with a spool gives.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use crate::wording::counted;

/// Largest size of the spool by default: some 300,000 entries.
pub const SPOOL_BYTES_MAX: u64 = 256 * 1024 * 1024;

/// The callback that takes the store's notices.
pub type OnNotice = Arc<dyn Fn(&Notice) + Send + Sync>;

/// An event that callers should know of, and that is no failure.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Notice {
    /// The server cannot be reached: new entries and events are kept in the spool, and are durable
    /// there. Given once until the server is back.
    Spooling {
        /// The reason, with the server's address.
        reason: String,
        /// The spool.
        spool: PathBuf,
    },
    /// The entries and events of the spool are with the server now.
    Delivered {
        /// Number of entries.
        entries: u64,
        /// Number of journal records.
        records: u64,
    },
    /// A reader does not see what still waits in the spool. Given once.
    Waiting {
        /// Number of waiting entries.
        entries: u64,
        /// The spool.
        spool: PathBuf,
    },
    /// Something in the spool could not be read, and stays there.
    SpoolDamaged {
        /// The damaged file.
        place: PathBuf,
        /// Number of places in it that could not be read.
        damaged: usize,
    },
    /// The server does not take something in the spool, which stays there.
    SpoolRefused {
        /// The file with it, and with what was delivered.
        place: PathBuf,
        /// Number of entries and journal records that it does not take.
        refused: usize,
        /// Why it does not take the first of them.
        reason: String,
    },
}

impl fmt::Display for Notice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Spooling { reason, spool } => {
                write!(f, "{reason}; kept in {} until it is back", spool.display())
            }
            Self::Delivered { entries, records } => write!(
                f,
                "delivered {} and {} that waited in the spool",
                counted(*entries, "entry"),
                counted(*records, "journal record")
            ),
            Self::Waiting { entries, spool } => write!(
                f,
                "{} {} in {} and {} not shown: the next write that reaches the server delivers {}",
                counted(*entries, "entry"),
                if *entries == 1 { "waits" } else { "wait" },
                spool.display(),
                if *entries == 1 { "is" } else { "are" },
                if *entries == 1 { "it" } else { "them" },
            ),
            Self::SpoolDamaged { place, damaged } => write!(
                f,
                "{} in {} could not be read: what could be was delivered, the rest stays there",
                counted(*damaged as u64, "place"),
                place.display()
            ),
            Self::SpoolRefused {
                place,
                refused,
                reason,
            } => write!(
                f,
                "{} in {} stays there, and all else was delivered: {reason}; without `.damaged` at \
                 the end of its name it is sent once more",
                counted(*refused as u64, "record"),
                place.display()
            ),
        }
    }
}
