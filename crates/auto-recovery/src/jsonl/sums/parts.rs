//! Reading what is large with more than one thread: many files at once, and one file in parts.
//!
//! A line that begins with `{` begins a record, whatever stands before it. So a file can be parted
//! before any such line, and each part says the same as if it were read after the others.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::panic::resume_unwind;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{LazyLock, Mutex};
use std::thread;

use memchr::memmem::Finder;

use crate::error::{Error, Result};
use crate::jsonl::read::lines::Position;
use crate::jsonl::read::records::{Verdict, Walked, push_damage, walk, walk_up_to};
use crate::mutex;

/// More threads than this gain little: they wait for the same memory.
const THREADS_MAX: usize = 8;

/// The least that is worth a thread, which takes some 50 microseconds to start.
const PART_BYTES_MIN: u64 = 4 * 1024 * 1024;

/// What is read at once while a part's beginning is looked for: some hundred records.
const SEARCH_BYTES: usize = 64 * 1024;

/// How many threads are of use here. Finding out reads several files, which is not done for each
/// trail.
fn threads() -> usize {
    static THREADS: LazyLock<usize> = LazyLock::new(|| {
        thread::available_parallelism().map_or(1, |cores| cores.get().min(THREADS_MAX))
    });
    *THREADS
}

/// What `work` makes of each of `items`, in their order. The first error ends the work.
pub(in crate::jsonl) fn map_all<I: Sync, T: Send>(
    items: &[I],
    work: impl Fn(&I) -> Result<T> + Sync,
) -> Result<Vec<T>> {
    let shares = share_out(items, |share: &mut Vec<(usize, T)>, index, item| {
        share.push((index, work(item)?));
        Ok(())
    })?;
    let mut made: Vec<_> = shares.into_iter().flatten().collect();
    made.sort_unstable_by_key(|(index, _)| *index);
    Ok(made.into_iter().map(|(_, made)| made).collect())
}

/// Shares `items` out among threads, each of which adds what `work` makes of them to a state of its
/// own. The first error ends the work.
pub(in crate::jsonl) fn share_out<I: Sync, S: Default + Send>(
    items: &[I],
    work: impl Fn(&mut S, usize, &I) -> Result<()> + Sync,
) -> Result<Vec<S>> {
    let helpers = threads().min(items.len()).saturating_sub(1);
    let next = AtomicUsize::new(0);
    let share = || {
        let mut state = S::default();
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            let Some(item) = items.get(index) else {
                return Ok(state);
            };
            if let Err(error) = work(&mut state, index, item) {
                next.store(items.len(), Ordering::Relaxed);
                return Err(error);
            }
        }
    };
    thread::scope(|scope| {
        let others: Vec<_> = (0..helpers).map(|_| scope.spawn(share)).collect();
        let mut states = vec![share()];
        for other in others {
            states.push(other.join().unwrap_or_else(|panic| resume_unwind(panic)));
        }
        states.into_iter().collect()
    })
}

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
