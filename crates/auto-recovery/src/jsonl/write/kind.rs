//! What a file of the store holds.

use crate::audit::JournalLine;
use crate::error::Result;

/// What the lines of a file are.
pub(in crate::jsonl) enum Kind {
    /// Journal records.
    Journal,
    /// Seals; what happens to the file is told to the journal.
    Seals { note: Note },
    /// The entries of this session; what happens to the file is told to the journal.
    Trail { session_id: String, note: Note },
}

/// Appends a record to the journal, and returns once it is durable.
pub(in crate::jsonl) type Note = Box<dyn Fn(&JournalLine) -> Result<()> + Send>;
