//! What the journal says of one session: its records, read one after the other.

use std::borrow::Cow;
use std::fs::File;
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::Path;
use std::time::SystemTime;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::lines::Position;
use crate::audit::{
    JournalEvent, JournalRecord, JournalSummary, SessionCleared, TailQuarantined, TrailRemoved,
};
use crate::error::{Error, ErrorKind, Result};
use crate::files::hash::fnv64;
use crate::jsonl::names::session_of;

/// What the journal says of one session, and of the file its trail is in.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(in crate::jsonl) struct SessionEvents {
    /// What it says of the session.
    pub facts: JournalSummary,
    /// What was moved aside of its trail.
    #[serde(default)]
    pub quarantined: Vec<TailQuarantined>,
    /// What was removed last.
    #[serde(default)]
    cleared: Option<SessionCleared>,
}

/// What every record has.
#[derive(Deserialize)]
pub(in crate::jsonl) struct Header<'a> {
    pub v: u32,
    #[serde(borrow)]
    pub at: Text<'a>,
    #[serde(borrow, default)]
    pub session_id: Option<Text<'a>>,
    #[serde(borrow)]
    pub event: Text<'a>,
}

/// A text, borrowed if it has no escapes. (A bare `Cow` in an option would never borrow.)
#[derive(Deserialize)]
pub(in crate::jsonl) struct Text<'a>(#[serde(borrow)] pub Cow<'a, str>);

impl Header<'_> {
    /// The session that the record is about: of one about a trail's file, the session of that.
    pub(in crate::jsonl) fn session(&self, record: &[u8]) -> Option<Cow<'_, str>> {
        match &self.session_id {
            Some(id) => Some(Cow::Borrowed(&*id.0)),
            None if self.event.0 == "trail_removed" => {
                let removed: TrailRemoved = fields(record).ok()?;
                session_of(&removed.file).map(Cow::Owned)
            }
            None => None,
        }
    }
}

impl SessionEvents {
    /// Where in `file`, the session's trail, its entries begin. That is after what was cleared, if
    /// whoever cleared it died before it could remove the file.
    pub(in crate::jsonl) fn first_entry(&self, file: &File, path: &Path) -> Result<Position> {
        let Some(cleared) = &self.cleared else {
            return Ok(Position::START);
        };
        let length = file
            .metadata()
            .map_err(|error| Error::io("look at", path, error))?
            .len();
        if length < cleared.trail_bytes || cleared.trail_bytes == 0 {
            return Ok(Position::START);
        }
        let head =
            head(file, cleared.trail_bytes).map_err(|error| Error::io("read", path, error))?;
        if head != cleared.trail_head {
            return Ok(Position::START);
        }
        Ok(Position {
            offset: cleared.trail_bytes,
            line: cleared.trail_lines + 1,
        })
    }

    /// By which the trail is known that was cleared last and may not be gone yet.
    pub(in crate::jsonl) fn cleared_head(&self) -> Option<String> {
        let cleared = self.cleared.as_ref()?;
        (cleared.trail_bytes > 0).then(|| cleared.trail_head.clone())
    }

    /// Adds what `record` says, which is of this event and time.
    pub(in crate::jsonl) fn apply(
        &mut self,
        event: &str,
        at: &str,
        record: &[u8],
    ) -> Result<(), serde_json::Error> {
        match event {
            "session_cleared" | "session_pruned" => {
                *self = Self {
                    cleared: Some(fields(record)?),
                    ..Self::default()
                };
            }
            "tail_quarantined" => {
                let moved: TailQuarantined = fields(record)?;
                // A repair that was interrupted and done again says so twice.
                if !self.quarantined.contains(&moved) {
                    self.quarantined.push(moved);
                }
            }
            // Of these it matters only that they are there: the rest need not be decoded.
            "attempt_finished" | "restored" => self.facts.apply(at, &JournalEvent::Other),
            _ => self
                .facts
                .apply(at, &fields::<JournalRecord>(record)?.event),
        }
        Ok(())
    }

    /// The file that was cleared is gone, so no file is it any more.
    pub(in crate::jsonl) fn trail_removed(&mut self, removed: &TrailRemoved) {
        // Another may have cleared the next trail of this name meanwhile.
        let is_it = |cleared: &SessionCleared| cleared.trail_head == removed.trail_head;
        if self.cleared.as_ref().is_some_and(is_it) {
            self.cleared = None;
        }
    }
}

/// Refuses a record of a version that this release does not know.
pub(in crate::jsonl) fn check_version(version: u32, at: Position, place: &str) -> Result<()> {
    if version <= JournalRecord::VERSION {
        return Ok(());
    }
    Err(Error::new(
        ErrorKind::NewerFormat,
        format!(
            "{place} has a record of format {version} in line {}, and this release reads up to {}: \
             use the release that wrote it, or a newer one",
            at.line,
            JournalRecord::VERSION
        ),
    ))
}

/// The fields of an event, those that are no concern of it ignored.
pub(in crate::jsonl) fn fields<T: DeserializeOwned>(record: &[u8]) -> Result<T, serde_json::Error> {
    serde_json::from_slice(record)
}

/// How much of a trail its head is made of.
const HEAD_BYTES_MAX: u64 = 4096;

/// A short text that tells a trail of `length` bytes from others: the hash of its inode, of when it
/// was made, where the file system tells, and of its first bytes, among which is the id of its
/// first entry.
pub(in crate::jsonl) fn head(file: &File, length: u64) -> io::Result<String> {
    let metadata = file.metadata()?;
    let made = metadata.created().ok();
    let made = made.and_then(|made| made.duration_since(SystemTime::UNIX_EPOCH).ok());
    let made = made.unwrap_or_default().as_nanos();
    let mut start = [0; HEAD_BYTES_MAX as usize];
    let start = &mut start[..usize::try_from(length.min(HEAD_BYTES_MAX)).unwrap_or(0)];
    file.read_exact_at(start, 0)?;
    let inode = metadata.ino().to_le_bytes();
    let made = made.to_le_bytes();
    let hash = fnv64(inode.into_iter().chain(made).chain(start.iter().copied()));
    Ok(format!("{hash:016x}"))
}
