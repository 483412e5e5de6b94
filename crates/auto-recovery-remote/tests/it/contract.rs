//! The store over a server keeps the contract of stores, as far as it implements it.

use std::sync::Arc;

use auto_recovery::audit::{
    Appended, AuditStore, Damage, Follower, Importer, JournalEvent, NewEntry, ReadAfter, Removal,
    Removed, Seen, SessionKey, SessionPage, SessionQuery, SessionSummary, StoredEntry,
};
use auto_recovery::statistics::{AggregateQuery, Aggregates, RecoveryStatistics};
use auto_recovery::testing::store_contract::{Place, entry, run_except};
use auto_recovery::{ErrorKind, Result};
use auto_recovery_remote::RemoteStore;
use auto_recovery_server::Scope;

use crate::serving::Serving;

/// The store over a server. What only those can do who have the store itself is done there, so that
/// what others see of it is tried, too.
struct Mixed {
    remote: RemoteStore,
    own: Arc<dyn AuditStore>,
}

impl AuditStore for Mixed {
    fn url(&self) -> String {
        self.remote.url()
    }
    fn append(&self, entries: Vec<NewEntry>) -> Result<Vec<Appended>> {
        self.remote.append(entries)
    }
    fn record(&self, session_id: Option<&str>, event: JournalEvent) -> Result<()> {
        self.remote.record(session_id, event)
    }
    fn read_sessions(&self) -> Result<(Vec<SessionSummary>, Vec<Damage>)> {
        self.remote.read_sessions()
    }
    fn read_session_page(
        &self,
        query: &SessionQuery,
        after: Option<&SessionKey>,
        limit: usize,
    ) -> Result<SessionPage> {
        self.remote.read_session_page(query, after, limit)
    }
    fn is_known(&self, session_id: &str) -> Result<bool> {
        self.remote.is_known(session_id)
    }
    fn read_trail(
        &self,
        session_id: &str,
        visit: &mut dyn FnMut(StoredEntry<'_>) -> Result<()>,
    ) -> Result<Vec<Damage>> {
        self.remote.read_trail(session_id, visit)
    }
    fn read_after(
        &self,
        session_id: &str,
        seen: &mut Seen,
        visit: &mut dyn FnMut(StoredEntry<'_>) -> Result<()>,
    ) -> Result<ReadAfter> {
        self.remote.read_after(session_id, seen, visit)
    }
    fn highest_attempt_number(&self, session_id: &str) -> Result<u64> {
        self.remote.highest_attempt_number(session_id)
    }
    fn read_records_raw(
        &self,
        session_id: Option<&str>,
        visit: &mut dyn FnMut(&[u8]) -> Result<()>,
    ) -> Result<Vec<Damage>> {
        self.remote.read_records_raw(session_id, visit)
    }
    fn read_statistics(&self, session_id: &str) -> Result<(RecoveryStatistics, Vec<Damage>)> {
        self.remote.read_statistics(session_id)
    }
    fn read_aggregate(&self, query: &AggregateQuery) -> Result<(Aggregates, Vec<Damage>)> {
        self.remote.read_aggregate(query)
    }
    fn remove(&self, session_id: &str, removal: &Removal) -> Result<Removed> {
        match removal {
            Removal::Pruned(_) => self.own.remove(session_id, removal),
            _ => self.remote.remove(session_id, removal),
        }
    }
    fn follower(&self) -> Result<Box<dyn Follower + '_>> {
        self.remote.follower()
    }
    fn importer(&self) -> Result<Box<dyn Importer + '_>> {
        self.own.importer()
    }
}

impl Place for Serving {
    fn open(&self) -> Arc<dyn AuditStore> {
        Arc::new(Mixed {
            remote: self.remote(Scope::Admin),
            own: self.own(),
        })
    }
}

/// Parts that need what a server does not do for others, or does in its own name.
const LEFT_OUT: [&str; 5] = [
    // The journal names the token, whoever the caller says that they are.
    "held is held",
    "what is sealed is proved",
    "what is removed stays proved",
    "what is taken over is no finding",
    "nothing is found while many write and seal",
];

// Long because every answer of every part comes over a connection.
#[test]
fn it_keeps_the_contract_of_stores() {
    // The contract counts the records of the journal: nobody else adds some meanwhile.
    run_except(&LEFT_OUT, Serving::without_seals);
}

#[test]
fn what_needs_the_store_itself_is_refused_by_name() {
    let serving = Serving::new();
    let store = serving.remote(Scope::Admin);
    let refused = store.importer().err().unwrap();
    assert_eq!(refused.kind(), ErrorKind::Refused);
    assert!(refused.to_string().contains("take over"), "{refused}");
    let refused = store.remove("s", &Removal::Pruned(Default::default()));
    assert!(refused.unwrap_err().to_string().contains("remove by rule"));
    assert!(store.seals().unwrap().is_none() && store.keys().unwrap().is_none());
}

#[test]
fn a_scope_says_what_the_store_lets_one_do() {
    let serving = Serving::new();
    let (read, write, admin) = (
        serving.remote(Scope::Read),
        serving.remote(Scope::Write),
        serving.remote(Scope::Admin),
    );
    let refused = read.append(vec![entry("s", 1)]).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Refused);
    assert!(refused.to_string().contains("needs `write`"), "{refused}");
    assert!(!serving.spool().exists(), "what is refused does not wait");
    write.append(vec![entry("s", 1)]).unwrap();
    assert_eq!(read.statistics("s").unwrap().total_attempts, 1);
    let hold = || JournalEvent::SessionHeld(Default::default());
    for refused in [write.record(Some("s"), hold()), write.clear("s").map(drop)] {
        assert_eq!(refused.unwrap_err().kind(), ErrorKind::Refused);
    }
    admin.record(Some("s"), hold()).unwrap();
    let held = read.held("s").unwrap().unwrap();
    assert!(held.user.unwrap().starts_with("admin-"));
    let refused = admin.clear("s").unwrap_err();
    assert!(refused.to_string().contains("is held"), "{refused}");
    let released = JournalEvent::SessionReleased(Default::default());
    admin.record(Some("s"), released).unwrap();
    assert_eq!(admin.clear("s").unwrap(), Some(1));
    let nobody = admin.record(Some("nobody"), hold()).unwrap_err();
    assert_eq!(nobody.kind(), ErrorKind::NotFound);
    let mut options = serving.options(Scope::Read);
    options.token = "rcv_nobody".to_owned();
    let refused = serving.remote_with(&options).sessions().unwrap_err();
    assert!(
        refused.to_string().contains("does not know the token"),
        "{refused}"
    );
}
