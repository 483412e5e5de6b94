//! Escape sequences and control characters of terminals: left out for matching, never interpreted.
//!
//! What a program writes differs from terminal to terminal (`tput sgr0` is `ESC [ m` on some, with
//! a shift-in behind it on others), and what it says does not. So all that draws nothing goes, here
//! and nowhere else: detection, failure kinds, messages and excerpts ask this module.

use std::borrow::Cow;

const ESCAPE: u8 = 0x1b;
const BELL: u8 = 0x07;

/// Bytes that are looked at together: one pass over a cache line, without a branch in it.
const BLOCK_BYTES: usize = 64;

/// The text without ANSI escape sequences and without control characters that draw nothing, which
/// are all but the tab and the ends of lines; borrowed when it holds none.
pub fn strip_escapes(bytes: &[u8]) -> Cow<'_, [u8]> {
    let Some(first) = next_control(bytes) else {
        return Cow::Borrowed(bytes);
    };
    let mut kept = Vec::with_capacity(bytes.len());
    kept.extend_from_slice(&bytes[..first]);
    let mut rest = &bytes[first..];
    while let Some(&control) = rest.first() {
        let length = match control {
            ESCAPE => escape_length(rest),
            _ => plain_controls(rest),
        };
        rest = &rest[length..];
        let next = next_control(rest).unwrap_or(rest.len());
        kept.extend_from_slice(&rest[..next]);
        rest = &rest[next..];
    }
    Cow::Owned(kept)
}

/// Where the first character stands that draws nothing.
fn next_control(bytes: &[u8]) -> Option<usize> {
    let mut start = 0;
    for block in bytes.chunks(BLOCK_BYTES) {
        // No early end, so that the block is looked at as a whole.
        if block
            .iter()
            .fold(false, |any, byte| any | is_control(*byte))
        {
            return block
                .iter()
                .position(|byte| is_control(*byte))
                .map(|at| start + at);
        }
        start += block.len();
    }
    None
}

fn is_control(byte: u8) -> bool {
    (byte < b' ') & (byte != b'\t') & (byte != b'\n') & (byte != b'\r')
}

/// How many bytes at the start of `bytes` draw nothing and begin no escape sequence.
fn plain_controls(bytes: &[u8]) -> usize {
    let is_plain = |byte: &&u8| is_control(**byte) && **byte != ESCAPE;
    bytes.iter().take_while(is_plain).count()
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

    #[test]
    fn what_draws_nothing_is_left_out_on_every_terminal() {
        // `tput sgr0` on screen, tmux and linux: a shift-in stands behind the sequence.
        check("\x1b[31merror\x1b[m\x0f: x", "error: x");
        check("\x0eerror\x0f: x\x07\x00\x08\x0c", "error: x");
        check("a\tb\r\nc\n", "a\tb\r\nc\n");
        let long = "x".repeat(200);
        check(&format!("{long}\x0f{long}"), &long.repeat(2));
    }
}
