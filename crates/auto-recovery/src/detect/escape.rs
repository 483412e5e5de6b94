//! Escape sequences of terminals: left out for matching, never interpreted.

use std::borrow::Cow;

use memchr::memchr;

const ESCAPE: u8 = 0x1b;
const BELL: u8 = 0x07;

/// The text without ANSI escape sequences; borrowed when it holds none.
pub fn strip_escapes(bytes: &[u8]) -> Cow<'_, [u8]> {
    let Some(first) = memchr(ESCAPE, bytes) else {
        return Cow::Borrowed(bytes);
    };
    let mut kept = Vec::with_capacity(bytes.len());
    kept.extend_from_slice(&bytes[..first]);
    let mut rest = &bytes[first..];
    while !rest.is_empty() {
        rest = &rest[escape_length(rest)..];
        let next = memchr(ESCAPE, rest).unwrap_or(rest.len());
        kept.extend_from_slice(&rest[..next]);
        rest = &rest[next..];
    }
    Cow::Owned(kept)
}

/// How many bytes the escape sequence at the start of `bytes` takes, at least the escape itself.
///
/// A sequence that is cut off or malformed ends where its grammar does, and never beyond its line,
/// so hostile text cannot hide what follows it.
fn escape_length(bytes: &[u8]) -> usize {
    match bytes.get(1) {
        Some(b'[') => {
            let parameters = bytes[2..]
                .iter()
                .take_while(|byte| (0x20..=0x3f).contains(*byte))
                .count();
            let end = 2 + parameters;
            match bytes.get(end) {
                Some(0x40..=0x7e) => end + 1,
                _ => end,
            }
        }
        Some(b']') => {
            let body = &bytes[2..];
            let end = body
                .iter()
                .position(|&byte| matches!(byte, BELL | ESCAPE | b'\n'))
                .unwrap_or(body.len());
            match body.get(end) {
                Some(&BELL) => 2 + end + 1,
                Some(&ESCAPE) if body.get(end + 1) == Some(&b'\\') => 2 + end + 2,
                _ => 2 + end,
            }
        }
        Some(b'(' | b')') => bytes.len().min(3),
        Some(0x30..=0x7e) => 2,
        _ => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::strip_escapes;

    fn check(input: &str, expected: &str) {
        assert_eq!(
            String::from_utf8_lossy(&strip_escapes(input.as_bytes())),
            expected
        );
    }

    #[test]
    fn escapes_are_left_out_and_nothing_else_is() {
        check("plain", "plain");
        check("\x1b[1m\x1b[31merror\x1b[0m: x", "error: x");
        check("\x1b[38;5;9merror\x1b[K\n", "error\n");
        check("\x1b]8;;http://a\x07link\x1b]8;;\x1b\\ end", "link end");
        check("\x1b]0;never ended\nerror: kept", "\nerror: kept");
        check("cut \x1b[31", "cut ");
        check("\x1b", "");
        check("\x1b(Bx", "x");
    }
}
