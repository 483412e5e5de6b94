//! Witnesses: others who look whether the seals of a store contradict each other, and sign those
//! that do not with a time (C2SP tlog-cosignature), with Ed25519.
//!
//! A witness knows a store by one key that stays, a [`LogKey`], while the keys of seals change.

use std::fmt;
use std::str::FromStr;

use super::hex::hex;
use super::note::{COSIGNATURE, ED25519, Note, SignatureLine, is_name, is_signed, key_id};
use super::seal::{KEY_BYTES, origin_line};
use super::{Hash, base64};

/// Bytes of the time in a cosignature.
const TIME_BYTES: usize = 8;

/// The latest time that a cosignature may have.
const TIME_MAX: u64 = i64::MAX as u64;

/// The key by which witnesses know a store. Its text is a verifier key of C2SP signed-note.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogKey {
    origin: String,
    key: Hash,
}

impl LogKey {
    /// The key of the store `origin` with these bytes.
    pub(crate) fn new(origin: &str, key: Hash) -> Self {
        let origin = origin.to_owned();
        Self { origin, key }
    }
}

impl fmt::Display for LogKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_key(f, &origin_line(&self.origin), ED25519, &self.key)
    }
}

/// The key of a witness. Its text is a verifier key of C2SP signed-note: `name+id+key`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WitnessKey {
    name: String,
    key: Hash,
}

impl WitnessKey {
    /// The name of the witness.
    pub fn name(&self) -> &str {
        &self.name
    }

    fn id(&self) -> [u8; 4] {
        key_id(&self.name, COSIGNATURE, &self.key)
    }

    /// Whether `line` says that it is by this key.
    fn is_named(&self, line: &SignatureLine<'_>) -> bool {
        line.name == self.name && line.bytes.starts_with(&self.id())
    }

    /// The cosignature of `text` that `line` is, which is named after this key; `None` if it does
    /// not hold.
    fn check(&self, text: &str, line: &SignatureLine<'_>) -> Option<Cosignature> {
        let (_id, rest) = line.bytes.split_first_chunk::<4>()?;
        let (time, signature) = rest.split_first_chunk::<TIME_BYTES>()?;
        let at_s = u64::from_be_bytes(*time);
        let message = format!("cosignature/v1\ntime {at_s}\n{text}");
        let holds = at_s <= TIME_MAX && is_signed(message.as_bytes(), signature, &self.key);
        holds.then(|| Cosignature {
            name: self.name.clone(),
            at_s,
        })
    }
}

impl fmt::Display for WitnessKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_key(f, &self.name, COSIGNATURE, &self.key)
    }
}

impl FromStr for WitnessKey {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let form = "the key of a witness is `name+id+key`, as its operator gives it";
        let mut parts = text.splitn(3, '+');
        let (Some(name), Some(id), Some(key)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(form.to_owned());
        };
        let bytes = base64::decode(key).filter(|_| is_name(name));
        let Some((&algorithm, key)) = bytes.as_deref().and_then(<[u8]>::split_first) else {
            return Err(form.to_owned());
        };
        if algorithm != COSIGNATURE {
            return Err(match algorithm {
                ED25519 => "it is the key of a log, and no witness signs with it",
                _ => "only keys that make Ed25519 cosignatures, of type 04, are known",
            }
            .to_owned());
        }
        let key: Hash = key
            .try_into()
            .map_err(|_| format!("its key has {} bytes, not {KEY_BYTES}", key.len()))?;
        let name = name.to_owned();
        let read = Self { name, key };
        match hex(&read.id()) == id.to_ascii_lowercase() {
            true => Ok(read),
            false => Err(format!("its id is not {id}: a letter is wrong")),
        }
    }
}

fn write_key(f: &mut fmt::Formatter<'_>, name: &str, algorithm: u8, key: &Hash) -> fmt::Result {
    let id = hex(&key_id(name, algorithm, key));
    let bytes = base64::encode(&[&[algorithm], &key[..]].concat());
    write!(f, "{name}+{id}+{bytes}")
}

/// A cosignature that holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cosignature {
    /// The name of the witness.
    pub name: String,
    /// When it signed, in seconds since 1970, by its own clock.
    pub at_s: u64,
}

/// What the signature lines of a note say to those who know some witnesses.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Testimony {
    /// The cosignatures that hold.
    pub holding: Vec<Cosignature>,
    /// Their lines, each with its end.
    pub lines: String,
    /// The names of known witnesses whose line does not hold.
    pub failing: Vec<String>,
    /// The names of all others.
    pub unknown: Vec<String>,
}

impl Testimony {
    /// What the lines of `note` say to those who know `witnesses`; `None` if it is no note.
    pub(crate) fn read(note: &str, witnesses: &[WitnessKey]) -> Option<Self> {
        let note = Note::read(note)?;
        let mut said = Self::default();
        for line in &note.signatures {
            let Some(witness) = witnesses.iter().find(|witness| witness.is_named(line)) else {
                said.unknown.push(line.name.to_owned());
                continue;
            };
            match witness.check(note.text, line) {
                Some(cosignature) => {
                    said.holding.push(cosignature);
                    said.lines += line.line;
                    said.lines.push('\n');
                }
                None => said.failing.push(line.name.to_owned()),
            }
        }
        Some(said)
    }
}

/// Whether `note` has a signature line under the name of the store `origin`.
pub(crate) fn has_line_of(note: &str, origin: &str) -> bool {
    let name = origin_line(origin);
    Note::read(note).is_some_and(|note| note.signatures.iter().any(|line| line.name == name))
}

#[cfg(test)]
mod tests;
