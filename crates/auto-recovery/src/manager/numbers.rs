//! Numbering the attempts of a session.

use std::sync::Mutex;

use crate::error::Result;
use crate::mutex;

/// Gives each attempt of a session the next number. Those who share it never get one twice, and its
/// trail is read once a session, not once an attempt.
#[derive(Debug, Default)]
pub struct AttemptNumbers {
    last: Mutex<Option<Last>>,
}

/// The session that was numbered last, and its last number.
#[derive(Debug)]
struct Last {
    session_id: Option<String>,
    number: u64,
}

impl AttemptNumbers {
    /// The number of the next attempt of `session_id`. `last_on_record` is asked what the last one
    /// was when another session was numbered before.
    pub(super) fn next(
        &self,
        session_id: Option<&str>,
        last_on_record: impl FnOnce() -> Result<u64>,
    ) -> Result<u64> {
        let mut last = mutex::lock(&self.last);
        if let Some(last) = &mut *last
            && last.session_id.as_deref() == session_id
        {
            last.number += 1;
            return Ok(last.number);
        }
        let number = last_on_record()? + 1;
        *last = Some(Last {
            session_id: session_id.map(str::to_owned),
            number,
        });
        Ok(number)
    }

    /// The attempt numbered last got this number in the end: somebody else recorded meanwhile.
    pub(super) fn went_to(&self, number: u64) {
        let mut last = mutex::lock(&self.last);
        if let Some(last) = &mut *last {
            last.number = last.number.max(number);
        }
    }

    /// Forgets what it gave, so that the next number is that after the record's last.
    pub fn forget(&self) {
        *mutex::lock(&self.last) = None;
    }
}
