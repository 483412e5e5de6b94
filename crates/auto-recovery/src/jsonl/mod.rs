//! The JSONL store: a directory of text files that any program can read.
//!
//! # Layout
//!
//! `DIR` has mode 0700 and its files 0600; the first write makes it.
//!
//! - `DIR/<session>_audit.jsonl`, the trail of a session: one entry a line, compact JSON, the 14
//!   fields in their order, ended by `\n`. The name is the session id as
//!   [`crate::audit::session_id`] encodes it.
//! - `DIR/journal.jsonl`, the journal: one record a line, see [`crate::audit::JournalRecord`]. Its
//!   field `v` is the version of the format; a reader refuses a newer one.
//! - `DIR/seals.jsonl`, the seals: one a line, see [`crate::audit::sealing`].
//! - `DIR/rollups/`, sums that readers left to later ones, and where in the journal the records of
//!   each session stand. They are derived, and may be removed at any time.
//! - `DIR/import.lock` and `DIR/serving.lock`, empty: whoever imports, or serves, has them locked.
//! - `DIR/<file>.torn-<offset>`, bytes that a cut short write left at `offset` of `<file>`.
//!
//! # Writing
//!
//! A writer locks the file (`flock`) around the write only, so a slow sync keeps nobody from
//! writing. Under the lock it makes sure that the path still names the file it has open, and that
//! the file ends with a whole line; what does not is moved to a `.torn-` file, the journal says so,
//! and only then does the new line follow. Callers that write to one file at the same time share a
//! write and a sync. A write that fails is taken back; a sync that fails closes the file to this
//! store for good, because a second sync would report success for data that the system has already
//! dropped.
//!
//! Clearing records `session_cleared` durably, removes the file, and records that it is gone, all
//! under its lock. If it dies in between, readers find from the record which bytes were meant, and
//! do not show them.
//!
//! # Reading
//!
//! Readers take no lock, except to look again at a tail that may just be being written. They accept
//! what the Python original wrote (pretty-printed objects one after another) and any mixture of the
//! two. What cannot be read is reported with its place and hides nothing else.

mod claim;
mod dir;
mod follow;
mod import;
mod io;
mod keys;
mod leaves;
mod names;
mod read;
mod remove;
mod root;
mod seals;
mod store;
mod sums;
mod write;

pub use io::{FileIo, SystemIo};
pub(crate) use keys::KeyDir;
pub(crate) use read::records::{Verdict, read_records};
pub use store::{JsonlOptions, JsonlStore};
