//! The part of an output that tells most: what stands around the error, for whoever mends it.
//!
//! Pure. Escape sequences and control characters are left out, so what a program wrote cannot act
//! on a terminal that shows it.

use memchr::memmem;

use crate::escape::strip_escapes;
use crate::failure::Failure;

/// The longest excerpt: 8 KiB, some 2,000 tokens, as much as a model reads without losing itself.
pub(in crate::run) const EXCERPT_BYTES_MAX: usize = 8 * 1024;

/// What of it stands before the error; the reasons of most tools follow it.
const BEFORE_BYTES_MAX: usize = EXCERPT_BYTES_MAX * 3 / 8;

/// Bytes in which the start of a line is looked for: longer lines begin in their middle.
const LINE_BYTES_MAX: usize = 1024;

/// The shortest text that is looked for: anything shorter stands everywhere.
const NEEDLE_BYTES_MIN: usize = 4;

/// At most [`EXCERPT_BYTES_MAX`] of `output`: around the first place that shows `failure`, or else
/// its end.
pub(in crate::run) fn excerpt(output: &[u8], failure: &Failure) -> String {
    let output = strip_escapes(output);
    let from = match error_at(&output, failure) {
        _ if output.len() <= EXCERPT_BYTES_MAX => 0,
        Some(at) => {
            let last = output.len() - EXCERPT_BYTES_MAX;
            line_start(&output, at.saturating_sub(BEFORE_BYTES_MAX).min(last))
        }
        None => line_start(&output, output.len() - EXCERPT_BYTES_MAX),
    };
    let to = output.len().min(from + EXCERPT_BYTES_MAX);
    readable(&output[from..to], EXCERPT_BYTES_MAX)
}

/// `bytes` as text of at most `bytes_max`, without control characters but for tabs and line ends.
pub(in crate::run) fn readable(bytes: &[u8], bytes_max: usize) -> String {
    let mut text = String::from_utf8_lossy(bytes).replace("\r\n", "\n");
    text.retain(|c| matches!(c, '\n' | '\t') || !c.is_control());
    text.truncate(text.floor_char_boundary(bytes_max));
    text
}

/// Where `failure` shows in `output`: its message, or the place that it names.
fn error_at(output: &[u8], failure: &Failure) -> Option<usize> {
    let message = failure.message.lines().next().unwrap_or_default().trim();
    let place = failure.as_named().location().unwrap_or_default();
    let file = failure.file_as_named().unwrap_or_default();
    [message, &place, file]
        .into_iter()
        .filter(|needle| needle.len() >= NEEDLE_BYTES_MIN)
        .find_map(|needle| memmem::find(output, needle.as_bytes()))
}

/// The first start of a line at or after `at`, if one is near.
fn line_start(output: &[u8], at: usize) -> usize {
    if at == 0 {
        return 0;
    }
    let near = &output[at - 1..output.len().min(at + LINE_BYTES_MAX)];
    memchr::memchr(b'\n', near).map_or(at, |end| at + end)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbered(lines: usize) -> String {
        (0..lines).map(|line| format!("line {line}\n")).collect()
    }

    #[test]
    fn what_stands_around_the_error_is_shown() {
        let output = format!("{}E: it broke\n{}", numbered(9_000), numbered(9_000));
        let shown = excerpt(output.as_bytes(), &Failure::new("E", "it broke", "t"));
        assert!(shown.len() <= EXCERPT_BYTES_MAX && shown.len() > EXCERPT_BYTES_MAX / 2);
        assert!(shown.starts_with("line "), "{shown}");
        let at = shown.find("E: it broke\nline 0\n").expect("the error");
        assert!(at > BEFORE_BYTES_MAX / 2 && at <= BEFORE_BYTES_MAX, "{at}");
    }

    #[test]
    fn a_place_tells_where_no_message_does() {
        let output = format!("{}src/a.rs:7 bad\n{}", numbered(9_000), numbered(9_000));
        let failure = Failure {
            file_path: Some("src/a.rs".to_owned()),
            line_number: Some(7),
            ..Failure::new("E", "not in the output", "t")
        };
        assert!(excerpt(output.as_bytes(), &failure).contains("src/a.rs:7 bad"));
    }

    #[test]
    fn the_end_is_shown_where_nothing_tells() {
        let output = numbered(9_000);
        let shown = excerpt(output.as_bytes(), &Failure::new("E", "", "t"));
        assert!(shown.ends_with("line 8999\n") && shown.len() <= EXCERPT_BYTES_MAX);
    }

    #[test]
    fn what_acts_on_a_terminal_is_left_out_and_bytes_stay_bounded() {
        let short = excerpt(b"\x1b[31mred\x1b[0m\r\n\x07\tx\xff", &Failure::default());
        assert_eq!(short, "red\n\tx\u{fffd}");
        let hostile = vec![0xff; 3 * EXCERPT_BYTES_MAX];
        assert!(excerpt(&hostile, &Failure::default()).len() <= EXCERPT_BYTES_MAX);
    }
}
