//! Options of a store in PostgreSQL.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use auto_recovery::audit::Durability;
use auto_recovery::spool::{OnNotice, SPOOL_BYTES_MAX};

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
    /// Longest time to connect to a host, handshake included.
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
            write_timeout: Duration::from_secs(10),
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
