//! The one pass over an output: where the rules' literals stand.
//!
//! Each literal is known by its rarest four bytes. A bit for each such four tells at nearly every
//! position of a text, in a few instructions, that no literal is there; only where the bit is set
//! are literals compared. Nothing is built that costs a short run its speed. Letters compare
//! without case, since tools disagree on it and the rules' patterns decide anyway.
//!
//! Memory and time stay bounded however often a literal occurs: of each, the first lines are kept,
//! then its bit is cleared; the last lines come from a second look, backwards, at the text's end.

use std::borrow::Cow;

use memchr::{memchr2, memrchr2};

use crate::escape::strip_escapes;

/// The shortest literal that can be told: shorter ones would stand in every other line.
pub(super) const LITERAL_BYTES_MIN: usize = 4;

/// Lines kept at either end for each literal: a telling line is among the first or the last of its
/// kind, and 64 of each leave room for look-alikes.
const LINES_KEPT: usize = 64;

/// The part of a line in which a literal counts. What stands further right is data that a program
/// printed, not how a tool reports.
const LINE_PREFIX_BYTES: usize = 4 * 1024;

/// How far from the end the last lines with a literal are looked for: more than any summary needs.
const TAIL_BYTES: usize = 1 << 20;

/// Bits in the filter, as a power of two: 16 KiB stay in the fastest cache, and the 1,800 fours of
/// some 3,200 literals set about one bit in seventy. Twice as many bits save one look in twenty.
const FILTER_BITS_LOG2: u32 = 17;

/// The words that hold these bits.
const FILTER_WORDS: usize = 1 << (FILTER_BITS_LOG2 - u64::BITS.ilog2());

/// Slots by which the keys of a hash are found, a few times as many as there are hashes.
const SLOTS: u32 = 1 << 13;

/// The bits of a hash below those that name its slot.
const SLOT_SHIFT: u32 = FILTER_BITS_LOG2 - SLOTS.ilog2();

/// Multiplier of Fibonacci hashing: 2^32 divided by the golden ratio.
const HASH_MULTIPLIER: u32 = 0x9e37_79b9;

/// The literals of all rules, each once.
#[derive(Debug)]
pub(super) struct Literals {
    all: Vec<String>,
    /// The literals by the hash of their four bytes, sorted by it.
    keys: Vec<Key>,
    /// Where the keys begin whose hashes have these upper bits.
    slots: Vec<u16>,
}

/// The hash of four bytes of a literal, where in it they stand, and what helps to tell it quickly.
#[derive(Clone, Copy, Debug)]
struct Key {
    hash: u32,
    literal: u16,
    offset: u16,
    length: u16,
    ends: [u8; 2],
}

/// Where the literals stand in one stream, and its text without escape sequences.
#[derive(Debug)]
pub(super) struct Scanned<'a> {
    pub(super) text: Cow<'a, [u8]>,
    first: Vec<Vec<usize>>,
    last: Vec<Vec<usize>>,
}

impl Literals {
    pub(super) fn new(all: Vec<String>) -> Self {
        let mut keys: Vec<Key> = all
            .iter()
            .enumerate()
            .map(|(literal, text)| Key::rarest(literal, text.as_bytes()))
            .collect();
        keys.sort_unstable_by_key(|key| key.hash);
        let mut slots = vec![0; SLOTS as usize + 1];
        for key in &keys {
            slots[(key.hash >> SLOT_SHIFT) as usize + 1] += 1;
        }
        for slot in 1..slots.len() {
            slots[slot] += slots[slot - 1];
        }
        Self { all, keys, slots }
    }

    /// The keys with this hash.
    fn keys_of(&self, hash: u32) -> impl Iterator<Item = &Key> {
        let slot = (hash >> SLOT_SHIFT) as usize;
        let range = usize::from(self.slots[slot])..usize::from(self.slots[slot + 1]);
        self.keys[range].iter().filter(move |key| key.hash == hash)
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

impl Scanned<'_> {
    /// Whether the literal stands anywhere in the stream.
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
    /// Which hashes of four bytes belong to an open literal.
    filter: Box<[u64; FILTER_WORDS]>,
    /// The starts of the lines that hold each literal, in the order in which they were read.
    lines: Vec<Vec<usize>>,
    is_open: Vec<bool>,
    open: usize,
}

impl<'a> Pass<'a> {
    fn new(literals: &'a Literals, is_open: Vec<bool>) -> Self {
        let mut filter = Box::new([0; FILTER_WORDS]);
        for key in &literals.keys {
            if is_open[usize::from(key.literal)] {
                let (word, bit) = filter_place(key.hash);
                filter[word] |= bit;
            }
        }
        Self {
            literals,
            filter,
            lines: vec![Vec::new(); literals.all.len()],
            open: is_open.iter().filter(|is_open| **is_open).count(),
            is_open,
        }
    }

    fn read_line(&mut self, text: &[u8], start: usize, end: usize) {
        let line = &text[start..end.min(start + LINE_PREFIX_BYTES)];
        let mut from = 0;
        while let Some((at, hash)) = next_candidate(&self.filter, line, from) {
            self.compare(line, at, hash, start);
            from = at + 1;
        }
    }

    #[cold]
    fn compare(&mut self, line: &[u8], at: usize, hash: u32, line_start: usize) {
        let literals = self.literals;
        for key in literals.keys_of(hash) {
            let literal = usize::from(key.literal);
            let bytes = at
                .checked_sub(usize::from(key.offset))
                .and_then(|start| line.get(start..start + usize::from(key.length)));
            // The ends differ more often than not, and are at hand without looking at the literal.
            let may_be = bytes.is_some_and(|bytes| ends(bytes) == key.ends);
            if may_be
                && self.is_open[literal]
                && bytes.is_some_and(|bytes| {
                    bytes.eq_ignore_ascii_case(literals.all[literal].as_bytes())
                })
            {
                self.note(literal, hash, line_start);
            }
        }
    }

    fn note(&mut self, literal: usize, hash: u32, line_start: usize) {
        let lines = &mut self.lines[literal];
        if lines.last() == Some(&line_start) {
            return;
        }
        lines.push(line_start);
        if lines.len() == LINES_KEPT {
            self.is_open[literal] = false;
            self.open -= 1;
            self.close(hash);
        }
    }

    /// Clears the bit of `hash` when no open literal needs it.
    fn close(&mut self, hash: u32) {
        let needed = self
            .literals
            .keys_of(hash)
            .any(|key| self.is_open[usize::from(key.literal)]);
        if !needed {
            let (word, bit) = filter_place(hash);
            self.filter[word] &= !bit;
        }
    }
}

impl Key {
    /// The four bytes of `literal` that occur least in what programs print.
    fn rarest(literal: usize, bytes: &[u8]) -> Self {
        let (offset, four) = bytes
            .windows(LITERAL_BYTES_MIN)
            .enumerate()
            .max_by_key(|(_, four)| rarity(four))
            .expect("a rule is refused when a literal of it is shorter than that");
        Self {
            hash: hash(four),
            literal: narrow(literal),
            offset: narrow(offset),
            length: narrow(bytes.len()),
            ends: ends(bytes),
        }
    }
}

/// How rare the four bytes are in what programs print, roughly: a byte again adds nothing, since
/// blanks and rules come in rows, and where one word ends and another begins fewer texts agree
/// than within a word.
fn rarity(four: &[u8]) -> u8 {
    /// What the end of a word inside of the four adds, as much as two rarer letters.
    const WORD_ENDS: u8 = 2;
    let of_bytes: u8 = four
        .iter()
        .enumerate()
        .filter(|&(at, byte)| at == 0 || four[at - 1] != *byte)
        .map(|(at, &byte)| RARITY[usize::from(byte)] + u8::from(at > 0))
        .sum();
    let has_word = four.iter().any(u8::is_ascii_alphanumeric);
    let word_ends = four[1..3].iter().any(|byte| !byte.is_ascii_alphanumeric());
    if has_word && word_ends {
        of_bytes + WORD_ENDS
    } else {
        of_bytes
    }
}

/// Numbers of literals and places in them, in two bytes.
fn narrow(number: usize) -> u16 {
    u16::try_from(number).expect("far fewer literals exist, and longer ones are refused")
}

/// The next place from `from` on where four bytes have a bit in the filter, and their hash.
fn next_candidate(filter: &[u64; FILTER_WORDS], line: &[u8], from: usize) -> Option<(usize, u32)> {
    let ahead = line.get(from..)?.windows(LITERAL_BYTES_MIN);
    ahead.enumerate().find_map(|(at, four)| {
        let hash = hash(four);
        let (word, bit) = filter_place(hash);
        (filter[word] & bit != 0).then_some((from + at, hash))
    })
}

/// The first and the last byte, upper and lower case alike.
fn ends(bytes: &[u8]) -> [u8; 2] {
    [
        bytes[0].to_ascii_lowercase(),
        bytes[bytes.len() - 1].to_ascii_lowercase(),
    ]
}

/// Four bytes in as many bits as the filter counts with, upper and lower case alike.
fn hash(four: &[u8]) -> u32 {
    /// The bit in which an ASCII letter's cases differ. Other bytes may collide, harmlessly: the
    /// literals are compared afterwards.
    const CASE_BITS: u32 = 0x2020_2020;
    let number = u32::from_le_bytes([four[0], four[1], four[2], four[3]]) | CASE_BITS;
    number.wrapping_mul(HASH_MULTIPLIER) >> (u32::BITS - FILTER_BITS_LOG2)
}

/// The word of the filter and the bit in it that stand for a hash.
fn filter_place(hash: u32) -> (usize, u64) {
    (hash as usize / 64 % FILTER_WORDS, 1 << (hash % 64))
}

/// How rare each byte is in what programs print, roughly, in either case.
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
        let check = |literal: &str, four: &str| {
            let key = Key::rarest(0, literal.as_bytes());
            let offset = usize::from(key.offset);
            assert_eq!(&literal[offset..offset + 4], four, "{literal}");
        };
        check(" error    ", "or  ");
        check(" ------", " ---");
        check(": missing ", ": mi");
        check("Timeout of ", "t of");
        check("warning: unused", "g: u");
    }
}
