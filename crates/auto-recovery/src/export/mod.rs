//! Trails as JSON, CSV, JSONL and, with the feature `parquet`, Parquet, streamed in constant
//! memory, and the files they go to.
//!
//! What a spreadsheet would run is made harmless in CSV. Entries are never changed otherwise.

mod compact;
mod csv;
mod document;
mod entries;
mod file;
mod format;
#[cfg(feature = "parquet")]
mod parquet;
mod trail;

pub(crate) use document::Document;
pub(crate) use entries::list_entries;
pub(crate) use file::persist_new;
pub use file::{create_in, file_stamp, replace};
pub use format::{ExportFormat, ExportOptions, ExportSummary};
pub use trail::{export_all, export_session};
