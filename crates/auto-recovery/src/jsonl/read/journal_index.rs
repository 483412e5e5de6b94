//! What the journal says of sessions: who began one, how it ended, what of its trail was cleared.

use std::collections::HashMap;
use std::fs::{File, Metadata};
use std::sync::{Arc, Mutex};

use serde::{Deserialize, Serialize};

use super::keyed::{Journal, KeyedJournal, Placed};
use super::lines::Position;
use super::records::{Verdict, at_place, push_damage, walk_to_end};
use super::session_events::{Header, SessionEvents, check_version, fields};
use crate::audit::Damage;
use crate::error::{Error, ErrorKind, Result};
use crate::files::Stamp;
use crate::jsonl::dir::{Dir, Found};
use crate::jsonl::sums::cursor::Cursor;
use crate::jsonl::sums::rollup;
use crate::mutex::lock;

/// What the journal says of every session, kept between questions: each reads only what was
/// appended.
#[derive(Default)]
pub(in crate::jsonl) struct JournalIndex {
    read: Mutex<JournalEvents>,
    keyed: Mutex<KeyedJournal>,
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
#[derive(Default)]
pub(in crate::jsonl) struct Told<T> {
    /// What it says.
    pub events: T,
    /// What of it could not be read.
    pub damage: Vec<Damage>,
    /// Why none of it can be.
    pub unreadable: Option<Damage>,
}

impl<T> Told<T> {
    /// All that could not be read.
    pub(in crate::jsonl) fn all_damage(self) -> Vec<Damage> {
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
pub(in crate::jsonl) type EventsBySession = HashMap<String, Arc<SessionEvents>>;

impl JournalIndex {
    /// What the journal of `dir` says of `session_id`, for whoever is to change something by it.
    ///
    /// # Errors
    /// [`ErrorKind::Damaged`] if it cannot be opened: what it says is not known.
    pub(in crate::jsonl) fn of(&self, dir: &Dir, session_id: &str) -> Result<Arc<SessionEvents>> {
        let told = self.told_of(dir, session_id)?;
        if let Some(unreadable) = &told.unreadable {
            let text = format!("the journal must be readable for that: {unreadable}");
            return Err(Error::new(ErrorKind::Damaged, text));
        }
        Ok(told.events)
    }

    /// The same for readers: what cannot be read hides nothing else. Whoever asks for one session
    /// only does not read what is said of all.
    pub(in crate::jsonl) fn told_of(
        &self,
        dir: &Dir,
        session_id: &str,
    ) -> Result<Told<Arc<SessionEvents>>> {
        let mut read = lock(&self.read);
        if read.cursor.is_some() {
            read.update(dir)?;
            let events = read.sessions.get(session_id).cloned().unwrap_or_default();
            return Ok(read.told(events));
        }
        drop(read);
        told_by(&mut lock(&self.keyed), dir, |keyed, journal| {
            keyed.of(journal, session_id)
        })
    }

    /// Each record about `session_id`, for readers.
    pub(in crate::jsonl) fn records_of(
        &self,
        dir: &Dir,
        session_id: &str,
    ) -> Result<Told<Vec<Placed>>> {
        told_by(&mut lock(&self.keyed), dir, |keyed, journal| {
            keyed.records(journal, session_id)
        })
    }

    /// What it says of all, for readers.
    pub(in crate::jsonl) fn told_of_all(&self, dir: &Dir) -> Result<Told<EventsBySession>> {
        let mut read = lock(&self.read);
        read.update(dir)?;
        let events = read.sessions.clone();
        Ok(read.told(events))
    }
}

/// What `ask` finds in the journal by where it stands.
fn told_by<T: Default>(
    keyed: &mut KeyedJournal,
    dir: &Dir,
    ask: impl FnOnce(&mut KeyedJournal, &Journal<'_>) -> Result<T>,
) -> Result<Told<T>> {
    let path = dir.journal_path();
    let (file, metadata) = match dir.open_read(&path)? {
        Found::File(file, metadata) => (file, metadata),
        Found::Nothing => {
            keyed.forget();
            return Ok(Told::default());
        }
        Found::Unreadable(damage) => {
            keyed.forget();
            return Ok(Told {
                unreadable: Some(damage),
                ..Told::default()
            });
        }
    };
    let journal = Journal {
        file,
        metadata,
        name: &path.display().to_string(),
        dir: &rollup::dir_of(dir),
        make_dir: &|| rollup::own_dir(dir),
        bytes_min: dir.rollup_bytes_min,
        now: dir.host().now(),
    };
    Ok(Told {
        events: ask(keyed, &journal)?,
        damage: keyed.damage(&journal),
        unreadable: None,
    })
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
    fn update(&mut self, dir: &Dir) -> Result<()> {
        let path = dir.journal_path();
        self.unreadable = None;
        let (file, metadata) = match dir.open_read(&path)? {
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
                self.left_by_another(dir, &file, &metadata)
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
            if walked.end.offset - from >= dir.rollup_bytes_min {
                self.leave_to_others(dir, &metadata, &cursor);
            }
            self.cursor = Some(cursor);
        }
        Ok(())
    }

    /// Takes over what another process left of a long journal, if it is still true. Returns where
    /// that ends.
    fn left_by_another(&mut self, dir: &Dir, file: &File, metadata: &Metadata) -> Option<Cursor> {
        if metadata.len() < dir.rollup_bytes_min {
            return None;
        }
        let left: KnownJournal<SessionEvents> = rollup::load(dir, rollup::JOURNAL)?;
        let is_true =
            left.stamp.may_have_grown_to(&Stamp::of(metadata)) && left.cursor.fits(file, metadata);
        if !is_true {
            return None;
        }
        self.damage = at_place(left.damage, &dir.journal_path().display().to_string());
        let sessions = left.sessions.into_iter();
        self.sessions = sessions.map(|(id, events)| (id, events.into())).collect();
        Some(left.cursor)
    }

    fn leave_to_others(&self, dir: &Dir, metadata: &Metadata, cursor: &Cursor) {
        let stamp = Stamp::of(metadata);
        if !stamp.is_settled(dir.host().now()) {
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
        rollup::save(dir, rollup::JOURNAL, &known);
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
