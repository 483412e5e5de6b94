//! The words of a text that are written with escapes, as they read without, and the way back.
//!
//! A token in a URL or in JSON may be written `hooks%2Fservices%2FT…` or `\u0067hp_…`: its shape
//! shows only when it is decoded. Words without an escape are not looked at twice.

use std::ops::Range;

use memchr::memchr2;

/// What ends a word.
const ENDS: &[u8] = b" \t\r\n\"'`<>";

/// The longest word that is decoded: no token reaches over more.
const WORD_BYTES_MAX: usize = 32 * 1024;

/// The words of a text that have escapes, decoded, a line each.
#[derive(Debug, Default)]
pub(super) struct Decoded {
    pub(super) text: Vec<u8>,
    /// For a place in `text`, and all behind it up to the next, the place in the whole text.
    places: Vec<(usize, usize)>,
}

impl Decoded {
    /// The words of `whole` that have escapes; `None` if none has.
    pub(super) fn of(whole: &[u8]) -> Option<Self> {
        let mut decoded = Self::default();
        let mut from = 0;
        while let Some(at) = memchr2(b'%', b'\\', &whole[from..]) {
            let at = from + at;
            if escaped(&whole[at..]).is_none() {
                from = at + 1;
                continue;
            }
            let word = word_around(whole, from, at);
            from = word.end;
            decoded.add(whole, word);
        }
        (!decoded.text.is_empty()).then_some(decoded)
    }

    fn add(&mut self, whole: &[u8], word: Range<usize>) {
        let mut at = word.start;
        self.places.push((self.text.len(), at));
        while at < word.end {
            let Some((byte, length)) = escaped(&whole[at..word.end]) else {
                self.text.push(whole[at]);
                at += 1;
                continue;
            };
            self.text.push(byte);
            at += length;
            self.places.push((self.text.len(), at));
        }
        self.text.push(b'\n');
    }

    /// The range in the whole text of `range`, with its escapes whole.
    pub(super) fn range(&self, range: &Range<usize>) -> Range<usize> {
        self.whole(range.start)..self.whole(range.end)
    }

    fn whole(&self, at: usize) -> usize {
        let before = self.places.partition_point(|(place, _)| *place <= at);
        let (place, whole) = self.places[before - 1];
        whole + at - place
    }
}

/// The word that the escape at `at` stands in, from `from` on.
fn word_around(whole: &[u8], from: usize, at: usize) -> Range<usize> {
    let from = from.max(at.saturating_sub(WORD_BYTES_MAX));
    let before = whole[from..at].iter().rposition(|byte| ENDS.contains(byte));
    let start = before.map_or(from, |before| from + before + 1);
    let most = whole.len().min(start + WORD_BYTES_MAX);
    let length = whole[at..most].iter().position(|byte| ENDS.contains(byte));
    start..length.map_or(most, |length| at + length)
}

/// The visible character that `bytes` begin with an escape of, and the escape's length: `%2F` as in
/// URLs, `\u002f`, `\x2f` and `\/` as in JSON and programs.
fn escaped(bytes: &[u8]) -> Option<(u8, usize)> {
    let (digits, length) = match bytes {
        [b'%', digits @ ..] => (digits.first_chunk::<2>()?, 3),
        [b'\\', b'x', digits @ ..] => (digits.first_chunk::<2>()?, 4),
        [b'\\', b'u', b'0', b'0', digits @ ..] => (digits.first_chunk::<2>()?, 6),
        [b'\\', b'/', ..] => return Some((b'/', 2)),
        _ => return None,
    };
    let digit = |byte: u8| char::from(byte).to_digit(16);
    let value = digit(digits[0])? * 16 + digit(digits[1])?;
    let byte = u8::try_from(value).ok()?;
    byte.is_ascii_graphic().then_some((byte, length))
}

#[cfg(test)]
mod tests {
    use super::Decoded;

    #[test]
    fn words_with_escapes_are_decoded_and_found_again() {
        let whole = br#"plain {"u":"a%2Fb\/c","v":"\u0067hp_"} 50% of \n and %zz x%3d"#;
        let decoded = Decoded::of(whole).expect("it has some");
        assert_eq!(&decoded.text, b"a/b/c\nghp_\nx=\n");
        let range = |text: &[u8]| {
            let at = memchr::memmem::find(&decoded.text, text).expect("there");
            &whole[decoded.range(&(at..at + text.len()))]
        };
        assert_eq!(range(b"/b/"), br"%2Fb\/");
        assert_eq!(range(b"ghp_"), br"\u0067hp_");
        assert_eq!(range(b"x="), b"x%3d");
        assert!(Decoded::of(b"100% \\n \\\\ %").is_none());
    }
}
