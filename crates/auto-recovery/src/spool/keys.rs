//! The keys of sessions that wait in a spool until its server has them.
//!
//! They stand in `keys`, as in a store of files. What they closed may be in the segments: whoever
//! delivers seals the segments first, delivers the keys then, and the segments last. Keys come and
//! go under `lock`: none is destroyed but those that somebody read.

use super::segments::Spool;
use crate::audit::encrypting::KeyStore as _;
use crate::error::Result;

impl Spool {
    /// Keeps the key `file` of `session_id` until `server` is back; it is on the disk then.
    ///
    /// # Errors
    /// [`crate::ErrorKind::NoSpace`] if the spool is full; otherwise if it cannot be written.
    pub fn keep_key(&self, session_id: &str, file: &[u8], server: &str) -> Result<()> {
        let _locked = self.locked()?;
        self.check_room(file.len(), server)?;
        self.keys.add_key(session_id, "", file).map(drop)
    }

    /// The keys of `session_id` that wait.
    ///
    /// # Errors
    /// If they cannot be read.
    pub fn keys(&self, session_id: &str) -> Result<Vec<Vec<u8>>> {
        let keys = self.keys.read_keys(session_id)?;
        Ok(keys.into_iter().map(|key| key.file).collect())
    }

    /// The sessions with waiting keys, in order.
    ///
    /// # Errors
    /// If they cannot be listed.
    pub fn key_sessions(&self) -> Result<Vec<String>> {
        self.keys.key_sessions()
    }

    /// Whether any key waits.
    pub(super) fn has_keys(&self) -> Result<bool> {
        Ok(!self.key_sessions()?.is_empty())
    }

    /// Destroys the keys of `session_id` if they are still `known`, all that wait. Returns whether
    /// they were: one that came since is nowhere else.
    ///
    /// # Errors
    /// If one cannot be destroyed.
    pub fn destroy_keys(&self, session_id: &str, known: &[Vec<u8>]) -> Result<bool> {
        let _locked = self.locked()?;
        if self.keys(session_id)? != known {
            return Ok(false);
        }
        self.keys.destroy_keys(session_id).map(|_| true)
    }
}
