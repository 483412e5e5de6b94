//! The outputs of a session whose texts are encrypted: kept in age files, and what strategy
//! commands are given stays in memory.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::audit::encrypting::Encryption;
use crate::audit::{AuditStore, session_id};
use crate::encryption::{SessionKey, age};
use crate::error::{Error, ErrorKind, Result};
use crate::files::{Links, Purpose, make_own_dir, read_small};
use crate::run::state::login::given_dir;

/// What the names of encrypted outputs end with, behind what they end with otherwise.
pub const SEALED_SUFFIX: &str = ".age";

/// The longest output that more is appended to: two commands of an attempt, each with what is kept
/// of both its streams.
const OUTPUT_BYTES_MAX: u64 = 256 << 20;

/// Encrypts the outputs of one session.
#[derive(Clone, Debug)]
pub(in crate::run) struct Vault {
    encryption: Arc<Encryption>,
    key: Arc<SessionKey>,
    given: Option<PathBuf>,
}

impl Vault {
    /// That of `session_id`, whose key is kept in `store`.
    ///
    /// # Errors
    /// [`ErrorKind::Refused`] if the store keeps no keys; otherwise if the key cannot be kept.
    pub(in crate::run) fn of(
        encryption: &Arc<Encryption>,
        store: &dyn AuditStore,
        session_id: &str,
    ) -> Result<Self> {
        let keys = store.keys()?.ok_or_else(|| {
            let text = "outputs cannot be encrypted: the store keeps no keys";
            Error::new(ErrorKind::Refused, text)
        })?;
        let name = session_id::encode(session_id)?;
        Ok(Self {
            key: encryption.session_key(keys, session_id)?,
            given: given_dir(encryption.login_dir(), &name),
            encryption: Arc::clone(encryption),
        })
    }

    /// The directory for what strategy commands are given, made; `None` where nothing is in memory.
    pub(in crate::run) fn given(&self) -> Option<&Path> {
        self.given.as_deref()
    }

    /// Makes that directory.
    pub(in crate::run) fn make_given(&self) -> Result<()> {
        let Some(given) = &self.given else {
            return Ok(());
        };
        let base = given.parent().and_then(Path::parent).unwrap_or(given);
        let below = given.strip_prefix(base).unwrap_or(Path::new(""));
        let made = make_own_dir(base, below, Purpose::State);
        made.map(drop)
            .map_err(|error| Error::io("create", given, error))
    }

    /// The age file that holds `text`.
    pub(in crate::run) fn close(&self, text: &[u8]) -> Vec<u8> {
        self.encryption.close_output(&self.key, text)
    }

    /// What `more` comes to behind the text in the age file at `path`; an empty one has none yet.
    pub(in crate::run) fn with_more(&self, path: &Path, more: &[u8]) -> Result<Vec<u8>> {
        let file = read_small(path, Links::Refuse, OUTPUT_BYTES_MAX)
            .map_err(|error| Error::io("read", path, error))?;
        let mut text = match file.is_empty() {
            true => Vec::new(),
            false => age::open(&[self.key.outputs()], &file)
                .map_err(|refused| Error::io("read", path, io::Error::other(refused)))?
                .to_vec(),
        };
        text.extend_from_slice(more);
        Ok(self.close(&text))
    }

    /// Removes what the run with the mark `run` gave strategy commands.
    pub(in crate::run) fn forget_given(&self, run: &str) {
        let Some(given) = &self.given else {
            return;
        };
        for name in fs::read_dir(given).into_iter().flatten().flatten() {
            let is_ours = name
                .path()
                .file_stem()
                .is_some_and(|stem| stem.to_str().is_some_and(|stem| stem.ends_with(run)));
            if is_ours {
                drop(fs::remove_file(name.path()));
            }
        }
        // Another run of the session may use it.
        drop(fs::remove_dir(given));
    }
}
