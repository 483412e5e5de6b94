//! Changes that somebody makes to a sealed database by hand, and what each is found as.

use std::path::Path;
use std::sync::Arc;

use auto_recovery::audit::sealing::{Keys, Sealed, Sealer, VerifyRequest, WhatToSeal, verify};
use auto_recovery::audit::{
    AuditStore, FailureDetected, JournalEvent, Removal, SessionFinished, SessionOutcome,
    SessionStarted,
};
use auto_recovery::host::SystemHost;
use auto_recovery::integrity::{FindingKind, Seal};
use auto_recovery::testing::store_contract::entry;
use auto_recovery::{Category, Failure};

/// Seals everything in `store`.
pub(crate) fn seal(store: &Arc<dyn AuditStore>, state: &Path) -> Seal {
    let sealer = Sealer::new(store.clone(), state, Arc::new(SystemHost::new()));
    loop {
        match sealer.seal(WhatToSeal::All).unwrap() {
            Sealed::Made(seal) | Sealed::Already(seal) => return seal,
            // A program that another test is just starting holds every lock of this process.
            Sealed::Busy => std::thread::yield_now(),
            other => panic!("{other:?}"),
        }
    }
}

/// What `store` is found to have, each kind once.
pub(crate) fn found(store: &dyn AuditStore, state: &Path) -> Vec<FindingKind> {
    found_of(store, state, &[])
}

/// The kinds of findings in `sessions`; in all if there are none.
pub(crate) fn found_of(
    store: &dyn AuditStore,
    state: &Path,
    sessions: &[&str],
) -> Vec<FindingKind> {
    let request = VerifyRequest {
        sessions: sessions.iter().map(|one| (*one).to_owned()).collect(),
        keys: Some(Keys::in_state(state)),
        ..VerifyRequest::default()
    };
    let mut kinds = Vec::new();
    for finding in verify(store, &request).unwrap().findings {
        if !kinds.contains(&finding.kind) {
            kinds.push(finding.kind);
        }
    }
    kinds
}

/// Gives `store` a history: sessions `a`, `b` and `c`, one that was removed, three seals, and
/// entries of `a` that are not sealed.
pub(crate) fn live(store: &Arc<dyn AuditStore>, state: &Path) {
    for round in 0..3 {
        for session in ["a", "b", "c"] {
            let started = SessionStarted {
                command: Some(vec!["make".to_owned()]),
                host: Some("here".to_owned()),
                ..SessionStarted::default()
            };
            let failed = FailureDetected::new(
                Failure::new("E", "it failed", "src/main.rs"),
                Category::TestFailure,
            );
            let finished = SessionFinished {
                outcome: SessionOutcome::Recovered,
                ..SessionFinished::default()
            };
            for event in [
                JournalEvent::SessionStarted(started),
                JournalEvent::FailureDetected(Box::new(failed)),
            ] {
                store.record(Some(session), event).unwrap();
            }
            let numbers = 1 + 4 * round..5 + 4 * round;
            let entries = numbers.map(|number| entry(session, number));
            store.append(entries.collect()).unwrap();
            let finished = JournalEvent::SessionFinished(finished);
            store.record(Some(session), finished).unwrap();
        }
        if round == 0 {
            store
                .append((1..7).map(|number| entry("gone", number)).collect())
                .unwrap();
            // A text that the columns would not give.
            let odd = entry("c", 77).entry.to_json().replacen(":", ": ", 1);
            let odd = [odd.into_bytes()];
            store.importer().unwrap().entries("c", &odd).unwrap();
        }
        if round == 1 {
            store.remove("gone", &Removal::Cleared).unwrap();
        }
        seal(store, state);
    }
    store
        .append((100..103).map(|number| entry("a", number)).collect())
        .unwrap();
    assert_eq!(found(&**store, state), []);
}
