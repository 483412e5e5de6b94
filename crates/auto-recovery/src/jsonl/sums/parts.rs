//! Reading one large file with more than one thread: in parts.
//!
//! A line that begins with `{` begins a record, whatever stands before it. So a file can be parted
//! before any such line, and each part says the same as if it were read after the others.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::Mutex;

use memchr::memmem::Finder;

use crate::error::{Error, Result};
use crate::jsonl::read::lines::Position;
use crate::jsonl::read::records::{Verdict, Walked, push_damage, walk, walk_up_to};
use crate::mutex;
use crate::workers::{map_all, threads};

/// The least that is worth a thread, which takes some 50 microseconds to start.
const PART_BYTES_MIN: u64 = 4 * 1024 * 1024;

/// What is read at once while a part's beginning is looked for: some hundred records.
const SEARCH_BYTES: usize = 64 * 1024;

/// Walks `file`, which has `length` bytes, from `from` on. `take` adds the records of the first
/// part to `first`, and those of each other to a state of its own. Returns the states in the order
/// of the parts.
pub(in crate::jsonl) fn walk_parts<S: Default + Send>(
    file: &File,
    from: Position,
    length: u64,
    place: &str,
    first: S,
    take: impl Fn(&mut S, &[u8]) -> Verdict + Sync,
) -> Result<(Vec<S>, Walked)> {
    let starts = part_starts(file, from.offset, length, PART_BYTES_MIN)
        .map_err(|error| Error::os(format!("read {place}"), error))?;
    walk_from(file, from, &starts, place, first, take)
}

/// As [`walk_parts`], for parts that begin at these offsets behind `from`.
fn walk_from<S: Default + Send>(
    file: &File,
    from: Position,
    starts: &[u64],
    place: &str,
    first: S,
    take: impl Fn(&mut S, &[u8]) -> Verdict + Sync,
) -> Result<(Vec<S>, Walked)> {
    let first = Mutex::new(Some(first));
    let start = from.offset;
    let ends = starts.iter().copied().map(Some).chain([None]);
    let starts = starts.iter().map(|&offset| Position { offset, line: 1 });
    let parts: Vec<_> = std::iter::once(from).chain(starts).zip(ends).collect();
    let walked = map_all(&parts, |&(from, to)| {
        let mut state = match from.offset == start {
            true => mutex::lock(&first).take(),
            false => None,
        }
        .unwrap_or_default();
        let mut take = |raw: &[u8], _| Ok(take(&mut state, raw));
        let walked = match to {
            Some(to) => walk_up_to(file, from, to, place, &mut take),
            None => walk(file, from, place, &mut take),
        }?;
        Ok((state, walked))
    })?;
    let (states, walked): (Vec<S>, Vec<Walked>) = walked.into_iter().unzip();
    let whole = walked
        .into_iter()
        .reduce(joined)
        .expect("there is at least one part");
    Ok((states, whole))
}

/// Where the parts begin that `length` bytes are read in, but the first, which begins at `from`.
fn part_starts(file: &File, from: u64, length: u64, part_bytes_min: u64) -> io::Result<Vec<u64>> {
    let bytes = length.saturating_sub(from);
    let parts = (bytes / part_bytes_min).min(threads() as u64);
    let mut starts: Vec<u64> = Vec::new();
    for part in 1..parts {
        let near = (from + bytes / parts * part).max(starts.last().copied().unwrap_or(from));
        match next_record(file, near)? {
            Some(start) if start < length => starts.push(start),
            _ => break,
        }
    }
    starts.dedup();
    Ok(starts)
}

/// Where the first line behind `offset` begins that begins a record.
fn next_record(file: &File, mut offset: u64) -> io::Result<Option<u64>> {
    let finder = Finder::new(b"\n{");
    let mut block = vec![0; SEARCH_BYTES];
    loop {
        let count = file.read_at(&mut block, offset)?;
        if let Some(at) = finder.find(&block[..count]) {
            return Ok(Some(offset + at as u64 + 1));
        }
        if count < 2 {
            return Ok(None);
        }
        // The last byte may be the line end before the next block's first.
        offset += count as u64 - 1;
    }
}

/// What a part and the one behind it, whose lines were counted from 1, say together.
fn joined(mut first: Walked, second: Walked) -> Walked {
    let before = first.end.line - 1;
    for mut damage in second.damage {
        damage.line += before;
        push_damage(&mut first.damage, damage);
    }
    Walked {
        end: Position {
            offset: second.end.offset,
            line: second.end.line + before,
        },
        tail: second.tail,
        last: second.last.or(first.last),
        damage: first.damage,
    }
}

#[cfg(test)]
mod tests;
