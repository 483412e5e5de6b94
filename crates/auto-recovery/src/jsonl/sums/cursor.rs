//! The place where a reader of a growing file stopped, and the check whether it may read on from
//! there.

use std::fs::{File, Metadata};
use std::os::unix::fs::FileExt;
use std::time::SystemTime;

use serde::{Deserialize, Serialize};

use crate::files::FileId;
use crate::files::hash::fnv64;
use crate::jsonl::read::lines::Position;
use crate::jsonl::read::records::Walked;

/// Number of bytes of the last record that are hashed: its id and its time are among them.
const WITNESS_BYTES: u64 = 256;

/// A place in one file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::jsonl) struct Cursor {
    file: FileId,
    /// The place where reading began.
    pub from: Position,
    /// The place where it stopped.
    pub at: Position,
    /// Creation time of the file, where the file system records it: a removed file may leave its
    /// number to the next.
    made: Option<SystemTime>,
    /// The hash of the beginning of the last record before `at`, or of all that was read if it
    /// holds no record, and its offset. If a writer takes back what it failed to write, the bytes
    /// there differ.
    witness: u64,
    witness_at: u64,
    witness_bytes: u64,
}

impl Cursor {
    /// A cursor at `from` in the file that `metadata` is of.
    pub(in crate::jsonl) fn new(metadata: &Metadata, from: Position) -> Self {
        Self {
            file: FileId::of(metadata),
            from,
            at: from,
            made: metadata.created().ok(),
            witness: fnv64([]),
            witness_at: from.offset,
            witness_bytes: 0,
        }
    }

    /// Moves to the end of a walk through `file`; false if the file is changing meanwhile.
    pub(in crate::jsonl) fn advance(&mut self, file: &File, walked: &Walked) -> bool {
        self.at = walked.end;
        if let Some(last) = walked.last {
            self.witness_at = last;
        } else if self.witness_bytes > 0 {
            return true;
        }
        self.witness_bytes = (walked.end.offset - self.witness_at).min(WITNESS_BYTES);
        let seen = self.look(file);
        self.witness = seen.unwrap_or_default();
        seen.is_some()
    }

    /// The same cursor, for a reading that began at `from`, which is before it.
    pub(in crate::jsonl) fn since(&self, from: Position) -> Self {
        Self {
            from,
            ..self.clone()
        }
    }

    /// Whether `file` still has what was read before the cursor.
    pub(in crate::jsonl) fn fits(&self, file: &File, metadata: &Metadata) -> bool {
        let same_file = FileId::of(metadata) == self.file && metadata.created().ok() == self.made;
        if !same_file || metadata.len() < self.at.offset {
            return false;
        }
        self.look(file) == Some(self.witness)
    }

    fn look(&self, file: &File) -> Option<u64> {
        let mut bytes = [0; WITNESS_BYTES as usize];
        let bytes = bytes.get_mut(..usize::try_from(self.witness_bytes).ok()?)?;
        file.read_exact_at(bytes, self.witness_at).ok()?;
        Some(fnv64(bytes.iter().copied()))
    }
}
