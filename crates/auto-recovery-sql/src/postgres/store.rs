//! The store as its callers see it.

use std::fmt;
use std::sync::Arc;

use auto_recovery::audit::{
    Appended, AuditStore, Damage, Importer, JournalEvent, JournalRecord, NewEntry, Removal,
    Removed, SessionSummary, StoredEntry,
};
use auto_recovery::host::Host;
use auto_recovery::statistics::{AggregateQuery, Aggregates, RecoveryStatistics};
use auto_recovery::{ErrorKind, Result};

use super::core::Core;
use super::deliver::{self, Delivered};
use super::follow::PostgresFollower;
use super::group::Item;
use super::import::PostgresImporter;
use super::options::PostgresOptions;
use super::queue::Queue;
use super::{aggregate, read, remove, statistics};

/// A store of trails in a PostgreSQL database, see the module's page for its tables.
pub struct PostgresStore {
    core: Arc<Core>,
    queue: Queue,
}

impl PostgresStore {
    /// The store in the database that `url` names: `postgres://USER:PASSWORD@HOST:PORT/DATABASE`,
    /// with the parameters `sslmode` (`disable`, `prefer`, `require`, `verify-ca`, `verify-full`),
    /// `sslrootcert` (a file of PEM certificates), `connect_timeout`, `application_name`,
    /// `options`, `target_session_attrs` and those for TCP keepalives. Connects when it is first
    /// used, and then makes the tables that are missing.
    ///
    /// # Errors
    /// [`auto_recovery::ErrorKind::InvalidInput`] if the URL cannot be used. No error holds its
    /// password.
    pub fn open(url: &str, options: PostgresOptions, host: Arc<dyn Host>) -> Result<Self> {
        Ok(Self {
            core: Arc::new(Core::new(url, options, host)?),
            queue: Queue::default(),
        })
    }

    /// Delivers what waits in the spool, and returns how much that was.
    ///
    /// # Errors
    /// [`auto_recovery::ErrorKind::Unreachable`] if the server cannot be reached,
    /// [`auto_recovery::ErrorKind::Busy`] if another process is delivering, and otherwise if the
    /// spool cannot be read or the server not be written.
    pub fn deliver(&self) -> Result<Delivered> {
        match &self.core.spool {
            Some(spool) => self
                .core
                .ask(|lease| deliver::deliver(&self.core, spool, lease)),
            None => Ok(Delivered::default()),
        }
    }

    /// How many entries wait in the spool.
    pub fn waiting(&self) -> u64 {
        self.core.spool.as_ref().map_or(0, |spool| spool.waiting())
    }

    /// What `read` gives, and what it does not have is told.
    fn reading<T>(&self, read: impl FnOnce(&Core) -> Result<T>) -> Result<T> {
        let given = read(&self.core)?;
        // Where the server cannot be reached, the error says it.
        self.core.tell_waiting();
        Ok(given)
    }

    /// Somebody who waits for what is committed, by whomever.
    pub fn follow(&self) -> PostgresFollower {
        PostgresFollower::new(Arc::clone(&self.core))
    }
}

impl AuditStore for PostgresStore {
    fn url(&self) -> String {
        self.core.address.shown.clone()
    }

    fn append(&self, entries: Vec<NewEntry>) -> Result<Vec<Appended>> {
        if entries.is_empty() {
            return Ok(Vec::new());
        }
        let mut text = Vec::new();
        let items = entries
            .into_iter()
            .map(|new| Item::entry(new, &*self.core.host, &mut text));
        let items = items.collect::<Result<Vec<_>>>()?;
        let items = self.queue.commit(&self.core, items)?;
        let appended = items.into_iter().filter_map(|item| match item {
            Item::Entry(pending) => Some(pending.appended()),
            Item::Stored(_) | Item::Record(_) => None,
        });
        Ok(appended.collect())
    }

    fn record(&self, session_id: Option<&str>, event: JournalEvent) -> Result<()> {
        let record = JournalRecord::new(&*self.core.host, session_id, event);
        let item = Item::record(record, None)?;
        self.queue.commit(&self.core, vec![item]).map(drop)
    }

    fn read_sessions(&self) -> Result<(Vec<SessionSummary>, Vec<Damage>)> {
        self.reading(read::sessions)
    }

    fn is_known(&self, session_id: &str) -> Result<bool> {
        match read::is_known(&self.core, session_id) {
            Err(error) if error.kind() == ErrorKind::Unreachable => match &self.core.spool {
                Some(spool) => spool.is_known(session_id),
                None => Err(error),
            },
            result => result,
        }
    }

    fn read_trail(
        &self,
        session_id: &str,
        visit: &mut dyn FnMut(StoredEntry<'_>) -> Result<()>,
    ) -> Result<Vec<Damage>> {
        self.reading(|core| read::trail(core, session_id, None, visit))
    }

    fn read_last(
        &self,
        session_id: &str,
        count: usize,
        visit: &mut dyn FnMut(StoredEntry<'_>) -> Result<()>,
    ) -> Result<Vec<Damage>> {
        self.reading(|core| read::trail(core, session_id, Some(count), visit))
    }

    fn highest_attempt_number(&self, session_id: &str) -> Result<u64> {
        match read::highest_number(&self.core, session_id) {
            Err(error) if error.kind() == ErrorKind::Unreachable => {
                self.core.highest_known(session_id).ok_or(error)
            }
            result => result,
        }
    }

    fn read_journal(
        &self,
        session_id: Option<&str>,
        visit: &mut dyn FnMut(JournalRecord) -> Result<()>,
    ) -> Result<Vec<Damage>> {
        self.reading(|core| read::journal(core, session_id, visit))
    }

    fn read_statistics(&self, session_id: &str) -> Result<(RecoveryStatistics, Vec<Damage>)> {
        self.reading(|core| statistics::of_session(core, session_id))
    }

    fn read_aggregate(&self, query: &AggregateQuery) -> Result<(Aggregates, Vec<Damage>)> {
        self.reading(|core| aggregate::aggregate(core, query))
    }

    fn remove(&self, session_id: &str, removal: &Removal) -> Result<Removed> {
        remove::remove(&self.core, session_id, removal)
    }

    fn importer(&self) -> Result<Box<dyn Importer + '_>> {
        Ok(Box::new(PostgresImporter::new(&self.core)))
    }
}

impl fmt::Debug for PostgresStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresStore")
            .field("url", &self.url())
            .finish_non_exhaustive()
    }
}
