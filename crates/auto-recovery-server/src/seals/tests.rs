//! Sealing by a clock that is moved by hand: what is sealed when, and what becomes of it when
//! something fails.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use auto_recovery::audit::sealing::{
    Keys, SealWhen, Sealer, Verification, VerifyRequest, WhatToSeal, verify,
};
use auto_recovery::audit::{AuditStore, JournalEvent, NewEntry, Recorder, SessionStarted};
use auto_recovery::entry::RecoveryAuditEntry;
use auto_recovery::host::Host;
use auto_recovery::integrity::Verdict;
use auto_recovery::jsonl::{JsonlOptions, JsonlStore};
use auto_recovery::mutex::lock;
use auto_recovery::testing::ScriptedHost;
use tempfile::TempDir;

use super::due::{AGAIN, LATEST, QUIET};
use super::*;
use crate::log::Log;

/// A moment before something is due.
const MOMENT: Duration = Duration::from_millis(1);

/// A store and its state, and a clock that is moved by hand.
struct World {
    dir: TempDir,
    host: Arc<ScriptedHost>,
    store: Arc<dyn AuditStore>,
    said: Arc<Mutex<Vec<&'static str>>>,
}

impl World {
    fn new() -> Self {
        let dir = TempDir::new().unwrap();
        let host = Arc::new(ScriptedHost::new());
        let recorder = Recorder::new(Arc::<ScriptedHost>::clone(&host));
        let path = dir.path().join("store");
        let store = JsonlStore::open(&path, JsonlOptions::default(), recorder).unwrap();
        Self {
            dir,
            host,
            store: Arc::new(store),
            said: Arc::default(),
        }
    }

    fn state(&self) -> PathBuf {
        self.dir.path().join("state")
    }

    fn seals(&self, when: SealWhen) -> Seals {
        let said = Arc::clone(&self.said);
        let host: Arc<dyn Host> = Arc::<ScriptedHost>::clone(&self.host);
        let sink = Arc::new(move |line: &crate::LogLine| lock(&said).push(line.event));
        let log = Log::new(sink, Arc::clone(&host));
        Seals::new(Arc::clone(&self.store), (&self.state(), when), host, log)
    }

    /// An attempt of `session` that somebody recorded.
    fn append(&self, session: &str) {
        if !self.store.is_known(session).unwrap() {
            let started = JournalEvent::SessionStarted(SessionStarted::default());
            self.store.record(Some(session), started).unwrap();
        }
        let entry = RecoveryAuditEntry {
            session_id: session.to_owned(),
            strategy: "fix".to_owned(),
            ..RecoveryAuditEntry::default()
        };
        let new = NewEntry {
            entry,
            number_by_store: true,
        };
        self.store.append(vec![new]).unwrap();
    }

    fn verify(&self) -> Verification {
        let request = VerifyRequest {
            keys: Some(Keys::in_state(&self.state())),
            ..VerifyRequest::default()
        };
        verify(&*self.store, &request).unwrap()
    }

    fn assert_proved(&self) {
        let found = self.verify();
        let since = (found.entries_since, found.records_since);
        assert_eq!((found.verdict, since), (Verdict::Proved, (0, 0)));
        assert_eq!(found.findings, []);
    }

    fn seal_count(&self) -> u64 {
        self.verify().chains.iter().map(|chain| chain.seals).sum()
    }

    /// The one key of the store.
    fn key(&self) -> PathBuf {
        let files = std::fs::read_dir(self.state().join("seal-keys")).unwrap();
        let mut paths = files.map(|file| file.unwrap().path());
        let is_key = |path: &PathBuf| path.file_name().is_some_and(|name| name.len() == 32);
        paths.find(is_key).unwrap()
    }
}

fn started(session: &str) -> News {
    News {
        started: [session.to_owned()].into(),
        ..News::default()
    }
}

fn ended(session: &str) -> News {
    News {
        ended: [session.to_owned()].into(),
        ..News::default()
    }
}

/// Does all that is due. Returns how much that was.
fn turns(seals: &Seals) -> usize {
    (0..).take_while(|_| seals.turn()).count()
}

#[test]
fn what_starts_or_ended_is_sealed_at_once_and_the_rest_once_it_is_quiet() {
    let world = World::new();
    let seals = world.seals(SealWhen::Attempts);
    for (news, is_waited_for) in [(started("a"), true), (ended("a"), false)] {
        world.append("a");
        assert_eq!(seals.told(news).is_some(), is_waited_for);
        assert!(seals.turn());
        world.assert_proved();
    }
    // What another server may have left is looked for once.
    world.host.advance(QUIET);
    assert_eq!((turns(&seals), world.seal_count()), (1, 2));
    world.append("b");
    seals.told_of("b");
    world.host.advance(QUIET - MOMENT);
    assert!(!seals.turn());
    assert_eq!(world.verify().entries_since, 1);
    world.host.advance(MOMENT);
    assert_eq!(turns(&seals), 1);
    world.assert_proved();
    assert_eq!(world.seal_count(), 3);
}

#[test]
fn where_nothing_was_recorded_nothing_is_sealed() {
    let world = World::new();
    let seals = world.seals(SealWhen::Attempts);
    for _ in 0..100 {
        world.host.advance(LATEST);
        turns(&seals);
    }
    seals.end();
    seals.run();
    assert_eq!(world.seal_count(), 0);
    world.append("a");
    seals.told(ended("a"));
    turns(&seals);
    for _ in 0..100 {
        world.host.advance(LATEST);
        turns(&seals);
    }
    // Who sends once more what is there adds nothing.
    seals.told(ended("a"));
    turns(&seals);
    assert_eq!(world.seal_count(), 1);
}

#[test]
fn where_something_always_comes_it_is_sealed_every_minute() {
    let world = World::new();
    let seals = world.seals(SealWhen::Attempts);
    world.host.advance(QUIET);
    turns(&seals);
    for second in 0..=LATEST.as_secs() {
        assert_eq!(world.seal_count(), 0, "{second}");
        world.append("a");
        seals.told_of("a");
        turns(&seals);
        world.host.advance(Duration::from_secs(1));
    }
    assert_eq!(world.seal_count(), 1);
}

#[test]
fn a_key_that_is_gone_is_told_once_and_nobody_waits() {
    let world = World::new();
    let seals = world.seals(SealWhen::Attempts);
    world.append("a");
    seals.told(ended("a"));
    turns(&seals);
    let key = world.key();
    std::fs::rename(&key, key.with_extension("away")).unwrap();
    for _ in 0..3 {
        world.append("b");
        let number = seals.told(started("b"));
        turns(&seals);
        // Whoever waits for it goes on.
        let through = *seals.through.borrow();
        assert_eq!(Some(through), number);
    }
    assert_eq!(*lock(&world.said), ["not_sealed"]);
    let counted = seals.counted().unwrap();
    let failed = counted.failed.load(std::sync::atomic::Ordering::Relaxed);
    assert_eq!(failed, 3);
    std::fs::rename(key.with_extension("away"), &key).unwrap();
    world.host.advance(AGAIN);
    turns(&seals);
    assert_eq!(*lock(&world.said), ["not_sealed", "sealed_again"]);
    world.assert_proved();
}

#[test]
fn one_trail_that_cannot_be_read_keeps_no_other_from_being_sealed() {
    let world = World::new();
    let seals = world.seals(SealWhen::Attempts);
    let sessions: Vec<String> = (0..9).map(|number| format!("s{number}")).collect();
    for session in &sessions {
        world.append(session);
        seals.told_of(session);
    }
    let files = std::fs::read_dir(world.dir.path().join("store")).unwrap();
    let mut paths = files.map(|file| file.unwrap().path());
    let trail = paths
        .find(|path| path.to_string_lossy().contains("s4"))
        .unwrap();
    std::fs::rename(&trail, trail.with_extension("away")).unwrap();
    std::fs::create_dir(&trail).unwrap();
    world.host.advance(QUIET);
    turns(&seals);
    assert_eq!(*lock(&world.said), ["not_sealed"]);
    // That others are sealed is no sign that this one could be.
    world.append("s1");
    seals.told(ended("s1"));
    turns(&seals);
    let counted = seals.counted().unwrap();
    assert!(counted.is_down.load(std::sync::atomic::Ordering::Relaxed));
    assert_eq!(*lock(&world.said), ["not_sealed"]);
    std::fs::remove_dir(&trail).unwrap();
    std::fs::rename(trail.with_extension("away"), &trail).unwrap();
    assert_eq!(world.verify().entries_since, 1);
    world.host.advance(AGAIN);
    turns(&seals);
    world.assert_proved();
    assert_eq!(*lock(&world.said), ["not_sealed", "sealed_again"]);
}

#[test]
fn what_a_server_left_that_was_killed_is_sealed_by_the_next() {
    for is_told_to_end in [false, true] {
        let world = World::new();
        let killed = world.seals(SealWhen::Attempts);
        world.append("a");
        killed.told(ended("a"));
        turns(&killed);
        for session in ["a", "b"] {
            world.append(session);
            killed.told_of(session);
        }
        drop(killed);
        assert_eq!(world.verify().verdict, Verdict::Proved);
        assert_eq!(world.verify().entries_since, 2);
        let next = world.seals(SealWhen::Attempts);
        match is_told_to_end {
            true => {
                next.end();
                next.run();
            }
            false => {
                world.host.advance(QUIET);
                turns(&next);
            }
        }
        world.assert_proved();
        assert_eq!(world.seal_count(), 2);
    }
}

#[test]
fn it_is_sealed_when_the_configuration_says_so() {
    let world = World::new();
    world.append("before");
    let seals = world.seals(SealWhen::Sessions);
    world.host.advance(QUIET);
    turns(&seals);
    world.assert_proved();
    world.append("a");
    assert_eq!(seals.told(started("a")), None);
    world.host.advance(LATEST * 2);
    assert_eq!(turns(&seals), 0);
    seals.told(ended("b"));
    assert_eq!(turns(&seals), 1);
    assert_eq!(world.verify().entries_since, 1);
    seals.end();
    seals.run();
    world.assert_proved();

    let world = World::new();
    let seals = world.seals(SealWhen::Off);
    world.append("a");
    assert_eq!(seals.told(started("a")), None);
    seals.end();
    seals.run();
    assert_eq!(world.seal_count(), 0);
    assert!(seals.counted().is_none());
}

#[test]
fn who_else_seals_the_store_is_waited_for() {
    let world = World::new();
    let seals = world.seals(SealWhen::Attempts);
    world.append("a");
    let host: Arc<dyn Host> = Arc::<ScriptedHost>::clone(&world.host);
    let other = Sealer::new(Arc::clone(&world.store), &world.state(), host);
    other.seal(WhatToSeal::All).unwrap();
    world.append("a");
    let lock_file = world.key().with_extension("lock");
    let held = std::fs::File::create(lock_file).unwrap();
    held.lock().unwrap();
    seals.told(started("a"));
    assert_eq!(turns(&seals), 1);
    assert_eq!(world.seal_count(), 1);
    held.unlock().unwrap();
    world.host.advance(super::due::BUSY);
    assert_eq!(turns(&seals), 1);
    world.assert_proved();
    assert!(lock(&world.said).is_empty());
}
