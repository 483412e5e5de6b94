//! The contract of a store of trails.

use std::collections::VecDeque;

use crate::audit::encrypting::KeyStore;
use crate::audit::sealing::SealStore;
use crate::audit::{
    Appended, AttemptRecipes, Claim, Damage, Digester, Follower, JournalEvent, JournalLine,
    JournalRecord, NewEntry, ReadAfter, Removal, Removed, Seen, SessionHeld, SessionKey,
    SessionPage, SessionQuery, SessionSummary, StoredEntry, TrailDigest, by_reading, session_id,
};
use crate::error::{Error, ErrorKind, Hint, Result};
use crate::statistics::{
    Accumulator, AggregateQuery, Aggregates, Grouping, RecoveryStatistics, SessionGroups,
    SessionTraits,
};

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

/// A store of trails. Shared between threads; several processes may use the same store at once.
///
/// A store must append, record, list, read, remove, take over and be followed. All else is answered
/// by reading everything that the answer needs, which a store does itself where it knows a faster
/// way; `testing::store_contract` holds either way to the same.
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

    /// As [`AuditStore::read_sessions`], for callers with no use for the damage.
    ///
    /// # Errors
    /// If the store cannot be read.
    fn sessions(&self) -> Result<Vec<SessionSummary>> {
        self.read_sessions().map(|(sessions, _)| sessions)
    }

    /// Calls `visit` for each of these sessions, in any order and without holding all at once where
    /// the store can. Returns the damage met on the way.
    ///
    /// # Errors
    /// If the store cannot be read, or `visit` fails.
    fn visit_sessions(
        &self,
        visit: &mut dyn FnMut(SessionSummary) -> Result<()>,
    ) -> Result<Vec<Damage>> {
        let (sessions, damage) = self.read_sessions()?;
        sessions.into_iter().try_for_each(visit)?;
        Ok(damage)
    }

    /// The first `limit` sessions, at least one, that `query` asks for and that follow the key
    /// `after` in the list, newest first. Sessions that others begin meanwhile move nothing:
    /// reading page by page yields each session that stays throughout once.
    ///
    /// # Errors
    /// If the store cannot be read.
    fn read_session_page(
        &self,
        query: &SessionQuery,
        after: Option<&SessionKey>,
        limit: usize,
    ) -> Result<SessionPage> {
        let all = self.read_sessions()?;
        Ok(SessionPage::of_all(all, query, after, limit))
    }

    /// Whether there is such a session: it has an entry, something in its trail that cannot be
    /// read, or a journal record since its trail was last removed. A store that accepts writes
    /// while it cannot be read answers as far as it knows.
    ///
    /// # Errors
    /// If the store cannot be read.
    fn is_known(&self, session_id: &str) -> Result<bool> {
        session_id::encode(session_id)?;
        let (facts, _) = by_reading::facts(&|visit| self.read_journal(Some(session_id), visit))?;
        if facts.first_at.is_some() {
            return Ok(true);
        }
        let mut has_entry = false;
        let damage = self.read_trail(session_id, &mut |_| {
            has_entry = true;
            Ok(())
        })?;
        Ok(has_entry || !damage.is_empty())
    }

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
    /// that come before where the store can. Returns the damage met on the way.
    ///
    /// # Errors
    /// If the store cannot be read, or `visit` fails.
    fn read_last(
        &self,
        session_id: &str,
        count: usize,
        visit: &mut dyn FnMut(StoredEntry<'_>) -> Result<()>,
    ) -> Result<Vec<Damage>> {
        let mut last: VecDeque<Vec<u8>> = VecDeque::new();
        let damage = self.read_trail(session_id, &mut |stored| {
            last.push_back(stored.raw().to_vec());
            if last.len() > count {
                last.pop_front();
            }
            Ok(())
        })?;
        for raw in &last {
            let unreadable = |error| {
                let text = format!("an entry of session {session_id} cannot be read again");
                Error::new(ErrorKind::Damaged, text).with_source(error)
            };
            visit(StoredEntry::read(raw).map_err(unreadable)?)?;
        }
        Ok(damage)
    }

    /// Calls `visit` for the entries of `session_id` that were added to those that were `seen`, in
    /// order, and counts each as seen once `visit` took it. It goes by the entries' places: an
    /// entry that arrives late with an older time is not missed. After a trail was removed and
    /// taken over again, entries seen before may still count as seen.
    ///
    /// # Errors
    /// If the store cannot be read, or `visit` fails.
    fn read_after(
        &self,
        session_id: &str,
        seen: &mut Seen,
        visit: &mut dyn FnMut(StoredEntry<'_>) -> Result<()>,
    ) -> Result<ReadAfter> {
        let mut passing = seen.passing(visit);
        let damage = self.read_trail(session_id, &mut |stored| passing.take(stored))?;
        // Who can see nothing of a trail cannot tell whether it is another.
        match passing.has_passed() || damage.iter().any(Damage::is_of_all) {
            true => Ok(ReadAfter::Read(damage)),
            false => Ok(seen.of_no_trail()),
        }
    }

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

    /// The highest attempt number of `session_id`, 0 if it has no entries; the next attempt gets
    /// the number after it. A store that accepts writes while it cannot be read answers as far as
    /// it knows.
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

    /// Calls `visit` with the text of each journal record, of `session_id` if given, in order: the
    /// bytes as they are stored, without a line's end. They have events and fields too that this
    /// release does not know, so that a copy loses nothing. Returns the damage met on the way;
    /// whether a record's fields can be read is not looked at.
    ///
    /// # Errors
    /// [`ErrorKind::NewerFormat`] if one has a format that this release does not know; otherwise if
    /// the store cannot be read, or `visit` fails.
    fn read_records_raw(
        &self,
        session_id: Option<&str>,
        visit: &mut dyn FnMut(&[u8]) -> Result<()>,
    ) -> Result<Vec<Damage>>;

    /// Calls `visit` for each journal record, of `session_id` if given, in order. Returns the
    /// damage met on the way.
    ///
    /// # Errors
    /// As [`AuditStore::read_records_raw`].
    fn read_journal(
        &self,
        session_id: Option<&str>,
        visit: &mut dyn FnMut(JournalRecord) -> Result<()>,
    ) -> Result<Vec<Damage>> {
        by_reading::records(
            &self.url(),
            &|text| self.read_records_raw(session_id, text),
            &|raw| Ok(by_reading::record(raw)),
            visit,
        )
    }

    /// The hold on `session_id`: its user and reason; `None` if it is not held.
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
    /// journal could not be read. Reads only what was appended since it was last asked, where the
    /// store can.
    ///
    /// # Errors
    /// If the store cannot be read.
    fn read_statistics(&self, session_id: &str) -> Result<(RecoveryStatistics, Vec<Damage>)> {
        let (facts, of_journal) =
            by_reading::facts(&|visit| self.read_journal(Some(session_id), visit))?;
        let mut sums = Accumulator::default();
        let mut damage = self.read_trail(session_id, &mut |stored| {
            stored.tell(&mut sums);
            Ok(())
        })?;
        Damage::join(&mut damage, of_journal);
        let start = facts.session_start(sums.tally().first_timestamp.as_deref());
        Ok((sums.statistics(session_id, start), damage))
    }

    /// As [`AuditStore::read_statistics`], for callers with no use for the damage.
    ///
    /// # Errors
    /// If the store cannot be read.
    fn statistics(&self, session_id: &str) -> Result<RecoveryStatistics> {
        self.read_statistics(session_id)
            .map(|(statistics, _)| statistics)
    }

    /// The statistics of the sessions and entries that `query` asks for, grouped as it says, and
    /// the damage met on the way.
    ///
    /// # Errors
    /// If the store cannot be read.
    fn read_aggregate(&self, query: &AggregateQuery) -> Result<(Aggregates, Vec<Damage>)> {
        self.aggregate_by_reading(query)
    }

    /// The same, by reading the journal and every trail: it knows every dimension, those too that
    /// a store has no columns for.
    ///
    /// # Errors
    /// If the store cannot be read.
    fn aggregate_by_reading(&self, query: &AggregateQuery) -> Result<(Aggregates, Vec<Damage>)> {
        let read =
            |visit: &mut dyn FnMut(JournalRecord) -> Result<()>| self.read_journal(None, visit);
        let (mut facts, of_journal) = by_reading::facts_of_all(&read)?;
        let recipes = by_reading::recipes_of_all(query, &read)?;
        let (sessions, mut damage) = self.read_sessions()?;
        let mut sums = Grouping::default();
        for session in sessions {
            let facts = facts.remove(&session.session_id).unwrap_or_default();
            let recipes = recipes.get(&session.session_id);
            let traits = SessionTraits {
                recipes: recipes.map(AttemptRecipes::by_number),
                ..facts.traits()
            };
            if !query.includes_session(traits.project, traits.host) {
                continue;
            }
            let mut groups = SessionGroups::default();
            let of_trail = self.read_trail(&session.session_id, &mut |stored| {
                stored.tell(&mut groups.observer(query, &traits));
                Ok(())
            })?;
            Damage::join(&mut damage, of_trail);
            let end = (facts.end(groups.all()), facts.flaky);
            let start = session.session_start.as_deref();
            sums.add_session(query, &traits, groups, start, end);
        }
        Damage::join(&mut damage, of_journal);
        Ok((sums.aggregates(), damage))
    }

    /// As [`AuditStore::read_aggregate`], for callers with no use for the damage.
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

    /// A follower that waits for writes to the store, by any process. It reports every write after
    /// its first answer.
    ///
    /// # Errors
    /// If the store cannot be read.
    fn follower(&self) -> Result<Box<dyn Follower + '_>>;

    /// Makes the caller the only server over this store, whichever machines have it; `None` where
    /// nobody can be that, as on a file system that cannot be written.
    ///
    /// # Errors
    /// [`ErrorKind::Busy`] if another is it; otherwise if the store cannot be reached.
    fn claim(&self) -> Result<Option<Box<dyn Claim>>> {
        Ok(None)
    }

    /// What its seals are kept and made with; `None` if it keeps none.
    ///
    /// # Errors
    /// If the store cannot be opened.
    fn seals(&self) -> Result<Option<&dyn SealStore>> {
        Ok(None)
    }

    /// What the keys of its sessions are kept in; `None` if it keeps none, and nothing in it can be
    /// encrypted.
    ///
    /// # Errors
    /// If the store cannot be opened.
    fn keys(&self) -> Result<Option<&dyn KeyStore>> {
        Ok(None)
    }

    /// Takes over what others hold.
    ///
    /// # Errors
    /// If the store cannot be read.
    fn importer(&self) -> Result<Box<dyn Importer + '_>>;

    /// Removes the trail of `session_id` because a user said so. Returns the number of entries
    /// removed, `None` if there was no such session.
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

    /// Adds the records of `lines` to the journal, their text as it is, in order, and returns how
    /// many were new, once they are durable. Records of a session from before its trail was removed
    /// do not count as stored.
    ///
    /// # Errors
    /// If the store cannot be read or written. What was added stays.
    fn records(&mut self, lines: &[JournalLine]) -> Result<u64>;
}
