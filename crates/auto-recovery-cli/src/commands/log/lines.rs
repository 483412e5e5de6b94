//! Lines of a stream as they become available, in bounded memory.

use std::io::{self, Read, StdinLock};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};

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

/// How long more input is waited for when the last time brought more lines than this time so far:
/// whoever keeps many lines under way is still writing the rest, and a sync costs ten times as
/// much. Whoever sends a line at a time is never waited for.
const GATHER: Duration = Duration::from_micros(100);

/// A stream of lines that can say whether there is more.
pub(crate) trait Input: Read {
    /// Whether a read will not block, now or within `patience`.
    fn is_ready_within(&mut self, patience: Duration) -> bool;
}

/// Reads lines from a stream, all that are there at a time.
pub(crate) struct Lines<I> {
    input: I,
    chunk: Vec<u8>,
    /// The beginning of a line whose end has not come yet.
    partial: Vec<u8>,
    /// Whether the rest of a line that is too long is being dropped.
    is_dropping: bool,
    is_at_end: bool,
    /// How many lines the last call returned.
    last_count: usize,
}

impl<I: Input> Lines<I> {
    /// Reads from `input`.
    pub(crate) fn new(input: I) -> Self {
        Self {
            input,
            chunk: vec![0; READ_BYTES],
            partial: Vec::new(),
            is_dropping: false,
            is_at_end: false,
            last_count: 0,
        }
    }

    /// Waits for input and returns the lines that it completes, which may be none; `None` at the
    /// end.
    ///
    /// # Errors
    /// If the input cannot be read.
    pub(crate) fn available(&mut self) -> io::Result<Option<Vec<Line>>> {
        if self.is_at_end {
            return Ok(None);
        }
        let mut lines = Vec::new();
        self.read_into(&mut lines)?;
        while !self.is_at_end && lines.len() < self.last_count && self.input.is_ready_within(GATHER)
        {
            self.read_into(&mut lines)?;
        }
        self.last_count = lines.len();
        Ok(Some(lines))
    }

    /// Waits for input, once, and adds the lines that it completes to `lines`.
    fn read_into(&mut self, lines: &mut Vec<Line>) -> io::Result<()> {
        let count = loop {
            match self.input.read(&mut self.chunk) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                result => break result?,
            }
        };
        if count == 0 {
            self.is_at_end = true;
            if !self.partial.is_empty() || self.is_dropping {
                self.end_line(lines);
            }
            return Ok(());
        }
        let chunk = std::mem::take(&mut self.chunk);
        let mut pieces = chunk[..count].split(|byte| *byte == b'\n').peekable();
        while let Some(piece) = pieces.next() {
            self.extend(piece);
            if pieces.peek().is_some() {
                self.end_line(lines);
            }
        }
        self.chunk = chunk;
        Ok(())
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

impl Input for StdinLock<'_> {
    // The lock's own buffer is passed by where more is asked for than it holds, as `READ_BYTES` is,
    // so what the system says of the stream is all there is to say.
    fn is_ready_within(&mut self, patience: Duration) -> bool {
        let patience = Timespec {
            tv_sec: 0,
            tv_nsec: patience.subsec_nanos().into(),
        };
        let mut fds = [PollFd::new(self, PollFlags::IN)];
        poll(&mut fds, Some(&patience)).is_ok_and(|ready| ready > 0)
    }
}
