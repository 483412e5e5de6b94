//! Trails as JSON, CSV and JSONL, streamed in constant memory, and the files they go to.
//!
//! What a spreadsheet would run is made harmless in CSV. Entries are never changed otherwise.

mod compact;
mod csv;
mod entries;
mod file;
mod format;
mod json;
mod trail;

pub(crate) use entries::{Entries, Outcome};
pub use file::{create_in, file_stamp, replace};
pub use format::{ExportFormat, ExportOptions, ExportSummary};
pub(crate) use json::write_pretty;
pub use trail::{export_all, export_session};
