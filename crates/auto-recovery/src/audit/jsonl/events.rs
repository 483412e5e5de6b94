//! What the journal says of sessions: who began one, how it ended, what of its trail was cleared.

use std::collections::HashMap;
use std::fs::{File, Metadata};
use std::sync::{Arc, Mutex};

use serde::{Deserialize, Serialize};

use super::append::lock;
use super::cursor::Cursor;
use super::keyed::{Journal, KeyedJournal};
use super::lines::Position;
use super::records::{Verdict, walk_to_end};
use super::rollup;
use super::root::Root;
use super::session_events::{Header, SessionEvents, check_version, fields};
use super::stamp::Stamp;
use crate::error::Result;

/// What the journal says of every session, kept between questions: each reads only what was
/// appended.
#[derive(Default)]
pub(super) struct JournalIndex {
    read: Mutex<JournalEvents>,
    keyed: Mutex<KeyedJournal>,
}

/// The journal as far as it was read.
#[derive(Default)]
struct JournalEvents {
    cursor: Option<Cursor>,
    sessions: EventsBySession,
}

/// A long journal as far as it was read, and what it looked like then.
#[derive(Serialize, Deserialize)]
struct KnownJournal<S> {
    stamp: Stamp,
    cursor: Cursor,
    sessions: HashMap<String, S>,
}

/// Shared with those who asked, so that nobody holds the index while touching trails.
pub(super) type EventsBySession = HashMap<String, Arc<SessionEvents>>;

impl JournalIndex {
    /// What the journal of `root` says of `session_id`. Whoever asks for one session only does not
    /// read what is said of all.
    pub(super) fn of(&self, root: &Root, session_id: &str) -> Result<Arc<SessionEvents>> {
        let mut read = lock(&self.read);
        if read.cursor.is_some() {
            read.update(root)?;
            return Ok(read.sessions.get(session_id).cloned().unwrap_or_default());
        }
        drop(read);
        let mut keyed = lock(&self.keyed);
        let path = root.journal_path();
        let Some((file, metadata)) = root.open_read(&path)? else {
            keyed.forget();
            return Ok(Arc::default());
        };
        let journal = Journal {
            file,
            metadata,
            name: &path.display().to_string(),
            dir: &rollup::dir_of(root),
            make_dir: &|| rollup::own_dir(root),
            bytes_min: root.rollup_bytes_min,
            now: root.host.now(),
        };
        keyed.of(&journal, session_id)
    }

    /// What it says of all.
    pub(super) fn of_all(&self, root: &Root) -> Result<EventsBySession> {
        let mut read = lock(&self.read);
        read.update(root)?;
        Ok(read.sessions.clone())
    }
}

impl JournalEvents {
    /// Reads what was appended since.
    fn update(&mut self, root: &Root) -> Result<()> {
        let path = root.journal_path();
        let Some((file, metadata)) = root.open_read(&path)? else {
            self.cursor = None;
            self.sessions.clear();
            return Ok(());
        };
        // Taken out: if reading fails half-way, what was read no longer fits it.
        let mut cursor = match self.cursor.take() {
            Some(cursor) if cursor.fits(&file, &metadata) => cursor,
            _ => {
                self.sessions.clear();
                self.left_by_another(root, &file, &metadata)
                    .unwrap_or_else(|| Cursor::new(&metadata, Position::START))
            }
        };
        let from = cursor.at.offset;
        let place = path.display().to_string();
        let walked = walk_to_end(&file, cursor.at, &place, &mut |record, at| {
            self.take_record(record, at, &place)
        })?;
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
        };
        rollup::save(root, rollup::JOURNAL, &known);
    }

    fn take_record(&mut self, record: &[u8], at: Position, place: &str) -> Result<Verdict> {
        let header: Header<'_> = match serde_json::from_slice(record) {
            Ok(header) => header,
            Err(error) => return Ok(error.into()),
        };
        check_version(header.v, at, place)?;
        let Some(session_id) = header.session(record) else {
            return Ok(Verdict::Taken);
        };
        if header.session_id.is_none() {
            if let (Some(events), Ok(removed)) =
                (self.sessions.get_mut(&*session_id), fields(record))
            {
                Arc::make_mut(events).trail_removed(&removed);
            }
            return Ok(Verdict::Taken);
        }
        let session_id = &*session_id;
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
}
