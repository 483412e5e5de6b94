//! Files in the format `age-encryption.org/v1`, for recipients of the kind X25519.

use std::fmt;

use chacha20poly1305::aead::{Aead as _, KeyInit as _};
use chacha20poly1305::{ChaCha20Poly1305, Key, Nonce};
use hkdf::Hkdf;
use hmac::{Hmac, Mac as _};
use sha2::Sha256;
use x25519_dalek::{PublicKey, StaticSecret};
use zeroize::Zeroizing;

use super::key::{Identity, Recipient};
use super::{Draw, stream};
use crate::integrity::{base64, decode_base64};

/// What every file begins with.
const INTRODUCTION: &[u8] = b"age-encryption.org/v1\n";

const KIND: &str = "X25519";
const WRAP_LABEL: &[u8] = b"age-encryption.org/v1/X25519";

/// The columns of a stanza's body; its last line has fewer.
const COLUMNS: usize = 64;

/// The longest header that is read: a thousand recipients have 100 KB.
const HEADER_BYTES_MAX: usize = 1024 * 1024;

const FILE_KEY_BYTES: usize = 16;
const NONCE_BYTES: usize = 16;

/// Why a file cannot be opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AgeRefused {
    /// It is no age file.
    NotAge,
    /// It was encrypted for others.
    ForOthers,
    /// It is not as it was written.
    Changed,
}

impl fmt::Display for AgeRefused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotAge => "it is no age file",
            Self::ForOthers => "it was encrypted for another identity",
            Self::Changed => "it is not as it was written",
        })
    }
}

impl std::error::Error for AgeRefused {}

/// The file that holds `text` for each of `recipients`, at least one.
pub fn close(recipients: &[Recipient], text: &[u8], draw: &mut Draw<'_>) -> Vec<u8> {
    let drawn = Zeroizing::new(draw());
    let file_key: &[u8; FILE_KEY_BYTES] = drawn.first_chunk().expect("32 bytes have 16");
    let mut header = String::from_utf8_lossy(INTRODUCTION).into_owned();
    for recipient in recipients {
        let ephemeral = StaticSecret::from(draw());
        let share = PublicKey::from(&ephemeral);
        let shared = ephemeral.diffie_hellman(recipient.point());
        let wrap = wrap_key(shared.as_bytes(), &share, recipient.point());
        let wrapped = ChaCha20Poly1305::new(&Key::from(*wrap));
        let wrapped = wrapped.encrypt(&Nonce::default(), &file_key[..]);
        let wrapped = wrapped.expect("16 bytes are far below what the cipher takes");
        // 32 bytes have 43 digits, less than a line.
        header.push_str(&format!(
            "-> {KIND} {}\n{}\n",
            unpadded(share.as_bytes()),
            unpadded(&wrapped)
        ));
    }
    header.push_str("---");
    let mac = header_mac(file_key, header.as_bytes()).finalize();
    header.push_str(&format!(" {}\n", unpadded(&mac.into_bytes())));
    let mut file = header.into_bytes();
    let nonce = draw();
    let nonce = &nonce[..NONCE_BYTES];
    file.extend(nonce);
    file.extend(stream::close(
        &derived(file_key, Some(nonce), b"payload"),
        text,
    ));
    file
}

/// The text of `file`, for whoever has one of `identities`.
///
/// # Errors
/// If it is not as it was written for one of them.
pub fn open(identities: &[Identity], file: &[u8]) -> Result<Zeroizing<Vec<u8>>, AgeRefused> {
    let header = Header::read(file)?;
    let keys = identities.iter().flat_map(|identity| {
        let stanzas = header.stanzas.iter();
        stanzas.filter_map(|stanza| stanza.file_key(identity))
    });
    let mut keys = keys.peekable();
    let Some(file_key) = keys.next() else {
        return Err(AgeRefused::ForOthers);
    };
    let mac = header_mac(&file_key, header.signed);
    mac.verify_slice(&header.mac)
        .map_err(|_| AgeRefused::Changed)?;
    let (nonce, body) = header
        .rest
        .split_at_checked(NONCE_BYTES)
        .ok_or(AgeRefused::Changed)?;
    let text = stream::open(&derived(&*file_key, Some(nonce), b"payload"), body);
    text.map(Zeroizing::new).ok_or(AgeRefused::Changed)
}

/// The parts of a file before its body.
struct Header<'f> {
    stanzas: Vec<Stanza>,
    /// What is under the code.
    signed: &'f [u8],
    mac: Vec<u8>,
    rest: &'f [u8],
}

/// A stanza of our kind. Others are looked at, and left out.
struct Stanza {
    share: [u8; 32],
    wrapped: Vec<u8>,
}

impl<'f> Header<'f> {
    fn read(file: &'f [u8]) -> Result<Self, AgeRefused> {
        let mut lines = Lines {
            file,
            at: INTRODUCTION.len(),
        };
        if !file.starts_with(INTRODUCTION) {
            return Err(AgeRefused::NotAge);
        }
        let mut stanzas = Vec::new();
        let mut is_first = true;
        loop {
            let start = lines.at;
            let line = lines.next()?;
            if let Some(mac) = line.strip_prefix("--- ") {
                let mac = decoded(mac).filter(|mac| mac.len() == 32);
                return match is_first {
                    true => Err(AgeRefused::NotAge),
                    false => Ok(Self {
                        stanzas,
                        signed: &file[..start + "---".len()],
                        mac: mac.ok_or(AgeRefused::Changed)?,
                        rest: &file[lines.at..],
                    }),
                };
            }
            is_first = false;
            let words = line.strip_prefix("-> ").ok_or(AgeRefused::Changed)?;
            let words: Vec<&str> = words.split(' ').collect();
            let is_word =
                |word: &&str| !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_graphic());
            if !words.iter().all(is_word) {
                return Err(AgeRefused::Changed);
            }
            let body = lines.body()?;
            if words[0] == KIND {
                stanzas.push(Stanza::read(&words, body).ok_or(AgeRefused::Changed)?);
            }
        }
    }
}

impl Stanza {
    fn read(words: &[&str], wrapped: Vec<u8>) -> Option<Self> {
        let [_, share] = words else {
            return None;
        };
        let share = decoded(share)?.try_into().ok()?;
        (wrapped.len() == FILE_KEY_BYTES + 16).then_some(Self { share, wrapped })
    }

    /// The key of the file, if it was wrapped for `identity`.
    fn file_key(&self, identity: &Identity) -> Option<Zeroizing<[u8; FILE_KEY_BYTES]>> {
        let share = PublicKey::from(self.share);
        let shared = identity.secret().diffie_hellman(&share);
        if !shared.was_contributory() {
            return None;
        }
        let recipient = identity.recipient();
        let wrap = wrap_key(shared.as_bytes(), &share, recipient.point());
        let cipher = ChaCha20Poly1305::new(&Key::from(*wrap));
        let key = cipher.decrypt(&Nonce::default(), &self.wrapped[..]).ok()?;
        let key = Zeroizing::new(key);
        key.as_slice().try_into().ok().map(Zeroizing::new)
    }
}

/// The lines of a header.
struct Lines<'f> {
    file: &'f [u8],
    at: usize,
}

impl<'f> Lines<'f> {
    fn next(&mut self) -> Result<&'f str, AgeRefused> {
        let end = self.file.len().min(HEADER_BYTES_MAX);
        let rest = self.file.get(self.at..end).unwrap_or_default();
        let length = memchr::memchr(b'\n', rest).ok_or(AgeRefused::Changed)?;
        self.at += length + 1;
        std::str::from_utf8(&rest[..length]).map_err(|_| AgeRefused::Changed)
    }

    /// The body of a stanza, up to its first short line.
    fn body(&mut self) -> Result<Vec<u8>, AgeRefused> {
        let mut digits = String::new();
        loop {
            let line = self.next()?;
            digits.push_str(line);
            if line.len() > COLUMNS {
                return Err(AgeRefused::Changed);
            }
            if line.len() < COLUMNS {
                return decoded(&digits).ok_or(AgeRefused::Changed);
            }
        }
    }
}

fn wrap_key(shared: &[u8; 32], share: &PublicKey, recipient: &PublicKey) -> Zeroizing<[u8; 32]> {
    let salt = [*share.as_bytes(), *recipient.as_bytes()].concat();
    derived(shared, Some(&salt), WRAP_LABEL)
}

fn header_mac(file_key: &[u8; FILE_KEY_BYTES], header: &[u8]) -> Hmac<Sha256> {
    let key = derived(file_key, None, b"header");
    let mut mac = <Hmac<Sha256> as hmac::KeyInit>::new_from_slice(&*key)
        .expect("this code takes keys of any length");
    mac.update(header);
    mac
}

/// 32 bytes derived from `secret` for the purpose `label`.
pub(super) fn derived(secret: &[u8], salt: Option<&[u8]>, label: &[u8]) -> Zeroizing<[u8; 32]> {
    let mut key = Zeroizing::new([0; 32]);
    let expanded = Hkdf::<Sha256>::new(salt, secret).expand(label, &mut *key);
    expanded.expect("32 bytes are far below what can be derived");
    key
}

fn unpadded(bytes: &[u8]) -> String {
    base64(bytes).trim_end_matches('=').to_owned()
}

fn decoded(digits: &str) -> Option<Vec<u8>> {
    if digits.contains('=') {
        return None;
    }
    let padding = (4 - digits.len() % 4) % 4;
    decode_base64(&format!("{digits}{}", &"==="[..padding]))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Numbers that differ, and are the same every time.
    fn drawing() -> impl FnMut() -> [u8; 32] {
        let mut number = 0_u64;
        move || {
            number += 1;
            *derived(&number.to_le_bytes(), None, b"test")
        }
    }

    fn identities(count: usize, draw: &mut Draw<'_>) -> (Vec<Identity>, Vec<Recipient>) {
        let identities: Vec<_> = (0..count).map(|_| Identity::new(draw)).collect();
        let recipients = identities.iter().map(Identity::recipient).collect();
        (identities, recipients)
    }

    #[test]
    fn each_recipient_opens_it_and_nobody_else() {
        let draw = &mut drawing();
        let (identities, recipients) = identities(3, draw);
        let file = close(&recipients[..2], b"text", draw);
        for identity in &identities[..2] {
            assert_eq!(
                **open(std::slice::from_ref(identity), &file).unwrap(),
                *b"text"
            );
        }
        assert_eq!(
            open(&identities[2..], &file).unwrap_err(),
            AgeRefused::ForOthers
        );
        assert_eq!(open(&[], &file).unwrap_err(), AgeRefused::ForOthers);
        assert_eq!(**open(&identities, &file).unwrap(), *b"text");
    }

    #[test]
    fn every_cut_and_every_flipped_bit_is_refused() {
        let draw = &mut drawing();
        let (identities, recipients) = identities(2, draw);
        let file = close(&recipients, b"a text of some length", draw);
        for length in 0..file.len() {
            open(&identities, &file[..length]).unwrap_err();
        }
        for at in 0..file.len() {
            for bit in 0..8 {
                let mut changed = file.clone();
                changed[at] ^= 1 << bit;
                open(&identities, &changed).unwrap_err();
            }
        }
        open(&identities, &[&file[..], b"\n"].concat()).unwrap_err();
    }

    #[test]
    fn stanzas_of_other_kinds_are_left_out() {
        let draw = &mut drawing();
        let (identities, recipients) = identities(1, draw);
        let file = close(&recipients, b"text", draw);
        let header = Header::read(&file).unwrap();
        let key = header.stanzas[0].file_key(&identities[0]).unwrap();
        for other in [
            "-> grease a b\n\n".to_owned(),
            format!("-> x\n{}\n\n", "A".repeat(64)),
        ] {
            let signed = String::from_utf8(header.signed.to_vec()).unwrap();
            let signed = signed.replacen("-> ", &format!("{other}-> "), 1);
            let mac = header_mac(&key, signed.as_bytes()).finalize().into_bytes();
            let head = format!("{signed} {}\n", unpadded(&mac));
            let changed = [head.as_bytes(), header.rest].concat();
            assert_eq!(**open(&identities, &changed).unwrap(), *b"text");
        }
    }

    proptest! {
        #[test]
        fn nothing_that_is_read_panics(
            before in 0..400_usize, bytes in proptest::collection::vec(any::<u8>(), 0..80),
        ) {
            let draw = &mut drawing();
            let (identities, recipients) = identities(1, draw);
            let file = close(&recipients, b"text", draw);
            let mut changed = file[..before.min(file.len())].to_vec();
            changed.extend(&bytes);
            prop_assert_eq!(open(&identities, &changed).is_ok(), changed == file);
        }

        #[test]
        fn what_is_closed_is_opened(text: Vec<u8>, count in 1..4_usize) {
            let draw = &mut drawing();
            let (identities, recipients) = identities(count, draw);
            let file = close(&recipients, &text, draw);
            prop_assert_eq!(&**open(&identities[count - 1..], &file).unwrap(), &text);
        }
    }
}
