//! What a store of trails must do.

use std::collections::HashSet;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::audit::{
    Digester, ENTRY_BYTES_MAX, JournalEvent, JournalRecord, Removal, Removed, SessionHeld,
    SessionOutcome, StoredEntry, TrailDigest, write_fitted,
};
use crate::entry::RecoveryAuditEntry;
use crate::error::{Error, ErrorKind, Hint, Result};
use crate::host::{Host, new_id_in, timestamp};
use crate::statistics::{AggregateQuery, Aggregates, RecoveryStatistics};
use crate::wording::counted;

/// When an append is acknowledged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Durability {
    /// After the data reached the disk (`fdatasync`). Concurrent callers share a sync.
    #[default]
    Sync,
    /// After the operating system took it (`write`). A power cut may lose it; a crash of the
    /// process does not.
    Flush,
}

/// An entry that is to be appended.
#[derive(Clone, Debug, Default)]
pub struct NewEntry {
    /// The entry. An empty `entry_id` or `timestamp` is filled in by the store.
    pub entry: RecoveryAuditEntry,
    /// Whether the store gives the session's next attempt number instead of the entry's own.
    pub number_by_store: bool,
}

impl NewEntry {
    /// Gives it the id and the time that it lacks, in the process `pid`, which is this one.
    pub fn fill_in(&mut self, host: &dyn Host, pid: u32) {
        if self.entry.entry_id.is_empty() {
            self.entry.entry_id = new_id_in(pid, "entry");
        }
        if self.entry.timestamp.is_empty() {
            self.entry.timestamp = timestamp(host.now());
        }
    }

    /// Appends it to `out` as the text that every store keeps of it, cutting what is too large.
    /// Where the store gives the number, a 0 stands in for it, and whatever number follows fits.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`] if its duration is no duration.
    pub fn write_fitted(&mut self, out: &mut Vec<u8>) -> Result<()> {
        /// The digits of the largest attempt number.
        const NUMBER_BYTES_MAX: usize = 20;
        if !self.number_by_store {
            return write_fitted(&mut self.entry, ENTRY_BYTES_MAX, out);
        }
        self.entry.attempt_number = 0;
        write_fitted(&mut self.entry, ENTRY_BYTES_MAX - NUMBER_BYTES_MAX, out)
    }
}

/// An entry that was appended, and is as durable as the store was asked to make it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Appended {
    /// The id of the entry.
    pub entry_id: String,
    /// The session it went to.
    pub session_id: String,
    /// Its number within the session.
    #[serde(skip)]
    pub attempt_number: u64,
}

/// A place in a trail or journal that could not be read, and is not hidden.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Damage {
    /// The file, as a path, or the table.
    pub place: String,
    /// The line there, counted from 1; 0 if that is not known.
    pub line: u64,
    /// How many bytes could not be read; 0 if that is not known.
    pub bytes: u64,
    /// What is wrong with them.
    pub reason: String,
    /// Whether they are what a write left that was cut short, and were moved aside: nothing that
    /// was acknowledged.
    #[serde(skip)]
    pub is_aside: bool,
}

impl Damage {
    /// That nothing of `place` could be read, because of `reason`.
    pub fn of_all(place: impl Into<String>, reason: impl Into<String>) -> Self {
        Self {
            place: place.into(),
            reason: reason.into(),
            ..Self::default()
        }
    }

    /// Whether nothing of its place could be read.
    pub fn is_of_all(&self) -> bool {
        self.line == 0 && self.bytes == 0 && !self.is_aside
    }

    /// Adds those of `more` to `all` that are not there yet.
    pub fn join(all: &mut Vec<Self>, more: Vec<Self>) {
        if more.is_empty() {
            return;
        }
        let known: HashSet<Self> = all.iter().cloned().collect();
        all.extend(more.into_iter().filter(|one| !known.contains(one)));
    }
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.place)?;
        if self.line > 0 {
            write!(f, " line {}", self.line)?;
        }
        if self.bytes > 0 {
            write!(f, ": {} could not be read", counted(self.bytes, "byte"))?;
        }
        write!(f, ": {}", self.reason)
    }
}

/// What is known of one session without reading all of its entries.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct SessionSummary {
    /// The session.
    pub session_id: String,
    /// When it began: the earlier of the journal's time and the first entry's.
    pub session_start: Option<String>,
    /// Time of its newest entry.
    pub last_attempt_timestamp: Option<String>,
    /// How many entries it has.
    pub total_attempts: u64,
    /// How many of them succeeded.
    pub successful_attempts: u64,
    /// How it ended.
    pub outcome: SessionOutcome,
    /// The command that was run, as argv.
    pub command: Option<Vec<String>>,
    /// Where it ran.
    pub cwd: Option<String>,
    /// The workspace it belongs to, by the name of its directory.
    pub project: Option<String>,
    /// The machine it ran on.
    pub host: Option<String>,
    /// The user it ran as.
    pub user: Option<String>,
    /// The root of the workspace it belongs to, as its recorder named it.
    #[serde(skip)]
    pub workspace: Option<String>,
    /// How many bytes its entries have, each with a line's end.
    #[serde(skip)]
    pub bytes: u64,
    /// Who wants it kept, and why.
    #[serde(skip)]
    pub held: Option<SessionHeld>,
}

/// Where trails live. Shared between threads; several processes may use the same store at once.
pub trait AuditStore: Send + Sync {
    /// The store's URL, with any password masked.
    fn url(&self) -> String;

    /// Appends `entries` in order and returns once they are durable.
    ///
    /// # Errors
    /// Nothing of a failed call is acknowledged; what of it reached the disk is whole lines.
    fn append(&self, entries: Vec<NewEntry>) -> Result<Vec<Appended>>;

    /// Appends `event` to the journal and returns once it is durable.
    ///
    /// # Errors
    /// As [`AuditStore::append`].
    fn record(&self, session_id: Option<&str>, event: JournalEvent) -> Result<()>;

    /// Every session that has an entry or a journal record and was not cleared, newest first, and
    /// the damage met on the way: what cannot be read hides nothing else.
    ///
    /// # Errors
    /// If the store cannot be read.
    fn read_sessions(&self) -> Result<(Vec<SessionSummary>, Vec<Damage>)>;

    /// As [`AuditStore::read_sessions`], for those who have no use for the damage.
    ///
    /// # Errors
    /// If the store cannot be read.
    fn sessions(&self) -> Result<Vec<SessionSummary>> {
        self.read_sessions().map(|(sessions, _)| sessions)
    }

    /// Whether there is such a session: it has an entry, something in its trail that cannot be
    /// read, or a journal record since its trail was last removed. A store that keeps what is
    /// written while it cannot be asked answers as far as it knows.
    ///
    /// # Errors
    /// If the store cannot be read.
    fn is_known(&self, session_id: &str) -> Result<bool>;

    /// Calls `visit` for each entry of `session_id` in order; an unknown session has none. Returns
    /// the damage met on the way, which may be that nothing of its trail can be read.
    ///
    /// # Errors
    /// If the store cannot be read, or `visit` fails.
    fn read_trail(
        &self,
        session_id: &str,
        visit: &mut dyn FnMut(StoredEntry<'_>) -> Result<()>,
    ) -> Result<Vec<Damage>>;

    /// Calls `visit` for the last `count` entries of `session_id` in order, without reading all
    /// that come before. Returns the damage met on the way.
    ///
    /// # Errors
    /// If the store cannot be read, or `visit` fails.
    fn read_last(
        &self,
        session_id: &str,
        count: usize,
        visit: &mut dyn FnMut(StoredEntry<'_>) -> Result<()>,
    ) -> Result<Vec<Damage>>;

    /// The digest of the trail of `session_id` as it is now, and what could not be read of it.
    ///
    /// # Errors
    /// If the store cannot be read.
    fn digest(&self, session_id: &str) -> Result<(TrailDigest, Vec<Damage>)> {
        let mut digester = Digester::default();
        let damage = self.read_trail(session_id, &mut |stored| {
            digester.push(stored.raw());
            Ok(())
        })?;
        Ok((digester.finish(), damage))
    }

    /// The highest attempt number of `session_id`, 0 if it has no entries: whoever goes on with it
    /// goes on from there. A store that keeps what is written while it cannot be asked answers as
    /// far as it knows.
    ///
    /// # Errors
    /// If the store cannot be read.
    fn highest_attempt_number(&self, session_id: &str) -> Result<u64> {
        let mut highest = 0;
        self.read_trail(session_id, &mut |stored| {
            highest = stored.attempt_number().max(highest);
            Ok(())
        })?;
        Ok(highest)
    }

    /// Calls `visit` for each journal record, of `session_id` if given, in order. Returns the
    /// damage met on the way.
    ///
    /// # Errors
    /// If the store cannot be read, or `visit` fails.
    fn read_journal(
        &self,
        session_id: Option<&str>,
        visit: &mut dyn FnMut(JournalRecord) -> Result<()>,
    ) -> Result<Vec<Damage>>;

    /// Who wants `session_id` kept, and why; `None` if nobody does.
    ///
    /// # Errors
    /// If the store cannot be read; [`ErrorKind::Damaged`] if what cannot be read could say so.
    fn held(&self, session_id: &str) -> Result<Option<SessionHeld>> {
        let mut held = None;
        let damage = self.read_journal(Some(session_id), &mut |record| {
            match record.event {
                JournalEvent::SessionHeld(by) => held = Some(by),
                JournalEvent::SessionReleased(_) => held = None,
                event if event.is_removal() => held = None,
                _ => {}
            }
            Ok(())
        })?;
        match (held, damage.first()) {
            (None, Some(damage)) => Err(Error::new(
                ErrorKind::Damaged,
                format!("whether session {session_id} is held cannot be told: {damage}"),
            )),
            (held, _) => Ok(held),
        }
    }

    /// The statistics of `session_id`, zeros for an unknown one, and what of its trail and of the
    /// journal could not be read. Reads only what was appended since it was last asked.
    ///
    /// # Errors
    /// If the store cannot be read.
    fn read_statistics(&self, session_id: &str) -> Result<(RecoveryStatistics, Vec<Damage>)>;

    /// As [`AuditStore::read_statistics`], for those who have no use for the damage.
    ///
    /// # Errors
    /// If the store cannot be read.
    fn statistics(&self, session_id: &str) -> Result<RecoveryStatistics> {
        self.read_statistics(session_id)
            .map(|(statistics, _)| statistics)
    }

    /// The statistics of the sessions and entries that `query` asks for, told apart as it says, and
    /// what could not be read on the way.
    ///
    /// # Errors
    /// If the store cannot be read.
    fn read_aggregate(&self, query: &AggregateQuery) -> Result<(Aggregates, Vec<Damage>)>;

    /// As [`AuditStore::read_aggregate`], for those who have no use for the damage.
    ///
    /// # Errors
    /// If the store cannot be read.
    fn aggregate(&self, query: &AggregateQuery) -> Result<Aggregates> {
        self.read_aggregate(query).map(|(aggregates, _)| aggregates)
    }

    /// Removes the trail of `session_id`, unless it is held or not what `removal` expects, and
    /// leaves a journal record that it did.
    ///
    /// # Errors
    /// If the store cannot be written.
    fn remove(&self, session_id: &str, removal: &Removal) -> Result<Removed>;

    /// Takes over what others hold.
    ///
    /// # Errors
    /// If the store cannot be read.
    fn importer(&self) -> Result<Box<dyn Importer + '_>>;

    /// Removes the trail of `session_id` because somebody said so. Returns how many entries went,
    /// `None` if there was no such session.
    ///
    /// # Errors
    /// [`ErrorKind::Refused`] if it is held; otherwise if the store cannot be written.
    fn clear(&self, session_id: &str) -> Result<Option<u64>> {
        match self.remove(session_id, &Removal::Cleared)? {
            Removed::Gone { entries } => Ok(Some(entries)),
            Removed::Unknown | Removed::Changed => Ok(None),
            Removed::Held(held) => Err(held.refusal(session_id)),
        }
    }
}

impl SessionHeld {
    /// Why the session is not removed, and what lets it go.
    pub fn refusal(&self, session_id: &str) -> Error {
        let by = self.user.as_deref().map(|user| format!(" by {user}"));
        let why = self.reason.as_deref().map(|why| format!(" ({why})"));
        Error::new(
            ErrorKind::Refused,
            format!(
                "session {session_id} is held{}{}",
                by.unwrap_or_default(),
                why.unwrap_or_default(),
            ),
        )
        .with_hint(Hint::ReleaseHold {
            session_id: session_id.to_owned(),
        })
    }
}

/// Takes over entries and records as they are; what is there already is not added again, so
/// whatever was interrupted can be done again.
///
/// An entry is the one that is there if its session and its id are the same and it is as often in
/// what is taken over. The entries of a session come one after the other, in order.
pub trait Importer {
    /// Adds the entries of `session_id` that `raw` are, each as it is to be stored, and returns how
    /// many were not there, once they are durable. Calls for one session go on where the one before
    /// ended.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`] if one is no entry of that session; otherwise if the store
    /// cannot be read or written. What was added stays.
    fn entries(&mut self, session_id: &str, raw: &[Vec<u8>]) -> Result<u64>;

    /// Adds `records` to the journal as they are, in order, and returns how many were not there,
    /// once they are durable. Those of a session that stand before its trail was removed are not
    /// there.
    ///
    /// # Errors
    /// If the store cannot be read or written. What was added stays.
    fn records(&mut self, records: &[JournalRecord]) -> Result<u64>;
}
