//! Files that say where in the journal the records of each session stand.
//!
//! They are derived and disposable, as all rollups are: `DIR/rollups/journal-<from>-<to>.places`
//! knows the bytes of the journal from `from` up to `to`, and never changes. The first
//! [`BLOCK_BYTES`] are a line with the version and the hash of the next, which is [`About`]. Then
//! come blocks of the same size: [`PER_BLOCK`] places in the order of their keys, 20 bytes each
//! (key, offset and length, little-endian), and behind them the block's checksum. A key is a hash
//! of a session's id, so the place of a key can be guessed, and a few blocks are all that is read.
//! Behind the blocks stands, as JSON, what of that part of the journal could not be read.

use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::lines::Position;
use super::records::at_place;
use crate::audit::Damage;
use crate::error::Error;
use crate::files::hash::{fnv64, sum_of_block};
use crate::files::{Links, Stamp, Synced, open_regular, replace_at_once};
use crate::jsonl::sums::cursor::Cursor;

/// The version of all of them. One that a release does not know is as if it were not there.
const VERSION: u32 = 2;

/// What is read at once, and has a checksum of its own.
const BLOCK_BYTES: usize = 4096;

/// Places in a block: as many as leave room for its checksum.
const PER_BLOCK: u64 = 204;

/// Bytes of a place.
const PLACE_BYTES: usize = 20;

/// Where the checksum of a block stands.
const CHECKSUM_AT: usize = BLOCK_BYTES - 8;

/// What names begin and end with.
const PREFIX: &str = "journal-";
const SUFFIX: &str = ".places";

/// Where one record stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::jsonl) struct Place {
    /// Of the session that it is about.
    pub key: u64,
    pub offset: u64,
    pub length: u32,
}

/// The key of a session: an even hash of its id. Others may have the same.
pub(in crate::jsonl) fn key_of(session_id: &str) -> u64 {
    // The hash alone is not even: ids that differ in their last byte share its first bits.
    let mut key = fnv64(session_id.bytes());
    key = (key ^ (key >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    key = (key ^ (key >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    key ^ (key >> 31)
}

/// What is said of a file of places.
#[derive(Serialize, Deserialize)]
struct About {
    /// What the journal looked like.
    stamp: Stamp,
    /// Which part of it was read.
    cursor: Cursor,
    /// How many places there are.
    count: u64,
    /// The length of the text of the damage, and its hash.
    damage_bytes: u64,
    damage_hash: u64,
}

/// What stands before that.
#[derive(Serialize, Deserialize)]
struct Header {
    v: u32,
    hash: u64,
}

/// A file of places.
pub(in crate::jsonl) struct Places {
    path: PathBuf,
    file: File,
    about: About,
    damage: Vec<Damage>,
}

/// Those in `dir` that are true of `journal`, as it is now: one after the other, from its beginning
/// as far as they go.
pub(in crate::jsonl) fn all_of(dir: &Path, journal: &File, stamp: &Stamp) -> Vec<Places> {
    let mut found: Vec<_> = names(dir).collect();
    // Of those that begin at one place the longest comes first.
    found.sort_by_key(|(from, to, _)| (*from, std::cmp::Reverse(*to)));
    let Ok(metadata) = journal.metadata() else {
        return Vec::new();
    };
    let mut all: Vec<Places> = Vec::new();
    for (from, _, path) in found {
        let end = all.last().map_or(Position::START, Places::end);
        if from != end.offset {
            continue;
        }
        let opened = Places::open(path).filter(|places| {
            let about = &places.about;
            about.stamp.may_have_grown_to(stamp)
                && about.cursor.from == end
                && about.cursor.at.offset > from
                && about.cursor.fits(journal, &metadata)
        });
        all.extend(opened);
    }
    all
}

/// Removes from `dir` all but `kept`.
pub(in crate::jsonl) fn remove_others(dir: &Path, kept: &[Places]) {
    for (_, _, path) in names(dir) {
        if kept.iter().all(|places| places.path != path) {
            // One that stays is removed by whoever writes the next.
            let _stays = fs::remove_file(path);
        }
    }
}

fn names(dir: &Path) -> impl Iterator<Item = (u64, u64, PathBuf)> {
    let listing = fs::read_dir(dir).into_iter().flatten().flatten();
    listing.filter_map(|file| {
        let name = file.file_name();
        let range = name.to_str()?.strip_prefix(PREFIX)?.strip_suffix(SUFFIX)?;
        let (from, to) = range.split_once('-')?;
        Some((from.parse().ok()?, to.parse().ok()?, file.path()))
    })
}

impl Places {
    fn open(path: PathBuf) -> Option<Self> {
        let file = open_regular(&path, Links::Refuse).ok()?;
        let mut start = [0; BLOCK_BYTES];
        file.read_exact_at(&mut start, 0).ok()?;
        let mut lines = start.split(|byte| *byte == b'\n');
        let header: Header = serde_json::from_slice(lines.next()?).ok()?;
        let about = lines.next()?;
        if header.v != VERSION || header.hash != fnv64(about.iter().copied()) {
            return None;
        }
        let about: About = serde_json::from_slice(about).ok()?;
        let mut places = Self {
            path,
            file,
            about,
            damage: Vec::new(),
        };
        places.damage = places.read_damage()?;
        Some(places)
    }

    /// The damage, if the file is as long as it should be and this stands at its end.
    fn read_damage(&self) -> Option<Vec<Damage>> {
        let at = self
            .blocks()
            .checked_add(1)?
            .checked_mul(BLOCK_BYTES as u64)?;
        let length = self.about.damage_bytes;
        if self.file.metadata().ok()?.len() != at.checked_add(length)? {
            return None;
        }
        let mut text = vec![0; usize::try_from(length).ok()?];
        self.file.read_exact_at(&mut text, at).ok()?;
        let is_whole = self.about.damage_hash == fnv64(text.iter().copied());
        is_whole.then(|| serde_json::from_slice(&text).ok())?
    }

    /// Leaves `sorted` in `dir`, the places in the part of the journal before `cursor`, which
    /// looked like `stamp`, and the `damage` there.
    pub(in crate::jsonl) fn write(
        dir: &Path,
        stamp: Stamp,
        cursor: Cursor,
        sorted: &[Place],
        damage: Vec<Damage>,
    ) -> Option<Self> {
        let (from, to) = (cursor.from.offset, cursor.at.offset);
        let damage_text = serde_json::to_vec(&damage).ok()?;
        let about = About {
            stamp,
            cursor,
            count: sorted.len() as u64,
            damage_bytes: damage_text.len() as u64,
            damage_hash: fnv64(damage_text.iter().copied()),
        };
        let text = serde_json::to_vec(&about).ok()?;
        let header = Header {
            v: VERSION,
            hash: fnv64(text.iter().copied()),
        };
        let mut bytes = serde_json::to_vec(&header).ok()?;
        bytes.push(b'\n');
        bytes.extend(text);
        bytes.push(b'\n');
        if bytes.len() > BLOCK_BYTES {
            return None;
        }
        bytes.resize(BLOCK_BYTES, b' ');
        for (number, block) in sorted.chunks(PER_BLOCK as usize).enumerate() {
            let start = bytes.len();
            for place in block {
                bytes.extend(place.key.to_le_bytes());
                bytes.extend(place.offset.to_le_bytes());
                bytes.extend(place.length.to_le_bytes());
            }
            bytes.resize(start + CHECKSUM_AT, 0);
            let sum = sum_of_block(number as u64, &bytes[start..]);
            bytes.extend(sum.to_le_bytes());
        }
        bytes.extend(damage_text);
        let path = dir.join(format!("{PREFIX}{from}-{to}{SUFFIX}"));
        let file = replace_at_once(&path, Synced::No, &mut |file| {
            let written = file.write_all(&bytes);
            written.map_err(|error| Error::io("write", &path, error))
        });
        let file = file.ok()?;
        Some(Self {
            path,
            file,
            about,
            damage,
        })
    }

    /// Where the part of the journal begins that it knows.
    pub(in crate::jsonl) fn start(&self) -> Position {
        self.about.cursor.from
    }

    /// Where that ends.
    pub(in crate::jsonl) fn end(&self) -> Position {
        self.about.cursor.at
    }

    /// How many places it has.
    pub(in crate::jsonl) fn count(&self) -> u64 {
        self.about.count
    }

    /// What of that part could not be read, of the journal that is at `journal` now.
    pub(in crate::jsonl) fn damage(&self, journal: &str) -> Vec<Damage> {
        at_place(self.damage.clone(), journal)
    }

    /// Whether `journal` still is what it was made of.
    pub(in crate::jsonl) fn fits(&self, journal: &File, metadata: &fs::Metadata) -> bool {
        self.about.cursor.fits(journal, metadata)
    }

    /// Adds the places of `key` to `found`, in the order of the journal. `None` if the file is
    /// damaged.
    pub(in crate::jsonl) fn find(&self, key: u64, found: &mut Vec<Place>) -> Option<()> {
        let mut at = self.first_block_of(key)?;
        while at < self.blocks() {
            let block = self.block(at)?;
            found.extend(block.iter().filter(|place| place.key == key));
            if block.last()?.key > key {
                break;
            }
            at += 1;
        }
        Some(())
    }

    /// All of its places. `None` if the file is damaged.
    pub(in crate::jsonl) fn all(&self) -> Option<Vec<Place>> {
        let mut all = Vec::new();
        for at in 0..self.blocks() {
            all.extend(self.block(at)?);
        }
        Some(all)
    }

    /// The first block that may have places of `key`: the last key of the one before is smaller.
    fn first_block_of(&self, key: u64) -> Option<u64> {
        // Keys of the blocks before `low` are smaller, the last one of `high` is not.
        let (mut low, mut high) = (0, self.blocks());
        let (mut least, mut most) = (0, u64::MAX);
        while low < high {
            // Keys are spread evenly, so this is a few blocks off at most.
            let share = u128::from(key.saturating_sub(least)) * u128::from(high - low)
                / (u128::from(most.saturating_sub(least)) + 1);
            let guess = low + u64::try_from(share).ok()?.min(high - low - 1);
            let block = self.block(guess)?;
            let (first, last) = (block.first()?.key, block.last()?.key);
            if last < key {
                (low, least) = (guess + 1, last);
            } else if first < key {
                return Some(guess);
            } else {
                (high, most) = (guess, first);
            }
        }
        Some(low)
    }

    fn blocks(&self) -> u64 {
        self.about.count.div_ceil(PER_BLOCK)
    }

    /// The places of a block. `None` if it is damaged.
    fn block(&self, number: u64) -> Option<Vec<Place>> {
        let mut bytes = [0; BLOCK_BYTES];
        let at = (number + 1).checked_mul(BLOCK_BYTES as u64)?;
        self.file.read_exact_at(&mut bytes, at).ok()?;
        let (places, sum) = bytes.split_at(CHECKSUM_AT);
        if sum != sum_of_block(number, places).to_le_bytes() {
            return None;
        }
        let count = (self.about.count - number * PER_BLOCK).min(PER_BLOCK);
        let places = places.chunks_exact(PLACE_BYTES).take(count as usize);
        places.map(read_place).collect()
    }
}

fn read_place(bytes: &[u8]) -> Option<Place> {
    let (key, rest) = bytes.split_first_chunk()?;
    let (offset, rest) = rest.split_first_chunk()?;
    Some(Place {
        key: u64::from_le_bytes(*key),
        offset: u64::from_le_bytes(*offset),
        length: u32::from_le_bytes(*rest.first_chunk()?),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(count: u64) -> Vec<Place> {
        let mut places: Vec<_> = (0..count)
            .map(|offset| Place {
                key: key_of(&format!("session-{}", offset % (count / 3).max(1))),
                offset,
                length: 7,
            })
            .collect();
        places.sort_unstable();
        places
    }

    /// A file in `dir` that says where `sorted` stand in an empty journal.
    fn written(dir: &Path, sorted: &[Place]) -> Places {
        let journal = File::create_new(dir.join("journal")).unwrap();
        let metadata = journal.metadata().unwrap();
        let cursor = Cursor::new(&metadata, Position::START);
        Places::write(dir, Stamp::of(&metadata), cursor, sorted, Vec::new()).unwrap()
    }

    #[test]
    fn every_key_is_found_with_all_its_places_and_no_other() {
        let dir = tempfile::tempdir().unwrap();
        let journal = File::create_new(dir.path().join("journal")).unwrap();
        journal.set_len(1).unwrap();
        let metadata = journal.metadata().unwrap();
        for count in [0, 1, 203, 204, 205, 5_000] {
            let sorted = places(count);
            let mut cursor = Cursor::new(&metadata, Position::START);
            cursor.at.offset = 1;
            let stamp = Stamp::of(&metadata);
            let written = Places::write(dir.path(), stamp, cursor, &sorted, Vec::new()).unwrap();
            assert_eq!(written.all().unwrap(), sorted);
            let read = Places::open(written.path).unwrap();
            let find = |key| {
                let mut found = Vec::new();
                read.find(key, &mut found).unwrap();
                found
            };
            for group in sorted.chunk_by(|a, b| a.key == b.key) {
                assert_eq!(find(group[0].key), group);
            }
            for absent in [0, 1, u64::MAX, key_of("no session")] {
                assert!(find(absent).is_empty());
            }
        }
    }

    #[test]
    fn a_key_of_many_blocks_is_found_whole() {
        let dir = tempfile::tempdir().unwrap();
        let one = |key| {
            move |offset| Place {
                key,
                offset,
                length: 1,
            }
        };
        let keys = [(5, 100), (9, 900), (u64::MAX, 300)];
        let sorted: Vec<_> = keys
            .iter()
            .flat_map(|(key, count)| (0..*count).map(one(*key)))
            .collect();
        let written = written(dir.path(), &sorted);
        for (key, count) in keys {
            let mut found = Vec::new();
            written.find(key, &mut found).unwrap();
            assert_eq!(found.len() as u64, count, "{key}");
        }
    }

    #[test]
    fn one_that_is_damaged_finds_nothing_rather_than_too_little() {
        let dir = tempfile::tempdir().unwrap();
        let sorted = places(1_000);
        let written = written(dir.path(), &sorted);
        let whole = fs::read(&written.path).unwrap();
        for at in [0, 50, 200, 4096, 5000, 8191, whole.len() - 1] {
            let mut damaged = whole.clone();
            damaged[at] ^= 1;
            fs::write(&written.path, damaged).unwrap();
            let all = Places::open(written.path.clone()).and_then(|places| places.all());
            assert_eq!(all, None, "byte {at}");
        }
        fs::write(&written.path, &whole[..whole.len() - 1]).unwrap();
        assert!(Places::open(written.path).is_none());
    }
}
