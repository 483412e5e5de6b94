//! Appending lines to one file, durable before they are acknowledged. Callers at the same time
//! share a write and a sync.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use super::batch::Batch;
use super::kind::Kind;
use super::writer::Writer;
use crate::audit::JournalLine;
use crate::error::Result;
use crate::group_commit::{GroupCommit, Pace};
use crate::jsonl::root::Root;
use crate::mutex::lock;

/// How many bytes are written at once, one caller's batch not divided. It bounds how long others
/// wait for the lock.
const GROUP_BYTES_MAX: usize = 8 * 1024 * 1024;

/// One file that lines are appended to, for all threads.
pub(in crate::jsonl) struct Appender {
    callers: GroupCommit<Batch>,
    writer: Mutex<Writer>,
}

impl Appender {
    pub(in crate::jsonl) fn new(root: Arc<Root>, path: PathBuf, kind: Kind) -> Self {
        Self {
            callers: GroupCommit::new(GROUP_BYTES_MAX, Batch::len, Pace::AtOnce),
            writer: Mutex::new(Writer::new(root, path, kind)),
        }
    }

    /// Appends `batch` and returns it, with the numbers it was given, once it is durable.
    pub(in crate::jsonl) fn commit(&self, batch: Batch) -> Result<Batch> {
        self.callers.commit(batch, |batches| {
            let mut writer = lock(&self.writer);
            let mut batches: Vec<Batch> = batches.collect();
            writer.write(&mut batches)?;
            Ok(batches.into_iter().map(Batch::outcome).collect())
        })
    }

    /// Appends one journal record, and returns once it is durable.
    pub(in crate::jsonl) fn commit_record(&self, line: &JournalLine) -> Result<()> {
        let mut batch = Batch::new();
        batch.push_record(line);
        self.commit(batch).map(drop)
    }

    /// Whether a sync failed, so that nothing can be appended any more.
    pub(in crate::jsonl) fn is_poisoned(&self) -> bool {
        lock(&self.writer).is_poisoned()
    }
}
