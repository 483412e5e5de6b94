//! A seal as a row of a table: the parts of the line that files have.

use auto_recovery::{Error, ErrorKind, Result};
use serde::{Deserialize, Serialize};

/// The line of a seal.
#[derive(Serialize, Deserialize)]
pub(crate) struct SealLine {
    /// Its format.
    pub(crate) v: u32,
    /// When it was made.
    pub(crate) at: String,
    /// The signed note.
    pub(crate) note: String,
}

impl SealLine {
    /// The parts of `line`.
    pub(crate) fn read(line: &str) -> Result<Self> {
        serde_json::from_str(line).map_err(|error| {
            let text = "a seal cannot be kept: it is no line of one";
            Error::new(ErrorKind::InvalidInput, text).with_source(error)
        })
    }

    /// The line.
    pub(crate) fn text(&self) -> String {
        serde_json::to_string(self).expect("texts and numbers always serialise")
    }
}
