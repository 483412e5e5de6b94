//! Values that only the command line has names for.

use clap::ValueEnum;

/// What an export is written as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ExportFormat {
    /// One document: the session and its entries
    Json,
    /// A header and a row an entry; list fields are JSON arrays
    Csv,
    /// The entry lines as they are stored
    Jsonl,
}

/// What a report is written as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ReportFormat {
    /// For programs
    Json,
    /// For people
    Markdown,
}
