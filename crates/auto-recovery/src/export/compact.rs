//! JSON text on one line, every value as it was written.

use std::borrow::Cow;

/// `json` without the whitespace between its tokens.
pub(super) fn compact(json: &[u8]) -> Cow<'_, [u8]> {
    if !json.contains(&b'\n') {
        return Cow::Borrowed(json);
    }
    let mut out = Vec::with_capacity(json.len());
    let mut in_string = false;
    let mut escaped = false;
    for &byte in json {
        if in_string {
            in_string = escaped || byte != b'"';
            escaped = !escaped && byte == b'\\';
        } else if byte.is_ascii_whitespace() {
            continue;
        } else {
            in_string = byte == b'"';
        }
        out.push(byte);
    }
    Cow::Owned(out)
}
