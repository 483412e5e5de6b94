//! What an export can be asked for, and what it tells.

use std::fmt;
use std::str::FromStr;

use crate::audit::Damage;
use crate::error::{Error, ErrorKind};

/// The format of an export.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ExportFormat {
    /// One indented document.
    #[default]
    Json,
    /// A table with a header.
    Csv,
    /// The entries as they are stored, one a line.
    Jsonl,
    /// A file of typed columns.
    #[cfg(feature = "parquet")]
    Parquet,
}

impl ExportFormat {
    /// Every format.
    pub const ALL: &[Self] = &[
        Self::Json,
        Self::Csv,
        Self::Jsonl,
        #[cfg(feature = "parquet")]
        Self::Parquet,
    ];

    /// Its name, which is also the extension of its files.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Csv => "csv",
            Self::Jsonl => "jsonl",
            #[cfg(feature = "parquet")]
            Self::Parquet => "parquet",
        }
    }
}

impl fmt::Display for ExportFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for ExportFormat {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let mut all = Self::ALL.iter();
        let found = all.find(|format| format.as_str().eq_ignore_ascii_case(text));
        found.copied().ok_or_else(|| {
            let names: Vec<_> = Self::ALL.iter().map(|format| format.as_str()).collect();
            let names = names.join(", ");
            Error::new(
                ErrorKind::InvalidInput,
                format!("unknown export format {text:?}: use one of {names}"),
            )
        })
    }
}

/// How to export.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ExportOptions {
    /// The format.
    pub format: ExportFormat,
    /// Whether CSV cells stay exact that a spreadsheet would run as formulas.
    pub raw_cells: bool,
}

/// What an export wrote.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ExportSummary {
    /// How many entries.
    pub entries: u64,
    /// What could not be read and is therefore missing.
    pub damage: Vec<Damage>,
}
