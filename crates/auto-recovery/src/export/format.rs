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
}

impl ExportFormat {
    /// Every format.
    pub const ALL: [Self; 3] = [Self::Json, Self::Csv, Self::Jsonl];

    /// Its name, which is also the extension of its files.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Csv => "csv",
            Self::Jsonl => "jsonl",
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
        Self::ALL
            .into_iter()
            .find(|format| format.as_str().eq_ignore_ascii_case(text))
            .ok_or_else(|| {
                Error::new(
                    ErrorKind::InvalidInput,
                    format!("unknown export format {text:?}: use json, csv or jsonl"),
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
