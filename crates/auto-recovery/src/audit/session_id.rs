//! Session ids: which there are, and how they become file names.
//!
//! An id is any text of 1 to 200 characters without control characters. In file names everything
//! outside `[A-Za-z0-9._-]`, and a leading dot, is percent-encoded byte by byte, so no id can name
//! a path outside the store, a hidden file or a file of the store's own; the encoded name has at
//! most 200 bytes.

use crate::error::{Error, ErrorKind, Result};
use crate::files::encoding;

/// The longest id, in characters.
pub const SESSION_ID_CHARS_MAX: usize = 200;

/// The longest encoded id, in bytes: file names have 255, and 55 are left for what is added to it.
pub const SESSION_ID_ENCODED_BYTES_MAX: usize = 200;

/// How many characters of an id that is refused are shown.
const SHOWN_CHARS_MAX: usize = 60;

/// `session_id` as part of a file name.
///
/// # Errors
/// [`ErrorKind::InvalidInput`] if it cannot be an id.
pub fn encode(session_id: &str) -> Result<String> {
    check(session_id)?;
    let encoded = encode_unchecked(session_id);
    if encoded.len() > SESSION_ID_ENCODED_BYTES_MAX {
        return Err(refusal(
            session_id,
            &format!(
                "takes {} bytes percent-encoded: use at most {SESSION_ID_ENCODED_BYTES_MAX}",
                encoded.len()
            ),
        ));
    }
    Ok(encoded)
}

/// How many of the last hexadecimal digits of an id of ours people are shown: those of a UUIDv7
/// that are drawn. Of 10,000 sessions two share them with a chance of one in a hundred.
const SHORT_DIGITS: usize = 8;

/// Hexadecimal digits of an id of ours, and of one that the Python original made.
const DIGITS: [usize; 2] = [32, SHORT_DIGITS];

/// What stands before the digits in the ids of sessions and of restores.
const PREFIXES: [&str; 2] = ["session_", "restore_"];

/// The piece of `session_id` that people are shown: the last digits of an id that we made, and all
/// of one that somebody chose.
pub fn short(session_id: &str) -> &str {
    let is_hex = |digits: &&str| {
        let is_digit = |byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        DIGITS.contains(&digits.len()) && digits.bytes().all(is_digit)
    };
    let mut digits = PREFIXES
        .iter()
        .filter_map(|prefix| session_id.strip_prefix(prefix));
    match digits.next().filter(is_hex) {
        Some(digits) => &digits[digits.len() - SHORT_DIGITS..],
        None => session_id,
    }
}

/// The id that [`encode`] turns into `name`, if there is one.
pub fn decode(name: &str) -> Option<String> {
    let session_id = encoding::decode(name)?;
    // Only the canonical spelling is ours: two names must never mean one session.
    (encode(&session_id).ok()?.as_str() == name).then_some(session_id)
}

fn check(session_id: &str) -> Result<()> {
    let chars = session_id.chars().count();
    if chars == 0 {
        return Err(Error::new(
            ErrorKind::InvalidInput,
            "session id is empty: give 1 to 200 characters",
        ));
    }
    if chars > SESSION_ID_CHARS_MAX {
        return Err(refusal(
            session_id,
            &format!("has {chars} characters: use at most {SESSION_ID_CHARS_MAX}"),
        ));
    }
    if session_id.chars().any(char::is_control) {
        return Err(refusal(session_id, "has a control character: leave it out"));
    }
    Ok(())
}

fn refusal(session_id: &str, why: &str) -> Error {
    let mut shown: String = session_id.chars().take(SHOWN_CHARS_MAX).collect();
    if shown.len() < session_id.len() {
        shown.push('…');
    }
    Error::new(
        ErrorKind::InvalidInput,
        format!("session id {shown:?} {why}"),
    )
}

fn encode_unchecked(session_id: &str) -> String {
    encoding::encode(session_id, |index, byte| {
        byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-' || (byte == b'.' && index > 0)
    })
}

#[cfg(test)]
mod tests {
    use super::short;

    #[test]
    fn people_see_the_end_of_our_ids_and_all_of_their_own() {
        for (id, shown) in [
            ("session_0192f0c1d2e37abc8def012345b2f01c", "45b2f01c"),
            ("session_1a2b3c4d", "1a2b3c4d"),
            ("restore_0192f0c1d2e37abc8def012345b2f01d", "45b2f01d"),
            ("restore_db", "restore_db"),
            ("session_old", "session_old"),
            (
                "session_0192F0C1D2E37ABC8DEF012345B2F01C",
                "session_0192F0C1D2E37ABC8DEF012345B2F01C",
            ),
            ("build-7", "build-7"),
            ("", ""),
        ] {
            assert_eq!(short(id), shown);
        }
    }
}
