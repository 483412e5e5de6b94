//! An entry as a store reads it: decoded only when a reader needs a decoded field.

use std::borrow::Cow;

use crate::audit::{JournalRecord, session_id};
use crate::entry::{EntryLine, RecoveryAuditEntry};
use crate::error::{Error, ErrorKind, Result};
use crate::statistics::{EntryFigures, EntrySink, Tally};

/// Length of the part of a refused text that a message shows.
const SHOWN_BYTES: usize = 80;

/// An entry as it was read, with the text it is stored as.
#[derive(Debug)]
pub struct StoredEntry<'a> {
    raw: &'a [u8],
    content: Content<'a>,
}

/// The fields most readers need, taken from a line in our layout; a line in another layout is
/// decoded.
#[derive(Debug)]
enum Content<'a> {
    Line(EntryLine<'a>),
    Decoded(RecoveryAuditEntry),
}

impl<'a> StoredEntry<'a> {
    /// The entry that `raw` is: one compact line from us, or JSON in any layout from others.
    ///
    /// # Errors
    /// If it is no JSON, or no entry.
    pub fn read(raw: &'a [u8]) -> Result<Self, serde_json::Error> {
        let raw = raw.trim_ascii();
        let content = match EntryLine::parse(raw) {
            Some(line) => Content::Line(line),
            None => Content::Decoded(serde_json::from_slice(raw)?),
        };
        Ok(Self { raw, content })
    }

    /// The same for what others hold: it must be an entry of `session_id`.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`] if it is not.
    pub fn import(session_id: &str, raw: &'a [u8]) -> Result<Self> {
        let unreadable = |error| refused(raw, session_id, "it cannot be read").with_source(error);
        let entry = Self::read(raw).map_err(unreadable)?;
        entry.check(session_id)?;
        Ok(entry)
    }

    /// Whether others may take it over as an entry of `session_id`.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`] if it is none, or there can be no such session.
    pub fn check(&self, session_id: &str) -> Result<()> {
        session_id::encode(session_id)?;
        if self.raw.len() > JournalRecord::BYTES_MAX {
            let reason = format!("it has over {} bytes", JournalRecord::BYTES_MAX);
            return Err(refused(self.raw, session_id, &reason));
        }
        // Readers of lines would take it for two.
        if memchr::memmem::find(self.raw, b"\n{").is_some() {
            return Err(refused(
                self.raw,
                session_id,
                "an object of it begins a line",
            ));
        }
        // A list of the values in order would be read, too.
        if self.raw.first() != Some(&b'{') {
            return Err(refused(self.raw, session_id, "it is no JSON object"));
        }
        match self.session_id() == session_id {
            true => Ok(()),
            false => Err(refused(self.raw, session_id, "it is of another")),
        }
    }

    /// Its id.
    pub fn entry_id(&self) -> Cow<'_, str> {
        match &self.content {
            Content::Line(line) => line.text(line.entry_id),
            Content::Decoded(entry) => entry.entry_id.as_str().into(),
        }
    }

    /// Its session.
    pub fn session_id(&self) -> Cow<'_, str> {
        match &self.content {
            Content::Line(line) => line.text(line.session_id),
            Content::Decoded(entry) => entry.session_id.as_str().into(),
        }
    }

    /// Its text as it is stored.
    pub fn raw(&self) -> &'a [u8] {
        self.raw
    }

    /// Its text as we write it: compact JSON of the 14 fields, in whatever layout it was stored.
    pub fn json(&self) -> Cow<'a, str> {
        match &self.content {
            Content::Line(line) => line.json.into(),
            Content::Decoded(entry) => entry.to_json().into(),
        }
    }

    /// The entry.
    pub fn entry(&self) -> Cow<'_, RecoveryAuditEntry> {
        match &self.content {
            Content::Line(line) => Cow::Owned(line.to_entry()),
            Content::Decoded(entry) => Cow::Borrowed(entry),
        }
    }

    /// The entry, for those who keep it.
    pub fn into_entry(self) -> RecoveryAuditEntry {
        match self.content {
            Content::Line(line) => line.to_entry(),
            Content::Decoded(entry) => entry,
        }
    }

    /// The number of its attempt.
    pub fn attempt_number(&self) -> u64 {
        match &self.content {
            Content::Line(line) => line.attempt_number,
            Content::Decoded(entry) => entry.attempt_number,
        }
    }

    /// Adds it to `observer`.
    pub fn tell(&self, observer: &mut impl EntrySink) {
        match &self.content {
            Content::Line(line) => observer.observe(
                EntryFigures {
                    timestamp: &line.text(line.timestamp),
                    error_type: &line.text(line.error_type),
                    strategy: &line.text(line.strategy),
                    attempt_number: line.attempt_number,
                    success: line.success,
                    rollback_performed: line.rollback_performed,
                    duration_ms: line.duration_ms,
                },
                line.items(line.files_modified),
            ),
            Content::Decoded(entry) => observer.add_entry(entry),
        }
    }

    /// Adds to `tally` what a list of sessions shows of it.
    pub fn tally(&self, tally: &mut Tally) {
        match &self.content {
            Content::Line(line) => tally.add(&line.text(line.timestamp), line.success),
            Content::Decoded(entry) => tally.add(&entry.timestamp, entry.success),
        }
    }

    /// Its line, if it is one as we write it.
    pub(crate) fn line(&self) -> Option<&EntryLine<'a>> {
        match &self.content {
            Content::Line(line) => Some(line),
            Content::Decoded(_) => None,
        }
    }
}

fn refused(raw: &[u8], session_id: &str, why: &str) -> Error {
    let shown = String::from_utf8_lossy(&raw[..raw.len().min(SHOWN_BYTES)]);
    let text = format!("{shown:?} is no entry of session {session_id}: {why}");
    Error::new(ErrorKind::InvalidInput, text)
}
