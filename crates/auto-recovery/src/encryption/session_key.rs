//! The key of a session: what its boxes are closed with.

use std::fmt;

use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use super::age::{self, derived};
use super::key::Identity;
use super::{Draw, Recipient};
use crate::integrity::{base64, decode_hash, hex};

/// What the text in its file begins with; the number is the format.
const TEXT_PREFIX: &str = "auto-recovery session key 1 ";

/// Bytes of the hash that name a key.
const KID_BYTES: usize = 4;

/// The key of a session, of the recorder that made it.
#[derive(Clone)]
pub struct SessionKey {
    key: Zeroizing<[u8; 32]>,
    kid: String,
}

impl SessionKey {
    /// A new one.
    pub fn new(draw: &mut Draw<'_>) -> Self {
        Self::of(Zeroizing::new(draw()))
    }

    fn of(key: Zeroizing<[u8; 32]>) -> Self {
        let name = Sha256::new()
            .chain_update(b"auto-recovery kid")
            .chain_update(*key);
        let kid = hex(&name.finalize()[..KID_BYTES]);
        Self { key, kid }
    }

    /// Its name, 8 hex digits, which boxes have.
    pub fn kid(&self) -> &str {
        &self.kid
    }

    pub(super) fn bytes(&self) -> &[u8; 32] {
        &self.key
    }

    /// Its text, as its file holds it.
    pub fn text(&self) -> Zeroizing<String> {
        let key = Zeroizing::new(base64(&*self.key));
        Zeroizing::new(format!("{TEXT_PREFIX}{} {}\n", self.kid, *key))
    }

    /// The key that `text` is.
    pub fn parse(text: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(text).ok()?;
        let text = text.strip_prefix(TEXT_PREFIX)?.strip_suffix('\n')?;
        let (kid, key) = text.split_once(' ')?;
        let key = Self::of(Zeroizing::new(decode_hash(key)?));
        (key.kid == kid).then_some(key)
    }

    /// Its file, for `recipients`.
    pub fn file(&self, recipients: &[Recipient], draw: &mut Draw<'_>) -> Vec<u8> {
        age::close(recipients, self.text().as_bytes(), draw)
    }

    /// The identity that opens the outputs of the session.
    pub fn outputs(&self) -> Identity {
        Identity::of(*derived(&*self.key, None, b"auto-recovery outputs 1"))
    }
}

impl fmt::Debug for SessionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SessionKey({})", self.kid)
    }
}
