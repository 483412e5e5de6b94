//! A receipt: the proof, in one text, that an entry was in a trail that was sealed (C2SP
//! tlog-proof).
//!
//! The journal record of the trail's head is the leaf that the proof is of. Its `extra` line leads
//! from the entry to that record.

use serde::{Deserialize, Serialize};

use super::seal::number;
use super::{Hash, Seal, SealRefused, base64, leads_to, leaf_hash};

/// The first line.
const FORMAT: &str = "c2sp.org/tlog-proof@v1";

/// A receipt, taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// From the entry to the record of its trail's head.
    pub entry: EntryProof,
    /// The index of that record among the journal's.
    pub index: u64,
    /// From that record to the root that the seal has.
    pub path: Vec<Hash>,
    /// The seal, as a signed note.
    pub note: String,
}

/// The way from an entry to the record of its trail's head.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EntryProof {
    /// The entry's text, as it is stored.
    pub entry: String,
    /// Its index in the trail.
    pub index: u64,
    /// Number of entries under the head.
    pub size: u64,
    /// The path to the head, in base64.
    pub path: Vec<String>,
    /// The text of the record of the head.
    pub record: String,
}

/// The record of a trail's head, as far as a receipt needs it.
#[derive(Deserialize)]
struct HeadRecord {
    event: String,
    session_id: String,
    size: u64,
    root: String,
}

/// The entry, as far as a receipt needs it.
#[derive(Deserialize)]
struct EntryView {
    session_id: String,
}

impl Receipt {
    /// Its text.
    pub fn text(&self) -> String {
        let extra = serde_json::to_vec(&self.entry).expect("texts and numbers always serialise");
        let path: String = self
            .path
            .iter()
            .map(|hash| base64::encode(hash) + "\n")
            .collect();
        let extra = base64::encode(&extra);
        format!(
            "{FORMAT}\nextra {extra}\nindex {}\n{path}\n{}",
            self.index, self.note
        )
    }

    /// The receipt that `text` is.
    ///
    /// # Errors
    /// If it is none; what it says is not looked at.
    pub fn read(text: &str) -> Result<Self, SealRefused> {
        Self::parse(text).ok_or(SealRefused::Form)
    }

    fn parse(text: &str) -> Option<Self> {
        let (proof, note) = text.split_once("\n\n")?;
        let mut lines = proof.split('\n');
        if lines.next()? != FORMAT {
            return None;
        }
        let extra = base64::decode(lines.next()?.strip_prefix("extra ")?)?;
        let index = number(lines.next()?.strip_prefix("index ")?)?;
        let path = lines.map(base64::decode_hash).collect::<Option<_>>()?;
        Some(Self {
            entry: serde_json::from_slice(&extra).ok()?,
            index,
            path,
            note: note.to_owned(),
        })
    }

    /// The seal that vouches for the entry, if the whole way from the one to the other holds.
    ///
    /// # Errors
    /// [`SealRefused::Form`] if the seal or the record is none, [`SealRefused::Signature`] if
    /// something on the way does not hold.
    pub fn check(&self) -> Result<Seal, SealRefused> {
        let seal = Seal::read(&self.note)?;
        let record = self.entry.record.as_bytes();
        let in_journal = (self.index, seal.size);
        if !leads_to(leaf_hash(record), in_journal, &self.path, &seal.root) {
            return Err(SealRefused::Signature);
        }
        let head: HeadRecord = serde_json::from_slice(record).map_err(|_| SealRefused::Form)?;
        let view: EntryView =
            serde_json::from_str(&self.entry.entry).map_err(|_| SealRefused::Form)?;
        let root = base64::decode_hash(&head.root).ok_or(SealRefused::Form)?;
        let path = self.entry.path.iter().map(|text| base64::decode_hash(text));
        let path = path.collect::<Option<Vec<_>>>().ok_or(SealRefused::Form)?;
        let leaf = leaf_hash(self.entry.entry.as_bytes());
        let holds = head.event == "trail_sealed"
            && head.session_id == view.session_id
            && head.size == self.entry.size
            && leads_to(leaf, (self.entry.index, head.size), &path, &root);
        match holds {
            true => Ok(seal),
            false => Err(SealRefused::Signature),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::integrity::{Tree, chain_of, public_key};

    fn receipt() -> Receipt {
        let (mut trail, mut journal) = (Tree::default(), Tree::default());
        let entries: Vec<_> = (0..5)
            .map(|number| format!("{{\"session_id\":\"s\",\"n\":{number}}}"))
            .collect();
        entries
            .iter()
            .for_each(|entry| trail.push(entry.as_bytes()));
        let root = base64::encode(&trail.root(5).unwrap());
        let record = format!(
            "{{\"v\":1,\"at\":\"\",\"session_id\":\"s\",\"event\":\"trail_sealed\",\"size\":5,\
             \"root\":\"{root}\"}}"
        );
        for line in ["a", "b", &record, "c"] {
            journal.push(line.as_bytes());
        }
        let key = public_key(&[1; 32]);
        let seal = Seal {
            origin: "0".repeat(32),
            chain: chain_of(&key),
            number: 0,
            size: 4,
            root: journal.root(4).unwrap(),
            key,
            next: None,
        };
        let path = trail.path(3, 5).unwrap();
        Receipt {
            entry: EntryProof {
                entry: entries[3].clone(),
                index: 3,
                size: 5,
                path: path.iter().map(|hash| base64::encode(hash)).collect(),
                record,
            },
            index: 2,
            path: journal.path(2, 4).unwrap(),
            note: seal.sign(&[1; 32]),
        }
    }

    #[test]
    fn a_receipt_leads_from_the_entry_to_the_seal() {
        let text = receipt().text();
        let read = Receipt::read(&text).unwrap();
        assert_eq!(read, receipt());
        assert_eq!(read.check().unwrap().size, 4);
    }

    #[test]
    fn no_bit_of_a_receipt_can_be_changed() {
        let text = receipt().text();
        for at in 0..text.len() * 8 {
            let mut bytes = text.clone().into_bytes();
            bytes[at / 8] ^= 1 << (at % 8);
            let Ok(changed) = String::from_utf8(bytes) else {
                continue;
            };
            let checked = Receipt::read(&changed).and_then(|read| {
                // A letter of a key in the extra JSON may change and say the same.
                match read == receipt() {
                    true => Err(SealRefused::Form),
                    false => read.check(),
                }
            });
            assert!(checked.is_err(), "bit {at}: {changed}");
        }
    }
}
