//! Keys of sessions for later processes of this login: in memory, never on a disk.
//!
//! A process that records more of a session cannot open its key. Without the cache each would make
//! one of its own.

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::keys::KeyStamp;
use crate::encryption::SessionKey;
use crate::error::Result;
use crate::files::{Links, Purpose, Synced, make_own_dir, open_own, read_small, replace_at_once};
use crate::integrity::hex;
use sha2::{Digest as _, Sha256};

/// Where the keys are in the directory of the login.
const BELOW: &str = "auto-recovery/keys";

/// The longest file that is read.
const FILE_BYTES_MAX: u64 = 4096;

/// A key that a process has at hand, and its file in the store.
#[derive(Clone)]
pub(super) struct Held {
    pub key: std::sync::Arc<SessionKey>,
    pub number: u64,
    pub stamp: KeyStamp,
}

#[derive(Serialize, Deserialize)]
struct Text {
    number: u64,
    stamp: KeyStamp,
    key: String,
}

/// The cache in a directory of this login that is in memory.
#[derive(Clone, Debug)]
pub(super) struct Cache(pub PathBuf);

impl Cache {
    /// The file for the key of a session, named by everything that `parts` say.
    fn path(&self, parts: &[&str]) -> PathBuf {
        let mut hash = Sha256::new();
        for part in parts {
            hash.update((part.len() as u64).to_le_bytes());
            hash.update(part);
        }
        self.0.join(BELOW).join(hex(&hash.finalize()[..16]))
    }

    /// The key that is there. What cannot be read is none.
    pub(super) fn read(&self, parts: &[&str]) -> Option<Held> {
        make_own_dir(&self.0, BELOW.as_ref(), Purpose::State).ok()?;
        let text = read_small(&self.path(parts), Links::Refuse, FILE_BYTES_MAX).ok()?;
        let text: Text = serde_json::from_slice(&Zeroizing::new(text)).ok()?;
        let key = Zeroizing::new(text.key);
        Some(Held {
            key: SessionKey::parse(key.as_bytes())?.into(),
            number: text.number,
            stamp: text.stamp,
        })
    }

    /// Leaves `held` for later processes.
    pub(super) fn write(&self, parts: &[&str], held: &Held) -> Result<()> {
        let Ok(_) = make_own_dir(&self.0, BELOW.as_ref(), Purpose::State) else {
            return Ok(());
        };
        let text = Text {
            number: held.number,
            stamp: held.stamp.clone(),
            key: held.key.text().to_string(),
        };
        let json = Zeroizing::new(serde_json::to_vec(&text).unwrap_or_default());
        drop(Zeroizing::new(text.key));
        let path = self.path(parts);
        replace_at_once(&path, Synced::No, &mut |file| {
            file.write_all(&json)
                .map_err(|error| crate::error::Error::io("write", &path, error))
        })
        .map(drop)
    }

    /// Removes the key that is there.
    pub(super) fn remove(&self, parts: &[&str]) {
        let path = self.path(parts);
        // In memory there is nothing that outlives this; a link is not followed.
        if let Ok(mut file) = open_own(&path, OpenOptions::new().write(true)) {
            let length = file.metadata().map_or(0, |metadata| metadata.len());
            let zeros = vec![0; usize::try_from(length.min(FILE_BYTES_MAX)).unwrap_or(0)];
            drop(file.write_all(&zeros));
        }
        drop(fs::remove_file(&path));
    }
}
