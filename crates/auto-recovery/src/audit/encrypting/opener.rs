//! Opening boxes, for whoever has an identity or is shown that something is encrypted.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex};

use super::keys::KeyStore;
use crate::encryption::SessionKey;
use crate::encryption::age::{self, AgeRefused};
use crate::error::{Error, ErrorKind, Result};
use crate::mutex;

/// Why nothing is opened.
pub(super) const NO_IDENTITY: &str = "texts are encrypted: `identity` in `[encryption]` of your \
    configuration names what opens them";

/// Why nobody opens it any more.
pub(super) const DESTROYED: &str = "texts are encrypted, and their key was destroyed";

/// What came of opening the file of a key.
#[derive(Debug)]
pub enum Unlocked {
    /// The text of the file.
    Text(zeroize::Zeroizing<Vec<u8>>),
    /// It is for others.
    ForOthers,
    /// It is not as it was written.
    Changed,
}

/// Opens the files of keys with an identity. An error is one of the identity itself.
type Unlock = dyn Fn(&[u8]) -> Result<Unlocked> + Send + Sync;

/// What stands for the texts in boxes that are not opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unopened {
    /// The box, for programs.
    Box,
    /// These words, for people.
    Words(String),
}

/// Opens the boxes of a store.
pub struct Opener {
    unlock: Option<Box<Unlock>>,
    unopened: Unopened,
    /// Told once, when the first box is met that stays closed.
    tell: Box<dyn Fn(&str) + Send + Sync>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    has_told: bool,
    sessions: HashMap<String, Arc<SessionKeys>>,
}

/// The keys of a session, as far as they can be had.
#[derive(Default)]
struct SessionKeys {
    keys: Vec<Arc<SessionKey>>,
    files: usize,
    for_others: usize,
}

/// What there is to open a box with.
pub(super) enum Found {
    /// Its key.
    Key(Arc<SessionKey>),
    /// Nobody tries.
    NoIdentity,
    /// There is no such key any more.
    Destroyed,
    /// The file of its key cannot be read.
    Damaged,
}

impl Opener {
    /// Opens with `unlock`, which is given the files of keys.
    pub fn new(unlock: impl Fn(&[u8]) -> Result<Unlocked> + Send + Sync + 'static) -> Self {
        Self {
            unlock: Some(Box::new(unlock)),
            unopened: Unopened::Box,
            tell: Box::new(|_| {}),
            state: Mutex::default(),
        }
    }

    /// Opens nothing.
    pub fn none() -> Self {
        Self {
            unlock: None,
            unopened: Unopened::Box,
            tell: Box::new(|_| {}),
            state: Mutex::default(),
        }
    }

    /// The same, with `unopened` for what stays closed.
    #[must_use]
    pub fn showing(mut self, unopened: Unopened) -> Self {
        self.unopened = unopened;
        self
    }

    /// The same; `tell` is called when the first box is met that stays closed, with the reason.
    #[must_use]
    pub fn telling(mut self, tell: impl Fn(&str) + Send + Sync + 'static) -> Self {
        self.tell = Box::new(tell);
        self
    }

    /// What stands for a box that stays closed: `None` for the box itself.
    pub(super) fn words(&self) -> Option<&str> {
        match &self.unopened {
            Unopened::Box => None,
            Unopened::Words(words) => Some(words),
        }
    }

    /// Says why a box stays closed, once.
    pub(super) fn told(&self, why: &str) {
        let had = std::mem::replace(&mut mutex::lock(&self.state).has_told, true);
        if !had {
            (self.tell)(why);
        }
    }

    /// What opens boxes of `session_id` that the key `kid` closed.
    ///
    /// # Errors
    /// [`ErrorKind::Refused`] if the identity is not one of those that the session was encrypted
    /// to; otherwise if the keys or the identity cannot be read.
    pub(super) fn find(
        &self,
        store: Option<&dyn KeyStore>,
        session_id: &str,
        kid: &str,
    ) -> Result<Found> {
        let Some(unlock) = &self.unlock else {
            return Ok(Found::NoIdentity);
        };
        let known = mutex::lock(&self.state).sessions.get(session_id).cloned();
        let has_key = |keys: &SessionKeys| keys.keys.iter().find(|key| key.kid() == kid).cloned();
        // One that was made since is looked for once more.
        if let Some(key) = known.as_deref().and_then(has_key) {
            return Ok(Found::Key(key));
        }
        let Some(store) = store else {
            return Ok(Found::Destroyed);
        };
        let keys = Arc::new(SessionKeys::read(store, session_id, unlock)?);
        let found = has_key(&keys);
        let (files, for_others) = (keys.files, keys.for_others);
        let all = &mut mutex::lock(&self.state).sessions;
        all.insert(session_id.to_owned(), Arc::clone(&keys));
        match found {
            Some(key) => Ok(Found::Key(key)),
            None if for_others > 0 => Err(wrong_identity(session_id, store)),
            None if files > keys.keys.len() => Ok(Found::Damaged),
            None => Ok(Found::Destroyed),
        }
    }

    /// The text of `file`, an encrypted output of `session_id`; `None`, once it is told why, if
    /// nothing here opens it.
    ///
    /// # Errors
    /// [`ErrorKind::Damaged`] if it is not as it was written; otherwise as for boxes.
    pub fn open_output(
        &self,
        store: Option<&dyn KeyStore>,
        session_id: &str,
        file: &[u8],
    ) -> Result<Option<Vec<u8>>> {
        let keys = match store {
            Some(store) => self.keys(store, session_id)?,
            None => Vec::new(),
        };
        let identities: Vec<_> = keys.iter().map(|key| key.outputs()).collect();
        match age::open(&identities, file) {
            Ok(text) => Ok(Some(text.to_vec())),
            Err(AgeRefused::ForOthers) => {
                self.told(match self.unlock {
                    None => NO_IDENTITY,
                    Some(_) => DESTROYED,
                });
                Ok(None)
            }
            Err(refused) => {
                let text = format!("an output of session {session_id} cannot be opened: {refused}");
                Err(Error::new(ErrorKind::Damaged, text))
            }
        }
    }

    /// The keys of `session_id`, for what is opened with them besides boxes; none without an
    /// identity.
    ///
    /// # Errors
    /// As for boxes: [`ErrorKind::Refused`] if the identity is another.
    fn keys(&self, store: &dyn KeyStore, session_id: &str) -> Result<Vec<Arc<SessionKey>>> {
        let Some(unlock) = &self.unlock else {
            return Ok(Vec::new());
        };
        let keys = SessionKeys::read(store, session_id, unlock)?;
        match keys.keys.is_empty() && keys.for_others > 0 {
            true => Err(wrong_identity(session_id, store)),
            false => Ok(keys.keys),
        }
    }
}

impl SessionKeys {
    fn read(store: &dyn KeyStore, session_id: &str, unlock: &Unlock) -> Result<Self> {
        let mut keys = Self::default();
        for file in store.read_keys(session_id)? {
            keys.files += 1;
            match unlock(&file.file)? {
                Unlocked::Text(text) => keys.keys.extend(SessionKey::parse(&text).map(Arc::new)),
                Unlocked::ForOthers => keys.for_others += 1,
                Unlocked::Changed => {}
            }
        }
        Ok(keys)
    }
}

fn wrong_identity(session_id: &str, store: &dyn KeyStore) -> Error {
    let text = format!(
        "the texts of session {session_id} are encrypted, and your identity is not one that they \
         are for: no key in {} opens with it. Everything but the texts is shown without an \
         identity",
        store.keys_place()
    );
    Error::new(ErrorKind::Refused, text)
}

impl fmt::Debug for Opener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Opener")
            .field("unopened", &self.unopened)
            .finish_non_exhaustive()
    }
}
