//! Finding the end of a trail from its end.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt;

use memchr::{memchr_iter, memrchr_iter};

use super::lines::ReadAt;

/// What is read at once: a few hundred records.
const BLOCK_BYTES: u64 = 256 * 1024;

/// Where the last `count` lines of `file` begin that begin a record, or `floor` if there are not as
/// many behind it.
pub(in crate::jsonl) fn last_records(file: &File, floor: u64, count: usize) -> io::Result<u64> {
    let mut end = file.metadata()?.len();
    if count == 0 {
        return Ok(end.max(floor));
    }
    let mut found = 0;
    let mut block = Vec::new();
    // The byte behind the block, which its last line end belongs to.
    let mut follows = None;
    while end > floor && found < count {
        let start = end.saturating_sub(BLOCK_BYTES).max(floor);
        block.resize(usize::try_from(end - start).unwrap_or(0), 0);
        file.read_exact_at(&mut block, start)?;
        for at in memrchr_iter(b'\n', &block) {
            let first = block.get(at + 1).copied().or(follows);
            found += usize::from(first == Some(b'{'));
            if found == count {
                return Ok(start + at as u64 + 1);
            }
        }
        follows = block.first().copied();
        end = start;
    }
    Ok(floor)
}

/// How many lines end before `offset`.
pub(in crate::jsonl) fn lines_before(file: &File, offset: u64) -> io::Result<u64> {
    let mut source = ReadAt::new(file, 0).take(offset);
    let mut block = vec![0; usize::try_from(BLOCK_BYTES).unwrap_or(0)];
    let mut lines = 0;
    loop {
        match source.read(&mut block)? {
            0 => return Ok(lines),
            count => lines += memchr_iter(b'\n', &block[..count]).count() as u64,
        }
    }
}
