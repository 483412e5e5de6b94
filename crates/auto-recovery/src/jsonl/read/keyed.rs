//! The journal's records of one session, read without those of all others.
//!
//! The places of its records come from files of places, which earlier readers wrote, and from
//! reading the rest. A reader that read much writes such a file for later ones, joined with files
//! that are not much longer: so there are few of them, and each place is written a few times in
//! all.

use std::collections::HashMap;
use std::fs::{File, Metadata};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use super::lines::Position;
use super::places::{self, Place, Places, key_of};
use super::records::{Verdict, close, push_damage, walk_to_tail};
use super::session_events::{Header, SessionEvents, check_version, fields};
use crate::audit::Damage;
use crate::error::Result;
use crate::files::Stamp;
use crate::jsonl::sums::cursor::Cursor;

/// Number of sessions remembered as they were read last.
const SESSIONS_MAX: usize = 64;

/// A file is joined with the new one unless it is this many times as long.
const LONGER: u64 = 2;

/// The journal, open, and what is needed to read it.
pub(in crate::jsonl) struct Journal<'j> {
    pub file: File,
    pub metadata: Metadata,
    /// Its name in messages.
    pub name: &'j str,
    /// The directory of the files of places.
    pub dir: &'j Path,
    /// Makes that directory where files may be left in it.
    pub make_dir: &'j dyn Fn() -> Option<PathBuf>,
    /// From how many bytes on what was read is left to others.
    pub bytes_min: u64,
    pub now: SystemTime,
}

/// A record of a session, and where it stands in the journal.
pub(in crate::jsonl) struct Placed {
    pub offset: u64,
    pub bytes: Vec<u8>,
}

/// The places of each session's records, as far as the journal was read.
#[derive(Default)]
pub(in crate::jsonl) struct KeyedJournal {
    cursor: Option<Cursor>,
    /// The files of places, for the journal's beginning.
    places: Vec<Places>,
    /// The places in the rest of the journal.
    recent: Vec<Place>,
    /// The places of a last record that had no line's end yet.
    unended: Vec<Place>,
    /// Damage after the part that the files of places cover; they know the damage before it.
    damage: Vec<Damage>,
    /// The same of the last record that had no line's end yet.
    unended_damage: Vec<Damage>,
    /// Length of the journal when a file of places could not be written.
    refused_at: u64,
    known: Known,
}

/// The sessions that were asked for last, and how far each was read.
#[derive(Default)]
struct Known {
    asked: u64,
    sessions: HashMap<String, (u64, u64, Arc<SessionEvents>)>,
}

impl KeyedJournal {
    /// Reads the events of `session_id` in `journal`.
    ///
    /// # Errors
    /// If it cannot be read, or has a record of a newer format.
    pub(in crate::jsonl) fn of(
        &mut self,
        journal: &Journal<'_>,
        session_id: &str,
    ) -> Result<Arc<SessionEvents>> {
        self.look_up(journal, |keyed, anew| {
            keyed.put_together(journal, session_id, anew)
        })
    }

    /// Each record of `session_id` in `journal`, in their order.
    ///
    /// # Errors
    /// As those of [`KeyedJournal::of`].
    pub(in crate::jsonl) fn records(
        &mut self,
        journal: &Journal<'_>,
        session_id: &str,
    ) -> Result<Vec<Placed>> {
        self.look_up(journal, |keyed, anew| {
            keyed.gather(journal, session_id, anew)
        })
    }

    /// The answer of `ask`, once what was appended to `journal` is read. It is `None` if what was
    /// left by others is not true, unless it is asked `anew`, without that.
    fn look_up<T: Default>(
        &mut self,
        journal: &Journal<'_>,
        ask: impl Fn(&mut Self, bool) -> Option<T>,
    ) -> Result<T> {
        self.read_on(journal, false)?;
        if let Some(answer) = ask(self, false) {
            return Ok(answer);
        }
        // The journal itself is true.
        self.forget();
        self.read_on(journal, true)?;
        Ok(ask(self, true).unwrap_or_default())
    }

    /// The damage in the journal, as far as it was read last.
    pub(in crate::jsonl) fn damage(&self, journal: &Journal<'_>) -> Vec<Damage> {
        let of_places = self.places.iter().map(|places| places.damage(journal.name));
        join(of_places.flatten(), [&self.damage, &self.unended_damage])
    }

    /// Nothing is known.
    pub(in crate::jsonl) fn forget(&mut self) {
        *self = Self::default();
    }

    /// Reads what was appended since; `anew` without what others left.
    fn read_on(&mut self, journal: &Journal<'_>, anew: bool) -> Result<()> {
        let (file, metadata) = (&journal.file, &journal.metadata);
        // Taken out: if reading fails half-way, what was read no longer fits it.
        let known = self.cursor.take().filter(|cursor| {
            cursor.fits(file, metadata)
                && self.places.iter().all(|places| places.fits(file, metadata))
        });
        let mut cursor = match known {
            Some(cursor) => cursor,
            None => {
                self.forget();
                if !anew && metadata.len() >= journal.bytes_min {
                    self.places = places::all_of(journal.dir, file, &Stamp::of(metadata));
                }
                Cursor::new(metadata, self.recent_from())
            }
        };
        let name = journal.name;
        let mut found = Vec::new();
        let walked = walk_to_tail(file, cursor.at, name, &mut |record, at| {
            take_place(record, at, name, &mut found)
        })?;
        let mut unended = Vec::new();
        self.unended_damage = close(&walked, name, &mut |record, at| {
            take_place(record, at, name, &mut unended)
        })?;
        self.unended = unended;
        self.recent.extend(found);
        for one in &walked.damage {
            push_damage(&mut self.damage, one.clone());
        }
        if cursor.advance(file, &walked) {
            self.cursor = Some(cursor);
            self.leave_to_others(journal);
        }
        Ok(())
    }

    /// The beginning of the part of the journal that no file of places covers.
    fn recent_from(&self) -> Position {
        self.places.last().map_or(Position::START, Places::end)
    }

    /// Leaves to others what was read since the last file of places, if that is much.
    fn leave_to_others(&mut self, journal: &Journal<'_>) {
        let Some(cursor) = self.cursor.clone() else {
            return;
        };
        let since = self.recent_from().offset.max(self.refused_at);
        let stamp = Stamp::of(&journal.metadata);
        if cursor.at.offset - since < journal.bytes_min || !stamp.is_settled(journal.now) {
            return;
        }
        self.refused_at = cursor.at.offset;
        let Some(dir) = (journal.make_dir)() else {
            return;
        };
        let mut from = self.recent_from();
        let mut all = self.recent.clone();
        let mut damage = self.damage.clone();
        let mut kept = self.places.len();
        while let Some(last) = self.places[..kept].last()
            && last.count() <= LONGER * all.len() as u64
        {
            let Some(earlier) = last.all() else {
                return;
            };
            from = last.start();
            all.extend(earlier);
            damage = join(last.damage(journal.name), [&damage]);
            kept -= 1;
        }
        all.sort_unstable();
        let Some(new) = Places::write(&dir, stamp, cursor.since(from), &all, damage) else {
            return;
        };
        self.places.truncate(kept);
        self.places.push(new);
        places::remove_others(&dir, &self.places);
        self.recent.clear();
        self.damage.clear();
        self.cursor = Some(Cursor::new(&journal.metadata, cursor.at));
    }

    /// The places of `key` in the part of the journal that has no open end. `None` if what others
    /// left cannot be read.
    fn ended(&self, key: u64) -> Option<Vec<Place>> {
        let mut found = Vec::new();
        for places in &self.places {
            places.find(key, &mut found)?;
        }
        found.extend(self.recent.iter().filter(|place| place.key == key));
        Some(found)
    }

    /// The records of `session_id`. `None` if one is not in its place, unless the
    /// places were looked up `anew`: then it has changed since.
    fn gather(&self, journal: &Journal<'_>, session_id: &str, anew: bool) -> Option<Vec<Placed>> {
        let key = key_of(session_id);
        let mut places = self.ended(key)?;
        places.extend(self.unended.iter().filter(|place| place.key == key));
        let mut records = Vec::new();
        for place in places {
            let record = bytes_at(journal, place);
            let names = record.as_deref().and_then(|record| {
                let header: Header<'_> = serde_json::from_slice(record).ok()?;
                Some(header.session_id.is_some_and(|id| id.0 == session_id))
            });
            match (record, names) {
                (Some(bytes), Some(true)) => records.push(Placed {
                    offset: place.offset,
                    bytes,
                }),
                // Another session with this key, or a trail's file.
                (_, Some(_)) => {}
                _ => anew.then_some(())?,
            }
        }
        Some(records)
    }

    /// Reads the records of `session_id` at their places. `None` if one is not in its place, unless
    /// the places were looked up `anew`: then it has changed since.
    fn put_together(
        &mut self,
        journal: &Journal<'_>,
        session_id: &str,
        anew: bool,
    ) -> Option<Arc<SessionEvents>> {
        let key = key_of(session_id);
        let mut found = self.ended(key)?;
        let (read_upto, mut events) = self.known.get(session_id);
        found.retain(|place| place.offset >= read_upto);
        for place in &found {
            add(journal, session_id, *place, &mut events).or(anew.then_some(()))?;
        }
        let upto = self.cursor.as_ref().map(|cursor| cursor.at.offset);
        if let Some(upto) = upto {
            self.known.put(session_id, upto, Arc::clone(&events));
        }
        for place in self.unended.iter().filter(|place| place.key == key) {
            add(journal, session_id, *place, &mut events).or(anew.then_some(()))?;
        }
        Some(events)
    }
}

/// Adds the place of `record`, which is at `at` of the journal called `name`, to `found`, if it is
/// about a session.
fn take_place(record: &[u8], at: Position, name: &str, found: &mut Vec<Place>) -> Result<Verdict> {
    let header: Header<'_> = match serde_json::from_slice(record) {
        Ok(header) => header,
        Err(error) => return Ok(error.into()),
    };
    check_version(header.v, at, name)?;
    let Some(session) = header.session(record) else {
        return Ok(Verdict::Taken);
    };
    // Damage may have a header all the same.
    if header.session_id.is_some()
        && let Err(error) = SessionEvents::default().apply(&header.event.0, &header.at.0, record)
    {
        return Ok(error.into());
    }
    found.push(Place {
        key: key_of(&session),
        offset: at.offset,
        length: u32::try_from(record.len()).unwrap_or(u32::MAX),
    });
    Ok(Verdict::Taken)
}

/// `first` and then `more`, as far as damage is reported place by place.
fn join<const N: usize>(
    first: impl IntoIterator<Item = Damage>,
    more: [&Vec<Damage>; N],
) -> Vec<Damage> {
    let mut all = Vec::new();
    for one in first.into_iter().chain(more.into_iter().flatten().cloned()) {
        push_damage(&mut all, one);
    }
    all
}

/// The bytes at `place`. `None` if they are not there.
fn bytes_at(journal: &Journal<'_>, place: Place) -> Option<Vec<u8>> {
    let mut record = vec![0; usize::try_from(place.length).ok()?];
    journal.file.read_exact_at(&mut record, place.offset).ok()?;
    Some(record)
}

/// Adds the record at `place` to `events`, if it is about `session_id`. `None` if no record is
/// there.
fn add(
    journal: &Journal<'_>,
    session_id: &str,
    place: Place,
    events: &mut Arc<SessionEvents>,
) -> Option<()> {
    let record = bytes_at(journal, place)?;
    let header: Header<'_> = serde_json::from_slice(&record).ok()?;
    if header.session(&record)? != session_id {
        return Some(());
    }
    let events = Arc::make_mut(events);
    if header.session_id.is_none() {
        if let Ok(removed) = fields(&record) {
            events.trail_removed(&removed);
        }
    } else {
        // The lookup found that this can be done, or the record has changed since.
        let _damaged = events.apply(&header.event.0, &header.at.0, &record);
    }
    Some(())
}

impl Known {
    /// The end of the part that was read for the session, and its events up to there.
    fn get(&mut self, session_id: &str) -> (u64, Arc<SessionEvents>) {
        self.asked += 1;
        match self.sessions.get_mut(session_id) {
            Some((asked, upto, events)) => {
                *asked = self.asked;
                (*upto, Arc::clone(events))
            }
            None => (0, Arc::default()),
        }
    }

    fn put(&mut self, session_id: &str, upto: u64, events: Arc<SessionEvents>) {
        if self.sessions.len() >= SESSIONS_MAX && !self.sessions.contains_key(session_id) {
            let oldest = self.sessions.iter().min_by_key(|(_, (asked, ..))| *asked);
            if let Some(name) = oldest.map(|(name, _)| name.clone()) {
                self.sessions.remove(&name);
            }
        }
        let asked = self.asked;
        self.sessions
            .insert(session_id.to_owned(), (asked, upto, events));
    }
}
