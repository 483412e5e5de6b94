//! The body of an age file: ChaCha20-Poly1305 in chunks of 64 KiB, the last of them marked, so that
//! none can be moved, dropped or added at the end.

use chacha20poly1305::aead::{Aead as _, KeyInit as _};
use chacha20poly1305::{ChaCha20Poly1305, Key, Nonce};

/// The text of a chunk.
const CHUNK_BYTES: usize = 64 * 1024;

/// What a chunk has besides its text.
const TAG_BYTES: usize = 16;

/// The body that holds `text`, under a key that is used for nothing else.
pub(super) fn close(key: &[u8; 32], text: &[u8]) -> Vec<u8> {
    let cipher = ChaCha20Poly1305::new(&Key::from(*key));
    let chunks = text.len().div_ceil(CHUNK_BYTES).max(1);
    let mut body = Vec::with_capacity(text.len() + chunks * TAG_BYTES);
    for number in 0..chunks {
        let chunk = &text[number * CHUNK_BYTES..text.len().min((number + 1) * CHUNK_BYTES)];
        let closed = cipher.encrypt(&nonce(number, number + 1 == chunks), chunk);
        body.extend(closed.expect("a chunk is far below what the cipher takes"));
    }
    body
}

/// The text that `body` holds; `None` if anything of it changed or is missing.
pub(super) fn open(key: &[u8; 32], body: &[u8]) -> Option<Vec<u8>> {
    const CLOSED_BYTES: usize = CHUNK_BYTES + TAG_BYTES;
    let cipher = ChaCha20Poly1305::new(&Key::from(*key));
    let chunks = body.len().div_ceil(CLOSED_BYTES).max(1);
    let mut text = Vec::with_capacity(body.len());
    for number in 0..chunks {
        let chunk = &body[number * CLOSED_BYTES..body.len().min((number + 1) * CLOSED_BYTES)];
        let is_last = number + 1 == chunks;
        let opened = cipher.decrypt(&nonce(number, is_last), chunk).ok()?;
        // A last chunk without a text would be a second way to write the same.
        if opened.is_empty() && number > 0 {
            return None;
        }
        text.extend(opened);
    }
    Some(text)
}

fn nonce(number: usize, is_last: bool) -> Nonce {
    let mut nonce = [0; 12];
    nonce[3..11].copy_from_slice(&(number as u64).to_be_bytes());
    nonce[11] = is_last.into();
    Nonce::from(nonce)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_can_be_neither_moved_nor_dropped_nor_added() {
        let key = [7; 32];
        for length in [
            0,
            1,
            CHUNK_BYTES - 1,
            CHUNK_BYTES,
            CHUNK_BYTES + 1,
            3 * CHUNK_BYTES,
        ] {
            let text: Vec<u8> = (0..length).map(|at| (at % 251) as u8).collect();
            let body = close(&key, &text);
            assert_eq!(open(&key, &body).as_ref(), Some(&text), "{length}");
            assert_eq!(open(&[8; 32], &body), None);
            let closed = CHUNK_BYTES + TAG_BYTES;
            for cut in [0, 1, TAG_BYTES, closed, 2 * closed, body.len() - 1] {
                if cut < body.len() {
                    assert_eq!(open(&key, &body[..cut]), None, "{length} cut at {cut}");
                }
            }
            let mut more = body.clone();
            more.extend(close(&key, b""));
            assert_eq!(open(&key, &more), None);
            if body.len() > 2 * closed {
                let mut moved = body.clone();
                let (first, second) = moved.split_at_mut(closed);
                first.swap_with_slice(&mut second[..closed]);
                assert_eq!(open(&key, &moved), None);
            }
        }
    }

    #[test]
    fn an_empty_last_chunk_is_no_second_form() {
        let key = [7; 32];
        let cipher = ChaCha20Poly1305::new(&Key::from(key));
        let mut body = cipher
            .encrypt(&nonce(0, false), &[1; CHUNK_BYTES][..])
            .unwrap();
        body.extend(cipher.encrypt(&nonce(1, true), &b""[..]).unwrap());
        assert_eq!(open(&key, &body), None);
    }
}
