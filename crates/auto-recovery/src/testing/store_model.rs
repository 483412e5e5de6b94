//! Random lives of a store against a model that a person can check: several handles append, record,
//! take over, remove, ask and are opened anew, and each sees what the model says.
//!
//! The model panics where a store does something else, as tests do.
#![expect(clippy::unwrap_used, reason = "these are tests")]

use std::collections::BTreeMap;
use std::sync::Arc;

use super::random::Random;
use super::store_contract::{Place, assert_exact, assert_proved, entry, lines, recount};
use crate::audit::{
    AuditStore, FailureDetected, JournalEvent, JournalRecord, JournalSummary, NewEntry, Pruning,
    Removal, Removed, SessionFinished, SessionHeld, SessionOutcome, SessionReleased,
    SessionStarted, SessionSummary, StoredEntry,
};
use crate::entry::RecoveryAuditEntry;
use crate::failure::{Category, Failure};
use crate::statistics::{AggregateQuery, Dimension, Tally};

const SESSIONS: [&str; 4] = ["a", "b c", "..d", "e\u{1f980}"];
const HANDLES: usize = 3;

/// Number of actions in one life.
const ACTIONS: usize = 60;

/// The expected contents of one session.
#[derive(Clone, Default)]
struct Session {
    /// Its entries as they are stored.
    trail: Vec<Vec<u8>>,
    facts: JournalSummary,
    /// Everything recorded of it that was not a removal.
    events: Vec<JournalEvent>,
    removals: usize,
}

struct World<'p> {
    place: &'p dyn Place,
    random: Random,
    handles: Vec<Arc<dyn AuditStore>>,
    sessions: BTreeMap<&'static str, Session>,
    /// Every text that was ever stored, or could have been.
    texts: Vec<(&'static str, Vec<u8>)>,
    /// Number of copies in the journal of each record that can be taken over.
    records: Vec<(JournalRecord, usize)>,
    written: u64,
}

/// Lives the life that `seed` decides in a store of `place`, which is empty at first.
///
/// # Panics
/// If the store differs from the model.
pub fn live(place: &dyn Place, seed: u64) {
    let mut world = World {
        place,
        random: Random::new(seed),
        handles: (0..HANDLES).map(|_| place.open()).collect(),
        sessions: SESSIONS
            .iter()
            .map(|id| (*id, Session::default()))
            .collect(),
        texts: Vec::new(),
        records: Vec::new(),
        written: 0,
    };
    for _ in 0..ACTIONS {
        world.act();
    }
    for handle in 0..HANDLES {
        world.check(handle);
    }
    assert_proved(&place.open());
}

impl World<'_> {
    fn act(&mut self) {
        let handle = self.random.index(HANDLES);
        let store = Arc::clone(&self.handles[handle]);
        let session_id = self.random.one_of(&SESSIONS);
        match self.random.below(20) {
            0..8 => self.append(&*store),
            8..11 => self.record(&*store, session_id),
            11..13 => self.take_over(&*store, session_id),
            13 => self.take_over_records(&*store),
            14 => self.clear(&*store, session_id),
            15 => self.prune(&*store, session_id),
            16 => self.handles[handle] = self.place.open(),
            17 => self.ask(&*store),
            _ => self.check_session(&*store, session_id),
        }
    }

    /// A new entry, different from all before in what sums look at.
    fn next_entry(&mut self, session_id: &str) -> RecoveryAuditEntry {
        self.written += 1;
        let mut next = entry(session_id, self.written).entry;
        next.timestamp = match self.random.below(8) {
            0 => "no time".to_owned(),
            1 => "2026-01-02T03:04:05.678901+01:00".to_owned(),
            n => format!("2026-01-{:02}T0{n}:00:00.000Z", 1 + self.random.below(9)),
        };
        next.strategy = self.random.one_of(&["fix", "retry", "\0"]).to_owned();
        next.duration_seconds = self.random.below(100_000) as f64 / 1000.0;
        next.files_modified = (0..self.random.below(4))
            .map(|_| format!("src/{}\u{0}.rs", self.random.below(12)))
            .collect();
        next
    }

    fn append(&mut self, store: &dyn AuditStore) {
        let mut batch = Vec::new();
        let number_by_store = self.random.chance(50);
        for _ in 0..1 + self.random.below(4) {
            let session_id = self.random.one_of(&SESSIONS);
            let entry = self.next_entry(session_id);
            batch.push((
                session_id,
                NewEntry {
                    entry,
                    number_by_store,
                },
            ));
        }
        let news = batch.iter().map(|(_, new)| new.clone()).collect();
        let appended = store.append(news).unwrap();
        for ((session_id, new), one) in batch.into_iter().zip(appended) {
            let mut entry = new.entry;
            if number_by_store {
                entry.attempt_number = 1 + self.highest(session_id);
            }
            assert_eq!(one.attempt_number, entry.attempt_number);
            assert_eq!(one.entry_id, entry.entry_id);
            self.keep(session_id, entry.to_json().into_bytes());
        }
    }

    fn highest(&self, session_id: &str) -> u64 {
        let trail = &self.sessions[session_id].trail;
        trail
            .iter()
            .map(|raw| read(raw).attempt_number)
            .max()
            .unwrap_or(0)
    }

    fn keep(&mut self, session_id: &'static str, raw: Vec<u8>) {
        self.texts.push((session_id, raw.clone()));
        self.session(session_id).trail.push(raw);
    }

    fn session(&mut self, session_id: &str) -> &mut Session {
        self.sessions.get_mut(session_id).unwrap()
    }

    fn record(&mut self, store: &dyn AuditStore, session_id: &str) {
        let event = self.event();
        store.record(Some(session_id), event.clone()).unwrap();
        // The clock is stopped: any record of the session has its time.
        let mut at = None;
        let mut visit = |record: JournalRecord| {
            at = Some(record.at);
            Ok(())
        };
        store.read_journal(Some(session_id), &mut visit).unwrap();
        let session = self.session(session_id);
        session.facts.apply(&at.unwrap(), &event);
        session.events.push(event);
    }

    fn event(&mut self) -> JournalEvent {
        let text = self.random.one_of(&["alpha", "beta", "\0", ""]).to_owned();
        match self.random.below(6) {
            0 | 1 => JournalEvent::SessionStarted(SessionStarted {
                command: Some(vec![text.clone()]),
                project: Some(text.clone()),
                host: self.random.chance(50).then_some(text),
                ..SessionStarted::default()
            }),
            2 => JournalEvent::FailureDetected(Box::new(FailureDetected::new(
                Failure::new("E", "it failed", text),
                Category::TestFailure,
            ))),
            3 => JournalEvent::SessionFinished(SessionFinished {
                outcome: self
                    .random
                    .one_of(&[SessionOutcome::Recovered, SessionOutcome::Escalated]),
                flaky: self.random.chance(50),
                duration_seconds: self.random.below(100_000) as f64 / 1000.0,
                ..SessionFinished::default()
            }),
            4 => JournalEvent::SessionHeld(SessionHeld {
                reason: Some(text),
                ..SessionHeld::default()
            }),
            _ => JournalEvent::SessionReleased(SessionReleased::default()),
        }
    }

    /// Takes over some of all texts that a session ever had, and something new, in the original's
    /// layout.
    fn take_over(&mut self, store: &dyn AuditStore, session_id: &'static str) {
        let mut all: Vec<Vec<u8>> = Vec::new();
        for (of, raw) in self.texts.clone() {
            if of == session_id && self.random.chance(60) {
                all.push(raw);
            }
        }
        let mut new = self.next_entry(session_id);
        new.duration_seconds = 0.123_456_789;
        all.push(serde_json::to_vec_pretty(&new.to_dict()).unwrap());
        let mut importer = store.importer().unwrap();
        let half = self.random.index(all.len());
        let mut added = importer.entries(session_id, &all[..half]).unwrap();
        added += importer.entries(session_id, &all[half..]).unwrap();
        let mut expected = 0;
        let mut came: BTreeMap<String, usize> = BTreeMap::new();
        for raw in all {
            let id = read(&raw).entry_id;
            let times = came.entry(id.clone()).or_default();
            *times += 1;
            let trail = &self.sessions[session_id].trail;
            if *times > trail.iter().filter(|one| read(one).entry_id == id).count() {
                self.keep(session_id, raw);
                expected += 1;
            }
        }
        assert_eq!(added, expected);
    }

    fn take_over_records(&mut self, store: &dyn AuditStore) {
        for number in 0..self.random.below(4) {
            let record = JournalRecord {
                v: JournalRecord::VERSION,
                at: format!("2026-01-0{}T00:00:0{number}.000Z", 1 + self.random.below(9)),
                session_id: Some(self.random.one_of(&SESSIONS).to_owned()),
                event: self.event(),
            };
            if !self.records.iter().any(|(known, _)| *known == record) {
                self.records.push((record, 0));
            }
        }
        let (mut all, mut expected) = (Vec::new(), 0);
        for index in 0..self.records.len() {
            let times = self.random.index(3);
            let (record, there) = &mut self.records[index];
            let new = times.saturating_sub(*there);
            *there += new;
            let record = record.clone();
            all.extend(vec![record.clone(); times]);
            expected += new as u64;
            let session = self.session(record.session_id.as_deref().unwrap());
            for _ in 0..new {
                session.facts.apply(&record.at, &record.event);
                session.events.push(record.event.clone());
            }
        }
        let added = store.importer().unwrap().records(&lines(&all)).unwrap();
        assert_eq!(added, expected);
    }

    fn clear(&mut self, store: &dyn AuditStore, session_id: &str) {
        let removed = store.remove(session_id, &Removal::Cleared).unwrap();
        self.removed(session_id, removed, true);
    }

    /// Prunes a session as it is, or as it was before it was continued.
    fn prune(&mut self, store: &dyn AuditStore, session_id: &'static str) {
        let (digest, _) = store.digest(session_id).unwrap();
        let is_same = self.random.chance(70);
        if !is_same {
            let entry = self.next_entry(session_id);
            self.keep(session_id, entry.to_json().into_bytes());
            store
                .append(vec![NewEntry {
                    entry,
                    number_by_store: false,
                }])
                .unwrap();
        }
        let removal = Removal::Pruned(Pruning {
            digest,
            ..Pruning::default()
        });
        let removed = store.remove(session_id, &removal).unwrap();
        self.removed(session_id, removed, is_same);
    }

    fn removed(&mut self, session_id: &str, removed: Removed, is_same: bool) {
        let session = self.session(session_id);
        let entries = session.trail.len() as u64;
        let expected = if let Some(held) = &session.facts.held {
            Removed::Held(held.clone())
        } else if entries == 0 && session.facts.first_at.is_none() {
            Removed::Unknown
        } else if !is_same {
            Removed::Changed
        } else {
            session.trail.clear();
            session.facts = JournalSummary::default();
            session.removals += 1;
            Removed::Gone { entries }
        };
        if let Removed::Gone { .. } = expected {
            let of_it = |record: &JournalRecord| record.session_id.as_deref() == Some(session_id);
            let records = self.records.iter_mut();
            records
                .filter(|(record, _)| of_it(record))
                .for_each(|(_, there)| *there = 0);
        }
        assert_eq!(removed, expected);
    }

    fn ask(&mut self, store: &dyn AuditStore) {
        let day = |day: u64| 1_767_225_600_000_000 + day as i64 * 86_400_000_000;
        let query = AggregateQuery {
            since_us: self.random.chance(40).then(|| day(self.random.below(5))),
            until_us: self.random.chance(40).then(|| day(self.random.below(9))),
            project: self.random.chance(30).then(|| "alpha".to_owned()),
            host: self.random.chance(30).then(|| "\0".to_owned()),
            by: Dimension::ALL
                .into_iter()
                .filter(|_| self.random.chance(30))
                .collect(),
        };
        assert_eq!(
            store.aggregate(&query).unwrap(),
            recount(store, &query),
            "{query:?}"
        );
    }

    fn check(&mut self, handle: usize) {
        let store = Arc::clone(&self.handles[handle]);
        for session_id in SESSIONS {
            self.check_session(&*store, session_id);
        }
        let mut listed = store.sessions().unwrap();
        listed.sort_by(|a, b| a.session_id.cmp(&b.session_id));
        let sessions = self.sessions.iter();
        let mut expected: Vec<SessionSummary> = sessions
            .filter(|(_, one)| !one.trail.is_empty() || one.facts.first_at.is_some())
            .map(|(id, one)| {
                let mut tally = Tally::default();
                let entries = one.trail.iter().map(|raw| read(raw));
                entries.for_each(|entry| tally.add(&entry.timestamp, entry.success));
                let bytes = one.trail.iter().map(|raw| raw.len() as u64 + 1).sum();
                one.facts.summary((*id).to_owned(), tally, bytes)
            })
            .collect();
        expected.sort_by(|a, b| a.session_id.cmp(&b.session_id));
        assert_eq!(listed, expected);
        self.ask(&*store);
        let all = AggregateQuery::default();
        assert_eq!(store.aggregate(&all).unwrap(), recount(&*store, &all));
    }

    fn check_session(&self, store: &dyn AuditStore, session_id: &str) {
        let expected = &self.sessions[session_id];
        let mut trail = Vec::new();
        let mut visit = |stored: StoredEntry<'_>| {
            trail.push(stored.raw().to_vec());
            Ok(())
        };
        assert_eq!(store.read_trail(session_id, &mut visit).unwrap(), []);
        assert!(trail == expected.trail, "the trail of {session_id}");
        let mut last = Vec::new();
        let mut visit = |stored: StoredEntry<'_>| {
            last.push(stored.raw().to_vec());
            Ok(())
        };
        assert_eq!(store.read_last(session_id, 2, &mut visit).unwrap(), []);
        let rest = trail.len().saturating_sub(2);
        assert!(last == trail[rest..], "the last of {session_id}");
        assert_exact(store, session_id);
        let (mut events, mut removals) = (Vec::new(), 0);
        let mut visit = |record: JournalRecord| {
            match record.event {
                removal if removal.is_removal() => removals += 1,
                // What a store says by itself of a trail that comes again.
                JournalEvent::TrailImported(_) => {}
                event => events.push(event),
            }
            Ok(())
        };
        assert_eq!(
            store.read_journal(Some(session_id), &mut visit).unwrap(),
            []
        );
        assert_eq!(events, expected.events);
        assert_eq!(removals, expected.removals);
    }
}

fn read(raw: &[u8]) -> RecoveryAuditEntry {
    serde_json::from_slice(raw).unwrap()
}
