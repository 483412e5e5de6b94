//! What is sealed, and that nothing is found where nothing changed.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use super::{Place, entry};
use crate::audit::sealing::{
    Keys, RecordSeals, Requirements, SealWhen, Sealed, Sealer, Unsealed, Verification,
    VerifyRequest, WhatToSeal, receipt, unsealed, verify,
};
use crate::audit::{AuditStore, JournalEvent, Pruning, Removal, SessionStarted, StoredEntry};
use crate::host::SystemHost;
use crate::integrity::{FindingKind, Seal, Verdict};
use crate::testing::{ScriptedHost, quick_dir};

/// Writers that write at once, and how often each does something.
const WRITERS: u64 = 4;
const STEPS: u64 = 60;

/// Asserts that everything in `store` can be sealed and is proved then, whatever happened before.
///
/// # Panics
/// If it cannot, or is not.
pub fn assert_proved(store: &Arc<dyn AuditStore>) {
    let state = quick_dir();
    if store.seals().unwrap().is_none() {
        return;
    }
    let sealer = sealer(store, state.path());
    while sealer.seal(WhatToSeal::All).unwrap() == Sealed::Busy {
        thread::yield_now();
    }
    let found = verified(&**store, state.path());
    if found.records > 0 {
        assert_eq!((found.verdict, found.findings), (Verdict::Proved, vec![]));
        assert_eq!(found.entries_since, 0);
    }
}

fn sealer(store: &Arc<dyn AuditStore>, state: &Path) -> Sealer {
    Sealer::new(store.clone(), state, Arc::new(SystemHost::new()))
}

/// Seals everything, as a process that does nothing else.
pub(super) fn seal(place: &dyn Place, state: &Path) -> Seal {
    loop {
        match sealer(&place.open(), state).seal(WhatToSeal::All).unwrap() {
            Sealed::Made(seal) | Sealed::Already(seal) => return seal,
            // A program that another test is just starting holds every lock of this process.
            Sealed::Busy => thread::yield_now(),
            other => panic!("{other:?}"),
        }
    }
}

fn verified(store: &dyn AuditStore, state: &Path) -> Verification {
    let request = VerifyRequest {
        keys: Some(Keys::in_state(state)),
        ..VerifyRequest::default()
    };
    verify(store, &request).unwrap()
}

/// Appends entries to `session`, which begins.
pub(super) fn begin(store: &dyn AuditStore, session: &str, numbers: std::ops::Range<u64>) {
    let started = JournalEvent::SessionStarted(SessionStarted::default());
    store.record(Some(session), started).unwrap();
    let entries = numbers.map(|number| entry(session, number));
    store.append(entries.collect()).unwrap();
}

/// Asserts what of `store` is under no seal.
fn assert_unsealed(store: &dyn AuditStore, sessions: &[&str], has_records: bool) {
    let expected = Unsealed {
        sessions: sessions
            .iter()
            .map(|session| (*session).to_owned())
            .collect(),
        has_records,
    };
    assert_eq!(unsealed(store).unwrap(), expected);
}

pub(super) fn proved(place: &dyn Place) {
    if place.open().seals().unwrap().is_none() {
        return;
    }
    let state = quick_dir();
    let store = place.open();
    assert_eq!(
        sealer(&store, state.path()).seal(WhatToSeal::All).unwrap(),
        Sealed::Nothing
    );
    begin(&*store, "..a ü~", 1..9);
    assert_eq!(
        verified(&*store, state.path()).findings[0].kind,
        FindingKind::Unsealed
    );
    let first = seal(place, state.path());
    assert_eq!((first.number, first.size), (0, 3));
    begin(&*store, "b", 1..3);
    store.append(vec![entry("..a ü~", 9)]).unwrap();
    let found = verified(&*place.open(), state.path());
    assert_eq!(
        (found.verdict, found.entries_since, found.records_since),
        (Verdict::Proved, 3, 1),
        "{found:?}"
    );
    assert_unsealed(&*store, &["..a ü~", "b"], true);
    let again = sealer(&store, state.path());
    let made = again.seal(WhatToSeal::Sessions(&["b", "nobody"])).unwrap();
    assert_unsealed(&*store, &["..a ü~"], false);
    assert_eq!(
        made.seal().map(|seal| (seal.number, seal.size)),
        Some((1, 5))
    );
    assert_eq!(verified(&*store, state.path()).entries_since, 1);
    let last = seal(place, state.path());
    assert_unsealed(&*store, &[], false);
    let strict = VerifyRequest {
        keys: Some(Keys::in_state(state.path())),
        pins: vec![last.chain.clone()],
        require: Requirements {
            sealed: true,
            pinned: true,
            outside: false,
        },
        ..VerifyRequest::default()
    };
    let found = verify(&*store, &strict).unwrap();
    assert_eq!((found.verdict, found.findings), (Verdict::Proved, vec![]));
    let receipt = receipt(&*store, "..a ü~", 9).unwrap();
    assert_eq!(receipt.check().unwrap().chain, last.chain);
    let again = sealer(&store, state.path()).seal(WhatToSeal::All).unwrap();
    assert_eq!(again, Sealed::Already(last));
}

pub(super) fn recorded(place: &dyn Place) {
    let state = quick_dir();
    let store = place.open();
    let host = Arc::new(ScriptedHost::new());
    let sealed = (state.path(), SealWhen::Attempts);
    let seals = RecordSeals::new(store.clone(), sealed, host.clone());
    if store.seals().unwrap().is_none() {
        seals.appended(["a"]).unwrap();
        assert_eq!(seals.close().unwrap(), None);
        return;
    }
    let append = |session: &str, numbers: std::ops::Range<u64>| {
        let names = numbers.clone().map(|_| session);
        begin(&*store, session, numbers.clone());
        seals.appended(names).unwrap();
    };
    append("a", 1..4);
    assert_eq!(verified(&*store, state.path()).entries_since, 3);
    host.advance(Duration::from_secs(60));
    append("b", 1..3);
    let found = verified(&*store, state.path());
    assert_eq!(
        (found.verdict, found.entries_since, found.records_since),
        (Verdict::Proved, 0, 0),
        "{found:?}"
    );
    // Whoever has another store of it seals too.
    let other = RecordSeals::new(place.open(), sealed, host.clone());
    append("a", 4..5);
    other.appended(["b"]).unwrap();
    begin(&*store, "b", 3..4);
    let made = other.close().unwrap();
    assert_eq!(made.map(|seal| seal.number), Some(1));
    assert_eq!(seals.close().unwrap().map(|seal| seal.number), Some(2));
    assert_eq!(
        (seals.close().unwrap(), other.close().unwrap()),
        (None, None)
    );
    let found = verified(&*place.open(), state.path());
    assert_eq!((found.verdict, found.entries_since), (Verdict::Proved, 0));
}

pub(super) fn removed(place: &dyn Place) {
    if place.open().seals().unwrap().is_none() {
        return;
    }
    let state = quick_dir();
    let store = place.open();
    for session in ["a", "b", "c"] {
        begin(&*store, session, 1..6);
    }
    seal(place, state.path());
    store.remove("a", &Removal::Cleared).unwrap();
    let digest = store.digest("b").unwrap().0;
    let pruning = Pruning {
        digest,
        ..Pruning::default()
    };
    store.remove("b", &Removal::Pruned(pruning)).unwrap();
    let mut heads = Vec::new();
    store
        .read_journal(None, &mut |record| {
            match record.event {
                JournalEvent::SessionCleared(cleared) => heads.push(cleared.size),
                JournalEvent::SessionPruned(pruned) => heads.push(pruned.trail.size),
                JournalEvent::TrailSealed(head) => assert_eq!(head.size, 5),
                _ => {}
            }
            Ok(())
        })
        .unwrap();
    assert_eq!(heads, [Some(5), Some(5)]);
    let found = verified(&*store, state.path());
    assert_eq!(
        (found.verdict, found.removed, found.trails),
        (Verdict::Proved, 2, 1),
        "{found:?}"
    );
    // What has the name of a removed one is another.
    begin(&*store, "a", 7..9);
    assert_eq!(verified(&*store, state.path()).findings, []);
    seal(place, state.path());
    assert_eq!(verified(&*store, state.path()).findings, []);
}

pub(super) fn taken_over(place: &dyn Place) {
    if place.open().seals().unwrap().is_none() {
        return;
    }
    let state = quick_dir();
    let store = place.open();
    begin(&*store, "a", 1..6);
    let mut entries = Vec::new();
    let mut keep = |stored: StoredEntry<'_>| {
        entries.push(stored.raw().to_vec());
        Ok(())
    };
    store.read_trail("a", &mut keep).unwrap();
    seal(place, state.path());
    store.remove("a", &Removal::Cleared).unwrap();
    seal(place, state.path());
    let added = store.importer().unwrap().entries("a", &entries).unwrap();
    assert_eq!(added, 5);
    assert_eq!(verified(&*store, state.path()).findings, []);
    seal(place, state.path());
    assert_eq!(verified(&*store, state.path()).findings, []);
}

pub(super) fn crowd(place: &dyn Place) {
    if place.open().seals().unwrap().is_none() {
        return;
    }
    let state = quick_dir();
    begin(&*place.open(), "s0", 0..1);
    seal(place, state.path());
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        let writers: Vec<_> = (0..WRITERS)
            .map(|writer| {
                let store = place.open();
                let state = state.path();
                scope.spawn(move || live(&store, state, writer))
            })
            .collect();
        let store = place.open();
        let (state, is_over) = (state.path(), &is_over);
        let verifier = scope.spawn(move || {
            let mut verifications = 0;
            while !is_over.load(Ordering::Acquire) {
                assert_eq!(verified(&*store, state).findings, []);
                verifications += 1;
            }
            verifications
        });
        for writer in writers {
            writer.join().unwrap();
        }
        is_over.store(true, Ordering::Release);
        assert!(verifier.join().unwrap() > 0);
    });
    seal(place, state.path());
    let found = verified(&*place.open(), state.path());
    assert_eq!((found.verdict, found.entries_since), (Verdict::Proved, 0));
}

/// Appends, removes and seals, all in a few sessions that others use too.
fn live(store: &Arc<dyn AuditStore>, state: &Path, writer: u64) {
    let sealer = sealer(store, state);
    for step in 0..STEPS {
        let session = format!("s{}", (step * 7 + writer) % 3);
        match step % 12 {
            3 => drop(sealer.seal(WhatToSeal::All).unwrap()),
            5 | 9 => drop(sealer.seal(WhatToSeal::Sessions(&[&session])).unwrap()),
            7 if writer == 0 => drop(store.remove(&session, &Removal::Cleared).unwrap()),
            _ => {
                let number = writer * 1000 + step;
                store.append(vec![entry(&session, number)]).unwrap();
            }
        }
    }
}
