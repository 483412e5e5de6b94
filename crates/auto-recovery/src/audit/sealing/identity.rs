//! The key by which witnesses know a store. It stays, and signs each seal beside the key of the
//! seal, which signs once: whoever steals it can have others cosign what he makes up from then on,
//! and change nothing that is sealed.

use std::io;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::keys::{Keys, draw, newer};
use super::sealer::Sealer;
use crate::error::{Error, ErrorKind, Result};
use crate::files::{Links, Synced, read_small, replace_at_once};
use crate::host::Host;
use crate::integrity::{Hash, LogKey, Seal, base64, decode_hash, has_line_of, public_key};

/// The format of the file that this release reads and writes.
const VERSION: u32 = 1;

/// The longest file that is read.
const FILE_BYTES_MAX: u64 = 4096;

/// The file.
#[derive(Serialize, Deserialize)]
struct IdentityText {
    v: u32,
    seed: String,
}

impl Keys {
    /// Where the key is by which witnesses know the store `origin`.
    pub(super) fn identity_place(&self, origin: &str) -> PathBuf {
        self.place(&format!("{origin}.identity"))
    }

    /// What the key grows from by which witnesses know the store `origin`; `None` if there is none.
    pub(super) fn identity(&self, origin: &str) -> Result<Option<Hash>> {
        let path = self.identity_place(origin);
        let bytes = match read_small(&path, Links::Refuse, FILE_BYTES_MAX) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            read => read.map_err(|error| Error::io("read", &path, error))?,
        };
        let damaged = || {
            let text = format!(
                "the key {}, by which witnesses know this store, is damaged",
                path.display()
            );
            Error::new(ErrorKind::Damaged, text)
        };
        let text: IdentityText =
            serde_json::from_slice(&bytes).map_err(|error| damaged().with_source(error))?;
        if text.v > VERSION {
            return Err(newer(&path, text.v));
        }
        decode_hash(&text.seed).map(Some).ok_or_else(damaged)
    }

    /// The same, made if there is none. Whoever calls it has the lock of the store.
    fn identity_made(&self, origin: &str, host: &dyn Host) -> Result<Hash> {
        if let Some(seed) = self.identity(origin)? {
            return Ok(seed);
        }
        let seed = draw(host);
        let text = IdentityText {
            v: VERSION,
            seed: base64(&seed),
        };
        let path = self.identity_place(origin);
        replace_at_once(&path, Synced::Yes, &mut |file| {
            serde_json::to_writer(file, &text)
                .map_err(|error| Error::io("write", &path, error.into()))
        })?;
        Ok(seed)
    }
}

impl Sealer {
    /// The key by which witnesses know the store, made once; `None` if somebody else is sealing.
    /// From then on every seal is signed with it too.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] if there is no seal yet; otherwise if the key cannot be read or
    /// written.
    pub fn log_key(&self) -> Result<Option<LogKey>> {
        let not_sealed = || {
            let text = format!("{} has no seal yet", self.store().url());
            Error::new(ErrorKind::NotFound, text)
        };
        let store = self.store().seals()?.ok_or_else(not_sealed)?;
        self.keys().make_dir()?;
        let Some((_turn, origin)) = self.take_turn(store)? else {
            return Ok(None);
        };
        let origin = origin.ok_or_else(not_sealed)?;
        let seed = self.keys().identity_made(&origin, self.host())?;
        Ok(Some(LogKey::new(&origin, public_key(&seed))))
    }

    /// The line that signs `seal` for witnesses, if they know the store; `before` is the note of
    /// the seal before it.
    ///
    /// # Errors
    /// If the key is not there any more, or cannot be read. The seal is one without that line.
    pub(super) fn identity_line(&self, seal: &Seal, before: Option<&str>) -> Result<String> {
        match self.keys().identity(&seal.origin)? {
            Some(seed) => Ok(seal.identity_line(&seed)),
            None if before.is_some_and(|note| has_line_of(note, &seal.origin)) => {
                let path = self.keys().identity_place(&seal.origin);
                let text = format!(
                    "the key {}, by which witnesses know this store, is not there any more",
                    path.display()
                );
                Err(Error::new(ErrorKind::NotFound, text))
            }
            None => Ok(String::new()),
        }
    }
}
