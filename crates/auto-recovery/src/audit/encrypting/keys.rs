//! What a store must do to keep the keys of its sessions.

use crate::error::Result;

/// The file of a key of a session, and its number, from 1: each recorder that cannot take over the
/// key of another makes one of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyFile {
    /// Its number.
    pub number: u64,
    /// The age file.
    pub file: Vec<u8>,
}

/// What a key's file is told by, as long as nobody replaces or removes it.
pub type KeyStamp = String;

/// A store that keeps the keys of its sessions.
pub trait KeyStore: Send + Sync {
    /// Where the keys are, in messages.
    fn keys_place(&self) -> String;

    /// The keys of `session_id`, by their numbers.
    ///
    /// # Errors
    /// If they cannot be read.
    fn read_keys(&self, session_id: &str) -> Result<Vec<KeyFile>>;

    /// Adds `file`, which holds the key `kid`, to the keys of `session_id`, and returns its number
    /// once it is on the disk.
    ///
    /// # Errors
    /// If it cannot be written.
    fn add_key(&self, session_id: &str, kid: &str, file: &[u8]) -> Result<u64>;

    /// What the file of key `number` of `session_id` is told by; `None` if it is gone.
    ///
    /// # Errors
    /// If it cannot be looked at.
    fn key_stamp(&self, session_id: &str, number: u64) -> Result<Option<KeyStamp>>;

    /// The sessions that have keys, in order.
    ///
    /// # Errors
    /// If they cannot be listed.
    fn key_sessions(&self) -> Result<Vec<String>>;

    /// Replaces the files of these keys, all or none of them: until the last of the new files is on
    /// the disk, every old one is as it was.
    ///
    /// # Errors
    /// If one cannot be written, or is gone.
    fn replace_keys(&self, keys: &[(String, KeyFile)]) -> Result<()>;

    /// Destroys the keys of `session_id`: what they closed opens for nobody any more. Returns how
    /// many there were.
    ///
    /// # Errors
    /// If one cannot be destroyed; those before it are.
    fn destroy_keys(&self, session_id: &str) -> Result<u64>;
}
