//! The one pass over an output that finds the rules' literals.
//!
//! Each literal is known by its rarest eight bytes, a short one by its rarest four. A bit for each
//! of them shows at nearly every position of a text, in a few instructions, that no literal is
//! there; only where the bit is set are literals compared. Nothing is built that costs a short run
//! its speed. Letters compare without case, since tools disagree on it and the rules' patterns
//! decide anyway.
//!
//! Memory and time stay bounded however often a literal occurs: the first lines of each are kept,
//! then its bit is cleared; the last lines come from a second look, backwards, at the text's end.

use std::borrow::Cow;

use memchr::{memchr2, memrchr2};

use super::text::Text;
use crate::escape::strip_escapes;

/// Length of the shortest literal: shorter ones would be in every other line.
pub(super) const LITERAL_BYTES_MIN: usize = 4;

/// Lines kept at either end for each literal: a telling line is among the first or the last of its
/// kind, and 64 of each leave room for look-alikes.
const LINES_KEPT: usize = 64;

/// The part of a line in which a literal counts. Text further right is data that a program printed,
/// not a tool's report.
const LINE_PREFIX_BYTES: usize = 4 * 1024;

/// Bytes at the end that are searched for the last lines with a literal: more than any summary
/// needs.
const TAIL_BYTES: usize = 1 << 20;

/// Bytes by which a literal is known if it has as many.
const LONG_BYTES: usize = 8;

/// Bits in a filter, as a power of two: 16 KiB stay in the fastest cache beside each other, and the
/// 2,200 eights of some 3,400 literals set one bit in sixty. Twice as many bits save little.
const FILTER_BITS_LOG2: u32 = 17;

/// Words that hold these bits.
const FILTER_WORDS: usize = 1 << (FILTER_BITS_LOG2 - u64::BITS.ilog2());

/// Slots of the keys, by the upper bits of their hashes: several times the number of hashes.
const SLOTS: u32 = 1 << 13;

/// Bits of a hash below those of its slot.
const SLOT_SHIFT: u32 = FILTER_BITS_LOG2 - SLOTS.ilog2();

/// Multipliers of Fibonacci hashing: 2^32 and 2^64 divided by the golden ratio.
const SHORT_MULTIPLIER: u32 = 0x9e37_79b9;
const LONG_MULTIPLIER: u64 = 0x9e37_79b9_7f4a_7c15;

/// The literals of all rules, each once.
#[derive(Debug)]
pub(super) struct Literals {
    all: Vec<Text>,
    /// The literals that are known by four bytes.
    short: Keys,
    /// The literals that are known by eight bytes.
    long: Keys,
}

/// Literals by the hash of the bytes by which they are known.
#[derive(Debug)]
struct Keys {
    /// Sorted by hash.
    keys: Vec<Key>,
    /// The place of the first key whose hash has these upper bits.
    slots: Vec<u16>,
}

/// The hash of a few bytes of a literal, their place in it, and bytes for a quick comparison.
#[derive(Clone, Copy, Debug)]
struct Key {
    hash: u32,
    literal: u16,
    offset: u16,
    length: u16,
    ends: [u8; 2],
}

/// The places of the literals in one stream, and its text without escape sequences.
#[derive(Debug)]
pub(super) struct Scanned<'a> {
    pub(super) text: Cow<'a, [u8]>,
    first: Vec<Vec<usize>>,
    last: Vec<Vec<usize>>,
}

impl Literals {
    pub(super) fn new(all: Vec<Text>) -> Self {
        let keys = |is_long: bool| {
            let mut keys: Vec<Key> = all
                .iter()
                .enumerate()
                .filter(|(_, text)| (text.len() >= LONG_BYTES) == is_long)
                .map(|(literal, text)| Key::rarest(literal, text.as_bytes()))
                .collect();
            keys.sort_unstable_by_key(|key| key.hash);
            Keys::sorted(keys)
        };
        Self {
            short: keys(false),
            long: keys(true),
            all,
        }
    }

    /// Reads a stream once, and its end once more where that is needed.
    pub(super) fn scan<'a>(&self, stream: &'a [u8]) -> Scanned<'a> {
        let text = strip_escapes(stream);
        let mut head = Pass::new(self, vec![true; self.all.len()]);
        let mut start = 0;
        while start < text.len() {
            let end = memchr2(b'\n', b'\r', &text[start..]).map_or(text.len(), |at| start + at);
            head.read_line(&text, start, end);
            start = end + 1;
        }
        let more = head.lines.iter().map(|lines| lines.len() == LINES_KEPT);
        let mut tail = Pass::new(self, more.collect());
        let mut end = text.len();
        let floor = text.len().saturating_sub(TAIL_BYTES);
        while end > floor && tail.open > 0 {
            let start = memrchr2(b'\n', b'\r', &text[..end]).map_or(0, |at| at + 1);
            tail.read_line(&text, start, end);
            end = start.saturating_sub(1);
        }
        Scanned {
            first: head.lines,
            last: tail.lines,
            text,
        }
    }
}

impl Keys {
    fn sorted(keys: Vec<Key>) -> Self {
        let mut slots = vec![0; SLOTS as usize + 1];
        for key in &keys {
            slots[(key.hash >> SLOT_SHIFT) as usize + 1] += 1;
        }
        for slot in 1..slots.len() {
            slots[slot] += slots[slot - 1];
        }
        Self { keys, slots }
    }

    /// The keys with this hash.
    fn of(&self, hash: u32) -> impl Iterator<Item = &Key> {
        let slot = (hash >> SLOT_SHIFT) as usize;
        let range = usize::from(self.slots[slot])..usize::from(self.slots[slot + 1]);
        self.keys[range].iter().filter(move |key| key.hash == hash)
    }
}

impl Scanned<'_> {
    /// Whether the literal is anywhere in the stream.
    pub(super) fn has(&self, literal: usize) -> bool {
        !self.first[literal].is_empty()
    }

    /// The starts of the lines that hold one of the literals, in order.
    pub(super) fn lines_with(&self, literals: &[usize]) -> Vec<usize> {
        let mut starts: Vec<usize> = literals
            .iter()
            .flat_map(|&literal| self.first[literal].iter().chain(&self.last[literal]))
            .copied()
            .collect();
        starts.sort_unstable();
        starts.dedup();
        starts
    }
}

/// One look at a text, in one direction, for the literals that are still open.
struct Pass<'a> {
    literals: &'a Literals,
    /// The hashes of open literals: of those that are known by four bytes and by eight.
    short: Filter,
    long: Filter,
    /// The starts of the lines that hold each literal, in the order in which they were read.
    lines: Vec<Vec<usize>>,
    is_open: Vec<bool>,
    open: usize,
}

/// A bit for each hash.
struct Filter(Box<[u64; FILTER_WORDS]>);

impl Filter {
    fn of(keys: &Keys, is_open: &[bool]) -> Self {
        let mut words = Box::new([0; FILTER_WORDS]);
        for key in &keys.keys {
            if is_open[usize::from(key.literal)] {
                let (word, bit) = filter_place(key.hash);
                words[word] |= bit;
            }
        }
        Self(words)
    }

    fn has(&self, hash: u32) -> bool {
        let (word, bit) = filter_place(hash);
        self.0[word] & bit != 0
    }

    /// Clears the bit of `hash` when no open literal needs it.
    fn close(&mut self, hash: u32, keys: &Keys, is_open: &[bool]) {
        if !keys.of(hash).any(|key| is_open[usize::from(key.literal)]) {
            let (word, bit) = filter_place(hash);
            self.0[word] &= !bit;
        }
    }
}

impl<'a> Pass<'a> {
    fn new(literals: &'a Literals, is_open: Vec<bool>) -> Self {
        Self {
            literals,
            short: Filter::of(&literals.short, &is_open),
            long: Filter::of(&literals.long, &is_open),
            lines: vec![Vec::new(); literals.all.len()],
            open: is_open.iter().filter(|is_open| **is_open).count(),
            is_open,
        }
    }

    fn read_line(&mut self, text: &[u8], start: usize, end: usize) {
        let line = &text[start..end.min(start + LINE_PREFIX_BYTES)];
        let mut from = 0;
        while let Some(at) = self.next_candidate(line, from) {
            self.compare(line, at, start);
            from = at + 1;
        }
    }

    /// The next place from `from` on whose bytes have a bit in a filter.
    fn next_candidate(&self, line: &[u8], from: usize) -> Option<usize> {
        let ahead = line.get(from..)?;
        let eights = ahead.windows(LONG_BYTES);
        let found = eights
            .clone()
            .position(|eight| self.long.has(long_hash(eight)) | self.short.has(short_hash(eight)));
        found.map(|at| from + at).or_else(|| {
            // The last few places, where eight bytes no longer fit.
            let last = eights.len();
            let fours = ahead.get(last..)?.windows(LITERAL_BYTES_MIN);
            let mut fours = fours.map(|four| self.short.has(short_hash(four)));
            fours.position(|has| has).map(|at| from + last + at)
        })
    }

    #[cold]
    fn compare(&mut self, line: &[u8], at: usize, line_start: usize) {
        let literals = self.literals;
        if let Some(eight) = line.get(at..at + LONG_BYTES) {
            let hash = long_hash(eight);
            if self.long.has(hash) {
                for key in literals.long.of(hash) {
                    if self.is_it(key, line, at) && self.note(key, line_start) {
                        self.long.close(hash, &literals.long, &self.is_open);
                    }
                }
            }
        }
        let hash = short_hash(&line[at..]);
        if self.short.has(hash) {
            for key in literals.short.of(hash) {
                if self.is_it(key, line, at) && self.note(key, line_start) {
                    self.short.close(hash, &literals.short, &self.is_open);
                }
            }
        }
    }

    /// Whether the open literal of `key` is there, given its few bytes at `at`.
    fn is_it(&self, key: &Key, line: &[u8], at: usize) -> bool {
        let literal = usize::from(key.literal);
        let bytes = at
            .checked_sub(usize::from(key.offset))
            .and_then(|start| line.get(start..start + usize::from(key.length)));
        bytes.is_some_and(|bytes| {
            // The ends differ more often than not, and are at hand without looking at the literal.
            ends(bytes) == key.ends
                && self.is_open[literal]
                && bytes.eq_ignore_ascii_case(self.literals.all[literal].as_bytes())
        })
    }

    /// Keeps a line of the literal; returns whether that was the last to keep.
    fn note(&mut self, key: &Key, line_start: usize) -> bool {
        let literal = usize::from(key.literal);
        let lines = &mut self.lines[literal];
        if lines.last() == Some(&line_start) {
            return false;
        }
        lines.push(line_start);
        let is_last = lines.len() == LINES_KEPT;
        if is_last {
            self.is_open[literal] = false;
            self.open -= 1;
        }
        is_last
    }
}

impl Key {
    /// The bytes of `literal` that are rarest in programs' output.
    fn rarest(literal: usize, bytes: &[u8]) -> Self {
        let length = if bytes.len() >= LONG_BYTES {
            LONG_BYTES
        } else {
            LITERAL_BYTES_MIN
        };
        let offset = rarest(bytes, length);
        let few = &bytes[offset..offset + length];
        Self {
            hash: if length == LONG_BYTES {
                long_hash(few)
            } else {
                short_hash(few)
            },
            literal: narrow(literal),
            offset: narrow(offset),
            length: narrow(bytes.len()),
            ends: ends(bytes),
        }
    }
}

/// The place of the `length` bytes that are rarest in programs' output, roughly.
///
/// A repeated byte adds nothing, since blanks and rules come in rows. The border of two words adds
/// something, since fewer texts agree there than within a word. Of equal places the last is taken.
/// Each byte is looked at twice: as it enters the few and as it leaves them.
fn rarest(bytes: &[u8], length: usize) -> usize {
    /// Weight of the end of a word inside of them, as much as two rarer letters.
    const WORD_ENDS: u32 = 2;
    let of = |at: usize| u32::from(RARITY[usize::from(bytes[at])]);
    let added = |at: usize| match bytes[at - 1] == bytes[at] {
        true => 0,
        false => of(at) + 1,
    };
    let is_word = |at: usize| u32::from(bytes[at].is_ascii_alphanumeric());
    // Of all but the first byte; of all; of all but the outer two.
    let mut rarity: u32 = (1..length).map(added).sum();
    let mut in_words: u32 = (0..length).map(is_word).sum();
    let mut inside: u32 = (1..length - 1).map(is_word).sum();
    let inside_max = (length - 2) as u32;
    let mut best = (0, 0);
    for start in 0..=bytes.len() - length {
        let has_word_end = in_words > 0 && inside < inside_max;
        let all = of(start) + rarity + if has_word_end { WORD_ENDS } else { 0 };
        if all >= best.0 {
            best = (all, start);
        }
        let next = start + length;
        if next < bytes.len() {
            rarity = rarity + added(next) - added(start + 1);
            in_words = in_words + is_word(next) - is_word(start);
            inside = inside + is_word(next - 1) - is_word(start + 1);
        }
    }
    best.1
}

/// Numbers of literals and places in them, in two bytes.
fn narrow(number: usize) -> u16 {
    u16::try_from(number).expect("far fewer literals exist, and longer ones are refused")
}

/// The first and the last byte, upper and lower case alike.
fn ends(bytes: &[u8]) -> [u8; 2] {
    [
        bytes[0].to_ascii_lowercase(),
        bytes[bytes.len() - 1].to_ascii_lowercase(),
    ]
}

/// The bit in which an ASCII letter's cases differ, in each of four and of eight bytes. Other bytes
/// may collide, harmlessly: the literals are compared afterwards.
const SHORT_CASE_BITS: u32 = 0x2020_2020;
const LONG_CASE_BITS: u64 = 0x2020_2020_2020_2020;

/// The first four bytes in as many bits as a filter counts with, upper and lower case alike.
fn short_hash(bytes: &[u8]) -> u32 {
    let number = u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]) | SHORT_CASE_BITS;
    number.wrapping_mul(SHORT_MULTIPLIER) >> (u32::BITS - FILTER_BITS_LOG2)
}

/// Eight bytes in as many bits, likewise.
fn long_hash(eight: &[u8]) -> u32 {
    let eight = [
        eight[0], eight[1], eight[2], eight[3], eight[4], eight[5], eight[6], eight[7],
    ];
    let number = (u64::from_le_bytes(eight) | LONG_CASE_BITS).wrapping_mul(LONG_MULTIPLIER);
    let bits = number >> (u64::BITS - FILTER_BITS_LOG2);
    u32::try_from(bits).expect("the bits of a filter are fewer than 32")
}

/// The word of the filter and the bit in it that stand for a hash.
fn filter_place(hash: u32) -> (usize, u64) {
    (hash as usize / 64 % FILTER_WORDS, 1 << (hash % 64))
}

/// Rarity of each byte in programs' output, roughly, in either case.
static RARITY: [u8; 256] = {
    let mut rarity = [0; 256];
    let mut byte = 0;
    while byte < rarity.len() {
        rarity[byte] = match (byte as u8).to_ascii_lowercase() {
            b'e' | b't' | b'a' | b'o' | b'i' | b'n' | b's' | b'r' | b' ' => 0,
            b'l' | b'c' | b'd' | b'u' | b'm' | b'p' | b'h' | b'.' | b'/' | b'-' | b':' => 1,
            b'0'..=b'9' | b'f' | b'g' | b'b' | b'_' | b'"' | b',' => 2,
            b'y' | b'w' | b'v' | b'k' | b'=' | b'(' | b')' => 3,
            _ => 4,
        };
        byte += 1;
    }
    rarity
};

#[cfg(test)]
mod tests {
    use super::Key;

    #[test]
    fn a_literal_is_looked_for_by_what_is_rare_in_it() {
        let check = |literal: &str, few: &str| {
            let key = Key::rarest(0, literal.as_bytes());
            let offset = usize::from(key.offset);
            assert_eq!(&literal[offset..offset + few.len()], few, "{literal}");
        };
        check("cause: ", "se: ");
        check(" ------", " ---");
        check("Timeout of ", "meout of");
        check("warning: unused", "g: unuse");
    }
}
