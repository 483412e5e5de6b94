//! Writers, removals, imports and sealers that die, while somebody verifies: never a finding.

use std::process::Child;
use std::sync::Arc;
use std::thread;

use auto_recovery::audit::sealing::{Keys, Sealed, Sealer, VerifyRequest, WhatToSeal, verify};
use auto_recovery::audit::{AuditStore, Pruning, Recorder, Removal};
use auto_recovery::host::SystemHost;
use auto_recovery::integrity::Verdict;
use auto_recovery::jsonl::{JsonlOptions, JsonlStore};
use auto_recovery::testing::store_processes::{orders, start};
use auto_recovery::testing::{Campaign, Found, Random, Rounds, Wrong, quick_dir};

use crate::audit_support::{entry, given};

/// Stores, each verified this many times: a journal that grows for ever takes ever longer to read.
const ROUNDS: Rounds = Rounds {
    ordinary: 2,
    long: 200,
};
const VERIFICATIONS: u64 = 50;

/// Processes that write, and threads of each.
const PROCESSES: u64 = 4;
const THREADS: u64 = 3;

/// After how many verifications one process is killed and another started.
const KILLED_EVERY: u64 = 5;

/// Steps of a thread, should its starter die and nobody kill it.
const STEPS_MAX: u32 = 100_000;

/// Records that tell that writers are at work.
const RECORDS_MIN: u64 = 20;

/// Numbers of entries that are drawn so that none comes twice: an entry that comes again byte for
/// byte after its trail was removed is a trail that returned, and that is to be found.
const NUMBERS: u64 = 1 << 40;

/// Sessions that all share.
const SESSIONS: u64 = 5;

/// What a writer does until it is killed, once it has its orders.
#[test]
fn a_writer_that_is_killed() {
    let Some(([seed, _], dir)) = orders() else {
        return;
    };
    thread::scope(|scope| {
        for thread in 0..THREADS {
            let dir = &dir;
            scope.spawn(move || live(dir, Random::new(seed * 100 + thread)));
        }
    });
}

fn live(dir: &std::path::Path, mut random: Random) {
    let host = Arc::new(SystemHost::new());
    let recorder = Recorder::new(host.clone());
    let options = JsonlOptions::default();
    let store = JsonlStore::open(&dir.join("store"), options, recorder).unwrap();
    let store: Arc<dyn AuditStore> = Arc::new(store);
    let sealer = Sealer::new(store.clone(), &dir.join("state"), host);
    for _ in 0..STEPS_MAX {
        let session = format!("s{}", random.below(SESSIONS));
        match random.below(20) {
            0 => drop(store.remove(&session, &Removal::Cleared)),
            1 => {
                let digest = store
                    .digest(&session)
                    .map(|(digest, _)| digest)
                    .unwrap_or_default();
                let pruning = Pruning {
                    digest,
                    ..Pruning::default()
                };
                drop(store.remove(&session, &Removal::Pruned(pruning)));
            }
            2 | 3 => {
                let number = random.below(40);
                let lines = [entry(&session, number), entry(&session, number + 1)];
                let lines = lines.map(|entry| entry.to_json().into_bytes());
                if let Ok(mut importer) = store.importer() {
                    drop(importer.entries(&session, &lines));
                }
            }
            4 => drop(sealer.seal(WhatToSeal::All)),
            5..8 => drop(sealer.seal(WhatToSeal::Sessions(&[&session]))),
            _ => {
                let new =
                    (0..=random.below(3)).map(|_| given(entry(&session, random.below(NUMBERS))));
                drop(store.append(new.collect()));
            }
        }
    }
}

#[test]
fn nothing_is_found_while_writers_append_remove_import_seal_and_die() {
    let what = "verifications while writers append, remove, import, seal and die";
    let campaign = Campaign::begin("seals-crowd", what);
    let mut found = Found::nothing_in(0);
    for store in 0..ROUNDS.count() {
        of_one_store(store * 1_000, &mut found);
    }
    campaign.end(&found);
}

fn of_one_store(seed: u64, found: &mut Found) {
    let dir = quick_dir();
    let test = "sealing::crowd::a_writer_that_is_killed";
    let begin = |number: u64| start(test, [seed + number, 0], dir.path());
    let mut writers: Vec<Child> = (0..PROCESSES).map(begin).collect();
    let recorder = Recorder::new(Arc::new(SystemHost::new()));
    let options = JsonlOptions::default();
    let store = JsonlStore::open(&dir.path().join("store"), options, recorder).unwrap();
    let request = VerifyRequest {
        keys: Some(Keys::in_state(&dir.path().join("state"))),
        ..VerifyRequest::default()
    };
    // Programs take a moment to start, in which there is nothing to verify.
    while verify(&store, &request).is_ok_and(|verified| verified.records < RECORDS_MIN) {
        thread::yield_now();
    }
    for round in 0..VERIFICATIONS {
        found.rounds += 1;
        found.round = format!("seed {seed}, round {round}");
        if round % KILLED_EVERY == 0 {
            let at = (round / KILLED_EVERY % PROCESSES) as usize;
            writers[at].kill().unwrap();
            writers[at].wait().unwrap();
            writers[at] = begin(PROCESSES + round);
        }
        match verify(&store, &request) {
            Ok(verified) => {
                if verified.verdict == Verdict::Changed {
                    found.wrong(Wrong::Other, || format!("{:?}", verified.findings));
                }
            }
            Err(error) => found.wrong(Wrong::Other, || error.chain()),
        }
    }
    for writer in &mut writers {
        writer.kill().unwrap();
        writer.wait().unwrap();
    }
    // Those who died may not have come to a seal; whoever comes after them does.
    let store: Arc<dyn AuditStore> = Arc::new(store);
    let host = Arc::new(SystemHost::new());
    let sealer = Sealer::new(store.clone(), &dir.path().join("state"), host);
    while sealer.seal(WhatToSeal::All).unwrap() == Sealed::Busy {
        thread::yield_now();
    }
    let end = verify(&*store, &request).unwrap();
    assert_eq!((end.verdict, end.findings), (Verdict::Proved, vec![]));
}
