//! Masks, which nobody can take for a value: `[redacted github-token 7f3a]`.

use std::borrow::Cow;
use std::ops::Range;
use std::sync::OnceLock;

use memchr::memmem;
use regex::bytes::Regex;
use sha2::{Digest, Sha256};

/// What every mask begins with.
pub(super) const OPENING_WORD: &[u8] = b"[redacted";

/// Bytes of the blank, the mark and the bracket that end a mask.
const MARK_BYTES: usize = " 7f3a]".len();

/// The mask of `value`. Equal values have equal masks under one `key`, and without it none can be
/// tried.
pub(super) fn mask(key: &[u8; 16], kind: &str, value: &[u8]) -> String {
    let hash = Sha256::new()
        .chain_update(key)
        .chain_update(value)
        .finalize();
    format!("[redacted {kind} {:02x}{:02x}]", hash[0], hash[1])
}

/// `text` with its masks alone with their kinds, `[redacted github-token]`: so the same text of two
/// sessions is the same.
pub fn without_marks(text: &str) -> Cow<'_, str> {
    let masks = masks_in(text.as_bytes());
    if masks.is_empty() {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    let mut from = 0;
    for mask in masks {
        let mark = mask.end - MARK_BYTES;
        out.push_str(&text[from..mark]);
        out.push(']');
        from = mask.end;
    }
    out.push_str(&text[from..]);
    Cow::Owned(out)
}

/// The masks that stand in `text` already.
pub(super) fn masks_in(text: &[u8]) -> Vec<Range<usize>> {
    static MASK: OnceLock<Regex> = OnceLock::new();

    if memmem::find(text, OPENING_WORD).is_none() {
        return Vec::new();
    }
    let mask = MASK.get_or_init(|| {
        Regex::new(r"(?-u)\[redacted [0-9A-Za-z_-]{1,64} [0-9a-f]{4}\]").expect("a pattern of ours")
    });
    mask.find_iter(text).map(|found| found.range()).collect()
}

/// `name` as a mask may have it: letters, digits, `_` and `-`, at most 64 of them.
pub(super) fn label(name: &str) -> String {
    let plain = |letter: char| match letter.is_ascii_alphanumeric() || letter == '_' {
        true => letter,
        false => '-',
    };
    let label: String = name.chars().take(64).map(plain).collect();
    match label.is_empty() {
        true => "value".to_owned(),
        false => label,
    }
}
