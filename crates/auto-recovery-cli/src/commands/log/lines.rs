//! Lines of a stream as they become available, in bounded memory.

use std::io::{self, Read};

/// The longest line that is taken: 1 MiB, 16 times the longest entry that is stored. The bytes of a
/// longer one are dropped as they come.
pub(crate) const LINE_BYTES_MAX: usize = 1024 * 1024;

/// Bytes asked for at once. A pipe holds 64 KiB; a file gives all of it. It bounds how many lines
/// share a sync: some 1,500 of the usual length.
const READ_BYTES: usize = 256 * 1024;

/// A line of input.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Line {
    /// Its bytes, without the line feed.
    Whole(Vec<u8>),
    /// It was longer than [`LINE_BYTES_MAX`].
    TooLong,
}

/// Reads lines from a stream, all that are there at a time.
pub(crate) struct Lines<R> {
    input: R,
    chunk: Vec<u8>,
    /// The beginning of a line whose end has not come yet.
    partial: Vec<u8>,
    /// Whether the rest of a line that is too long is being dropped.
    is_dropping: bool,
    is_at_end: bool,
}

impl<R: Read> Lines<R> {
    /// Reads from `input`.
    pub(crate) fn new(input: R) -> Self {
        Self {
            input,
            chunk: vec![0; READ_BYTES],
            partial: Vec::new(),
            is_dropping: false,
            is_at_end: false,
        }
    }

    /// Waits for input and returns the lines that it completes, which may be none; `None` at the end.
    ///
    /// # Errors
    /// If the input cannot be read.
    pub(crate) fn available(&mut self) -> io::Result<Option<Vec<Line>>> {
        if self.is_at_end {
            return Ok(None);
        }
        let count = loop {
            match self.input.read(&mut self.chunk) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                result => break result?,
            }
        };
        let mut lines = Vec::new();
        if count == 0 {
            self.is_at_end = true;
            if !self.partial.is_empty() || self.is_dropping {
                self.end_line(&mut lines);
            }
            return Ok(Some(lines));
        }
        let chunk = std::mem::take(&mut self.chunk);
        let mut pieces = chunk[..count].split(|byte| *byte == b'\n').peekable();
        while let Some(piece) = pieces.next() {
            self.extend(piece);
            if pieces.peek().is_some() {
                self.end_line(&mut lines);
            }
        }
        self.chunk = chunk;
        Ok(Some(lines))
    }

    fn extend(&mut self, piece: &[u8]) {
        if self.is_dropping || self.partial.len() + piece.len() > LINE_BYTES_MAX {
            self.is_dropping = true;
            self.partial = Vec::new();
        } else {
            self.partial.extend_from_slice(piece);
        }
    }

    fn end_line(&mut self, lines: &mut Vec<Line>) {
        lines.push(match std::mem::take(&mut self.is_dropping) {
            true => Line::TooLong,
            false => Line::Whole(std::mem::take(&mut self.partial)),
        });
    }
}
