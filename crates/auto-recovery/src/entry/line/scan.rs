//! Where a JSON string stops being plain text.
//!
//! Strings of entries are short: what is found eight bytes at a time, in a register, is found
//! before a search made for long texts has begun.

/// Bytes looked at at once.
const WORD_BYTES: usize = size_of::<u64>();

/// The lowest and the highest bit of each byte.
const ONES: u64 = each(1);
const TOPS: u64 = each(1 << 7);

/// Where the first byte of `text` from `from` on is that ends a string or may not stand in one as
/// it is: a quote, a backslash or a control character.
#[inline(always)]
pub(super) fn next_special(text: &[u8], from: usize) -> Option<usize> {
    let mut at = from;
    while let Some(word) = text.get(at..).and_then(<[u8]>::first_chunk) {
        let found = specials(u64::from_le_bytes(*word));
        if found != 0 {
            return Some(at + (found.trailing_zeros() / u8::BITS) as usize);
        }
        at += WORD_BYTES;
    }
    let rest = text.get(at..)?;
    let special = |&byte: &u8| matches!(byte, b'"' | b'\\' | ..b' ');
    Some(at + rest.iter().position(special)?)
}

/// The top bit of the first such byte of `word`, if there is one; bits above it mean nothing.
///
/// A byte below the number that is taken from it sets its top bit, and borrows from the bytes above
/// it alone. Bytes beyond ASCII have that bit from the beginning, and are none of these.
fn specials(word: u64) -> u64 {
    let quotes = (word ^ each(b'"')).wrapping_sub(ONES);
    let backslashes = (word ^ each(b'\\')).wrapping_sub(ONES);
    let controls = word.wrapping_sub(each(b' '));
    (quotes | backslashes | controls) & !word & TOPS
}

/// A word all of whose bytes are `byte`.
const fn each(byte: u8) -> u64 {
    u64::from_le_bytes([byte; WORD_BYTES])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_first_is_found(
            text in prop::collection::vec(prop_oneof![
                any::<u8>(),
                b' '..=b'~',
                prop::sample::select(&b"\"\\\x1f\x20\x21\x23\x5b\x5d\x7f\x80\xa2\xdc\xff"[..]),
            ], 0..40),
            from in 0..44_usize,
        ) {
            let expected = text.iter().enumerate().skip(from);
            let expected = expected
                .filter(|(_, byte)| **byte < b' ' || b"\"\\".contains(byte))
                .map(|(at, _)| at)
                .next();
            prop_assert_eq!(next_special(&text, from), expected);
        }
    }
}
