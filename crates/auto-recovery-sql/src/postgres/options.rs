//! How a store in PostgreSQL works, and what it tells while it does.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use auto_recovery::audit::Durability;
use auto_recovery::wording::counted;

/// How large the spool may grow unless somebody says otherwise: some 300,000 entries.
pub const SPOOL_BYTES_MAX: u64 = 256 * 1024 * 1024;

/// Whom the store tells what callers should know.
pub type OnNotice = Arc<dyn Fn(&Notice) + Send + Sync>;

/// How a store in PostgreSQL works.
#[derive(Clone)]
pub struct PostgresOptions {
    /// When an append is acknowledged. [`Durability::Flush`] leaves the sync of the server's log to
    /// the server (`synchronous_commit = off`): a crash of it may lose the last moments.
    pub durability: Durability,
    /// The directory that entries and events are kept in while the server cannot be reached.
    /// Several processes may share it. Without one, they are refused then.
    pub spool: Option<PathBuf>,
    /// How many bytes may wait there.
    pub spool_bytes_max: u64,
    /// How long connecting may take.
    pub connect_timeout: Duration,
    /// How long one write may take, waits for others that write to the same session included.
    pub write_timeout: Duration,
    /// How long one question may take.
    pub read_timeout: Duration,
    /// How many connections the store opens at most.
    pub connections_max: usize,
    /// Is told what callers should know, and goes on.
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

/// What callers should know, and that is no failure.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Notice {
    /// The server cannot be reached: what comes is kept in the spool, and is durable there. Told
    /// once until the server is back.
    Spooling {
        /// Why, with the server's address.
        reason: String,
        /// The spool.
        spool: PathBuf,
    },
    /// What was kept in the spool is with the server now.
    Delivered {
        /// How many entries.
        entries: u64,
        /// How many journal records.
        records: u64,
    },
    /// Somebody reads while something waits in the spool, which is not in what is read. Told once.
    Waiting {
        /// How many entries.
        entries: u64,
        /// The spool.
        spool: PathBuf,
    },
    /// Something in the spool could not be read, and stays there.
    SpoolDamaged {
        /// Where it is.
        place: PathBuf,
        /// How many places of it could not be read.
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
