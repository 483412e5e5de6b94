//! What the journal says of sessions: who began one, how it ended, what of its trail was cleared.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fs::{File, Metadata};
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::SystemTime;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::append::lock;
use super::cursor::{Cursor, fnv1a};
use super::lines::Position;
use super::records::{Verdict, at_place, push_damage, walk_to_end};
use super::rollup::{self, Stamp};
use super::root::{Found, Root, TRAIL_SUFFIX};
use crate::audit::{
    Damage, JournalEvent, JournalRecord, SessionCleared, SessionFacts, TailQuarantined,
    TrailRemoved, session_id,
};
use crate::error::{Error, ErrorKind, Result};

/// What the journal says of one session, and of the file its trail is in.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct SessionEvents {
    /// What it says of the session.
    pub facts: SessionFacts,
    /// What was moved aside of its trail.
    #[serde(default)]
    pub quarantined: Vec<TailQuarantined>,
    /// What was removed last.
    #[serde(default)]
    cleared: Option<SessionCleared>,
}

/// What every record has.
#[derive(Deserialize)]
struct Header<'a> {
    v: u32,
    #[serde(borrow)]
    at: Text<'a>,
    #[serde(borrow, default)]
    session_id: Option<Text<'a>>,
    #[serde(borrow)]
    event: Text<'a>,
}

/// A text, borrowed if it has no escapes. (A bare `Cow` in an option would never borrow.)
#[derive(Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

impl SessionEvents {
    /// Where in `file`, the session's trail, its entries begin. That is after what was cleared, if
    /// whoever cleared it died before it could remove the file.
    pub(super) fn first_entry(&self, file: &File, path: &Path) -> Result<Position> {
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
    pub(super) fn cleared_head(&self) -> Option<String> {
        let cleared = self.cleared.as_ref()?;
        (cleared.trail_bytes > 0).then(|| cleared.trail_head.clone())
    }

    fn apply(&mut self, event: &str, at: &str, record: &[u8]) -> Result<(), serde_json::Error> {
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
}

/// What the journal says of every session, kept between questions: each reads only what was
/// appended.
#[derive(Default)]
pub(super) struct JournalIndex {
    read: Mutex<JournalEvents>,
}

/// The journal as far as it was read.
#[derive(Default)]
struct JournalEvents {
    cursor: Option<Cursor>,
    sessions: EventsBySession,
    /// What of it could not be read.
    damage: Vec<Damage>,
    /// Why none of it can be.
    unreadable: Option<Damage>,
}

/// What readers are told.
pub(super) struct Told<T> {
    /// What it says.
    pub events: T,
    /// What of it could not be read.
    pub damage: Vec<Damage>,
    /// Why none of it can be.
    pub unreadable: Option<Damage>,
}

impl<T> Told<T> {
    /// All that could not be read.
    pub(super) fn all_damage(self) -> Vec<Damage> {
        self.damage.into_iter().chain(self.unreadable).collect()
    }
}

/// A long journal as far as it was read, and what it looked like then.
#[derive(Serialize, Deserialize)]
struct KnownJournal<S> {
    stamp: Stamp,
    cursor: Cursor,
    sessions: HashMap<String, S>,
    damage: Vec<Damage>,
}

/// Shared with those who asked, so that nobody holds the index while touching trails.
pub(super) type EventsBySession = HashMap<String, Arc<SessionEvents>>;

impl JournalIndex {
    /// What the journal of `root` says of `session_id`.
    pub(super) fn of(&self, root: &Root, session_id: &str) -> Result<Arc<SessionEvents>> {
        let mut read = lock(&self.read);
        read.update(root)?;
        if let Some(unreadable) = &read.unreadable {
            let text = format!("the journal must be readable for that: {unreadable}");
            return Err(Error::new(ErrorKind::Damaged, text));
        }
        Ok(read.sessions.get(session_id).cloned().unwrap_or_default())
    }

    /// The same for readers: what cannot be read hides nothing else.
    pub(super) fn told_of(
        &self,
        root: &Root,
        session_id: &str,
    ) -> Result<Told<Arc<SessionEvents>>> {
        let mut read = lock(&self.read);
        read.update(root)?;
        let events = read.sessions.get(session_id).cloned().unwrap_or_default();
        Ok(read.told(events))
    }

    /// What it says of all, for readers.
    pub(super) fn told_of_all(&self, root: &Root) -> Result<Told<EventsBySession>> {
        let mut read = lock(&self.read);
        read.update(root)?;
        let events = read.sessions.clone();
        Ok(read.told(events))
    }
}

impl JournalEvents {
    fn forget(&mut self) {
        self.cursor = None;
        self.sessions.clear();
        self.damage.clear();
    }

    fn told<T>(&self, events: T) -> Told<T> {
        Told {
            events,
            damage: self.damage.clone(),
            unreadable: self.unreadable.clone(),
        }
    }

    /// Reads what was appended since.
    fn update(&mut self, root: &Root) -> Result<()> {
        let path = root.journal_path();
        self.unreadable = None;
        let (file, metadata) = match root.open_read(&path)? {
            Found::File(file, metadata) => (file, metadata),
            nothing => {
                self.forget();
                if let Found::Unreadable(damage) = nothing {
                    self.unreadable = Some(damage);
                }
                return Ok(());
            }
        };
        // Taken out: if reading fails half-way, what was read no longer fits it.
        let mut cursor = match self.cursor.take() {
            Some(cursor) if cursor.fits(&file, &metadata) => cursor,
            _ => {
                self.forget();
                self.left_by_another(root, &file, &metadata)
                    .unwrap_or_else(|| Cursor::new(&metadata, Position::START))
            }
        };
        let from = cursor.at.offset;
        let place = path.display().to_string();
        let walked = walk_to_end(&file, cursor.at, &place, &mut |record, at| {
            self.take_record(record, at, &place)
        })?;
        for one in walked.damage.iter().cloned() {
            push_damage(&mut self.damage, one);
        }
        // A tail that had no line's end is read again when it has one.
        if walked.tail.is_empty() && cursor.advance(&file, &walked) {
            if walked.end.offset - from >= root.rollup_bytes_min {
                self.leave_to_others(root, &metadata, &cursor);
            }
            self.cursor = Some(cursor);
        }
        Ok(())
    }

    /// Takes over what another process left of a long journal, if it is still true. Returns where
    /// that ends.
    fn left_by_another(&mut self, root: &Root, file: &File, metadata: &Metadata) -> Option<Cursor> {
        if metadata.len() < root.rollup_bytes_min {
            return None;
        }
        let left: KnownJournal<SessionEvents> = rollup::load(root, rollup::JOURNAL)?;
        let is_true =
            left.stamp.may_have_grown_to(&Stamp::of(metadata)) && left.cursor.fits(file, metadata);
        if !is_true {
            return None;
        }
        self.damage = at_place(left.damage, &root.journal_path().display().to_string());
        let sessions = left.sessions.into_iter();
        self.sessions = sessions.map(|(id, events)| (id, events.into())).collect();
        Some(left.cursor)
    }

    fn leave_to_others(&self, root: &Root, metadata: &Metadata, cursor: &Cursor) {
        let stamp = Stamp::of(metadata);
        if !stamp.is_settled(root.host.now()) {
            return;
        }
        let sessions = self.sessions.iter();
        let known: KnownJournal<&SessionEvents> = KnownJournal {
            stamp,
            cursor: cursor.clone(),
            sessions: sessions
                .map(|(id, events)| (id.clone(), &**events))
                .collect(),
            damage: self.damage.clone(),
        };
        rollup::save(root, rollup::JOURNAL, &known);
    }

    fn take_record(&mut self, record: &[u8], at: Position, place: &str) -> Result<Verdict> {
        let header: Header<'_> = match serde_json::from_slice(record) {
            Ok(header) => header,
            Err(error) => return Ok(error.into()),
        };
        check_version(header.v, at, place)?;
        let Some(session_id) = &header.session_id else {
            if header.event.0 == "trail_removed"
                && let Ok(removed) = fields(record)
            {
                self.trail_removed(&removed);
            }
            return Ok(Verdict::Taken);
        };
        let session_id = session_id.0.as_ref();
        if !self.sessions.contains_key(session_id) {
            self.sessions.insert(session_id.to_owned(), Arc::default());
        }
        let events = self.sessions.get_mut(session_id).expect("just put there");
        let events = Arc::make_mut(events);
        Ok(match events.apply(&header.event.0, &header.at.0, record) {
            Ok(()) => Verdict::Taken,
            Err(error) => error.into(),
        })
    }

    /// The file that was cleared is gone, so no file is it any more.
    fn trail_removed(&mut self, removed: &TrailRemoved) {
        let stem = removed.file.strip_suffix(TRAIL_SUFFIX);
        let session_id = stem.and_then(session_id::decode);
        let Some(events) = session_id.and_then(|id| self.sessions.get_mut(&id)) else {
            return;
        };
        // Another may have cleared the next trail of this name meanwhile.
        let is_it = |cleared: &SessionCleared| cleared.trail_head == removed.trail_head;
        if events.cleared.as_ref().is_some_and(is_it) {
            Arc::make_mut(events).cleared = None;
        }
    }
}

/// Refuses a record of a version that this release does not know.
pub(super) fn check_version(version: u32, at: Position, place: &str) -> Result<()> {
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

/// The text that a record of `session_id` has.
pub(super) fn needle(session_id: &str) -> Vec<u8> {
    let id = serde_json::to_string(session_id).expect("a string always serialises");
    id.into_bytes()
}

/// The fields of an event, those that are no concern of it ignored.
fn fields<T: DeserializeOwned>(record: &[u8]) -> Result<T, serde_json::Error> {
    serde_json::from_slice(record)
}

/// How much of a trail its head is made of.
const HEAD_BYTES_MAX: u64 = 4096;

/// A short text that tells a trail of `length` bytes from others: the hash of its inode, of when it
/// was made, where the file system tells, and of its first bytes, among which is the id of its
/// first entry.
pub(super) fn head(file: &File, length: u64) -> io::Result<String> {
    let metadata = file.metadata()?;
    let made = metadata.created().ok();
    let made = made.and_then(|made| made.duration_since(SystemTime::UNIX_EPOCH).ok());
    let made = made.unwrap_or_default().as_nanos();
    let mut start = [0; HEAD_BYTES_MAX as usize];
    let start = &mut start[..usize::try_from(length.min(HEAD_BYTES_MAX)).unwrap_or(0)];
    file.read_exact_at(start, 0)?;
    let inode = metadata.ino().to_le_bytes();
    let made = made.to_le_bytes();
    let hash = fnv1a(inode.into_iter().chain(made).chain(start.iter().copied()));
    Ok(format!("{hash:016x}"))
}
