//! A signed note (C2SP): a text, an empty line, and signature lines. Ed25519 only.
//!
//! Nothing loose is read: the framing of a signature line and its base64 are canonical, so a note
//! has one form.

use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};
use sha2::{Digest, Sha256};

use super::{Hash, base64};

/// What a signature line begins with.
const MARK: &str = "\u{2014} ";

/// The bytes that say in a key id, and before a key, what it signs with.
pub(super) const ED25519: u8 = 1;
pub(super) const COSIGNATURE: u8 = 4;

/// How many signature lines are read: ours, and those that may be added for others.
const SIGNATURES_MAX: usize = 16;

/// The longest note that is read.
const NOTE_BYTES_MAX: usize = 64 * 1024;

/// A note, taken apart; no signature has been looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Note<'a> {
    /// What is signed, with its last line's end.
    pub text: &'a str,
    /// The signature lines.
    pub signatures: Vec<SignatureLine<'a>>,
}

/// A signature line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SignatureLine<'a> {
    /// The name of the key.
    pub name: &'a str,
    /// The key's id, and its signature.
    pub bytes: Vec<u8>,
    /// The whole line, without its end.
    pub line: &'a str,
}

impl<'a> Note<'a> {
    /// The note that `note` is; `None` if it is none.
    pub(super) fn read(note: &'a str) -> Option<Self> {
        let is_control = |char: char| char.is_ascii_control() && char != '\n';
        if note.len() > NOTE_BYTES_MAX || note.contains(is_control) {
            return None;
        }
        let at = note.rfind("\n\n")? + 1;
        let (text, lines) = (&note[..at], &note[at + 1..]);
        let lines = lines.strip_suffix('\n')?.split('\n');
        let signatures = lines.map(SignatureLine::read).collect::<Option<Vec<_>>>()?;
        (signatures.len() <= SIGNATURES_MAX).then_some(Self { text, signatures })
    }
}

impl<'a> SignatureLine<'a> {
    pub(super) fn read(line: &'a str) -> Option<Self> {
        let (name, bytes) = line.strip_prefix(MARK)?.split_once(' ')?;
        let bytes = base64::decode(bytes)?;
        let is_one = is_name(name) && bytes.len() > 4;
        is_one.then_some(Self { name, bytes, line })
    }

    /// Whether it signs `text` with `key`.
    pub(super) fn signs(&self, text: &str, key: &Hash) -> bool {
        let Some((id, signature)) = self.bytes.split_first_chunk::<4>() else {
            return false;
        };
        *id == key_id(self.name, ED25519, key) && is_signed(text.as_bytes(), signature, key)
    }
}

/// Whether `signature` is that of `message` with `key`.
pub(super) fn is_signed(message: &[u8], signature: &[u8], key: &Hash) -> bool {
    let Ok(signature) = Signature::from_slice(signature) else {
        return false;
    };
    let key = VerifyingKey::from_bytes(key);
    key.is_ok_and(|key| key.verify_strict(message, &signature).is_ok())
}

/// Whether `name` can be that of a key.
pub(super) fn is_name(name: &str) -> bool {
    !name.is_empty() && !name.contains(|char: char| char.is_whitespace() || char == '+')
}

/// The note of `text`, which ends with a line's end, signed with the key that grows from `seed`,
/// under `name`.
pub(super) fn sign(text: &str, name: &str, seed: &Hash) -> String {
    format!("{text}\n{}", signature_line(text, name, seed))
}

/// The line that signs `text` with the key that grows from `seed`, under `name`.
pub(super) fn signature_line(text: &str, name: &str, seed: &Hash) -> String {
    let key = SigningKey::from_bytes(seed);
    let id = key_id(name, ED25519, key.verifying_key().as_bytes());
    let signature = key.sign(text.as_bytes()).to_bytes();
    let bytes = base64::encode(&[&id[..], &signature[..]].concat());
    format!("{MARK}{name} {bytes}\n")
}

/// The public key of the key that grows from `seed`.
pub(super) fn public_key(seed: &Hash) -> Hash {
    SigningKey::from_bytes(seed).verifying_key().to_bytes()
}

/// The id of the key `name`, which signs with `algorithm`.
pub(super) fn key_id(name: &str, algorithm: u8, key: &Hash) -> [u8; 4] {
    let mut hash = Sha256::new();
    hash.update(name.as_bytes());
    hash.update([b'\n', algorithm]);
    hash.update(key);
    let [a, b, c, d, ..] = hash.finalize()[..] else {
        unreachable!("a hash has 32 bytes")
    };
    [a, b, c, d]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::integrity::hex;

    fn bytes(hex: &str) -> Vec<u8> {
        let digits: Vec<_> = hex.chars().filter_map(|char| char.to_digit(16)).collect();
        digits
            .chunks(2)
            .map(|two| (two[0] << 4 | two[1]) as u8)
            .collect()
    }

    #[test]
    fn keys_and_signatures_are_those_of_rfc_8032() {
        let cases = [
            (
                "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
                "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
                "",
                "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bac\
                 c61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
            ),
            (
                "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
                "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
                "72",
                "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e\
                 458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
            ),
            (
                "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
                "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
                "af82",
                "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290\
                 ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a",
            ),
        ];
        for (seed, key, message, signature) in cases {
            let seed: Hash = bytes(seed).try_into().unwrap();
            assert_eq!(hex(&public_key(&seed)), key);
            let made = SigningKey::from_bytes(&seed).sign(&bytes(message));
            assert_eq!(made.to_bytes().to_vec(), bytes(signature));
        }
    }

    #[test]
    fn a_note_has_one_form() {
        let note = sign("a\nb\n\nc\n", "k", &[1; 32]);
        let key = public_key(&[1; 32]);
        let read = Note::read(&note).unwrap();
        assert_eq!(read.text, "a\nb\n\nc\n");
        assert!(read.signatures[0].signs(read.text, &key));
        let refused = [
            note.trim_end().to_owned(),
            format!("{note}\n"),
            note.replace('\u{2014}', "-"),
            note.replace("\u{2014} ", "\u{2014}  "),
            note.replace(" k ", "  "),
            note.replace(" k ", " k  "),
            note.replace(" k ", " k+k "),
            note.replace('\n', "\r\n"),
            note.replace("a\n", "a\t\n"),
            "a\n".to_owned(),
            "a\n\n".to_owned(),
            String::new(),
        ];
        for text in refused {
            assert_eq!(Note::read(&text), None, "{text:?}");
        }
        let other = Note::read(&note).unwrap().signatures.remove(0);
        assert!(!other.signs("a\nb\n\nd\n", &key));
        assert!(!other.signs(read.text, &public_key(&[2; 32])));
    }
}
