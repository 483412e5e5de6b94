//! Options of a store over a server.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use auto_recovery::spool::{OnNotice, SPOOL_BYTES_MAX};

/// Options of a store over a server.
#[derive(Clone)]
pub struct RemoteOptions {
    /// The token, as `recover serve token add` prints it.
    pub token: String,
    /// A file of PEM certificates that are trusted, where the URL names none; otherwise those that
    /// browsers trust.
    pub root: Option<PathBuf>,
    /// The directory that keeps what is recorded while the server cannot be reached. Several
    /// processes may share it. Without one, it is refused then.
    pub spool: Option<PathBuf>,
    /// Largest size of the spool, in bytes.
    pub spool_bytes_max: u64,
    /// Longest time to connect.
    pub connect_timeout: Duration,
    /// Longest time until the server has taken what is recorded, connecting included, or answers
    /// what a recovery has to know before it begins.
    pub write_timeout: Duration,
    /// Longest time until the answer to any other question begins.
    pub read_timeout: Duration,
    /// Called with events worth reporting. The store continues either way.
    pub on_notice: Option<OnNotice>,
}

impl Default for RemoteOptions {
    fn default() -> Self {
        Self {
            token: String::new(),
            root: None,
            spool: None,
            spool_bytes_max: SPOOL_BYTES_MAX,
            connect_timeout: Duration::from_secs(5),
            write_timeout: Duration::from_secs(5),
            read_timeout: Duration::from_secs(30),
            on_notice: None,
        }
    }
}

impl fmt::Debug for RemoteOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RemoteOptions")
            .field("spool", &self.spool)
            .finish_non_exhaustive()
    }
}
