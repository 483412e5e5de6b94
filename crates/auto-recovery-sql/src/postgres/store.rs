//! The store as its callers see it.

use std::fmt;
use std::sync::Arc;

use auto_recovery::audit::encrypting::KeyStore;
use auto_recovery::audit::sealing::SealStore;
use auto_recovery::audit::{
    Appended, AuditStore, Claim, Damage, Follower, Importer, JournalEvent, JournalRecord, NewEntry,
    ReadAfter, Recorder, Removal, Removed, Seen, SessionKey, SessionPage, SessionQuery,
    SessionSummary, StoredEntry, session_id,
};
use auto_recovery::spool::Spool;
use auto_recovery::statistics::{AggregateQuery, Aggregates, Dimension, RecoveryStatistics};
use auto_recovery::{ErrorKind, Result};

use super::claim::PostgresClaim;
use super::deliver::Delivered;
use super::follow::PostgresFollower;
use super::group::Item;
use super::import::PostgresImporter;
use super::keys::PostgresKeys;
use super::options::PostgresOptions;
use super::outbox::Outbox;
use super::queue::Queue;
use super::read::{self, Reader};
use super::{aggregate, pages, statistics};

/// A store of trails in a PostgreSQL database, see the module's page for its tables.
pub struct PostgresStore {
    pub(super) outbox: Arc<Outbox>,
    pub(super) recorder: Arc<Recorder>,
    keys: Arc<PostgresKeys>,
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
    pub fn open(url: &str, options: PostgresOptions, recorder: Arc<Recorder>) -> Result<Self> {
        let outbox = Arc::new(Outbox::new(url, options, &recorder)?);
        let keys = Arc::new(PostgresKeys::new(Arc::clone(&outbox)));
        recorder.keep_keys(Arc::clone(&keys) as Arc<dyn KeyStore>);
        Ok(Self {
            outbox,
            recorder,
            keys,
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
        self.outbox.deliver()
    }

    /// How many entries wait in the spool.
    pub fn waiting(&self) -> u64 {
        self.outbox.spool().map_or(0, Spool::waiting)
    }

    /// What `read` gives, and what it does not have is told.
    fn reading<T>(&self, read: impl FnOnce(&Reader<'_>) -> Result<T>) -> Result<T> {
        let given = self.outbox.ask(read)?;
        // Where the server cannot be reached, the error says it.
        self.outbox.absence.tell_waiting();
        Ok(given)
    }
}

impl AuditStore for PostgresStore {
    fn url(&self) -> String {
        self.outbox.server.address.shown.clone()
    }

    fn append(&self, entries: Vec<NewEntry>) -> Result<Vec<Appended>> {
        if entries.is_empty() {
            return Ok(Vec::new());
        }
        let mut text = Vec::new();
        let items = entries
            .into_iter()
            .map(|new| Item::entry(new, &self.recorder, &mut text));
        let items = items.collect::<Result<Vec<_>>>()?;
        let items = self.queue.commit(&self.outbox, items)?;
        let appended = items.into_iter().filter_map(|item| match item {
            Item::Entry(pending) => Some(pending.recorded.appended()),
            Item::Stored(_) | Item::Record(_) => None,
        });
        Ok(appended.collect())
    }

    fn record(&self, session_id: Option<&str>, event: JournalEvent) -> Result<()> {
        let line = self.recorder.record(session_id, event)?;
        let item = Item::record(line, None)?;
        self.queue.commit(&self.outbox, vec![item]).map(drop)
    }

    fn read_sessions(&self) -> Result<(Vec<SessionSummary>, Vec<Damage>)> {
        self.reading(read::sessions)
    }

    fn read_session_page(
        &self,
        query: &SessionQuery,
        after: Option<&SessionKey>,
        limit: usize,
    ) -> Result<SessionPage> {
        self.reading(|reader| pages::read(reader, query, after, limit))
    }

    fn is_known(&self, session_id: &str) -> Result<bool> {
        session_id::encode(session_id)?;
        match self.outbox.ask(|reader| read::is_known(reader, session_id)) {
            Err(error) if error.kind() == ErrorKind::Unreachable => match self.outbox.spool() {
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
        session_id::encode(session_id)?;
        self.reading(|reader| read::trail(reader, session_id, None, visit))
    }

    fn read_last(
        &self,
        session_id: &str,
        count: usize,
        visit: &mut dyn FnMut(StoredEntry<'_>) -> Result<()>,
    ) -> Result<Vec<Damage>> {
        session_id::encode(session_id)?;
        self.reading(|reader| read::trail(reader, session_id, Some(count), visit))
    }

    fn read_after(
        &self,
        session_id: &str,
        seen: &mut Seen,
        visit: &mut dyn FnMut(StoredEntry<'_>) -> Result<()>,
    ) -> Result<ReadAfter> {
        session_id::encode(session_id)?;
        self.reading(|reader| read::after(reader, session_id, seen, visit))
    }

    fn highest_attempt_number(&self, session_id: &str) -> Result<u64> {
        session_id::encode(session_id)?;
        let asked = self
            .outbox
            .ask(|reader| read::highest_number(reader, session_id));
        match asked {
            Err(error) if error.kind() == ErrorKind::Unreachable => {
                self.outbox.highest_known(session_id).ok_or(error)
            }
            result => result,
        }
    }

    fn read_records_raw(
        &self,
        session_id: Option<&str>,
        visit: &mut dyn FnMut(&[u8]) -> Result<()>,
    ) -> Result<Vec<Damage>> {
        self.reading(|reader| read::records_raw(reader, session_id, visit))
    }

    fn read_journal(
        &self,
        session_id: Option<&str>,
        visit: &mut dyn FnMut(JournalRecord) -> Result<()>,
    ) -> Result<Vec<Damage>> {
        self.reading(|reader| read::journal(reader, session_id, visit))
    }

    fn read_statistics(&self, session_id: &str) -> Result<(RecoveryStatistics, Vec<Damage>)> {
        session_id::encode(session_id)?;
        self.reading(|reader| statistics::of_session(reader, session_id))
    }

    fn read_aggregate(&self, query: &AggregateQuery) -> Result<(Aggregates, Vec<Damage>)> {
        // The recipe of an attempt has no column: the journal has it.
        if query.by.contains(&Dimension::Recipe) {
            return self.aggregate_by_reading(query);
        }
        self.reading(|reader| aggregate::aggregate(reader, query))
    }

    fn remove(&self, session_id: &str, removal: &Removal) -> Result<Removed> {
        session_id::encode(session_id)?;
        let removed = self.outbox.remove(&self.recorder, session_id, removal)?;
        if matches!(removed, Removed::Gone { .. }) {
            self.keys.forget(session_id);
        }
        Ok(removed)
    }

    fn follower(&self) -> Result<Box<dyn Follower + '_>> {
        let server = Arc::clone(&self.outbox.server);
        Ok(Box::new(PostgresFollower::new(server)))
    }

    fn claim(&self) -> Result<Option<Box<dyn Claim>>> {
        let server = &self.outbox.server;
        // A store that cannot be used is no store to serve.
        server.connection()?.give_back();
        Ok(Some(Box::new(PostgresClaim::take(server)?)))
    }

    fn seals(&self) -> Result<Option<&dyn SealStore>> {
        Ok(Some(self))
    }

    fn keys(&self) -> Result<Option<&dyn KeyStore>> {
        Ok(Some(&*self.keys))
    }

    fn importer(&self) -> Result<Box<dyn Importer + '_>> {
        let importer = PostgresImporter::new(&self.outbox, &self.recorder);
        Ok(Box::new(importer))
    }
}

impl fmt::Debug for PostgresStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresStore")
            .field("url", &self.url())
            .finish_non_exhaustive()
    }
}
