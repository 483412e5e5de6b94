//! Reading a file line by line in bounded memory, knowing where each line is.

use std::cell::Cell;
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt;

use serde::{Deserialize, Serialize};

use crate::audit::JournalRecord;

/// The longest line that is read into memory. Ours have at most 64 KiB in trails; the journal's are
/// the longest.
pub(in crate::jsonl) const LINE_BYTES_MAX: usize = JournalRecord::BYTES_MAX;

/// What is read at once: few system calls, and it stays in the processor's cache.
const CHUNK_BYTES: usize = 128 * 1024;

/// A place in a file at which a line begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::jsonl) struct Position {
    /// Bytes before it.
    pub offset: u64,
    /// Its number, from 1.
    pub line: u64,
}

impl Position {
    pub(in crate::jsonl) const START: Self = Self { offset: 0, line: 1 };

    /// The place `bytes` further on in the same line.
    pub(in crate::jsonl) fn after(self, bytes: usize) -> Self {
        Self {
            offset: self.offset + bytes as u64,
            line: self.line,
        }
    }
}

/// One line.
#[derive(Clone, Copy, Debug)]
pub(in crate::jsonl) struct Line<'a> {
    /// Where it begins.
    pub at: Position,
    /// Its bytes without the `\n`; nothing if it is too long.
    pub bytes: &'a [u8],
    /// Its length in the file, with its `\n`.
    pub length: u64,
    /// Whether it ends with `\n`; only the last may not.
    pub ended: bool,
    /// Whether it is longer than [`LINE_BYTES_MAX`].
    pub too_long: bool,
}

impl Line<'_> {
    /// Where the next line begins.
    pub(in crate::jsonl) fn end(&self) -> Position {
        Position {
            offset: self.at.offset + self.length,
            line: self.at.line + 1,
        }
    }
}

/// Reads lines.
pub(in crate::jsonl) struct LineReader<R> {
    source: R,
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    at: Position,
}

thread_local! {
    /// The buffer that a reader of this thread left: there may be many short files to read.
    static SPARE: Cell<Option<Vec<u8>>> = const { Cell::new(None) };
}

impl<R> Drop for LineReader<R> {
    fn drop(&mut self) {
        let buffer = std::mem::take(&mut self.buffer);
        if buffer.len() == CHUNK_BYTES {
            SPARE.set(Some(buffer));
        }
    }
}

impl<R: Read> LineReader<R> {
    /// Reads the lines of `source`, which stands at `at`.
    pub(in crate::jsonl) fn new(source: R, at: Position) -> Self {
        Self {
            source,
            buffer: SPARE.take().unwrap_or_else(|| vec![0; CHUNK_BYTES]),
            start: 0,
            end: 0,
            at,
        }
    }

    /// The next line, `None` at the end.
    pub(in crate::jsonl) fn next_line(&mut self) -> io::Result<Option<Line<'_>>> {
        let at = self.at;
        let mut searched = self.start;
        loop {
            if let Some(index) = memchr::memchr(b'\n', &self.buffer[searched..self.end]) {
                let (from, to) = (self.start, searched + index);
                self.start = to + 1;
                return Ok(Some(self.line(at, from, to, true)));
            }
            if self.end - self.start > LINE_BYTES_MAX {
                return self.skip_line(at).map(Some);
            }
            searched = self.end - self.start;
            if !self.fill()? {
                let (from, to) = (self.start, self.end);
                self.start = self.end;
                return Ok((from < to).then(|| self.line(at, from, to, false)));
            }
        }
    }

    fn line(&mut self, at: Position, from: usize, to: usize, ended: bool) -> Line<'_> {
        let length = (to - from) as u64 + u64::from(ended);
        self.advance(length);
        Line {
            at,
            bytes: &self.buffer[from..to],
            length,
            ended,
            too_long: false,
        }
    }

    fn advance(&mut self, length: u64) {
        self.at.offset += length;
        self.at.line += 1;
    }

    /// Passes over a line that is too long to keep.
    fn skip_line(&mut self, at: Position) -> io::Result<Line<'static>> {
        let mut length = (self.end - self.start) as u64;
        self.start = 0;
        self.end = 0;
        self.buffer.truncate(CHUNK_BYTES);
        self.buffer.shrink_to_fit();
        let mut ended = false;
        while !ended && self.fill()? {
            match memchr::memchr(b'\n', &self.buffer[..self.end]) {
                Some(index) => {
                    length += index as u64 + 1;
                    self.start = index + 1;
                    ended = true;
                }
                None => {
                    length += self.end as u64;
                    self.end = 0;
                }
            }
        }
        self.advance(length);
        Ok(Line {
            at,
            bytes: &[],
            length,
            ended,
            too_long: true,
        })
    }

    /// Reads more behind what is there, moving it to the front; false at the end of the source.
    fn fill(&mut self) -> io::Result<bool> {
        self.buffer.copy_within(self.start..self.end, 0);
        self.end -= self.start;
        self.start = 0;
        if self.end == self.buffer.len() {
            self.buffer.resize(self.buffer.len() * 2, 0);
        }
        loop {
            match self.source.read(&mut self.buffer[self.end..]) {
                Ok(count) => {
                    self.end += count;
                    return Ok(count > 0);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }
}

/// Reads a file from an offset on, without moving the position that others may share.
pub(in crate::jsonl) struct ReadAt<'a> {
    file: &'a File,
    offset: u64,
}

impl<'a> ReadAt<'a> {
    pub(in crate::jsonl) fn new(file: &'a File, offset: u64) -> Self {
        Self { file, offset }
    }
}

impl Read for ReadAt<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.file.read_at(buffer, self.offset)?;
        self.offset += count as u64;
        Ok(count)
    }
}
