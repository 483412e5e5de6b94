//! Options of a store in PostgreSQL, and the notices that it gives.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use auto_recovery::audit::Durability;
use auto_recovery::wording::counted;

/// Largest size of the spool by default: some 300,000 entries.
pub const SPOOL_BYTES_MAX: u64 = 256 * 1024 * 1024;

/// The callback that takes the store's notices.
pub type OnNotice = Arc<dyn Fn(&Notice) + Send + Sync>;

/// Options of a store in PostgreSQL.
#[derive(Clone)]
pub struct PostgresOptions {
    /// The moment at which an append is acknowledged. [`Durability::Flush`] leaves the sync of the
    /// server's log to the server (`synchronous_commit = off`): a crash of it may lose the last
    /// moments.
    pub durability: Durability,
    /// The directory that keeps entries and events while the server cannot be reached. Several
    /// processes may share it. Without one, they are refused then.
    pub spool: Option<PathBuf>,
    /// Largest size of the spool, in bytes.
    pub spool_bytes_max: u64,
    /// Longest time to connect.
    pub connect_timeout: Duration,
    /// Longest time of one write, waits for others that write to the same session included.
    pub write_timeout: Duration,
    /// Longest time of one question.
    pub read_timeout: Duration,
    /// Most connections that the store opens.
    pub connections_max: usize,
    /// Called with events worth reporting. The store continues either way.
    pub on_notice: Option<OnNotice>,
}

impl Default for PostgresOptions {
    fn default() -> Self {
        Self {
            durability: Durability::default(),
            spool: None,
            spool_bytes_max: SPOOL_BYTES_MAX,
            connect_timeout: Duration::from_secs(5),
            write_timeout: Duration::from_secs(30),
            read_timeout: Duration::from_secs(600),
            connections_max: 8,
            on_notice: None,
        }
    }
}

impl fmt::Debug for PostgresOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresOptions")
            .field("durability", &self.durability)
            .field("spool", &self.spool)
            .finish_non_exhaustive()
    }
}

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
        }
    }
}
