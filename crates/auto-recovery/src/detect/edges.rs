//! The beginning and the end of an output: what is looked at where the whole would be too much.

use std::borrow::Cow;
use std::ops::Range;

use memchr::{memchr2_iter, memrchr2};

use super::found::shown;
use super::line::{line_at, undecorated};

/// The bytes at either end of a stream in which a rule without literals is tried.
const ENDS_BYTES: usize = 32 * 1024;

/// The bytes at either end of a stream in which task runners announce what they run.
const ANNOUNCED_BYTES: usize = 64 * 1024;

/// Lines at the end of a stream that are looked at for its last words.
const LAST_LINES_MAX: usize = 8;

/// How a line begins with which we say that an output was cut.
const CUT_NOTICE: &[u8] = b"[recover: ";

/// The starts of the lines within a bounded distance of either end.
pub(super) fn starts_near_the_ends(text: &[u8]) -> Vec<usize> {
    let head = text.len().min(ENDS_BYTES);
    let tail = text.len().saturating_sub(ENDS_BYTES).max(head);
    let after_newlines = |range: Range<usize>| {
        let from = range.start;
        memchr2_iter(b'\n', b'\r', &text[range]).map(move |at| from + at + 1)
    };
    std::iter::once(0)
        .chain(after_newlines(0..head))
        .chain(after_newlines(tail..text.len()))
        .filter(|&start| start < text.len())
        .collect()
}

/// The beginning and the end of `text`, as far as announced commands are looked for.
pub(super) fn ends(text: &[u8]) -> Cow<'_, str> {
    if text.len() <= 2 * ANNOUNCED_BYTES {
        return String::from_utf8_lossy(text);
    }
    let (head, tail) = (
        &text[..ANNOUNCED_BYTES],
        &text[text.len() - ANNOUNCED_BYTES..],
    );
    let both = [head, b"\n", tail].concat();
    Cow::Owned(String::from_utf8_lossy(&both).into_owned())
}

/// The last line with anything in it, before what only repeats the exit code.
pub(super) fn last_line(text: &[u8]) -> Option<String> {
    let mut rest = text;
    let mut last = None;
    for _ in 0..LAST_LINES_MAX {
        let Some(Range { start, end }) = last_filled(rest) else {
            break;
        };
        let line = line_at(&rest[..end], start);
        rest = &rest[..start];
        if line.starts_with(CUT_NOTICE) {
            continue;
        }
        if let Some(above) = above_announcement(undecorated(line), rest) {
            rest = above;
            continue;
        }
        if !repeats_exit(undecorated(line)) {
            return Some(shown(line));
        }
        last = last.or_else(|| Some(shown(line)));
    }
    last
}

/// Where the last line with anything in it stands, without the blanks at its end.
pub(super) fn last_filled(text: &[u8]) -> Option<Range<usize>> {
    let last = text.iter().rposition(|byte| !byte.is_ascii_whitespace())?;
    let end = last + 1;
    let start = memrchr2(b'\n', b'\r', &text[..end]).map_or(0, |newline| newline + 1);
    Some(start..end)
}

/// What stands above the announcement that `line` ends, if it ends one: a runner of scripts says
/// which script it starts, and its command, before anything can go wrong.
fn above_announcement<'a>(line: &[u8], above: &'a [u8]) -> Option<&'a [u8]> {
    let name = last_filled(above)?;
    let name_line = undecorated(line_at(&above[..name.end], name.start));
    let is_one = match line.get(..2)? {
        // npm and pnpm: `> shop@1.0.0 test`, `> jest`.
        b"> " => name_line.starts_with(b"> "),
        // Yarn 1: `yarn run v1.22.22`, `$ jest`.
        b"$ " => name_line.starts_with(b"yarn run v"),
        _ => false,
    };
    is_one.then(|| &above[..name.start])
}

/// Beginnings of lines that say no more than that a command ended with a code.
const REPEATS_EXIT: [&[u8]; 10] = [
    b"exit status ",
    b"Process completed with exit code",
    b"make: *** [",
    b"make: [",
    b"error Command failed with exit code ",
    b"info Visit https://yarnpkg.com/",
    b"ELIFECYCLE  Command failed with exit code ",
    b"error: script \"",
    b"error: Recipe `",
    b"task: Failed to run task ",
];

/// Whether the line says no more than that a command ended with a code.
fn repeats_exit(line: &[u8]) -> bool {
    let line = line.trim_ascii_start();
    REPEATS_EXIT.iter().any(|start| line.starts_with(start))
}

#[cfg(test)]
mod tests {
    use super::last_line;

    #[test]
    fn the_last_words_are_the_programs_own() {
        let check = |text: &str, expected: Option<&str>| {
            assert_eq!(last_line(text.as_bytes()).as_deref(), expected, "{text}");
        };
        check("it broke\nexit status 1\n\n", Some("it broke"));
        check("exit status 1\n", Some("exit status 1"));
        check(
            "it broke\n[recover: 7 bytes of stderr were cut here]\n",
            Some("it broke"),
        );
        check("[recover: 7 bytes of stderr were cut here]\n", None);
        check("\n> x@1.0.0 test\n> exit 4\n\n", None);
        check("\n> x@1.0.0 test\n> jest\n\nit broke\n", Some("it broke"));
        check(
            "it broke\n\n> x@1.0.0 posttest\n> exit 4\n",
            Some("it broke"),
        );
        check(
            "yarn run v1.22.22\n$ exit 4\nerror Command failed with exit code 4.\n",
            Some("error Command failed with exit code 4."),
        );
        check("> 3 | it broke\n", Some("> 3 | it broke"));
        check(
            "it broke\n ELIFECYCLE  Command failed with exit code 4.\n",
            Some("it broke"),
        );
        check(
            "it broke\nerror: Recipe `test` failed on line 2 with exit code 4\n",
            Some("it broke"),
        );
    }
}
