//! The one pass over an output: strips escape sequences, finds where the rules' literals stand.
//!
//! Memory stays bounded however often a literal occurs: of each, the first and the last few lines
//! are kept.

use std::borrow::Cow;
use std::collections::VecDeque;

use aho_corasick::{AhoCorasick, AhoCorasickKind, MatchKind};
use memchr::{memchr, memchr2, memrchr2};

/// Lines kept at either end for each literal: a telling line is among the first or the last of its
/// kind, and 64 of each leave room for look-alikes.
const LINES_KEPT: usize = 64;

/// The longest prefix of a line in which a literal counts. What stands further right is data that a
/// program printed, not how a tool begins a report.
const LINE_PREFIX_BYTES: usize = 4 * 1024;

/// From this size on the automaton that takes longer to build pays for itself: it reads about four
/// times as fast and costs some milliseconds.
const LARGE_BYTES: usize = 4 << 20;

const ESCAPE: u8 = 0x1b;
const BELL: u8 = 0x07;

/// The literals of all rules, each once.
#[derive(Debug)]
pub(super) struct Literals {
    all: Vec<String>,
}

/// Where the literals stand in one stream, and its text without escape sequences.
#[derive(Debug)]
pub(super) struct Scanned<'a> {
    pub(super) text: Cow<'a, [u8]>,
    hits: Vec<Hits>,
}

/// The starts of the lines that hold one literal.
#[derive(Clone, Debug, Default)]
struct Hits {
    found: bool,
    first: Vec<usize>,
    last: VecDeque<usize>,
    /// Where the last recorded occurrence stands; others in its line are not recorded again.
    seen: usize,
}

impl Literals {
    pub(super) fn new(all: Vec<String>) -> Self {
        Self { all }
    }

    /// Reads each stream once.
    pub(super) fn scan<'a>(&self, streams: [&'a [u8]; 2]) -> [Scanned<'a>; 2] {
        let bytes: usize = streams.iter().map(|stream| stream.len()).sum();
        let kind = if bytes < LARGE_BYTES {
            AhoCorasickKind::NoncontiguousNFA
        } else {
            AhoCorasickKind::DFA
        };
        let automaton = AhoCorasick::builder()
            .kind(Some(kind))
            .ascii_case_insensitive(true)
            .match_kind(MatchKind::Standard)
            .build(&self.all)
            .expect("a few thousand short literals stay far below the automaton's limits");
        streams.map(|stream| {
            let text = strip_escapes(stream);
            let mut hits = vec![Hits::default(); self.all.len()];
            for found in automaton.find_overlapping_iter(text.as_ref()) {
                hits[found.pattern().as_usize()].note(&text, found.start());
            }
            Scanned { text, hits }
        })
    }
}

impl Scanned<'_> {
    /// Whether the literal stands anywhere in the stream.
    pub(super) fn has(&self, literal: usize) -> bool {
        self.hits[literal].found
    }

    /// The starts of the lines that hold one of the literals, in order.
    pub(super) fn lines_with(&self, literals: &[usize]) -> Vec<usize> {
        let mut starts: Vec<usize> = literals
            .iter()
            .flat_map(|&literal| {
                let hits = &self.hits[literal];
                hits.first.iter().chain(&hits.last).copied()
            })
            .collect();
        starts.sort_unstable();
        starts.dedup();
        starts
    }
}

impl Hits {
    fn note(&mut self, text: &[u8], at: usize) {
        let same_line = self.found && memchr2(b'\n', b'\r', &text[self.seen..at]).is_none();
        if same_line {
            return;
        }
        self.found = true;
        self.seen = at;
        let Some(start) = line_start(text, at) else {
            return;
        };
        if self.first.len() < LINES_KEPT {
            self.first.push(start);
            return;
        }
        if self.last.len() == LINES_KEPT {
            self.last.pop_front();
        }
        self.last.push_back(start);
    }
}

/// Where the line of `at` starts, unless that is too far to the left to matter.
fn line_start(text: &[u8], at: usize) -> Option<usize> {
    let from = at.saturating_sub(LINE_PREFIX_BYTES);
    match memrchr2(b'\n', b'\r', &text[from..at]) {
        Some(newline) => Some(from + newline + 1),
        None => (from == 0).then_some(0),
    }
}

/// The text without ANSI escape sequences; borrowed when it holds none.
fn strip_escapes(bytes: &[u8]) -> Cow<'_, [u8]> {
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
