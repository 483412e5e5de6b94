//! Lines on their way to a file.

use crate::audit::NewEntry;
use crate::error::{Error, ErrorKind, Result};

/// What most entries take.
const LINE_BYTES_USUAL: usize = 768;

/// What stands before the number in an entry. Unescaped quotes end strings, so this can stand nowhere
/// else in one.
const NUMBER_KEY: &[u8] = b",\"attempt_number\":";

/// Lines to be written together, as bytes that are ready but for the numbers the writer gives.
#[derive(Debug, Default)]
pub(super) struct Batch {
    bytes: Vec<u8>,
    lines: Vec<Line>,
    to_number: usize,
    /// The process it is made in, which is the one that writes it. Asking the system is not free, and a
    /// call asks once.
    pid: u32,
}

/// What is to be known of a line.
#[derive(Clone, Copy, Debug)]
struct Line {
    /// The attempt number; 0 for a line without one, or until it is given.
    number: u64,
    /// Where in the bytes the number is to be inserted.
    insert_at: Option<usize>,
}

impl Batch {
    /// No lines yet.
    pub(super) fn new() -> Self {
        Self {
            bytes: Vec::with_capacity(LINE_BYTES_USUAL),
            pid: std::process::id(),
            ..Self::default()
        }
    }

    /// The process it is made in.
    pub(super) fn pid(&self) -> u32 {
        self.pid
    }

    /// Adds an entry as a line.
    pub(super) fn push_entry(&mut self, new: &mut NewEntry) -> Result<()> {
        let start = self.bytes.len();
        new.write_fitted(&mut self.bytes)?;
        if !new.number_by_store {
            self.end_line(new.entry.attempt_number, None);
            return Ok(());
        }
        let key = memchr::memmem::find(&self.bytes[start..], NUMBER_KEY)
            .expect("every entry has an attempt number");
        let insert_at = start + key + NUMBER_KEY.len();
        // The 0 that stands there goes.
        self.bytes.remove(insert_at);
        self.to_number += 1;
        self.end_line(0, Some(insert_at));
        Ok(())
    }

    /// Adds a line that has no number.
    pub(super) fn push_line(&mut self, line: &[u8]) {
        self.bytes.extend_from_slice(line);
        self.end_line(0, None);
    }

    /// Adds an entry as it is, which has this number.
    pub(super) fn push_imported(&mut self, raw: &[u8], number: u64) {
        self.bytes.extend_from_slice(raw);
        self.end_line(number, None);
    }

    fn end_line(&mut self, number: u64, insert_at: Option<usize>) {
        self.bytes.push(b'\n');
        self.lines.push(Line { number, insert_at });
    }

    /// How many bytes it has, numbers that are to be given not counted.
    pub(super) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Whether the writer has to give numbers.
    pub(super) fn wants_numbers(&self) -> bool {
        self.to_number > 0
    }

    /// Its bytes, if they are ready.
    pub(super) fn ready(&self) -> Option<&[u8]> {
        (self.to_number == 0).then_some(&self.bytes)
    }

    /// Appends its bytes to `out`, giving numbers that follow `last`, the highest so far. `last` is
    /// then the highest.
    pub(super) fn render(&mut self, last: &mut u64, out: &mut Vec<u8>) -> Result<()> {
        let mut done = 0;
        for line in &mut self.lines {
            if let Some(insert_at) = line.insert_at {
                line.number = last.checked_add(1).ok_or_else(no_number_left)?;
                out.extend_from_slice(&self.bytes[done..insert_at]);
                out.extend_from_slice(line.number.to_string().as_bytes());
                done = insert_at;
            }
            *last = line.number.max(*last);
        }
        out.extend_from_slice(&self.bytes[done..]);
        Ok(())
    }

    /// The highest number among its lines.
    pub(super) fn highest(&self) -> u64 {
        self.numbers().max().unwrap_or(0)
    }

    /// The numbers of its lines, in order.
    pub(super) fn numbers(&self) -> impl Iterator<Item = u64> + '_ {
        self.lines.iter().map(|line| line.number)
    }
}

fn no_number_left() -> Error {
    Error::new(
        ErrorKind::InvalidInput,
        format!(
            "no attempt number is left after {}: use another session",
            u64::MAX
        ),
    )
}
