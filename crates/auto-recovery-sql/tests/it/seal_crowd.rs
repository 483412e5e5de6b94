//! Processes that append, remove, take over, seal and are killed, while somebody verifies: never a
//! finding.

use std::path::Path;
use std::process::Child;
use std::sync::Arc;
use std::thread;

use auto_recovery::audit::sealing::{Keys, Sealer, VerifyRequest, WhatToSeal, verify};
use auto_recovery::audit::{AuditStore, Removal};
use auto_recovery::host::SystemHost;
use auto_recovery::integrity::Verdict;
use auto_recovery::testing::Random;
use auto_recovery::testing::store_contract::entry;
use auto_recovery::testing::store_processes::start;

/// Processes that write, and threads of each.
const PROCESSES: u64 = 3;
const THREADS: u64 = 2;

/// How often the store is verified, and after how many times a process is killed.
const VERIFICATIONS: u64 = 24;
const KILLED_EVERY: u64 = 3;

/// Steps of a thread, should its starter die and nobody kill it.
const STEPS_MAX: u32 = 20_000;

/// Numbers of entries that are drawn so that none comes twice: an entry that comes again byte for
/// byte after its trail was removed is a trail that returned, and that is to be found.
const NUMBERS: u64 = 1 << 40;

/// Records that tell that writers are at work.
const RECORDS_MIN: u64 = 20;

/// What a process does in the store that `open` gives until it is killed. Its keys are in `state`.
pub(crate) fn write(seed: u64, open: &(dyn Fn() -> Arc<dyn AuditStore> + Sync), state: &Path) {
    thread::scope(|scope| {
        for thread in 0..THREADS {
            scope.spawn(move || live(&open(), state, Random::new(seed * 100 + thread)));
        }
    });
}

fn live(store: &Arc<dyn AuditStore>, state: &Path, mut random: Random) {
    let sealer = Sealer::new(store.clone(), state, Arc::new(SystemHost::new()));
    for _ in 0..STEPS_MAX {
        let session = format!("s{}", random.below(4));
        match random.below(16) {
            0 => drop(store.remove(&session, &Removal::Cleared)),
            1 => {
                let number = random.below(40);
                let lines = [entry(&session, number), entry(&session, number + 1)];
                let lines = lines.map(|new| new.entry.to_json().into_bytes());
                if let Ok(mut importer) = store.importer() {
                    drop(importer.entries(&session, &lines));
                }
            }
            2 => drop(sealer.seal(WhatToSeal::All)),
            3..6 => drop(sealer.seal(WhatToSeal::Sessions(&[&session]))),
            _ => {
                let new = (0..=random.below(3)).map(|_| entry(&session, random.below(NUMBERS)));
                drop(store.append(new.collect()));
            }
        }
    }
}

/// Starts processes that run `test` with a seed and `dir`, and verifies `store` meanwhile, as the
/// machine whose state is in `dir`.
pub(crate) fn verify_meanwhile(test: &str, dir: &Path, store: &Arc<dyn AuditStore>) {
    let begin = |number: u64| start(test, [number, 0], dir);
    let mut writers: Vec<Child> = (0..PROCESSES).map(begin).collect();
    let state = dir.join("state");
    let request = VerifyRequest {
        keys: Some(Keys::in_state(&state)),
        ..VerifyRequest::default()
    };
    while verify(&**store, &request).is_ok_and(|found| found.records < RECORDS_MIN) {
        thread::yield_now();
    }
    for round in 0..VERIFICATIONS {
        if round % KILLED_EVERY == 0 {
            let at = (round / KILLED_EVERY % PROCESSES) as usize;
            writers[at].kill().unwrap();
            writers[at].wait().unwrap();
            writers[at] = begin(PROCESSES + round);
        }
        let found = verify(&**store, &request).unwrap();
        assert_ne!(found.verdict, Verdict::Changed, "{:?}", found.findings);
    }
    for writer in &mut writers {
        writer.kill().unwrap();
        writer.wait().unwrap();
    }
    // Those who died may not have come to a seal; whoever comes after them does.
    crate::seal_mutants::seal(store, &state);
    let end = verify(&**store, &request).unwrap();
    assert_eq!((end.verdict, end.findings), (Verdict::Proved, vec![]));
}
