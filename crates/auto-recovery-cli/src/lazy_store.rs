//! A store that is opened when it is first needed.
//!
//! A command that passes leaves nothing behind and needs no store, so a store that cannot be opened
//! is no reason to fail it. Whatever else is asked of the store fails then, with the reason.

use std::sync::{Arc, OnceLock};

use auto_recovery::Result;
use auto_recovery::audit::encrypting::KeyStore;
use auto_recovery::audit::sealing::SealStore;
use auto_recovery::audit::{
    Appended, AuditStore, Claim, Damage, Follower, Importer, JournalEvent, JournalRecord, NewEntry,
    ReadAfter, Removal, Removed, Seen, SessionHeld, SessionKey, SessionPage, SessionQuery,
    SessionSummary, StoredEntry,
};
use auto_recovery::statistics::{AggregateQuery, Aggregates, RecoveryStatistics};

/// Opens a store.
type Open = dyn Fn() -> Result<Arc<dyn AuditStore>> + Send + Sync;

/// A store that is opened when it is first needed, and tried again as long as that fails.
pub(crate) struct LazyStore {
    /// Its URL, as long as it cannot say so itself.
    url: String,
    open: Box<Open>,
    opened: OnceLock<Arc<dyn AuditStore>>,
}

impl LazyStore {
    /// The store at `url`, which `open` opens.
    pub(crate) fn new(url: String, open: Box<Open>) -> Self {
        Self {
            url,
            open,
            opened: OnceLock::new(),
        }
    }

    fn store(&self) -> Result<&dyn AuditStore> {
        if let Some(store) = self.opened.get() {
            return Ok(&**store);
        }
        let store = (self.open)()?;
        Ok(&**self.opened.get_or_init(|| store))
    }
}

impl AuditStore for LazyStore {
    fn url(&self) -> String {
        match self.store() {
            Ok(store) => store.url(),
            Err(_) => self.url.clone(),
        }
    }

    fn append(&self, entries: Vec<NewEntry>) -> Result<Vec<Appended>> {
        self.store()?.append(entries)
    }

    fn record(&self, session_id: Option<&str>, event: JournalEvent) -> Result<()> {
        self.store()?.record(session_id, event)
    }

    fn read_sessions(&self) -> Result<(Vec<SessionSummary>, Vec<Damage>)> {
        self.store()?.read_sessions()
    }

    fn visit_sessions(
        &self,
        visit: &mut dyn FnMut(SessionSummary) -> Result<()>,
    ) -> Result<Vec<Damage>> {
        self.store()?.visit_sessions(visit)
    }

    fn read_session_page(
        &self,
        query: &SessionQuery,
        after: Option<&SessionKey>,
        limit: usize,
    ) -> Result<SessionPage> {
        self.store()?.read_session_page(query, after, limit)
    }

    fn is_known(&self, session_id: &str) -> Result<bool> {
        self.store()?.is_known(session_id)
    }

    fn read_trail(
        &self,
        session_id: &str,
        visit: &mut dyn FnMut(StoredEntry<'_>) -> Result<()>,
    ) -> Result<Vec<Damage>> {
        self.store()?.read_trail(session_id, visit)
    }

    fn read_last(
        &self,
        session_id: &str,
        count: usize,
        visit: &mut dyn FnMut(StoredEntry<'_>) -> Result<()>,
    ) -> Result<Vec<Damage>> {
        self.store()?.read_last(session_id, count, visit)
    }

    fn read_after(
        &self,
        session_id: &str,
        seen: &mut Seen,
        visit: &mut dyn FnMut(StoredEntry<'_>) -> Result<()>,
    ) -> Result<ReadAfter> {
        self.store()?.read_after(session_id, seen, visit)
    }

    fn highest_attempt_number(&self, session_id: &str) -> Result<u64> {
        self.store()?.highest_attempt_number(session_id)
    }

    fn read_records_raw(
        &self,
        session_id: Option<&str>,
        visit: &mut dyn FnMut(&[u8]) -> Result<()>,
    ) -> Result<Vec<Damage>> {
        self.store()?.read_records_raw(session_id, visit)
    }

    fn read_journal(
        &self,
        session_id: Option<&str>,
        visit: &mut dyn FnMut(JournalRecord) -> Result<()>,
    ) -> Result<Vec<Damage>> {
        self.store()?.read_journal(session_id, visit)
    }

    fn held(&self, session_id: &str) -> Result<Option<SessionHeld>> {
        self.store()?.held(session_id)
    }

    fn read_statistics(&self, session_id: &str) -> Result<(RecoveryStatistics, Vec<Damage>)> {
        self.store()?.read_statistics(session_id)
    }

    fn read_aggregate(&self, query: &AggregateQuery) -> Result<(Aggregates, Vec<Damage>)> {
        self.store()?.read_aggregate(query)
    }

    fn remove(&self, session_id: &str, removal: &Removal) -> Result<Removed> {
        self.store()?.remove(session_id, removal)
    }

    fn claim(&self) -> Result<Option<Box<dyn Claim>>> {
        self.store()?.claim()
    }

    fn follower(&self) -> Result<Box<dyn Follower + '_>> {
        self.store()?.follower()
    }

    fn seals(&self) -> Result<Option<&dyn SealStore>> {
        self.store()?.seals()
    }

    fn keys(&self) -> Result<Option<&dyn KeyStore>> {
        self.store()?.keys()
    }

    fn importer(&self) -> Result<Box<dyn Importer + '_>> {
        self.store()?.importer()
    }

    fn clear(&self, session_id: &str) -> Result<Option<u64>> {
        self.store()?.clear(session_id)
    }
}
