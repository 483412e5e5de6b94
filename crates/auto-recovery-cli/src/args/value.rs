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
    /// A file of typed columns, for DuckDB, polars, pandas and Spark
    Parquet,
}

/// What a report is written as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ReportFormat {
    /// For programs
    Json,
    /// For people
    Markdown,
}

/// What sums are told apart by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "snake_case")]
pub(crate) enum Dimension {
    /// The strategy of the attempt
    Strategy,
    /// The type of the failure
    ErrorType,
    /// The category of the session's failure
    Category,
    /// The tool that reported it
    Source,
    /// The session's project
    Project,
    /// The session's machine
    Host,
    /// The day of the attempt
    Day,
    /// The hour of the attempt
    Hour,
}
