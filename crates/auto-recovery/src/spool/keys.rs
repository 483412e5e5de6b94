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

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::ErrorKind;
    use crate::host::Host;
    use crate::testing::ScriptedHost;

    fn spool(dir: &tempfile::TempDir, bytes_max: u64) -> Spool {
        let host: Arc<dyn Host> = Arc::new(ScriptedHost::new());
        Spool::new(&dir.path().join("spool"), bytes_max, &host).unwrap()
    }

    #[test]
    fn only_keys_that_somebody_read_are_destroyed() {
        let dir = tempfile::tempdir().unwrap();
        let spool = spool(&dir, 1000);
        assert!(!spool.has_any().unwrap());
        spool.keep_key("s", b"first", "it").unwrap();
        let read = spool.keys("s").unwrap();
        spool.keep_key("s", b"second", "it").unwrap();
        spool.keep_key("t", b"third", "it").unwrap();
        assert!(!spool.destroy_keys("s", &read).unwrap());
        let read = spool.keys("s").unwrap();
        assert_eq!(read, [&b"first"[..], b"second"]);
        assert!(spool.destroy_keys("s", &read).unwrap());
        assert_eq!(spool.key_sessions().unwrap(), ["t"]);
        assert!(spool.has_any().unwrap(), "a key waits, and nothing else");
    }

    #[test]
    fn a_full_spool_takes_no_key() {
        let dir = tempfile::tempdir().unwrap();
        let spool = spool(&dir, 100);
        spool.keep_key("s", &[1; 60], "it").unwrap();
        let full = spool.keep_key("t", &[2; 60], "the server").unwrap_err();
        assert_eq!(full.kind(), ErrorKind::NoSpace);
        assert!(full.to_string().contains("the server"), "{full}");
        assert_eq!(spool.key_sessions().unwrap(), ["s"]);
    }
}
