//! The one pass over an output: where the rules' literals stand.
//!
//! Each literal is known by its rarest four bytes. A bit for each such four tells at nearly every
//! position of a text, in a few instructions, that no literal is there; only where the bit is set are
//! literals compared. Nothing is built that costs a short run its speed. Letters compare without
//! case, since tools disagree on it and the rules' patterns decide anyway.
//!
//! Memory stays bounded however often a literal occurs: of each, the first and the last few lines are
//! kept. So does time: a position is compared with the few literals that share its four bytes.

use std::borrow::Cow;
use std::collections::VecDeque;

use memchr::memrchr2;

use super::escape::strip_escapes;

/// The shortest literal that can be told: shorter ones would stand in every other line.
pub(super) const LITERAL_BYTES_MIN: usize = 4;

/// Lines kept at either end for each literal: a telling line is among the first or the last of its
/// kind, and 64 of each leave room for look-alikes.
const LINES_KEPT: usize = 64;

/// The longest prefix of a line in which a literal counts. What stands further right is data that a
/// program printed, not how a tool begins a report.
const LINE_PREFIX_BYTES: usize = 4 * 1024;

/// Bits in the filter, as a power of two: 16 KiB stay in the fastest cache, and some 1,500 literals
/// set about one bit in a hundred.
const FILTER_BITS_LOG2: u32 = 17;

/// Multiplier of Fibonacci hashing: 2^32 divided by the golden ratio.
const HASH_MULTIPLIER: u32 = 0x9e37_79b9;

/// The literals of all rules, each once.
#[derive(Debug)]
pub(super) struct Literals {
    all: Vec<String>,
    /// Which hashes of four bytes belong to some literal.
    filter: Vec<u64>,
    /// The literals by their four bytes, sorted by these.
    keys: Vec<Key>,
}

/// Four bytes of a literal and where in it they stand.
#[derive(Clone, Copy, Debug)]
struct Key {
    gram: u32,
    literal: u16,
    offset: u16,
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
}

/// The start of the line that the scan is in.
#[derive(Debug, Default)]
struct Line {
    start: usize,
    seen: usize,
}

impl Literals {
    pub(super) fn new(all: Vec<String>) -> Self {
        let mut filter = vec![0; 1 << (FILTER_BITS_LOG2 - u64::BITS.ilog2())];
        let mut keys: Vec<Key> = all
            .iter()
            .enumerate()
            .map(|(literal, text)| Key::rarest(literal, text.as_bytes()))
            .collect();
        keys.sort_unstable_by_key(|key| key.gram);
        for key in &keys {
            let (word, bit) = filter_place(key.gram);
            filter[word] |= bit;
        }
        Self { all, filter, keys }
    }

    /// Reads a stream once.
    pub(super) fn scan<'a>(&self, stream: &'a [u8]) -> Scanned<'a> {
        let text = strip_escapes(stream);
        let mut hits = vec![Hits::default(); self.all.len()];
        let mut line = Line::default();
        for (at, four) in text.windows(LITERAL_BYTES_MIN).enumerate() {
            let gram = gram(four);
            let (word, bit) = filter_place(gram);
            if self.filter[word] & bit != 0 {
                self.compare(&text, at, gram, &mut line, &mut hits);
            }
        }
        Scanned { text, hits }
    }

    #[cold]
    fn compare(&self, text: &[u8], at: usize, gram: u32, line: &mut Line, hits: &mut [Hits]) {
        let from = self.keys.partition_point(|key| key.gram < gram);
        for key in self.keys[from..].iter().take_while(|key| key.gram == gram) {
            let literal = self.all[usize::from(key.literal)].as_bytes();
            let found = at.checked_sub(usize::from(key.offset)).filter(|&start| {
                text.get(start..start + literal.len())
                    .is_some_and(|bytes| bytes.eq_ignore_ascii_case(literal))
            });
            if let Some(start) = found {
                line.advance(text, at);
                hits[usize::from(key.literal)].note(line.start_of(text, start), start);
            }
        }
    }
}

impl Key {
    /// The four bytes of `literal` that occur least in what programs print.
    fn rarest(literal: usize, bytes: &[u8]) -> Self {
        let (offset, four) = bytes
            .windows(LITERAL_BYTES_MIN)
            .enumerate()
            .max_by_key(|(_, four)| four.iter().map(|&byte| rarity(byte)).sum::<u32>())
            .expect("a rule is refused when a literal of it is shorter than that");
        let narrow = |number| u16::try_from(number).expect("rules are refused beyond that");
        Self {
            gram: gram(four),
            literal: narrow(literal),
            offset: narrow(offset),
        }
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
    fn note(&mut self, line_start: usize, at: usize) {
        self.found = true;
        let known = self.last.back().or(self.first.last());
        if known == Some(&line_start) || at - line_start > LINE_PREFIX_BYTES {
            return;
        }
        if self.first.len() < LINES_KEPT {
            self.first.push(line_start);
            return;
        }
        if self.last.len() == LINES_KEPT {
            self.last.pop_front();
        }
        self.last.push_back(line_start);
    }
}

impl Line {
    /// Moves on to the line of `at`. No byte is looked at twice.
    fn advance(&mut self, text: &[u8], at: usize) {
        if let Some(newline) = memrchr2(b'\n', b'\r', &text[self.seen..at]) {
            self.start = self.seen + newline + 1;
        }
        self.seen = at;
    }

    /// The start of the line of `at`, which may lie a literal's length before the current one when
    /// the literal holds a line's end.
    fn start_of(&self, text: &[u8], at: usize) -> usize {
        if self.start <= at {
            return self.start;
        }
        memrchr2(b'\n', b'\r', &text[..at]).map_or(0, |newline| newline + 1)
    }
}

/// Four bytes as a number, upper and lower case alike.
fn gram(four: &[u8]) -> u32 {
    /// The bit in which an ASCII letter's cases differ. Other bytes may collide, harmlessly: the
    /// literals are compared afterwards.
    const CASE_BITS: u32 = 0x2020_2020;
    u32::from_le_bytes([four[0], four[1], four[2], four[3]]) | CASE_BITS
}

fn filter_place(gram: u32) -> (usize, u64) {
    let hash = gram.wrapping_mul(HASH_MULTIPLIER) >> (u32::BITS - FILTER_BITS_LOG2);
    ((hash >> 6) as usize, 1 << (hash & 63))
}

/// How rare a byte is in what programs print, roughly.
fn rarity(byte: u8) -> u32 {
    match byte.to_ascii_lowercase() {
        b'e' | b't' | b'a' | b'o' | b'i' | b'n' | b's' | b'r' | b' ' => 0,
        b'l' | b'c' | b'd' | b'u' | b'm' | b'p' | b'h' | b'.' | b'/' | b'-' | b':' => 1,
        b'0'..=b'9' | b'f' | b'g' | b'b' | b'_' | b'"' | b',' => 2,
        b'y' | b'w' | b'v' | b'k' | b'=' | b'(' | b')' => 3,
        _ => 4,
    }
}
