//! A seal: the signed head of a store's journal, with the number of the seal in its chain, the key
//! that signs it and the key that will sign the next.

use std::fmt;
use std::str::FromStr;

use sha2::{Digest, Sha256};

use super::hex::{hex, is_hex};
use super::note::{self, Note};
use super::{Hash, base64};

/// Bytes of a key, and of the seed that it grows from.
pub(crate) const KEY_BYTES: usize = 32;

/// What the first line of a seal begins with.
const ORIGIN_PREFIX: &str = "auto-recovery/store/";

/// Hex digits of a store's origin.
const ORIGIN_DIGITS: usize = 32;

/// Hex digits of a chain's name, and of a root in a seal's short form.
const SHORT_DIGITS: usize = 16;

/// A seal whose signature holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seal {
    /// The store: 32 hex digits, drawn with its first seal.
    pub origin: String,
    /// The chain: the first 16 hex digits of the hash of the key of its seal 0.
    pub chain: String,
    /// Number of the seal within its chain, from 0.
    pub number: u64,
    /// Number of journal records.
    pub size: u64,
    /// The root of the tree of these records.
    pub root: Hash,
    /// The key that signs it.
    pub key: Hash,
    /// The key that signs the next; `None` if the chain ends here.
    pub next: Option<Hash>,
}

/// What is wrong with a text that should be a seal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SealRefused {
    /// It is not written as a seal is.
    Form,
    /// Its signature is not that of its key.
    Signature,
}

impl fmt::Display for SealRefused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Form => "it is not written as a seal is",
            Self::Signature => "its signature does not hold",
        })
    }
}

impl Seal {
    /// The seal that `note` is, once its signature was found to hold.
    ///
    /// # Errors
    /// If it is none.
    pub fn read(note: &str) -> Result<Self, SealRefused> {
        let note = Note::read(note).ok_or(SealRefused::Form)?;
        let mut seal = Self::read_text(note.text).ok_or(SealRefused::Form)?;
        let prefix = format!("{}/", origin_line(&seal.origin));
        let ours = |name: &str| {
            let chain = name.strip_prefix(&prefix)?;
            is_hex(chain, SHORT_DIGITS).then(|| chain.to_owned())
        };
        // One line is ours; others may stand beside it.
        let mut lines = note.signatures.iter();
        let mut lines = lines
            .by_ref()
            .filter_map(|line| Some((ours(line.name)?, line)));
        let (Some((chain, line)), None) = (lines.next(), lines.next()) else {
            return Err(SealRefused::Form);
        };
        if !line.signs(note.text, &seal.key) {
            return Err(SealRefused::Signature);
        }
        if seal.number == 0 && chain != chain_of(&seal.key) {
            return Err(SealRefused::Signature);
        }
        seal.chain = chain;
        Ok(seal)
    }

    /// The seal as a signed note, made with the key that grows from `seed`, which is its
    /// [`Seal::key`].
    pub fn sign(&self, seed: &Hash) -> String {
        let name = format!("{}/{}", origin_line(&self.origin), self.chain);
        note::sign(&self.text(), &name, seed)
    }

    /// The line that signs it with the key that grows from `seed`, under the name of its store.
    pub(crate) fn identity_line(&self, seed: &Hash) -> String {
        note::signature_line(&self.text(), &origin_line(&self.origin), seed)
    }

    /// What is signed.
    pub(crate) fn text(&self) -> String {
        let next = self.next.as_ref();
        format!(
            "{}\n{}\n{}\nseal {}\nkey {}\nnext {}\n",
            origin_line(&self.origin),
            self.size,
            base64::encode(&self.root),
            self.number,
            base64::encode(&self.key),
            next.map_or_else(|| "none".to_owned(), |key| base64::encode(key)),
        )
    }

    /// The seal of this text; its chain is not in it.
    fn read_text(text: &str) -> Option<Self> {
        let mut lines = text.strip_suffix('\n')?.split('\n');
        let mut line = || lines.next();
        let origin = line()?.strip_prefix(ORIGIN_PREFIX)?;
        let seal = Self {
            origin: is_hex(origin, ORIGIN_DIGITS).then(|| origin.to_owned())?,
            size: number(line()?)?,
            root: base64::decode_hash(line()?)?,
            number: number(line()?.strip_prefix("seal ")?)?,
            key: base64::decode_hash(line()?.strip_prefix("key ")?)?,
            next: match line()?.strip_prefix("next ")? {
                "none" => None,
                key => Some(base64::decode_hash(key)?),
            },
            chain: String::new(),
        };
        lines.next().is_none().then_some(seal)
    }

    /// Its short form.
    pub fn short(&self) -> ShortSeal {
        ShortSeal {
            size: self.size,
            root: hex(&self.root[..SHORT_DIGITS / 2]),
        }
    }
}

/// A seal's short form, which a person can copy from a screen: `412:9f3c1a2b44d0e7c1`, the number
/// of journal records and the beginning of the root in hex, 16 digits at least.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShortSeal {
    /// Number of journal records.
    pub size: u64,
    root: String,
}

impl ShortSeal {
    /// Whether `root` begins as it says.
    pub fn is_of(&self, root: &Hash) -> bool {
        hex(root).starts_with(&self.root)
    }
}

impl fmt::Display for ShortSeal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.size, self.root)
    }
}

impl FromStr for ShortSeal {
    type Err = SealRefused;

    fn from_str(text: &str) -> Result<Self, SealRefused> {
        let (size, root) = text.split_once(':').ok_or(SealRefused::Form)?;
        let root = root.to_ascii_lowercase();
        let is_root =
            (SHORT_DIGITS..=2 * KEY_BYTES).contains(&root.len()) && is_hex(&root, root.len());
        let size = number(size).filter(|_| is_root);
        size.map(|size| Self { size, root })
            .ok_or(SealRefused::Form)
    }
}

/// The first line of the seals of the store `origin`.
pub(crate) fn origin_line(origin: &str) -> String {
    format!("{ORIGIN_PREFIX}{origin}")
}

/// The name of the chain whose seal 0 is signed by `key`.
pub(crate) fn chain_of(key: &Hash) -> String {
    hex(&Sha256::digest(key)[..SHORT_DIGITS / 2])
}

/// The public key of the key that grows from `seed`.
pub(crate) fn public_key(seed: &Hash) -> Hash {
    note::public_key(seed)
}

/// A decimal number in its one form.
pub(super) fn number(text: &str) -> Option<u64> {
    let number: u64 = text.parse().ok()?;
    (number.to_string() == text).then_some(number)
}

#[cfg(test)]
mod tests;
