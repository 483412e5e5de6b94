//! The store as its callers see it.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use auto_recovery::audit::encrypting::KeyStore;
use auto_recovery::audit::sealing::SealStore;
use auto_recovery::audit::{
    Appended, AuditStore, Claim, Damage, Durability, Follower, Importer, JournalEvent,
    JournalRecord, NewEntry, ReadAfter, Recorder, Removal, Removed, Seen, SessionKey, SessionPage,
    SessionQuery, SessionSummary, StoredEntry,
};
use auto_recovery::error::{Error, Result};
use auto_recovery::group_commit::{GroupCommit, Pace};
use auto_recovery::statistics::{AggregateQuery, Aggregates, Dimension, RecoveryStatistics};

use super::aggregate::aggregate;
use super::append::{self, Work};
use super::connection::Database;
use super::file;
use super::import::SqliteImporter;
use super::keys::SqliteKeys;
use super::{follow, journal, pages, read, remove, sessions, statistics, unsound};

/// How many calls share a transaction.
const CALLS_MAX: usize = 1024;

/// How a SQLite store works.
#[derive(Clone, Debug, Default)]
pub struct SqliteOptions {
    /// When an append is acknowledged.
    pub durability: Durability,
}

/// A store of trails in a SQLite database, see the module's page for the format.
pub struct SqliteStore {
    pub(super) database: Database,
    pub(super) recorder: Arc<Recorder>,
    keys: Arc<SqliteKeys>,
    group: GroupCommit<Work>,
}

impl SqliteStore {
    /// The store in the database at `path`. Makes nothing: a file that does not exist is an empty
    /// store, and the first write makes it.
    ///
    /// # Errors
    /// [`ErrorKind::Damaged`](auto_recovery::ErrorKind::Damaged) if `path` is no database,
    /// [`ErrorKind::Refused`](auto_recovery::ErrorKind::Refused) if it is another
    /// program's, [`ErrorKind::NewerFormat`](auto_recovery::ErrorKind::NewerFormat) if a newer
    /// release wrote it, [`ErrorKind::Io`](auto_recovery::ErrorKind::Io) if it is no file or cannot
    /// be read.
    pub fn open(path: &Path, options: SqliteOptions, recorder: Arc<Recorder>) -> Result<Self> {
        // Whoever changes the current directory later still means this one.
        let path = std::path::absolute(path)
            .map_err(|error| Error::io("find audit database", path, error))?;
        if file::find(&path)?.is_some() {
            file::check_own(&path)?;
        }
        let (durability, host) = (options.durability, recorder.host());
        let keys = Arc::new(SqliteKeys::new(path.clone(), durability, Arc::clone(host)));
        recorder.keep_keys(Arc::clone(&keys) as Arc<dyn KeyStore>);
        let database = Database::new(path, durability, Arc::clone(host));
        // What cannot be read is better known now than after a recovery.
        drop(database.reader()?);
        Ok(Self {
            database,
            recorder,
            keys,
            group: GroupCommit::new(CALLS_MAX, |_| 1, Pace::Gather),
        })
    }

    fn commit(&self, work: Work) -> Result<Work> {
        self.group.commit(work, |group| {
            self.database.append(|batch| append::write(batch, group))
        })
    }
}

impl AuditStore for SqliteStore {
    fn url(&self) -> String {
        format!("sqlite:{}", self.database.path.display())
    }

    fn append(&self, entries: Vec<NewEntry>) -> Result<Vec<Appended>> {
        if entries.is_empty() {
            return Ok(Vec::new());
        }
        self.commit(Work::entries(&self.recorder, entries)?)
            .map(Work::acknowledged)
    }

    fn record(&self, session_id: Option<&str>, event: JournalEvent) -> Result<()> {
        self.commit(Work::record(&self.recorder, session_id, event)?)
            .map(drop)
    }

    fn read_sessions(&self) -> Result<(Vec<SessionSummary>, Vec<Damage>)> {
        let (sessions, mut damage) = sessions::list(&self.database)?;
        damage.extend(unsound::damage_of_all(&self.database)?);
        Ok((sessions, damage))
    }

    fn visit_sessions(
        &self,
        visit: &mut dyn FnMut(SessionSummary) -> Result<()>,
    ) -> Result<Vec<Damage>> {
        let mut damage = sessions::visit(&self.database, visit)?;
        damage.extend(unsound::damage_of_all(&self.database)?);
        Ok(damage)
    }

    fn read_session_page(
        &self,
        query: &SessionQuery,
        after: Option<&SessionKey>,
        limit: usize,
    ) -> Result<SessionPage> {
        pages::read(&self.database, query, after, limit)
    }

    fn is_known(&self, session_id: &str) -> Result<bool> {
        sessions::is_known(&self.database, session_id)
    }

    fn read_trail(
        &self,
        session_id: &str,
        visit: &mut dyn FnMut(StoredEntry<'_>) -> Result<()>,
    ) -> Result<Vec<Damage>> {
        read::trail(&self.database, session_id, None, visit)
    }

    fn read_last(
        &self,
        session_id: &str,
        count: usize,
        visit: &mut dyn FnMut(StoredEntry<'_>) -> Result<()>,
    ) -> Result<Vec<Damage>> {
        read::trail(&self.database, session_id, Some(count), visit)
    }

    fn read_after(
        &self,
        session_id: &str,
        seen: &mut Seen,
        visit: &mut dyn FnMut(StoredEntry<'_>) -> Result<()>,
    ) -> Result<ReadAfter> {
        read::after(&self.database, session_id, seen, visit)
    }

    fn highest_attempt_number(&self, session_id: &str) -> Result<u64> {
        sessions::highest_number(&self.database, session_id)
    }

    fn read_records_raw(
        &self,
        session_id: Option<&str>,
        visit: &mut dyn FnMut(&[u8]) -> Result<()>,
    ) -> Result<Vec<Damage>> {
        journal::read_raw(&self.database, session_id, visit)
    }

    fn read_journal(
        &self,
        session_id: Option<&str>,
        visit: &mut dyn FnMut(JournalRecord) -> Result<()>,
    ) -> Result<Vec<Damage>> {
        journal::read(&self.database, session_id, visit)
    }

    fn read_statistics(&self, session_id: &str) -> Result<(RecoveryStatistics, Vec<Damage>)> {
        statistics::of_session(&self.database, session_id)
    }

    fn read_aggregate(&self, query: &AggregateQuery) -> Result<(Aggregates, Vec<Damage>)> {
        // The recipe of an attempt has no column: the journal has it.
        if query.by.contains(&Dimension::Recipe) {
            return self.aggregate_by_reading(query);
        }
        aggregate(&self.database, query)
    }

    fn remove(&self, session_id: &str, removal: &Removal) -> Result<Removed> {
        if file::find(&self.database.path)?.is_none() {
            auto_recovery::audit::session_id::encode(session_id)?;
            return Ok(Removed::Unknown);
        }
        remove::remove(&self.database, &self.recorder, session_id, removal)
    }

    fn claim(&self) -> Result<Option<Box<dyn Claim>>> {
        let doing = format!("{} is served", self.url());
        let alone = file::serve_alone(&self.database.path, &doing)?;
        Ok(alone.map(|alone| Box::new(alone) as Box<dyn Claim>))
    }

    fn follower(&self) -> Result<Box<dyn Follower + '_>> {
        Ok(follow::follower(&self.database))
    }

    fn seals(&self) -> Result<Option<&dyn SealStore>> {
        Ok(Some(self))
    }

    fn keys(&self) -> Result<Option<&dyn KeyStore>> {
        Ok(Some(&*self.keys))
    }

    fn importer(&self) -> Result<Box<dyn Importer + '_>> {
        let importer = SqliteImporter::new(&self.database, Arc::clone(&self.recorder));
        Ok(Box::new(importer))
    }
}

impl fmt::Debug for SqliteStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqliteStore")
            .field("url", &self.url())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
