//! Where a reader of a growing file stopped, and whether it may go on from there.

use std::fs::{File, Metadata};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::time::SystemTime;

use super::lines::Position;
use super::records::Walked;

/// How many bytes of the last record are remembered: its id and its time stand among them.
const WITNESS_BYTES: u64 = 256;

/// A place in one file.
#[derive(Clone, Debug)]
pub(super) struct Cursor {
    file: FileId,
    /// Where reading began.
    pub from: Position,
    /// Where it stopped.
    pub at: Position,
    /// When the file was made, where the file system tells: a file that is removed may leave its number
    /// to the next.
    made: Option<SystemTime>,
    /// The beginning of the last record before `at`, or of what was read if there is no record in it,
    /// and where it stands. If a writer takes back what it failed to write, other bytes stand there.
    witness: Vec<u8>,
    witness_at: u64,
}

impl Cursor {
    /// A cursor that stands at `from` in the file that `metadata` is of.
    pub(super) fn new(metadata: &Metadata, from: Position) -> Self {
        Self {
            file: FileId::of(metadata),
            from,
            at: from,
            made: metadata.created().ok(),
            witness: Vec::new(),
            witness_at: from.offset,
        }
    }

    /// Goes on to where a walk through `file` ended; false if the file is changing under it.
    pub(super) fn advance(&mut self, file: &File, walked: &Walked) -> bool {
        self.at = walked.end;
        if let Some(last) = walked.last {
            self.witness_at = last;
        } else if !self.witness.is_empty() {
            return true;
        }
        let length = (walked.end.offset - self.witness_at).min(WITNESS_BYTES);
        self.witness = vec![0; usize::try_from(length).unwrap_or(0)];
        file.read_exact_at(&mut self.witness, self.witness_at)
            .is_ok()
    }

    /// Whether `file` still has what was read before the cursor.
    pub(super) fn fits(&self, file: &File, metadata: &Metadata) -> bool {
        let same_file = FileId::of(metadata) == self.file && metadata.created().ok() == self.made;
        if !same_file || metadata.len() < self.at.offset {
            return false;
        }
        let mut now = vec![0; self.witness.len()];
        file.read_exact_at(&mut now, self.witness_at).is_ok() && now == self.witness
    }
}

/// Which file a path or handle means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct FileId {
    device: u64,
    inode: u64,
}

impl FileId {
    pub(super) fn of(metadata: &Metadata) -> Self {
        Self {
            device: metadata.dev(),
            inode: metadata.ino(),
        }
    }
}
