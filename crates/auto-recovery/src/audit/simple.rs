//! Helpers for stores that answer by reading: the list of their sessions, whether a trail may be
//! removed, and which imported items are new.

use std::sync::Mutex;

use crate::audit::{
    AuditStore, Damage, Duplicates, Importer, JournalEvent, JournalLine, JournalRecord, Removal,
    Removed, SessionCleared, SessionSummary, StoredEntry, by_reading, sort_newest_first,
};
use crate::error::Result;
use crate::mutex;
use crate::statistics::Tally;

/// Answers [`AuditStore::read_sessions`] by reading the journal and each trail of a store in which
/// something was written to the sessions `ids`.
///
/// # Errors
/// If the store cannot be read.
pub fn list_by_reading<S: AuditStore + ?Sized>(
    store: &S,
    ids: impl IntoIterator<Item = String>,
) -> Result<(Vec<SessionSummary>, Vec<Damage>)> {
    let (mut facts, of_journal) =
        by_reading::facts_of_all(&|visit| store.read_journal(None, visit))?;
    let (mut sessions, mut damage) = (Vec::new(), Vec::new());
    for id in ids {
        let (mut tally, mut bytes) = (Tally::default(), 0);
        let of_trail = store.read_trail(&id, &mut |stored| {
            stored.tally(&mut tally);
            bytes += stored.raw().len() as u64 + 1;
            Ok(())
        })?;
        Damage::join(&mut damage, of_trail);
        let facts = facts.remove(&id).unwrap_or_default();
        let is_there = facts.first_at.is_some() || tally.total > 0;
        sessions.extend(is_there.then(|| facts.summary(id, tally, bytes)));
    }
    Damage::join(&mut damage, of_journal);
    sort_newest_first(&mut sessions);
    Ok((sessions, damage))
}

/// The record of the removal of `session_id` and the number of entries it removes, if `removal`
/// allows it; else the reason why it stays. The store must not be written between this and the
/// removal.
///
/// # Errors
/// If the store cannot be read.
pub fn judge_by_reading<S: AuditStore + ?Sized>(
    store: &S,
    session_id: &str,
    removal: &Removal,
) -> Result<std::result::Result<(JournalEvent, u64), Removed>> {
    let (is, _) = store.digest(session_id)?;
    if let Some(held) = store.held(session_id)? {
        return Ok(Err(Removed::Held(held)));
    }
    if !store.is_known(session_id)? {
        return Ok(Err(Removed::Unknown));
    }
    if removal.expected().is_some_and(|expected| *expected != is) {
        return Ok(Err(Removed::Changed));
    }
    let sums = store.statistics(session_id)?;
    let trail = SessionCleared {
        entries: is.entries,
        first_timestamp: sums.first_attempt_timestamp,
        last_timestamp: sums.last_attempt_timestamp,
        ..SessionCleared::default()
    };
    Ok(Ok((removal.event(trail), is.entries)))
}

/// An item to add to a store unchanged.
#[derive(Clone, Copy, Debug)]
pub enum TakenOver<'t> {
    /// An entry of this session.
    Entry(&'t str, &'t [u8]),
    /// A record of the journal.
    Record(&'t JournalLine),
}

/// An importer that finds what is there already by reading.
pub struct ReadingImporter<'s, S: ?Sized, W> {
    store: &'s S,
    writing: &'s Mutex<()>,
    write: W,
    came: Duplicates,
}

impl<'s, S, W> ReadingImporter<'s, S, W>
where
    S: AuditStore + ?Sized,
    W: FnMut(TakenOver<'_>) -> Result<()>,
{
    /// An importer into `store` that adds new items by `write`. It holds `writing` from reading
    /// what is stored until the last item is added; every write that depends on what is stored must
    /// do the same.
    pub fn new(store: &'s S, writing: &'s Mutex<()>, write: W) -> Self {
        let came = Duplicates::default();
        Self {
            store,
            writing,
            write,
            came,
        }
    }

    fn add(&mut self, key: &[u8], there: u64, new: TakenOver<'_>) -> Result<u64> {
        let is_new = self.came.comes_beyond(key, there);
        if is_new {
            (self.write)(new)?;
        }
        Ok(u64::from(is_new))
    }
}

impl<S, W> Importer for ReadingImporter<'_, S, W>
where
    S: AuditStore + ?Sized,
    W: FnMut(TakenOver<'_>) -> Result<()>,
{
    fn entries(&mut self, session_id: &str, raw: &[Vec<u8>]) -> Result<u64> {
        let _writing = mutex::lock(self.writing);
        let mut added = 0;
        for raw in raw {
            let new = StoredEntry::import(session_id, raw)?;
            let entry_id = new.entry_id();
            let mut there = 0;
            self.store.read_trail(session_id, &mut |stored| {
                there += u64::from(stored.entry_id() == entry_id);
                Ok(())
            })?;
            let key = [session_id, &entry_id].join("\n");
            added += self.add(key.as_bytes(), there, TakenOver::Entry(session_id, raw))?;
        }
        Ok(added)
    }

    fn records(&mut self, lines: &[JournalLine]) -> Result<u64> {
        let _writing = mutex::lock(self.writing);
        let mut added = 0;
        for line in lines {
            let (session_id, text) = (&line.record().session_id, line.json().as_bytes());
            let is_removal = |raw: &[u8]| {
                let one: Option<JournalRecord> = serde_json::from_slice(raw).ok();
                one.is_some_and(|one| one.session_id == *session_id && one.event.is_removal())
            };
            let mut there = 0;
            let of_session = session_id.as_deref();
            self.store.read_records_raw(of_session, &mut |raw| {
                match is_removal(raw) {
                    true => there = 0,
                    false => there += u64::from(raw == text),
                }
                Ok(())
            })?;
            added += self.add(text, there, TakenOver::Record(line))?;
        }
        Ok(added)
    }
}
