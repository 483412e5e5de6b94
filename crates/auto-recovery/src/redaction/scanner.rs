//! The one pass over a text that finds the literals of all kinds, and has each hit judged.
//!
//! A literal is known by four of its bytes, mostly the first. A bit for each such four shows at
//! nearly every place of a text, in a few instructions, that none begins there; only where the bit
//! is set are literals compared. Letters compare without case.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::OnceLock;

use super::judge::{Hit, judge, may_be, open_from, open_tail};
use super::kind::{Kind, kinds};
use super::mask::masks_in;

/// Bytes that a literal is known by.
const KEY_BYTES: usize = 4;
/// What the literals begin with whose key stands at its last byte: lines of dashes are many.
const DASHES: &[u8] = b"-----";
/// Bits of the filter, as a power of two: 16 KiB stay in the fastest cache, and some 2,500 fours
/// set one bit in fifty.
const FILTER_BITS_LOG2: u32 = 17;
/// Words that hold these bits.
const FILTER_WORDS: usize = 1 << (FILTER_BITS_LOG2 - u64::BITS.ilog2());
/// Places that are looked at together.
const BLOCK_PLACES: usize = 8;
/// The bit that tells small letters from capitals, in each byte of a key.
const CASE_BITS: u32 = 0x2020_2020;
/// Multiplier of Fibonacci hashing: 2^32 divided by the golden ratio.
const MULTIPLIER: u32 = 0x9e37_79b9;
/// Secrets that are looked back at for one that ends where a literal begins.
const SEEN_BEFORE: usize = 8;

/// A secret that its shape or its context tells.
#[derive(Debug)]
pub(super) struct Seen {
    pub(super) kind: &'static Kind,
    pub(super) range: Range<usize>,
    /// Whether the checksum inside it is right.
    pub(super) is_proved: bool,
}

/// What shapes and contexts tell in a text.
#[derive(Debug)]
pub(super) struct Scan {
    /// In the order of their literals. One inside another of the same kind, or inside a token, is
    /// not told.
    pub(super) seen: Vec<Seen>,
    /// Where the first begins that more text could change.
    pub(super) open: usize,
}

/// The number of a kind, and how it spells a literal.
type Owner = (usize, &'static [u8]);

/// The literals of all kinds.
struct Literals {
    filter: Box<[u64; FILTER_WORDS]>,
    /// For each hash the number of its group.
    groups_by_hash: Vec<u16>,
    /// The literals whose keys have a hash, the longest first.
    groups: Vec<Vec<u16>>,
    /// Each literal in small letters, and the kinds that have it, as they spell it.
    all: Vec<(String, Vec<Owner>)>,
}

impl Literals {
    fn built_in() -> &'static Self {
        static LITERALS: OnceLock<Literals> = OnceLock::new();
        LITERALS.get_or_init(Self::new)
    }

    fn new() -> Self {
        let mut owners = BTreeMap::<String, Vec<Owner>>::new();
        for (number, kind) in kinds().iter().enumerate() {
            for literal in &kind.literals {
                let of = owners.entry(literal.to_ascii_lowercase()).or_default();
                of.push((number, literal.as_bytes()));
            }
        }
        let mut literals = Self {
            filter: Box::new([0; FILTER_WORDS]),
            groups_by_hash: vec![0; 1 << FILTER_BITS_LOG2],
            groups: vec![Vec::new()],
            all: owners.into_iter().collect(),
        };
        for number in 0..literals.all.len() {
            for hash in hashes(literals.all[number].0.as_bytes()) {
                literals.add(hash, u16::try_from(number).expect("a few hundred literals"));
            }
        }
        let lengths: Vec<_> = literals.all.iter().map(|(text, _)| text.len()).collect();
        for group in &mut literals.groups {
            group.sort_by_key(|number| std::cmp::Reverse(lengths[usize::from(*number)]));
            group.dedup();
        }
        literals
    }

    fn add(&mut self, hash: usize, number: u16) {
        self.filter[hash / 64] |= 1 << (hash % 64);
        if self.groups_by_hash[hash] == 0 {
            self.groups_by_hash[hash] =
                u16::try_from(self.groups.len()).expect("at most 2^16 keys");
            self.groups.push(Vec::new());
        }
        self.groups[usize::from(self.groups_by_hash[hash])].push(number);
    }

    /// Hands every place in `text` where a literal may begin to `meet`.
    fn places(&self, text: &[u8], mut meet: impl FnMut(usize)) {
        let mut at = 0;
        while let Some(block) = text[at..].first_chunk::<{ BLOCK_PLACES + KEY_BYTES - 1 }>() {
            let mut any = 0;
            for place in 0..BLOCK_PLACES {
                let key = [
                    block[place],
                    block[place + 1],
                    block[place + 2],
                    block[place + 3],
                ];
                any |= self.bit(hash_of(key)) << place;
            }
            while any != 0 {
                meet(at + any.trailing_zeros() as usize);
                any &= any - 1;
            }
            at += BLOCK_PLACES;
        }
        while let Some(key) = text[at..].first_chunk::<KEY_BYTES>() {
            if self.bit(hash_of(*key)) != 0 {
                meet(at);
            }
            at += 1;
        }
    }

    /// 1 if a key has this hash.
    fn bit(&self, hash: usize) -> u64 {
        self.filter[hash / 64] >> (hash % 64) & 1
    }

    /// The literals whose key stands at `at`, and where they begin.
    fn beginning<'l>(
        &'l self,
        text: &'l [u8],
        at: usize,
    ) -> impl Iterator<Item = (usize, &'l str, &'l [Owner])> {
        let rest = &text[at..];
        let key = rest.first_chunk::<KEY_BYTES>();
        let group = key.map_or(0, |key| self.groups_by_hash[hash_of(*key)]);
        let group = self.groups[usize::from(group)].iter();
        group.filter_map(move |number| {
            let (literal, owners) = &self.all[usize::from(*number)];
            let start = at.checked_sub(key_offset(literal.as_bytes()))?;
            let begun = text.get(start..start + literal.len())?;
            let is_it = begun.eq_ignore_ascii_case(literal.as_bytes());
            is_it.then_some((start, literal.as_str(), &owners[..]))
        })
    }
}

fn hash_of(key: [u8; KEY_BYTES]) -> usize {
    let folded = u32::from_le_bytes(key) | CASE_BITS;
    (folded.wrapping_mul(MULTIPLIER) >> (u32::BITS - FILTER_BITS_LOG2)) as usize
}

/// Where in `literal` its key stands.
fn key_offset(literal: &[u8]) -> usize {
    match literal.starts_with(DASHES) {
        true => DASHES.len() - 1,
        false => 0,
    }
}

/// The hashes by which `literal` is known: one of three bytes has one for each byte behind it.
fn hashes(literal: &[u8]) -> Vec<usize> {
    match literal[key_offset(literal)..] {
        [a, b, c] => (0..=255).map(|next| hash_of([a, b, c, next])).collect(),
        [a, b, c, d, ..] => vec![hash_of([a, b, c, d])],
        _ => unreachable!("a test holds literals to three bytes or more"),
    }
}

/// Finds what shapes and contexts tell in `text`, which has no codes for terminals.
pub(super) fn scan(text: &[u8]) -> Scan {
    let literals = Literals::built_in();
    let mut seen: Vec<Seen> = Vec::new();
    let mut open = text.len();
    // Where the last secret of each kind ends, and where the last token does.
    let mut ends = vec![0; kinds().len()];
    let mut end_of_token = 0;
    let tail = open_tail(text);
    // The name of a kind in a mask is no context.
    let masks = masks_in(text);
    literals.places(text, |key| {
        if masks.iter().any(|mask| mask.contains(&key)) {
            return;
        }
        for (at, literal, owners) in literals.beginning(text, key) {
            for (number, spelled) in owners {
                if at < ends[*number].max(end_of_token) {
                    continue;
                }
                let kind = &kinds()[*number];
                let hit = Hit {
                    text,
                    literal: spelled,
                    at: at..at + literal.len(),
                    is_after_secret: ends_at(&seen, at),
                };
                if !may_be(kind, &hit) {
                    continue;
                }
                // Of those that are open the first counts.
                if open == text.len()
                    && let Some(from) = open_from(kind, &hit, tail)
                {
                    open = from;
                }
                if let Some((range, is_proved)) = judge(kind, &hit) {
                    ends[*number] = range.end;
                    if !kind.is_context() {
                        end_of_token = range.end;
                    }
                    seen.push(Seen {
                        kind,
                        range,
                        is_proved,
                    });
                }
            }
        }
    });
    Scan { seen, open }
}

/// Whether one of the last that were `seen` ends `at` a place.
fn ends_at(seen: &[Seen], at: usize) -> bool {
    let last = seen.iter().rev().take(SEEN_BEFORE);
    last.into_iter().any(|one| one.range.end == at)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::Literals;

    #[test]
    fn every_literal_is_met_at_every_place() {
        let literals = Literals::built_in();
        for (literal, _) in &literals.all {
            for before in 0..12 {
                let text = format!("{}{}.", "x".repeat(before), literal.to_ascii_uppercase());
                let mut met = BTreeSet::new();
                literals.places(text.as_bytes(), |key| {
                    let begun = literals.beginning(text.as_bytes(), key);
                    let begun = begun.filter(|(_, one, _)| one == literal);
                    met.extend(begun.map(|(at, ..)| at));
                });
                assert!(met.contains(&before), "{literal} {before}: {met:?}");
            }
        }
    }
}
