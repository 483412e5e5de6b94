//! A try to tell somebody: what it may use, and what became of it.

use std::time::Duration;

use auto_recovery::host::Host;

use crate::outbound::{Answer, Outbound};

/// The part of an answer that is kept, in characters.
const ANSWER_CHARS_MAX: usize = 200;

/// What became of a try.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Tried {
    /// It was taken.
    Sent,
    /// It was refused, and is to be tried again, not before that long.
    Refused(String, Option<Duration>),
    /// Nobody knows whether it was taken.
    Unanswered(String),
    /// The destination is gone for good.
    Gone,
}

/// What every channel may use.
pub(crate) struct Means<'a> {
    pub(crate) outbound: &'a Outbound,
    pub(crate) host: &'a dyn Host,
    /// The directory for the files that programs are given.
    pub(crate) dir: &'a std::path::Path,
    /// Certificates that are trusted.
    #[cfg(feature = "smtp")]
    pub(crate) roots: Option<&'a std::path::Path>,
}

/// What an answer means.
pub(super) fn of(answer: auto_recovery::Result<Answer>) -> Tried {
    match answer {
        Err(error) => Tried::Unanswered(error.chain()),
        Ok(answer) if answer.is_taken() => Tried::Sent,
        Ok(answer) if answer.status == 410 => Tried::Gone,
        Ok(answer) => {
            let said = String::from_utf8_lossy(&answer.body);
            let said = auto_recovery::escape::escape_text(&said);
            let said: String = said.chars().take(ANSWER_CHARS_MAX).collect();
            let heeds = matches!(answer.status, 429 | 502 | 503 | 504);
            let wait = answer.retry_after.filter(|_| heeds);
            Tried::Refused(format!("{} {said}", answer.status), wait)
        }
    }
}
