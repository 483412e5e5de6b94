//! The mark by which what a run started is found again, wherever it went.

use std::ffi::OsString;

/// An environment variable whose value no other run has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Marker {
    /// Name of the variable.
    pub name: OsString,
    /// Its value, unique to this run.
    pub value: OsString,
}
