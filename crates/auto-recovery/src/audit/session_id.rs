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
