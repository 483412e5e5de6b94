//! What one file holds, as far as it is durable, and what was done to it since.

use super::super::random::Random;

/// What a disk writes whole or not at all.
const SECTOR_BYTES: u64 = 512;

/// Something done to a file's contents.
#[derive(Clone, Debug)]
enum Change {
    Write { at: u64, bytes: Vec<u8> },
    Truncate { length: u64 },
}

/// The contents of one file.
#[derive(Clone, Debug, Default)]
pub(super) struct Contents {
    durable: Vec<u8>,
    /// What was done since, in order.
    changes: Vec<Change>,
    /// How many changes were made durable in all, so that a sync knows which it was asked for.
    settled: u64,
}

impl Contents {
    pub(super) fn of(durable: Vec<u8>) -> Self {
        Self {
            durable,
            ..Self::default()
        }
    }

    pub(super) fn write(&mut self, at: u64, bytes: &[u8]) {
        let bytes = bytes.to_vec();
        self.changes.push(Change::Write { at, bytes });
    }

    pub(super) fn truncate(&mut self, length: u64) {
        self.changes.push(Change::Truncate { length });
    }

    /// Names all that was done so far, for [`Contents::settle`].
    pub(super) fn mark(&self) -> u64 {
        self.settled + self.changes.len() as u64
    }

    /// What was done until `mark` is durable.
    pub(super) fn settle(&mut self, mark: u64) {
        let count = mark.saturating_sub(self.settled) as usize;
        for change in self.changes.drain(..count) {
            apply(&mut self.durable, &change);
        }
        self.settled = self.settled.max(mark);
    }

    /// What may be found after a power cut.
    pub(super) fn after_power_cut(&self, random: &mut Random) -> Vec<u8> {
        let count = self.changes.len();
        match random.below(8) {
            0 => self.first(0),
            1 => self.first(count),
            2 => self.first(random.index(count + 1)),
            // In the order of time, the last of it torn.
            3 | 4 => {
                let whole = random.index(count + 1);
                self.torn(whole, (whole + 1).min(count), random)
            }
            _ => self.torn(0, count, random),
        }
    }

    /// As after the first `count` changes.
    fn first(&self, count: usize) -> Vec<u8> {
        let mut bytes = self.durable.clone();
        for change in &self.changes[..count] {
            apply(&mut bytes, change);
        }
        bytes
    }

    /// The first `whole` changes, and of those up to `end` any pieces.
    fn torn(&self, whole: usize, end: usize, random: &mut Random) -> Vec<u8> {
        let mut bytes = self.first(whole);
        let mut sizes = vec![bytes.len()];
        let mut now = bytes.len();
        for change in &self.changes[whole..end] {
            now = size_after(now, change);
            sizes.push(now);
        }
        let size = random.one_of(&sizes);
        let kept_percent = random.one_of(&[10, 50, 90]);
        for change in &self.changes[whole..end] {
            match change {
                Change::Truncate { length } => {
                    if random.chance(kept_percent) {
                        let from = (*length as usize).min(bytes.len());
                        bytes[from..].fill(0);
                    }
                }
                Change::Write { at, bytes: written } => {
                    for (from, piece) in sectors(*at, written) {
                        if random.chance(kept_percent) {
                            put(&mut bytes, from, piece);
                        }
                    }
                }
            }
        }
        bytes.resize(size, 0);
        bytes
    }
}

fn apply(bytes: &mut Vec<u8>, change: &Change) {
    match change {
        Change::Write { at, bytes: written } => put(bytes, *at as usize, written),
        Change::Truncate { length } => bytes.resize(*length as usize, 0),
    }
}

fn size_after(size: usize, change: &Change) -> usize {
    match change {
        Change::Write { at, bytes } => size.max(*at as usize + bytes.len()),
        Change::Truncate { length } => *length as usize,
    }
}

/// Writes `piece` at `at`; what was not there before it are zeros.
fn put(bytes: &mut Vec<u8>, at: usize, piece: &[u8]) {
    let end = at + piece.len();
    if bytes.len() < end {
        bytes.resize(end, 0);
    }
    bytes[at..end].copy_from_slice(piece);
}

/// `bytes`, which stand at `at`, cut where sectors begin, each piece with its place.
fn sectors(at: u64, bytes: &[u8]) -> Vec<(usize, &[u8])> {
    let mut pieces = Vec::new();
    let (mut at, mut rest) = (at, bytes);
    while !rest.is_empty() {
        let room = (SECTOR_BYTES - at % SECTOR_BYTES) as usize;
        let (piece, after) = rest.split_at(room.min(rest.len()));
        pieces.push((at as usize, piece));
        at += piece.len() as u64;
        rest = after;
    }
    pieces
}

#[cfg(test)]
mod tests {
    //! What the model allows, and what it must not.

    use std::collections::BTreeSet;

    use super::*;

    fn states(contents: &Contents) -> BTreeSet<Vec<u8>> {
        let mut random = Random::new(7);
        (0..2000)
            .map(|_| contents.after_power_cut(&mut random))
            .collect()
    }

    #[test]
    fn what_is_durable_stays_and_nothing_else_must() {
        let mut contents = Contents::default();
        contents.write(0, b"one\n");
        let synced = contents.mark();
        contents.write(4, b"two\n");
        contents.settle(synced);
        let found = states(&contents);
        assert!(found.iter().all(|bytes| bytes.starts_with(b"one\n")));
        for possible in [&b"one\n"[..], b"one\ntwo\n", b"one\n\0\0\0\0"] {
            assert!(found.contains(possible), "{possible:?}");
        }
        assert_eq!(found.len(), 3, "{found:?}");
    }

    #[test]
    fn a_write_is_torn_at_sectors_only_and_its_pieces_are_lost_one_by_one() {
        let mut contents = Contents::of(vec![b'a'; 500]);
        contents.write(500, &vec![b'b'; 1100]);
        let found = states(&contents);
        let kept = |bytes: &[u8], range: std::ops::Range<usize>| {
            let there = &bytes[range.start.min(bytes.len())..range.end.min(bytes.len())];
            assert!(
                there.iter().all(|byte| *byte == there[0]),
                "a sector is whole"
            );
            there.first() == Some(&b'b')
        };
        let mut patterns = BTreeSet::new();
        for bytes in &found {
            assert_eq!(&bytes[..500], &[b'a'; 500]);
            let pieces = [500..512, 512..1024, 1024..1536, 1536..1600];
            patterns.insert(pieces.map(|range| kept(bytes, range)));
        }
        assert_eq!(patterns.len(), 16, "every choice of pieces is met");
    }

    #[test]
    fn a_truncation_may_be_lost_and_what_follows_it_kept() {
        let mut contents = Contents::of(b"whole\ntorn, and long".to_vec());
        contents.truncate(6);
        contents.write(6, b"next\n");
        let found = states(&contents);
        for possible in [
            &b"whole\ntorn, and long"[..],
            b"whole\n",
            b"whole\nnext\n",
            b"whole\nnext\n and long",
        ] {
            assert!(found.contains(possible), "{possible:?}");
        }
        contents.settle(contents.mark());
        assert_eq!(states(&contents).len(), 1);
    }
}
