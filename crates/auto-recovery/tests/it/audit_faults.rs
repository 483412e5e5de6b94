//! Disks that fill up, fail to sync, and processes that die at any step.
//!
//! Every operation that a store makes on files is failed in turn, with every error of a full,
//! broken or read-only disk and of a signal, both when it had no effect and when it took effect all
//! the same. Reading is left alone: it acknowledges nothing.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use auto_recovery::ErrorKind;
use auto_recovery::audit::{AuditStore, Durability, JournalEvent, Recorder, SessionStarted};
use auto_recovery::jsonl::{JsonlOptions, JsonlStore};
use auto_recovery::testing::store_contract::{assert_exact, entry};
use auto_recovery::testing::{Effect, Fault, FaultyIo, Operation, ScriptedHost};

use crate::audit_support::{read, store};
use auto_recovery::testing::{Campaign, Found, quick_dir};

fn faulty(dir: &Path, durability: Durability) -> (JsonlStore, Arc<FaultyIo>) {
    let io = Arc::new(FaultyIo::new());
    let options = JsonlOptions {
        durability,
        ..JsonlOptions::default()
    };
    let host = Arc::new(ScriptedHost::new());
    let store = JsonlStore::open_with_io(dir, options, Recorder::new(host), io.clone()).unwrap();
    (store, io)
}

fn fault(operation: Operation, nth: u64, errno: i32, effect: Effect) -> Fault {
    Fault {
        operation,
        nth,
        and_all_after: false,
        errno,
        effect,
    }
}

/// The answers to a run that met a fault.
#[derive(Default)]
struct Told {
    /// Entries of `kept` that were acknowledged.
    acknowledged: BTreeSet<String>,
    /// Entries of `kept` that were not.
    refused: BTreeSet<String>,
    /// The result of clearing `cleared`.
    clear: Option<Result<Option<u64>, ErrorKind>>,
    journaled: bool,
}

impl Told {
    /// Whether nothing failed.
    fn is_all_well(&self) -> bool {
        self.journaled && self.refused.is_empty() && self.clear == Some(Ok(Some(1)))
    }
}

/// A short life of a store: two sessions, one of them cleared. The trail `kept` ends in a torn line
/// at first.
fn live(store: &JsonlStore) -> Told {
    let mut told = Told::default();
    let started = || JournalEvent::SessionStarted(SessionStarted::default());
    told.journaled = store.record(Some("kept"), started()).is_ok();
    for number in 1..=6 {
        let mut batch = vec![entry("kept", number * 10), entry("kept", number * 10 + 1)];
        if number == 3 {
            batch.push(entry("cleared", 1));
        }
        let ids = batch[..2].iter().map(|new| new.entry.entry_id.clone());
        let ids: Vec<String> = ids.collect();
        match store.append(batch) {
            Ok(_) => told.acknowledged.extend(ids),
            Err(_) => told.refused.extend(ids),
        }
        if number == 4 {
            told.clear = Some(store.clear("cleared").map_err(|error| error.kind()));
        }
    }
    // Also what a clearing could not write, and need not, closes the journal.
    told.journaled &= store.record(Some("kept"), started()).is_ok();
    told
}

fn tear(dir: &Path) {
    std::fs::write(dir.join("kept_audit.jsonl"), "{\"entry_id\":\"torn").unwrap();
}

/// Checks the contents that the next opening of the store must find after `told`.
fn check(dir: &Path, told: &Told, case: &str) {
    let after = store(dir);
    let (entries, damage) = read(&after, "kept");
    let shown: Vec<String> = entries.iter().map(|one| one.entry_id.clone()).collect();
    let distinct: BTreeSet<String> = shown.iter().cloned().collect();
    assert_eq!(shown.len(), distinct.len(), "{case}: shown once");
    assert!(shown.is_sorted(), "{case}: in order");
    assert!(
        told.acknowledged.is_subset(&distinct),
        "{case}: acknowledged is there"
    );
    let known: BTreeSet<String> = told.acknowledged.union(&told.refused).cloned().collect();
    assert!(distinct.is_subset(&known), "{case}: nothing is made up");
    // The tail that was torn at first, and one that a failed write may have left.
    assert!(damage.len() <= 2, "{case}: {damage:?}");
    if let Some(Ok(Some(_))) = told.clear {
        assert!(
            read(&after, "cleared").0.is_empty(),
            "{case}: cleared is gone"
        );
    }
    after
        .append(vec![entry("kept", 90), entry("cleared", 91)])
        .unwrap();
    assert_eq!(read(&after, "kept").0.len(), shown.len() + 1, "{case}");
    for store in [after, store(dir)] {
        let total = store.statistics("kept").unwrap().total_attempts;
        assert_eq!(total, shown.len() as u64 + 1, "{case}");
        let total = store.statistics("cleared").unwrap().total_attempts;
        assert_eq!(total, read(&store, "cleared").0.len() as u64, "{case}");
        store.read_journal(None, &mut |_| Ok(())).unwrap();
        store.sessions().unwrap();
    }
}

/// Errors that calls fail with: a broken disk, a full one, a signal, a full quota, a disk that went
/// read-only.
const ERRNOS: [i32; 5] = [
    libc::EIO,
    libc::ENOSPC,
    libc::EINTR,
    libc::EDQUOT,
    libc::EROFS,
];

/// The parts of a failing `operation` that may happen nevertheless.
fn effects(operation: Operation) -> &'static [Effect] {
    match operation {
        Operation::Write => &[Effect::None, Effect::Half, Effect::All],
        _ => &[Effect::None, Effect::All],
    }
}

/// Runs the life with the n-th operation failing, for every operation, every n until none is left
/// to fail, every error and every effect. Returns how many failures that were.
fn campaign(durability: Durability, and_all_after: bool, errnos: &[i32]) -> u64 {
    let mut failures = 0;
    for operation in Operation::ALL {
        for &effect in effects(operation) {
            for &errno in errnos {
                let mut nth = 0;
                let fault = |nth| Fault {
                    and_all_after,
                    ..fault(operation, nth, errno, effect)
                };
                while live_with(durability, fault(nth)) {
                    nth += 1;
                    assert!(nth < 200, "{:?}: the faults never end", fault(nth));
                }
                failures += nth;
            }
        }
    }
    failures
}

/// A life with `fault`; whether it was met.
fn live_with(durability: Durability, fault: Fault) -> bool {
    let dir = quick_dir();
    tear(dir.path());
    let (store, io) = faulty(dir.path(), durability);
    io.fail(fault);
    let told = live(&store);
    let case = format!("{fault:?}");
    check(dir.path(), &told, &case);
    if fault.operation == Operation::Sync && io.hits() > 0 {
        assert!(!told.is_all_well(), "{case}: a failed sync is told");
    }
    if io.hits() == 0 {
        assert!(told.is_all_well(), "{case}");
    }
    io.hits() > 0
}

#[test]
fn every_call_fails_once_with_every_error_and_nothing_acknowledged_is_lost() {
    let campaign = Campaign::begin(
        "20-calls",
        "each file operation fails, each error and effect",
    );
    let failures = self::campaign(Durability::Sync, false, &ERRNOS);
    campaign.end(&Found::nothing_in(failures));
}

#[test]
fn one_operation_fails_flushed() {
    campaign(Durability::Flush, false, &ERRNOS[..2]);
}

#[test]
fn everything_fails_from_one_operation_on() {
    campaign(Durability::Sync, true, &ERRNOS[..2]);
}

#[test]
fn a_full_disk_is_told_and_taken_back() {
    let dir = tempfile::tempdir().unwrap();
    let (store, io) = faulty(dir.path(), Durability::Sync);
    store.append(vec![entry("s", 1)]).unwrap();
    let before = std::fs::read(dir.path().join("s_audit.jsonl")).unwrap();
    io.fail(fault(Operation::Write, 0, libc::ENOSPC, Effect::None));
    let error = store.append(vec![entry("s", 2)]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NoSpace);
    assert!(error.to_string().contains("s_audit.jsonl"), "{error}");
    let after = std::fs::read(dir.path().join("s_audit.jsonl")).unwrap();
    assert_eq!(before, after);
    store.append(vec![entry("s", 3)]).unwrap();
    assert_eq!(read(&store, "s").0.len(), 2);
}

#[test]
fn a_half_written_batch_is_taken_back_whole() {
    let dir = tempfile::tempdir().unwrap();
    let (store, io) = faulty(dir.path(), Durability::Sync);
    store.append(vec![entry("s", 1)]).unwrap();
    for (operation, nth) in [(Operation::Write, 0), (Operation::Write, 1)] {
        io.heal();
        io.fail(fault(operation, nth, libc::EIO, Effect::Half));
        let batch = (2..10).map(|number| entry("s", number)).collect();
        // A short write without an error is no failure; what follows it may be.
        let failed = store.append(batch).is_err();
        let expected = if failed { 1 } else { 9 };
        assert_eq!(read(&store, "s").0.len(), expected);
        assert!(read(&store, "s").1.is_empty());
    }
}

#[test]
fn a_failed_sync_closes_the_trail_to_this_store_and_to_no_other() {
    let dir = tempfile::tempdir().unwrap();
    let (store, io) = faulty(dir.path(), Durability::Sync);
    store.append(vec![entry("s", 1)]).unwrap();
    io.fail(fault(Operation::Sync, 0, libc::EIO, Effect::None));
    let error = store.append(vec![entry("s", 2)]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Io);
    io.heal();
    for _ in 0..3 {
        let error = store.append(vec![entry("s", 3)]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Poisoned);
        assert!(error.to_string().contains("s_audit.jsonl"), "{error}");
    }
    store.append(vec![entry("other", 1)]).unwrap();
    let (anew, _) = faulty(dir.path(), Durability::Sync);
    anew.append(vec![entry("s", 4)]).unwrap();
    let numbers: Vec<u64> = read(&anew, "s")
        .0
        .iter()
        .map(|one| one.attempt_number)
        .collect();
    assert_eq!(numbers, [1, 2, 4], "what a failed sync leaves may be there");
}

#[test]
fn a_poisoned_trail_stays_so_however_many_others_are_opened() {
    let dir = tempfile::tempdir().unwrap();
    let io = Arc::new(FaultyIo::new());
    let options = JsonlOptions {
        open_trails_max: 2,
        ..JsonlOptions::default()
    };
    let host = Arc::new(ScriptedHost::new());
    let store =
        JsonlStore::open_with_io(dir.path(), options, Recorder::new(host), io.clone()).unwrap();
    io.fail(fault(Operation::Sync, 0, libc::EIO, Effect::None));
    store.append(vec![entry("s", 1)]).unwrap_err();
    for number in 0..5 {
        let id = format!("other{number}");
        store.append(vec![entry(&id, 1)]).unwrap();
    }
    let error = store.append(vec![entry("s", 2)]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Poisoned);
}

#[test]
fn clearing_that_dies_half_way_shows_nothing_of_what_it_cleared() {
    let dir = tempfile::tempdir().unwrap();
    let (store, io) = faulty(dir.path(), Durability::Sync);
    store
        .append((1..=5).map(|number| entry("s", number)).collect())
        .unwrap();
    assert_exact(&store, "s");
    io.fail(fault(Operation::Remove, 0, libc::EIO, Effect::None));
    store.clear("s").unwrap_err();
    assert!(
        dir.path().join("s_audit.jsonl").exists(),
        "it could not be removed"
    );
    let anew = crate::audit_support::store(dir.path());
    for store in [&store, &anew] {
        assert!(read(store, "s").0.is_empty());
        assert_exact(store, "s");
        assert!(store.sessions().unwrap().is_empty());
    }
    // Numbers begin anew, and only what is new is shown.
    let mut next = entry("s", 9);
    next.number_by_store = true;
    let appended = anew.append(vec![next]).unwrap();
    assert_eq!(appended[0].attempt_number, 1);
    for store in [&store, &anew] {
        assert_eq!(read(store, "s").0.len(), 1);
        assert_exact(store, "s");
        assert_eq!(store.sessions().unwrap()[0].total_attempts, 1);
    }
    assert_eq!(anew.clear("s").unwrap(), Some(1));
    assert!(!dir.path().join("s_audit.jsonl").exists());
    assert_eq!(anew.clear("s").unwrap(), None);
}

#[test]
fn what_is_cleared_is_on_the_disk_before_the_journal_says_what_it_was() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("s_audit.jsonl");
    crate::audit_support::store(dir.path())
        .append(vec![entry("s", 1)])
        .unwrap();
    // If a power cut tore it afterwards, a repair would make another trail of it, which was not
    // cleared.
    let (store, io) = faulty(dir.path(), Durability::Sync);
    io.fail(fault(Operation::Sync, 0, libc::EIO, Effect::None));
    let error = store.clear("s").unwrap_err();
    assert!(error.to_string().contains("s_audit.jsonl"), "{error}");
    assert!(path.exists() && !dir.path().join("journal.jsonl").exists());
    assert_eq!(store.clear("s").unwrap(), Some(1));
}

#[test]
fn a_new_file_is_acknowledged_only_once_its_name_is_on_the_disk() {
    let mut failed = Vec::new();
    loop {
        let dir = tempfile::tempdir().unwrap();
        let (store, io) = faulty(&dir.path().join("state/audit"), Durability::Sync);
        let nth = failed.len() as u64;
        io.fail(fault(Operation::SyncDir, nth, libc::EIO, Effect::None));
        let started = JournalEvent::SessionStarted(SessionStarted::default());
        let recorded = store.record(Some("s"), started).is_err();
        let appended = store.append(vec![entry("s", 1)]).is_err();
        if io.hits() == 0 {
            break;
        }
        failed.push((recorded, appended));
    }
    // For the journal its directory and those above (the test made three of them); for the trail
    // its directory.
    let (last, journal) = failed.split_last().unwrap();
    assert_eq!(*last, (false, true));
    assert!(journal.len() >= 4, "{failed:?}");
    assert!(
        journal.iter().all(|one| *one == (true, false)),
        "{failed:?}"
    );
}

#[test]
fn a_failed_sync_poisons_whatever_the_error() {
    for errno in ERRNOS {
        for effect in [Effect::None, Effect::All] {
            for operation in [Operation::Sync, Operation::SyncDir] {
                let dir = quick_dir();
                let (store, io) = faulty(dir.path(), Durability::Sync);
                io.fail(fault(operation, 0, errno, effect));
                store.append(vec![entry("s", 1)]).unwrap_err();
                io.heal();
                let error = store.append(vec![entry("s", 2)]).unwrap_err();
                assert_eq!(error.kind(), ErrorKind::Poisoned, "{operation:?} {errno}");
            }
        }
    }
}

#[test]
fn only_a_durable_store_waits_for_the_disk() {
    for (durability, syncs) in [(Durability::Sync, 1), (Durability::Flush, 0)] {
        for operation in [Operation::Sync, Operation::SyncDir] {
            let dir = tempfile::tempdir().unwrap();
            let (store, io) = faulty(dir.path(), durability);
            io.fail(fault(operation, 0, libc::EIO, Effect::None));
            assert_eq!(store.append(vec![entry("s", 1)]).is_err(), syncs > 0);
            assert_eq!(io.hits(), syncs);
        }
    }
}

#[test]
fn a_call_syncs_a_trail_once_however_many_entries_it_has() {
    let dir = tempfile::tempdir().unwrap();
    let (store, io) = faulty(dir.path(), Durability::Sync);
    io.fail(fault(Operation::Sync, 1, libc::EIO, Effect::None));
    store
        .append((1..500).map(|number| entry("s", number)).collect())
        .unwrap();
    store.append(vec![entry("s", 500)]).unwrap_err();
}

#[test]
fn a_trail_that_comes_back_as_it_was_after_clearing_is_shown() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("s_audit.jsonl");
    let store = crate::audit_support::store(dir.path());
    store.append(vec![entry("s", 1)]).unwrap();
    let bytes = std::fs::read(&path).unwrap();
    for _ in 0..20 {
        assert_eq!(store.clear("s").unwrap(), Some(1));
        std::fs::write(&path, &bytes).unwrap();
        assert_eq!(read(&store, "s").0.len(), 1);
        assert_eq!(store.statistics("s").unwrap().total_attempts, 1);
    }
}
