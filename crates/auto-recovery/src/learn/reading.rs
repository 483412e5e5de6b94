//! The fields of a record that learning needs. A journal may have a million lines, so all else is
//! passed over without a copy.

use std::borrow::Cow;

use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::failure::{Category, Failure};
use crate::learn::class::hash_of;

/// A line of the journal.
#[derive(Deserialize)]
pub(super) struct Line<'a> {
    #[serde(borrow)]
    pub(super) event: Cow<'a, str>,
    #[serde(borrow, default)]
    pub(super) at: Cow<'a, str>,
    #[serde(borrow, default)]
    pub(super) session_id: Option<Text<'a>>,
    /// What is encrypted of it.
    #[serde(default)]
    pub(super) private: Option<IgnoredAny>,
    // Of a session's beginning.
    #[serde(borrow, default)]
    pub(super) workspace: Option<Text<'a>>,
    #[serde(borrow, default)]
    pub(super) host: Option<Text<'a>>,
    // Of a failure.
    #[serde(borrow, default)]
    pub(super) failure: Option<FailureText<'a>>,
    #[serde(default)]
    pub(super) category: Option<Category>,
    #[serde(default)]
    pub(super) advice: Option<AdviceLine>,
    // Of an attempt.
    #[serde(default)]
    pub(super) attempt_number: Option<u64>,
    #[serde(borrow, default)]
    pub(super) attempt_id: Option<Text<'a>>,
    #[serde(borrow, default)]
    pub(super) strategy: Option<Text<'a>>,
    #[serde(borrow, default)]
    pub(super) action: Option<Text<'a>>,
    #[serde(borrow, default)]
    pub(super) recipe: Option<Text<'a>>,
    #[serde(default)]
    pub(super) success: bool,
    #[serde(default)]
    pub(super) exit_code: Option<i32>,
    #[serde(default)]
    pub(super) strategy_exit_code: Option<i32>,
    #[serde(default)]
    pub(super) signal: Option<i32>,
    #[serde(default)]
    pub(super) kept: bool,
    #[serde(default)]
    pub(super) confirmed: Option<bool>,
    #[serde(default)]
    pub(super) flaky: bool,
    #[serde(default)]
    pub(super) protected: Vec<IgnoredAny>,
    // Of a session's end.
    #[serde(borrow, default)]
    pub(super) outcome: Option<Text<'a>>,
    #[serde(default)]
    pub(super) duration_seconds: f64,
}

/// A text, borrowed if it has no escapes. (A bare `Cow` in an option or a list never borrows.)
#[derive(Deserialize)]
pub(super) struct Text<'a>(#[serde(borrow)] pub(super) Cow<'a, str>);

/// The text, or an empty one.
pub(super) fn text_of<'t>(text: Option<&'t Text<'_>>) -> &'t str {
    text.map_or("", |text| &text.0)
}

/// The texts of a failure by which it is known again.
#[derive(Deserialize)]
pub(super) struct FailureText<'a> {
    #[serde(borrow, default)]
    error_type: Cow<'a, str>,
    #[serde(borrow, default)]
    message: Cow<'a, str>,
    #[serde(borrow, default)]
    source: Cow<'a, str>,
    #[serde(borrow, default)]
    file_path: Option<Text<'a>>,
    #[serde(borrow, default)]
    stack_trace: Option<Text<'a>>,
}

impl FailureText<'_> {
    pub(super) fn into_failure(self) -> Failure {
        Failure {
            error_type: self.error_type.into_owned(),
            message: self.message.into_owned(),
            source: self.source.into_owned(),
            file_path: self.file_path.map(|text| text.0.into_owned()),
            stack_trace: self.stack_trace.map(|text| text.0.into_owned()),
            ..Failure::default()
        }
    }

    /// A hash of all that [`super::history`] makes of it, for it is made once a text.
    pub(super) fn hash(&self) -> [u8; 32] {
        let file = text_of(self.file_path.as_ref());
        let trace = text_of(self.stack_trace.as_ref());
        let parts = [&*self.error_type, &self.message, &self.source, file, trace];
        hash_of(b"text", &parts)
    }
}

/// What an advice on record says that is counted.
#[derive(Clone, Copy, Deserialize)]
pub(super) struct AdviceLine {
    #[serde(default)]
    pub(super) applied: bool,
    #[serde(default)]
    pub(super) control: bool,
    #[serde(default)]
    pub(super) expected: ExpectedLine,
    #[serde(default)]
    pub(super) status: Status,
}

#[derive(Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Status {
    Changed,
    #[default]
    #[serde(other)]
    Other,
}

#[derive(Clone, Copy, Default, Deserialize)]
pub(super) struct ExpectedLine {
    #[serde(default)]
    pub(super) shipped: f64,
}
