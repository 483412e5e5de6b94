//! The recipients of a recorder, and the keys of sessions that it has at hand.

use std::collections::HashMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use super::cache::{Cache, Held};
use super::keys::KeyStore;
use crate::encryption::{Recipient, SessionKey, age, draw_with};
use crate::error::{Error, ErrorKind, Result};
use crate::host::Host;
use crate::mutex;

/// Keys that a process has at hand at once. One that writes more sessions in turn makes more keys.
const HELD_MAX: usize = 4096;

/// Encryption to recipients, with a key for each session.
pub struct Encryption {
    host: Arc<dyn Host>,
    recipients: Vec<Recipient>,
    cache: Option<Cache>,
    held: Mutex<HashMap<(String, String), Held>>,
}

impl Encryption {
    /// Encryption to `recipients`. Keys of sessions are left for later processes in
    /// `login_dir`, a directory of this login's own that is in memory; without one each process
    /// has keys of its own.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`] if there is no recipient: nobody could open anything.
    pub fn new(
        host: Arc<dyn Host>,
        recipients: Vec<Recipient>,
        login_dir: Option<PathBuf>,
    ) -> Result<Arc<Self>> {
        if recipients.is_empty() {
            let text = "there is nobody to encrypt to: name a recipient `age1…`";
            return Err(Error::new(ErrorKind::InvalidInput, text));
        }
        Ok(Arc::new(Self {
            host,
            recipients,
            cache: login_dir.map(Cache),
            held: Mutex::default(),
        }))
    }

    /// Who can open what is encrypted.
    pub fn recipients(&self) -> &[Recipient] {
        &self.recipients
    }

    /// The directory of this login that is in memory, if there is one.
    pub fn login_dir(&self) -> Option<&Path> {
        self.cache.as_ref().map(|cache| &*cache.0)
    }

    /// 32 bytes that nobody can guess.
    pub(in crate::audit) fn draw(&self) -> [u8; 32] {
        draw_with(|| self.host.random())()
    }

    /// The key with which this process encrypts what `session_id` has in the store of `keys`. One
    /// that is new is on the disk there.
    ///
    /// # Errors
    /// If it cannot be kept.
    pub fn session_key(&self, keys: &dyn KeyStore, session_id: &str) -> Result<Arc<SessionKey>> {
        let id = (keys.keys_place(), session_id.to_owned());
        let is_there = |held: &Held| -> Result<bool> {
            let stamp = keys.key_stamp(session_id, held.number)?;
            Ok(stamp.as_ref() == Some(&held.stamp))
        };
        let mut all = mutex::lock(&self.held);
        if let Some(held) = all.get(&id)
            && is_there(held)?
        {
            return Ok(Arc::clone(&held.key));
        }
        let names: Vec<_> = self.recipients.iter().map(ToString::to_string).collect();
        let mut parts = vec![id.0.as_str(), id.1.as_str()];
        parts.extend(names.iter().map(String::as_str));
        let cached = self.cache.as_ref().and_then(|cache| cache.read(&parts));
        let held = match cached {
            Some(cached) if is_there(&cached)? => cached,
            _ => {
                let made = self.make(keys, session_id)?;
                if let Some(cache) = &self.cache {
                    // Later processes make a key of their own then.
                    drop(cache.write(&parts, &made));
                }
                made
            }
        };
        if all.len() >= HELD_MAX {
            all.clear();
        }
        let key = Arc::clone(&held.key);
        all.insert(id, held);
        Ok(key)
    }

    fn make(&self, keys: &dyn KeyStore, session_id: &str) -> Result<Held> {
        let draw = &mut || self.draw();
        let key = SessionKey::new(draw);
        let file = key.file(&self.recipients, draw);
        let number = keys.add_key(session_id, key.kid(), &file)?;
        let stamp = keys.key_stamp(session_id, number)?.unwrap_or_default();
        Ok(Held {
            key: Arc::new(key),
            number,
            stamp,
        })
    }

    /// Forgets the key of `session_id` in the store of `keys`, here and for later processes: what
    /// is recorded of it from now on has a new one.
    pub fn forget(&self, keys: &dyn KeyStore, session_id: &str) {
        let id = (keys.keys_place(), session_id.to_owned());
        mutex::lock(&self.held).remove(&id);
        if let Some(cache) = &self.cache {
            let names: Vec<_> = self.recipients.iter().map(ToString::to_string).collect();
            let mut parts = vec![id.0.as_str(), id.1.as_str()];
            parts.extend(names.iter().map(String::as_str));
            cache.remove(&parts);
        }
    }

    /// The age file that holds `text` for whoever has the key of the session.
    pub fn close_output(&self, key: &SessionKey, text: &[u8]) -> Vec<u8> {
        age::close(&[key.outputs().recipient()], text, &mut || self.draw())
    }
}

impl fmt::Debug for Encryption {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Encryption")
            .field("recipients", &self.recipients)
            .finish_non_exhaustive()
    }
}
