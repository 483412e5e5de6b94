//! What a command or a validation reported when it did not succeed.
//!
//! A failure is data. Its text came from a program nobody controls, so it is never interpreted: not
//! by a shell, not by a terminal, not by a page.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::error::{Error, ErrorKind};
use crate::failure_kind::failure_kind;

/// Anything else that the caller knows about a failure or a recovery, by name.
pub type Context = BTreeMap<String, Value>;

/// Name in a failure's context: the folder that its tool ran in, and named the file from, where
/// that is not the command's own.
const FOLDER: &str = "folder";

/// One failure, with the fields of the specification's `Error` in their order.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Failure {
    /// The type a person would name: `E0308`, `SyntaxError`, `ECONNREFUSED`.
    pub error_type: String,
    /// The message that tells most.
    pub message: String,
    /// The tool that reported it: `cargo`, `pytest`, `linter`.
    pub source: String,
    /// Whatever else is known, by name.
    #[serde(default)]
    pub context: Context,
    /// The stack trace, as the tool printed it.
    #[serde(default)]
    pub stack_trace: Option<String>,
    /// The file the tool pointed at, as it wrote it.
    #[serde(default)]
    pub file_path: Option<String>,
    /// The line in that file, counted from 1.
    #[serde(default)]
    pub line_number: Option<u64>,
}

impl Failure {
    /// A failure of `error_type` that says `message`, reported by `source`.
    pub fn new(
        error_type: impl Into<String>,
        message: impl Into<String>,
        source: impl Into<String>,
    ) -> Self {
        Self {
            error_type: error_type.into(),
            message: message.into(),
            source: source.into(),
            ..Self::default()
        }
    }

    /// The kind of failure it is, equal for failures that are the same: see
    /// [`crate::failure_kind`].
    pub fn kind(&self) -> String {
        failure_kind(&self.source, &self.error_type, &self.message)
    }

    /// Whether `other` is the same failure: of the same kind, wherever it shows.
    pub fn is_same_as(&self, other: &Self) -> bool {
        self.kind() == other.kind()
    }

    /// Whether it is the failure `other` in another file. What is in no file is nowhere else.
    pub fn is_elsewhere_than(&self, other: &Self) -> bool {
        match (&self.file_path, &other.file_path) {
            (Some(here), Some(there)) => here != there && self.is_same_as(other),
            _ => false,
        }
    }

    /// Joins the file to `folder`, in which the tool ran that named it.
    pub(crate) fn join_to(&mut self, folder: &str) {
        if let Some(file) = &mut self.file_path {
            *file = format!("{folder}/{}", file.strip_prefix("./").unwrap_or(file));
            self.context.insert(FOLDER.to_owned(), folder.into());
        }
    }

    /// The folder in which the tool ran, seen from where the command did, if it is another.
    pub(crate) fn folder(&self) -> Option<&str> {
        self.context.get(FOLDER)?.as_str()
    }

    /// The file as the tool named it, but for `./` before it.
    pub(crate) fn file_as_named(&self) -> Option<&str> {
        let file = self.file_path.as_deref()?;
        let named = self.folder().and_then(|folder| file.strip_prefix(folder));
        Some(
            named
                .and_then(|named| named.strip_prefix('/'))
                .unwrap_or(file),
        )
    }

    /// The failure as the tool reported it.
    pub(crate) fn as_named(&self) -> Self {
        Self {
            file_path: self.file_as_named().map(str::to_owned),
            ..self.clone()
        }
    }

    /// The place the tool pointed at, as `file:line` or `file`.
    pub fn location(&self) -> Option<String> {
        let file = self.file_path.as_deref()?;
        Some(match self.line_number {
            Some(line) => format!("{file}:{line}"),
            None => file.to_owned(),
        })
    }
}

/// What kind of failure it is; decides which strategies suit it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Category {
    /// It may pass if simply tried again: network, timeout, load.
    Transient,
    /// The code does not satisfy a compiler, formatter or linter.
    CodeQuality,
    /// A test ran and did not pass.
    TestFailure,
    /// Something the project needs is missing or does not fit.
    Dependency,
    /// None of the above can be said with confidence.
    Unknown,
}

impl Category {
    /// Every category, in the order people are shown them.
    pub const ALL: [Self; 5] = [
        Self::Transient,
        Self::CodeQuality,
        Self::TestFailure,
        Self::Dependency,
        Self::Unknown,
    ];

    /// The name used in records, flags and messages.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Transient => "transient",
            Self::CodeQuality => "code_quality",
            Self::TestFailure => "test_failure",
            Self::Dependency => "dependency",
            Self::Unknown => "unknown",
        }
    }
}

impl fmt::Display for Category {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Category {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        Self::ALL
            .into_iter()
            .find(|category| category.as_str() == text)
            .ok_or_else(|| {
                Error::new(
                    ErrorKind::InvalidInput,
                    format!(
                        "unknown category {text:?}: use transient, code_quality, test_failure, \
                     dependency or unknown"
                    ),
                )
            })
    }
}
