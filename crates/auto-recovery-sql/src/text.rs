//! Text as a column can hold it.
//!
//! PostgreSQL has no text with a NUL in it, and many programs that read SQLite stop at one. A NUL
//! is kept as two characters: a mark that means nothing else, and is itself kept as two. So text is
//! read as it was written, and different texts stay different.

use std::borrow::Cow;

use memchr::{memchr, memchr2};

/// First of two characters that stand for one: a noncharacter that no text has reason to contain.
const MARK: char = '\u{10fffe}';

/// First byte of the mark, and of some other rare characters, in UTF-8.
const MARK_FIRST_BYTE: u8 = 0xf4;

/// Encodes `text` without NULs.
pub(crate) fn to_column(text: &str) -> Cow<'_, str> {
    if memchr2(0, MARK_FIRST_BYTE, text.as_bytes()).is_none() {
        return text.into();
    }
    let mut kept = String::with_capacity(text.len() + 8);
    for character in text.chars() {
        match character {
            '\0' => kept.extend([MARK, '0']),
            MARK => kept.extend([MARK, '1']),
            other => kept.push(other),
        }
    }
    kept.into()
}

/// Whether `kept` is the text itself.
pub(crate) fn is_as_it_was(kept: &str) -> bool {
    memchr(MARK_FIRST_BYTE, kept.as_bytes()).is_none() || !kept.contains(MARK)
}

/// Decodes `kept`.
pub(crate) fn from_column(kept: String) -> String {
    if is_as_it_was(&kept) {
        return kept;
    }
    let mut text = String::with_capacity(kept.len());
    let mut characters = kept.chars();
    while let Some(character) = characters.next() {
        text.push(match character {
            MARK if characters.next() == Some('0') => '\0',
            other => other,
        });
    }
    text
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_text_comes_back_and_has_no_nul(text in "[a\0\u{10fffe}01]{0,12}") {
            let kept = to_column(&text).into_owned();
            prop_assert!(!kept.contains('\0'));
            prop_assert_eq!(from_column(kept), text);
        }
    }
}
