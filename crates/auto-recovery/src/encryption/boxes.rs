//! The box: the private texts of an entry or of a journal record, as one word that stands in it.
//!
//! `enc:1:<kid>:<base64 of nonce, ciphertext and tag>`: XChaCha20-Poly1305 with a random nonce. The
//! [`Place`] of the box is authenticated with it, so it opens nowhere else.

use chacha20poly1305::aead::{Aead as _, KeyInit as _, Payload};
use chacha20poly1305::{Key, XChaCha20Poly1305, XNonce};
use zeroize::Zeroizing;

use super::{Draw, SessionKey};
use crate::integrity::{base64, decode_base64};

/// What every box begins with; the number is the format.
const PREFIX: &str = "enc:1:";

const KID_CHARS: usize = 8;
const NONCE_BYTES: usize = 24;
const TAG_BYTES: usize = 16;

/// The word in the other private fields of an entry or record that has a box.
pub const ELSEWHERE: &str = "enc";

/// What a box belongs to.
#[derive(Clone, Copy, Debug)]
pub enum Place<'p> {
    /// An entry.
    Entry {
        /// Its session.
        session_id: &'p str,
        /// Its id.
        entry_id: &'p str,
        /// Its time.
        timestamp: &'p str,
    },
    /// A journal record.
    Record {
        /// Its session.
        session_id: &'p str,
        /// Its event, by name.
        event: &'p str,
        /// Its time.
        at: &'p str,
    },
}

impl Place<'_> {
    fn bytes(&self) -> Vec<u8> {
        let parts = match self {
            Self::Entry {
                session_id,
                entry_id,
                timestamp,
            } => ["auto-recovery entry 1", session_id, entry_id, timestamp],
            Self::Record {
                session_id,
                event,
                at,
            } => ["auto-recovery record 1", session_id, event, at],
        };
        parts.join("\0").into_bytes()
    }
}

/// The box that holds `text` at `place`.
pub fn close(key: &SessionKey, place: Place<'_>, text: &[u8], draw: &mut Draw<'_>) -> String {
    let drawn = draw();
    let nonce: &[u8; NONCE_BYTES] = drawn.first_chunk().expect("32 bytes have 24");
    let cipher = XChaCha20Poly1305::new(&Key::from(*key.bytes()));
    let payload = Payload {
        msg: text,
        aad: &place.bytes(),
    };
    let closed = cipher.encrypt(&XNonce::from(*nonce), payload);
    let closed = closed.expect("a text is far below what the cipher takes");
    let bytes = [nonce, closed.as_slice()].concat();
    format!("{PREFIX}{}:{}", key.kid(), base64(&bytes))
}

/// The name of the key that closed `text`; `None` if that is no box.
pub fn kid(text: &str) -> Option<&str> {
    let (kid, digits) = text.strip_prefix(PREFIX)?.split_once(':')?;
    let is_hex = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    let is_sound = kid.len() == KID_CHARS && kid.bytes().all(is_hex) && !digits.is_empty();
    is_sound.then_some(kid)
}

/// The text in the box `text` at `place`; `None` if it is not as it was closed there with `key`.
pub fn open(key: &SessionKey, place: Place<'_>, text: &str) -> Option<Zeroizing<Vec<u8>>> {
    let digits = text.strip_prefix(PREFIX)?.strip_prefix(key.kid())?;
    let bytes = decode_base64(digits.strip_prefix(':')?)?;
    let (nonce, closed) = bytes.split_first_chunk::<NONCE_BYTES>()?;
    let cipher = XChaCha20Poly1305::new(&Key::from(*key.bytes()));
    let payload = Payload {
        msg: closed,
        aad: &place.bytes(),
    };
    let opened = cipher.decrypt(&XNonce::from(*nonce), payload).ok()?;
    Some(Zeroizing::new(opened))
}

/// The most bytes of text in a box that has at most `limit` characters.
pub fn text_bytes_max(limit: usize) -> usize {
    let digits = limit.saturating_sub(PREFIX.len() + KID_CHARS + 1);
    (digits / 4 * 3).saturating_sub(NONCE_BYTES + TAG_BYTES)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn key(number: u8) -> SessionKey {
        SessionKey::new(&mut || [number; 32])
    }

    const PLACE: Place<'_> = Place::Entry {
        session_id: "s",
        entry_id: "e",
        timestamp: "t",
    };

    #[test]
    fn a_box_opens_where_it_was_closed_and_nowhere_else() {
        let closed = close(&key(1), PLACE, b"text", &mut || [3; 32]);
        assert_eq!(**open(&key(1), PLACE, &closed).unwrap(), *b"text");
        assert_eq!(kid(&closed), Some(key(1).kid()));
        assert!(open(&key(2), PLACE, &closed).is_none());
        let elsewhere = [
            ("x", "e", "t"),
            ("s", "x", "t"),
            ("s", "e", "x"),
            ("s\0e", "t", ""),
        ];
        for (session_id, entry_id, timestamp) in elsewhere {
            let entry = Place::Entry {
                session_id,
                entry_id,
                timestamp,
            };
            assert!(open(&key(1), entry, &closed).is_none());
        }
        let (session_id, event, at) = ("s", "e", "t");
        let record = Place::Record {
            session_id,
            event,
            at,
        };
        assert!(open(&key(1), record, &closed).is_none());
    }

    #[test]
    fn every_cut_and_every_changed_character_is_refused() {
        let closed = close(&key(1), PLACE, b"a text", &mut || [3; 32]);
        for length in 0..closed.len() {
            assert!(open(&key(1), PLACE, &closed[..length]).is_none());
        }
        for at in 0..closed.len() {
            for byte in 32..127_u8 {
                let mut changed = closed.clone().into_bytes();
                changed[at] = byte;
                let changed = String::from_utf8(changed).unwrap();
                assert_eq!(open(&key(1), PLACE, &changed).is_some(), changed == closed);
            }
        }
    }

    #[test]
    fn what_is_no_box_has_no_key() {
        for text in [
            "",
            "enc",
            "enc:1:",
            "enc:1:0123456:x",
            "enc:2:01234567:x",
            "enc:1:0123456g:x",
        ] {
            assert_eq!(kid(text), None, "{text}");
        }
    }

    #[test]
    fn a_key_is_read_from_its_text_and_nothing_else() {
        let text = key(1).text();
        assert_eq!(
            SessionKey::parse(text.as_bytes()).unwrap().kid(),
            key(1).kid()
        );
        for length in 0..text.len() {
            assert!(SessionKey::parse(&text.as_bytes()[..length]).is_none());
        }
        for at in 0..text.len() {
            let mut changed = text.as_bytes().to_vec();
            changed[at] ^= 1;
            assert!(SessionKey::parse(&changed).is_none(), "{at}");
        }
        assert!(!format!("{:?}", key(1)).contains(&base64(&[1; 32])));
    }

    proptest! {
        #[test]
        fn a_text_of_the_length_said_fits(limit in 0..2000_usize) {
            let most = text_bytes_max(limit);
            let closed = close(&key(1), PLACE, &vec![b'x'; most], &mut || [3; 32]);
            prop_assert!(most == 0 || closed.len() <= limit);
        }
    }
}
