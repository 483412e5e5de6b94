//! Lines on their way to a file.

use crate::audit::NewEntry;
use crate::error::{Error, ErrorKind, Result};

/// What most entries take.
const LINE_BYTES_USUAL: usize = 768;

/// What stands before the number in an entry. Unescaped quotes end strings, so this can stand
/// nowhere else in one.
const NUMBER_KEY: &[u8] = b",\"attempt_number\":";

/// Lines to be written together, as bytes that are ready but for the numbers the writer gives.
#[derive(Debug, Default)]
pub(in crate::jsonl) struct Batch {
    bytes: Vec<u8>,
    lines: Vec<Line>,
    to_number: usize,
    /// Why it was left out.
    refused: Option<Error>,
    /// The process it is made in, which is the one that writes it. Asking the system is not free,
    /// and a call asks once.
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
    pub(in crate::jsonl) fn new() -> Self {
        Self {
            bytes: Vec::with_capacity(LINE_BYTES_USUAL),
            pid: std::process::id(),
            ..Self::default()
        }
    }

    /// The process it is made in.
    pub(in crate::jsonl) fn pid(&self) -> u32 {
        self.pid
    }

    /// Adds an entry as a line.
    pub(in crate::jsonl) fn push_entry(&mut self, new: &mut NewEntry) -> Result<()> {
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
    pub(in crate::jsonl) fn push_line(&mut self, line: &[u8]) {
        self.bytes.extend_from_slice(line);
        self.end_line(0, None);
    }

    /// Adds an entry as it is, which has this number.
    pub(in crate::jsonl) fn push_imported(&mut self, raw: &[u8], number: u64) {
        self.bytes.extend_from_slice(raw);
        self.end_line(number, None);
    }

    fn end_line(&mut self, number: u64, insert_at: Option<usize>) {
        self.bytes.push(b'\n');
        self.lines.push(Line { number, insert_at });
    }

    /// How many bytes it has, numbers that are to be given not counted.
    pub(in crate::jsonl) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Whether the writer has to give numbers.
    pub(in crate::jsonl) fn wants_numbers(&self) -> bool {
        self.to_number > 0
    }

    /// Its bytes, if they are ready.
    pub(in crate::jsonl) fn ready(&self) -> Option<&[u8]> {
        (self.to_number == 0).then_some(&self.bytes)
    }

    /// Appends its bytes to `out`, giving numbers that follow `last`, the highest so far. `last` is
    /// then the highest. If there are not enough numbers, all of it is left out, and is refused.
    pub(in crate::jsonl) fn render(&mut self, last: &mut u64, out: &mut Vec<u8>) {
        let before = (*last, out.len());
        let mut done = 0;
        for line in &mut self.lines {
            if let Some(insert_at) = line.insert_at {
                let Some(number) = last.checked_add(1) else {
                    self.refused = Some(no_number_left());
                    *last = before.0;
                    out.truncate(before.1);
                    return;
                };
                line.number = number;
                out.extend_from_slice(&self.bytes[done..insert_at]);
                out.extend_from_slice(line.number.to_string().as_bytes());
                done = insert_at;
            }
            *last = line.number.max(*last);
        }
        out.extend_from_slice(&self.bytes[done..]);
    }

    /// It, as it was written, or why it was left out.
    pub(in crate::jsonl) fn outcome(mut self) -> Result<Self> {
        match self.refused.take() {
            Some(refused) => Err(refused),
            None => Ok(self),
        }
    }

    /// The highest number among its lines.
    pub(in crate::jsonl) fn highest(&self) -> u64 {
        self.numbers().max().unwrap_or(0)
    }

    /// The numbers of its lines, in order.
    pub(in crate::jsonl) fn numbers(&self) -> impl Iterator<Item = u64> + '_ {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::store_contract::entry;

    #[test]
    fn a_call_for_which_no_number_is_left_is_refused_alone_and_whole() {
        let batch = |numbers: &[Option<u64>]| {
            let mut batch = Batch::new();
            for number in numbers {
                let mut new = entry("s", number.unwrap_or(0));
                new.number_by_store = number.is_none();
                batch.push_entry(&mut new).unwrap();
            }
            batch
        };
        let mut group = [
            batch(&[Some(u64::MAX - 1)]),
            batch(&[None, None]),
            batch(&[None]),
            batch(&[Some(5)]),
        ];
        let (mut last, mut out) = (0, Vec::new());
        for one in &mut group {
            one.render(&mut last, &mut out);
        }
        let told = group.map(|one| one.outcome().map(|one| one.numbers().collect::<Vec<_>>()));
        let [first, refused, numbered, given] = told;
        assert_eq!(first.unwrap(), [u64::MAX - 1]);
        assert_eq!(refused.unwrap_err().kind(), ErrorKind::InvalidInput);
        assert_eq!(numbered.unwrap(), [u64::MAX]);
        assert_eq!(given.unwrap(), [5]);
        assert_eq!(out.iter().filter(|byte| **byte == b'\n').count(), 3);
    }
}
