//! An exact copy has every record, every trail and every seal of a store of any kind, holds by
//! itself, and goes on in a chain of its own, beside the store that it was made of.

use std::path::Path;
use std::sync::Arc;

use auto_recovery::ErrorKind;
use auto_recovery::audit::sealing::{
    Keys, Log, NewChain, Sealer, Verification, VerifyRequest, WhatToSeal, kept_seals, verify,
};
use auto_recovery::audit::{AuditStore, JournalEvent, JournalLine, Recorder, SessionStarted};
use auto_recovery::host::SystemHost;
use auto_recovery::integrity::{FindingKind, Verdict};
use auto_recovery::jsonl::{JsonlOptions, JsonlStore};
use auto_recovery::testing::store_contract::entry;
use auto_recovery::transfer::copy_exactly;
use auto_recovery_sql::{PostgresOptions, PostgresStore};

use crate::postgres_server::shared;
use crate::sqlite_support::open;

fn files(dir: &Path) -> Arc<dyn AuditStore> {
    let recorder = Recorder::new(Arc::new(SystemHost::new()));
    Arc::new(JsonlStore::open(dir, JsonlOptions::default(), recorder).unwrap())
}

fn sealer(store: &Arc<dyn AuditStore>, state: &Path) -> Sealer {
    Sealer::new(store.clone(), state, Arc::new(SystemHost::new()))
}

fn log(store: &dyn AuditStore, session: &str, numbers: std::ops::Range<u64>) {
    let started = JournalEvent::SessionStarted(SessionStarted::default());
    store.record(Some(session), started).unwrap();
    let entries = numbers.map(|number| entry(session, number));
    store.append(entries.collect()).unwrap();
}

fn verified(store: &dyn AuditStore, state: &Path) -> Verification {
    let request = VerifyRequest {
        keys: Some(Keys::in_state(state)),
        ..VerifyRequest::default()
    };
    verify(store, &request).unwrap()
}

fn records(store: &dyn AuditStore) -> Vec<Vec<u8>> {
    let mut records = Vec::new();
    let journal = store.seals().unwrap().unwrap().open_log(Log::Journal);
    let mut keep = |raw: &[u8]| {
        records.push(raw.to_vec());
        Ok(())
    };
    journal.unwrap().unwrap().read_all(&mut keep).unwrap();
    records
}

/// A store with a removal, a session that began again, a record of a later release, several seals
/// and something that is not sealed.
fn fill(store: &Arc<dyn AuditStore>, state: &Path) {
    let sealer = sealer(store, state);
    let seal = || drop(sealer.seal(WhatToSeal::All).unwrap());
    for session in ["a", "b ü", "c"] {
        log(&**store, session, 1..5);
        seal();
    }
    let later = r#"{"v":1,"at":"2026-01-02T03:04:05.000Z","event":"blessed","by":["\u00e4",1.50]}"#;
    let later = JournalLine::taken_over(later.as_bytes()).unwrap();
    store.importer().unwrap().records(&[later]).unwrap();
    store.clear("a").unwrap();
    store.clear("c").unwrap();
    seal();
    log(&**store, "c", 5..7);
    seal();
    log(&**store, "b ü", 5..6);
}

#[test]
fn an_exact_copy_is_proved_by_the_seals_that_came_along() {
    let (dir, state) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let state = state.path();
    let sqlite: Arc<dyn AuditStore> = Arc::new(open(&dir.path().join("trails.db")).unwrap());
    let postgres: Arc<dyn AuditStore> = Arc::new(
        PostgresStore::open(
            &shared().database().url,
            PostgresOptions::default(),
            Recorder::new(Arc::new(SystemHost::new())),
        )
        .unwrap(),
    );
    let [first, last] = ["first", "last"].map(|name| files(&dir.path().join(name)));
    fill(&first, state);
    let stores = [&first, &sqlite, &postgres, &last];
    for (number, two) in stores.windows(2).enumerate() {
        let [from, to] = two else { unreachable!() };
        let before = records(&***from);
        let seals = kept_seals(from.seals().unwrap().unwrap()).unwrap();
        let made = copy_exactly(&***from, &***to, &mut |_| {}).unwrap();
        let kinds: Vec<_> = made.verified.findings.iter().map(|one| one.kind).collect();
        // Nobody was asked for a key, so nobody vouches.
        assert_eq!(kinds, [FindingKind::UnknownChain], "{number}");
        assert_eq!(made.seals, seals.len() as u64);
        assert_eq!(
            (&made.copied.different, &made.copied.damage),
            (&vec![], &vec![])
        );
        let after = records(&***to);
        assert!(after.starts_with(&before), "{number}");
        assert!(kept_seals(to.seals().unwrap().unwrap()).unwrap() == seals);
        // Each goes on, and the one that it was made of too.
        let new = NewChain { reason: "copied" };
        let begun = sealer(to, state).seal_in_new_chain(WhatToSeal::All, new);
        let begun = begun.unwrap().seal().cloned().unwrap();
        assert_ne!(begun.origin, seals[0].0.origin, "{number}");
        log(&***from, "more", number as u64 * 10..number as u64 * 10 + 2);
        for store in [from, to] {
            sealer(store, state).seal(WhatToSeal::All).unwrap();
        }
        for store in &stores[..number + 2] {
            let found = verified(&***store, state);
            let answer = (found.verdict, found.entries_since, &found.findings[..]);
            assert_eq!(answer, (Verdict::Proved, 0, &[][..]), "{number}: {found:?}");
        }
        // What is there is never mixed with what comes.
        let refused = copy_exactly(&***from, &***to, &mut |_| {}).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Refused);
    }
    // A store that goes back is still found, and so is its copy.
    let seals = dir.path().join("last/seals.jsonl");
    let text = std::fs::read_to_string(&seals).unwrap();
    let without = text.trim_end().rsplit_once('\n').unwrap().0.to_owned() + "\n";
    std::fs::write(&seals, without).unwrap();
    let found = verified(&*files(&dir.path().join("last")), state);
    assert_eq!(found.verdict, Verdict::Changed, "{found:?}");
}

#[test]
fn what_cannot_be_copied_as_it_is_ends_an_exact_copy() {
    let (dir, state) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let from = files(&dir.path().join("from"));
    fill(&from, state.path());
    for (name, line, says) in [
        ("seals.jsonl", "no seal\n", "is no seal"),
        ("journal.jsonl", "no record\n", "cannot be copied as it is"),
    ] {
        let path = dir.path().join("from").join(name);
        let text = std::fs::read_to_string(&path).unwrap();
        std::fs::write(&path, format!("{text}{line}")).unwrap();
        let to = files(&dir.path().join(name));
        let error = copy_exactly(&*from, &*to, &mut |_| {}).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Damaged);
        assert!(error.to_string().contains(says), "{error}");
        std::fs::write(&path, text).unwrap();
    }
    let error = copy_exactly(&*from, &*from, &mut |_| {}).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
}
