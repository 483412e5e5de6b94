//! The audit record of one attempt: the 14 fields of the specification, in its order, and the line
//! of JSON that it is stored as.
//!
//! This is the one domain type that derives serde for storage: its JSON form is the contract of the
//! trail. Nothing may be added to it; what it has no field for goes to the journal.

mod audit_entry;
mod line;
mod log_line;

pub use audit_entry::RecoveryAuditEntry;
pub(crate) use line::{EntryLine, Text};
pub use log_line::LogLine;
