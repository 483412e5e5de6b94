//! A random life of a store: appending, clearing, reopening, several callers at once.

use std::sync::Arc;
use std::thread;

use auto_recovery::RecoveryAuditEntry;
use auto_recovery::audit::{
    AuditStore, Durability, JournalEvent, NewEntry, Recorder, SessionStarted,
};
use auto_recovery::jsonl::{JsonlOptions, JsonlStore};
use auto_recovery::testing::store_contract;
use auto_recovery::testing::{Random, ScriptedHost, SimulatedDisk};

use super::ledger::Ledger;

/// Sessions that one caller writes to at a time.
const ALONE: [&str; 2] = ["a", "b"];

/// The session that several callers write to at once.
const SHARED: &str = "shared";

/// The session that is cleared while others write elsewhere.
const VICTIM: &str = "victim";

/// Callers that write at once.
const CALLERS: u64 = 3;

/// The most steps of a life.
const STEPS_MAX: u64 = 14;

/// A life.
pub(super) struct Life<'d> {
    disk: &'d Arc<SimulatedDisk>,
    random: Random,
    durability: Durability,
    /// How many entries were made, so that each has an id of its own.
    made: &'d mut u64,
    pub(super) ledger: Ledger,
}

impl<'d> Life<'d> {
    pub(super) fn new(
        disk: &'d Arc<SimulatedDisk>,
        random: Random,
        durability: Durability,
        made: &'d mut u64,
        ledger: Ledger,
    ) -> Self {
        Self {
            disk,
            random,
            durability,
            made,
            ledger,
        }
    }

    /// Lives until everything is done or the disk stops.
    pub(super) fn live(&mut self, several: bool) {
        let mut store = self.open();
        for _ in 0..=self.random.below(STEPS_MAX) {
            match self.random.below(10) {
                0 => self.record(&store),
                1 => self.clear(&store),
                2 => store = self.open(),
                3 | 4 if several => self.at_once(&store),
                _ => self.append(&store, several),
            }
        }
    }

    /// Appends one entry; whether that was acknowledged.
    pub(super) fn append_once(&mut self) -> bool {
        let batch = vec![self.entry(ALONE[0])];
        let acknowledged = self.open().append(batch.clone()).is_ok();
        self.told(batch, acknowledged);
        acknowledged
    }

    fn open(&self) -> JsonlStore {
        let options = JsonlOptions {
            durability: self.durability,
            ..JsonlOptions::default()
        };
        let dir = self.disk.root().join("state/audit");
        let host = Arc::new(ScriptedHost::new());
        let io: Arc<SimulatedDisk> = Arc::clone(self.disk);
        JsonlStore::open_with_io(&dir, options, Recorder::new(host), io).unwrap()
    }

    fn entry(&mut self, session: &str) -> NewEntry {
        *self.made += 1;
        let mut new = store_contract::entry(session, *self.made);
        // From less than a sector to several.
        let length = self.random.one_of(&[0, 90, 700, 1900]);
        new.entry.error_message = "x".repeat(self.random.index(length + 1));
        new.number_by_store = self.random.chance(50);
        if new.number_by_store {
            new.entry.attempt_number = 0;
        }
        new
    }

    fn entries(&mut self, sessions: &[&str], count: u64) -> Vec<NewEntry> {
        (0..count)
            .map(|_| {
                let session = self.random.one_of(sessions);
                self.entry(session)
            })
            .collect()
    }

    fn append(&mut self, store: &JsonlStore, several: bool) {
        let count = 1 + self.random.below(3);
        let only = self.random.index(ALONE.len());
        // A call that has entries of several sessions writes them all at once.
        let sessions = match several && self.random.chance(30) {
            true => &ALONE[..],
            false => &ALONE[only..=only],
        };
        let batch = self.entries(sessions, count);
        let acknowledged = store.append(batch.clone()).is_ok();
        self.told(batch, acknowledged);
    }

    fn told(&mut self, batch: Vec<NewEntry>, acknowledged: bool) {
        for new in batch {
            let entry: RecoveryAuditEntry = new.entry;
            let session = self.ledger.session(&entry.session_id);
            session.appended(entry, acknowledged);
        }
    }

    fn record(&mut self, store: &JsonlStore) {
        *self.made += 1;
        let id = format!("journaled{}", self.made);
        let event = JournalEvent::SessionStarted(SessionStarted::default());
        if store.record(Some(&id), event).is_ok() {
            self.ledger.journaled.insert(id);
        }
    }

    fn clear(&mut self, store: &JsonlStore) {
        let id = self.random.one_of(&ALONE);
        let acknowledged = store.clear(id).is_ok();
        self.ledger.session(id).cleared(acknowledged);
    }

    /// Several callers append at once, through this store and another one, while one clears.
    fn at_once(&mut self, store: &JsonlStore) {
        let victim = self.entries(&[VICTIM], 2);
        let acknowledged = store.append(victim.clone()).is_ok();
        self.told(victim, acknowledged);
        let other = self.open();
        let stores = [store, &other];
        let mut work: Vec<Vec<Vec<NewEntry>>> = Vec::new();
        for caller in 0..CALLERS {
            let own = format!("own{caller}");
            work.push((0..2).map(|_| self.entries(&[SHARED, &own], 2)).collect());
        }
        let (told, cleared) = thread::scope(|scope| {
            let callers: Vec<_> = work
                .into_iter()
                .enumerate()
                .map(|(caller, batches)| {
                    let store = stores[caller % stores.len()];
                    let append = move |batch: Vec<NewEntry>| {
                        let acknowledged = store.append(batch.clone()).is_ok();
                        (batch, acknowledged)
                    };
                    scope.spawn(move || batches.into_iter().map(append).collect::<Vec<_>>())
                })
                .collect();
            let cleared = other.clear(VICTIM).is_ok();
            let told: Vec<_> = callers
                .into_iter()
                .flat_map(|caller| caller.join().unwrap())
                .collect();
            (told, cleared)
        });
        self.ledger.session(VICTIM).cleared(cleared);
        for (batch, acknowledged) in told {
            self.told_in_any_order(batch, acknowledged);
        }
    }

    /// As [`Life::told`] where other callers wrote at the same time: only one caller's own order
    /// counts, and a session of its own shows it.
    fn told_in_any_order(&mut self, batch: Vec<NewEntry>, acknowledged: bool) {
        for new in batch {
            let session = self.ledger.session(&new.entry.session_id);
            match new.entry.session_id == SHARED {
                true => session.appended_among_others(new.entry, acknowledged),
                false => session.appended(new.entry, acknowledged),
            }
        }
    }
}
