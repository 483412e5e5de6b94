//! Lines on their way to a file.

use crate::audit::{JournalLine, NewEntry, RecordedEntry, Recorder, StoredEntry};
use crate::error::{Error, ErrorKind, Result};

/// What most entries take.
const LINE_BYTES_USUAL: usize = 768;

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

    /// Adds `new` as `recorder` writes it, as a line, and returns it.
    pub(in crate::jsonl) fn push_entry(
        &mut self,
        recorder: &Recorder,
        new: NewEntry,
    ) -> Result<RecordedEntry> {
        let start = self.bytes.len();
        let recorded = recorder.entry(self.pid, new, &mut self.bytes)?;
        if !recorded.number_by_store() {
            self.end_line(recorded.entry().attempt_number, None);
            return Ok(recorded);
        }
        let insert_at = start + RecordedEntry::number_at(&self.bytes[start..]);
        // The 0 that stands there goes.
        self.bytes.remove(insert_at);
        self.to_number += 1;
        self.end_line(0, Some(insert_at));
        Ok(recorded)
    }

    /// Adds a journal record as a line.
    pub(in crate::jsonl) fn push_record(&mut self, line: &JournalLine) {
        self.bytes.extend_from_slice(line.json().as_bytes());
        self.end_line(0, None);
    }

    /// Adds a line that is ready.
    pub(in crate::jsonl) fn push_line(&mut self, line: &str) {
        self.bytes.extend_from_slice(line.as_bytes());
        self.end_line(0, None);
    }

    /// Adds an entry that others made, as it is.
    pub(in crate::jsonl) fn push_taken_over(&mut self, stored: &StoredEntry<'_>) {
        self.bytes.extend_from_slice(stored.raw());
        self.end_line(stored.attempt_number(), None);
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
    use std::sync::Arc;

    use super::*;
    use crate::testing::ScriptedHost;
    use crate::testing::store_contract::entry;

    #[test]
    fn a_call_for_which_no_number_is_left_is_refused_alone_and_whole() {
        let recorder = Recorder::new(Arc::new(ScriptedHost::new()));
        let batch = |numbers: &[Option<u64>]| {
            let mut batch = Batch::new();
            for number in numbers {
                let mut new = entry("s", number.unwrap_or(0));
                new.number_by_store = number.is_none();
                batch.push_entry(&recorder, new).unwrap();
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
