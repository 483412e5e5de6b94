//! A store whose boxes are opened where it is read.
//!
//! It is for readers of texts. Whoever copies, removes or seals uses the store itself, which has
//! every byte as it is.

use std::cell::Cell;
use std::sync::Arc;

use super::keys::KeyStore;
use super::opener::{DESTROYED, Found, NO_IDENTITY, Opener};
use super::private::{ClosedRecord, entry_kid, open_entry};
use crate::audit::sealing::SealStore;
use crate::audit::{
    Appended, AuditStore, Claim, Damage, Follower, Importer, JournalEvent, JournalRecord, NewEntry,
    ReadAfter, Removal, Removed, Seen, SessionHeld, SessionKey, SessionPage, SessionQuery,
    SessionSummary, StoredEntry, TrailDigest, by_reading,
};
use crate::encryption::boxes::ELSEWHERE;
use crate::entry::RecoveryAuditEntry;
use crate::error::Result;
use crate::statistics::{AggregateQuery, Aggregates, RecoveryStatistics};

/// What stands for a text that is not opened, given why, and the words for one that somebody opens.
fn words_for<'w>(why: &str, words: &'w str) -> &'w str {
    match why == DESTROYED {
        true => "(encrypted, and its key was destroyed)",
        false => words,
    }
}

/// The beginning of a box in the text of an entry.
const MARK: &[u8] = b"\"enc:1:";

/// A store as somebody sees it who has an identity, or has none.
#[derive(Debug)]
pub struct OpenedStore<S> {
    store: S,
    opener: Arc<Opener>,
}

/// What an entry is once its box was looked at.
enum Looked {
    Plain,
    Changed(Box<RecoveryAuditEntry>),
    Damaged(&'static str),
}

impl<S: std::ops::Deref<Target = dyn AuditStore> + Send + Sync> OpenedStore<S> {
    /// `store`, opened by `opener`.
    pub fn new(store: S, opener: Arc<Opener>) -> Self {
        Self { store, opener }
    }

    /// Opens the box of `entry`, or puts words in its place.
    fn look(&self, stored: &StoredEntry<'_>) -> Result<Looked> {
        if memchr::memmem::find(stored.raw(), MARK).is_none() {
            return Ok(Looked::Plain);
        }
        let mut entry = stored.entry().into_owned();
        let Some(kid) = entry_kid(&entry).map(str::to_owned) else {
            return Ok(Looked::Plain);
        };
        let keys = self.store.keys()?;
        let why = match self.opener.find(keys, &entry.session_id, &kid)? {
            Found::Key(key) => {
                return Ok(match open_entry(&mut entry, &key) {
                    Some(()) => Looked::Changed(Box::new(entry)),
                    None => Looked::Damaged(DOES_NOT_OPEN),
                });
            }
            Found::Damaged => return Ok(Looked::Damaged(KEY_DAMAGED)),
            Found::NoIdentity => NO_IDENTITY,
            Found::Destroyed => DESTROYED,
        };
        self.opener.told(why);
        let Some(words) = self.opener.words() else {
            return Ok(Looked::Plain);
        };
        entry.error_message = words_for(why, words).to_owned();
        entry.recovery_message = String::new();
        entry.changes_made.clear();
        Ok(Looked::Changed(Box::new(entry)))
    }

    /// Gives `visit` what `stored` is once its box is open. A whole line whose box does not open is
    /// evidence: it is said, and never left out in silence.
    fn pass(
        &self,
        (stored, number): (StoredEntry<'_>, &Cell<u64>),
        damage: &mut Vec<Damage>,
        visit: &mut dyn FnMut(StoredEntry<'_>) -> Result<()>,
    ) -> Result<()> {
        number.set(number.get() + 1);
        match self.look(&stored)? {
            Looked::Plain => visit(stored),
            Looked::Changed(entry) => {
                let json = entry.to_json();
                match StoredEntry::read(json.as_bytes()) {
                    Ok(opened) => visit(opened),
                    Err(_) => visit(stored),
                }
            }
            Looked::Damaged(reason) => {
                damage.push(Damage {
                    place: format!("session {} of {}", stored.session_id(), self.store.url()),
                    line: number.get(),
                    bytes: stored.raw().len() as u64,
                    reason: format!("entry {}: {reason}", stored.entry_id()),
                    is_aside: false,
                });
                Ok(())
            }
        }
    }
}

const DOES_NOT_OPEN: &str = "its texts do not open with the key that closed them: they were \
    changed, or moved from another entry";

const KEY_DAMAGED: &str = "its texts do not open, for the file of their key is damaged";

impl<S: std::ops::Deref<Target = dyn AuditStore> + Send + Sync> AuditStore for OpenedStore<S> {
    fn url(&self) -> String {
        self.store.url()
    }

    fn append(&self, entries: Vec<NewEntry>) -> Result<Vec<Appended>> {
        self.store.append(entries)
    }

    fn record(&self, session_id: Option<&str>, event: JournalEvent) -> Result<()> {
        self.store.record(session_id, event)
    }

    fn read_sessions(&self) -> Result<(Vec<SessionSummary>, Vec<Damage>)> {
        self.store.read_sessions()
    }

    fn visit_sessions(
        &self,
        visit: &mut dyn FnMut(SessionSummary) -> Result<()>,
    ) -> Result<Vec<Damage>> {
        self.store.visit_sessions(visit)
    }

    fn read_session_page(
        &self,
        query: &SessionQuery,
        after: Option<&SessionKey>,
        limit: usize,
    ) -> Result<SessionPage> {
        self.store.read_session_page(query, after, limit)
    }

    fn is_known(&self, session_id: &str) -> Result<bool> {
        self.store.is_known(session_id)
    }

    fn read_trail(
        &self,
        session_id: &str,
        visit: &mut dyn FnMut(StoredEntry<'_>) -> Result<()>,
    ) -> Result<Vec<Damage>> {
        let (number, mut closed) = (Cell::new(0), Vec::new());
        let mut damage = self.store.read_trail(session_id, &mut |stored| {
            self.pass((stored, &number), &mut closed, visit)
        })?;
        Damage::join(&mut damage, closed);
        Ok(damage)
    }

    fn read_last(
        &self,
        session_id: &str,
        count: usize,
        visit: &mut dyn FnMut(StoredEntry<'_>) -> Result<()>,
    ) -> Result<Vec<Damage>> {
        let (number, mut closed) = (Cell::new(0), Vec::new());
        let mut damage = self.store.read_last(session_id, count, &mut |stored| {
            self.pass((stored, &number), &mut closed, visit)
        })?;
        Damage::join(&mut damage, closed);
        Ok(damage)
    }

    fn read_after(
        &self,
        session_id: &str,
        seen: &mut Seen,
        visit: &mut dyn FnMut(StoredEntry<'_>) -> Result<()>,
    ) -> Result<ReadAfter> {
        let (number, mut closed) = (Cell::new(0), Vec::new());
        let read = self.store.read_after(session_id, seen, &mut |stored| {
            self.pass((stored, &number), &mut closed, visit)
        })?;
        Ok(match read {
            ReadAfter::Read(mut damage) => {
                Damage::join(&mut damage, closed);
                ReadAfter::Read(damage)
            }
            other => other,
        })
    }

    fn digest(&self, session_id: &str) -> Result<(TrailDigest, Vec<Damage>)> {
        self.store.digest(session_id)
    }

    fn highest_attempt_number(&self, session_id: &str) -> Result<u64> {
        self.store.highest_attempt_number(session_id)
    }

    fn read_records_raw(
        &self,
        session_id: Option<&str>,
        visit: &mut dyn FnMut(&[u8]) -> Result<()>,
    ) -> Result<Vec<Damage>> {
        self.store.read_records_raw(session_id, visit)
    }

    fn read_journal(
        &self,
        session_id: Option<&str>,
        visit: &mut dyn FnMut(JournalRecord) -> Result<()>,
    ) -> Result<Vec<Damage>> {
        by_reading::records(
            &self.url(),
            &|text| self.store.read_records_raw(session_id, text),
            &|raw| match ClosedRecord::read(raw) {
                None => Ok(by_reading::record(raw)),
                Some(closed) => self.record_of(closed),
            },
            visit,
        )
    }

    fn held(&self, session_id: &str) -> Result<Option<SessionHeld>> {
        self.store.held(session_id)
    }

    fn read_statistics(&self, session_id: &str) -> Result<(RecoveryStatistics, Vec<Damage>)> {
        self.store.read_statistics(session_id)
    }

    fn read_aggregate(&self, query: &AggregateQuery) -> Result<(Aggregates, Vec<Damage>)> {
        self.store.read_aggregate(query)
    }

    fn remove(&self, session_id: &str, removal: &Removal) -> Result<Removed> {
        self.store.remove(session_id, removal)
    }

    fn claim(&self) -> Result<Option<Box<dyn Claim>>> {
        self.store.claim()
    }

    fn follower(&self) -> Result<Box<dyn Follower + '_>> {
        self.store.follower()
    }

    fn seals(&self) -> Result<Option<&dyn SealStore>> {
        self.store.seals()
    }

    fn keys(&self) -> Result<Option<&dyn KeyStore>> {
        self.store.keys()
    }

    fn importer(&self) -> Result<Box<dyn Importer + '_>> {
        self.store.importer()
    }
}

impl<S: std::ops::Deref<Target = dyn AuditStore> + Send + Sync> OpenedStore<S> {
    /// The record that `closed` is, opened if that can be; or why it cannot be read.
    fn record_of(
        &self,
        closed: ClosedRecord,
    ) -> Result<std::result::Result<JournalRecord, String>> {
        let kid = closed.kid().unwrap_or(ELSEWHERE).to_owned();
        let session_id = closed.session_id().to_owned();
        let unreadable = || "it is no journal record".to_owned();
        let why = match self.opener.find(self.store.keys()?, &session_id, &kid)? {
            Found::Key(key) => {
                return Ok(closed.open(&key).ok_or_else(|| DOES_NOT_OPEN.to_owned()));
            }
            Found::Damaged => return Ok(Err(KEY_DAMAGED.to_owned())),
            Found::NoIdentity => NO_IDENTITY,
            Found::Destroyed => DESTROYED,
        };
        self.opener.told(why);
        let words = self.opener.words().map(|words| words_for(why, words));
        Ok(closed.unopened(words).ok_or_else(unreadable))
    }
}
