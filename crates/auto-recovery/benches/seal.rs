//! What a seal costs, and what verifying a million entries costs beside one SHA-256 of the same
//! bytes.
//!
//! `cargo bench --bench seal` prints medians; a number behind it is how many entries are verified.
#![expect(clippy::disallowed_methods, reason = "a measurement reads the clock")]

mod side_by_side;

use std::fs::{self, File};
use std::hint::black_box;
use std::io::{Read as _, Write as _};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use auto_recovery::RecoveryAuditEntry;
use auto_recovery::audit::sealing::{Keys, Sealer, VerifyRequest, WhatToSeal, verify};
use auto_recovery::audit::{AuditStore, JournalEvent, NewEntry, Recorder, SessionStarted};
use auto_recovery::host::SystemHost;
use auto_recovery::integrity::Verdict;
use auto_recovery::jsonl::{JsonlOptions, JsonlStore};
use sha2::{Digest as _, Sha256};
use side_by_side::{Pair, say};

/// Seals that are made, each after one entry, as a recovery makes them.
const SEALS: usize = 200;

const ROUNDS: usize = 5;

fn main() {
    let mut numbers = std::env::args().filter_map(|arg| arg.parse().ok());
    let entries: u64 = numbers.next_back().unwrap_or(1_000_000);
    seals();
    say("| verified | ours | SHA-256 of the same bytes | ratio |");
    say("|---|--:|--:|--:|");
    verified("one session", entries, 1);
    verified("1,000 sessions", entries, 1_000);
}

/// An entry of about half a kilobyte.
fn entry(session: &str, number: u64) -> NewEntry {
    NewEntry {
        entry: RecoveryAuditEntry {
            entry_id: format!("entry_{number:032x}"),
            timestamp: "2026-01-02T03:04:05.000Z".to_owned(),
            session_id: session.to_owned(),
            error_type: "E0308".to_owned(),
            strategy: "fix".to_owned(),
            attempt_number: number,
            success: number.is_multiple_of(3),
            changes_made: vec!["changed something".to_owned()],
            files_modified: vec![format!("src/file{}.rs", number % 97)],
            rollback_performed: false,
            next_action: "continue".to_owned(),
            duration_seconds: 0.25,
            error_message: "mismatched types: expected `u64`, found `u32` ".repeat(4),
            recovery_message: "tried".to_owned(),
        },
        number_by_store: false,
    }
}

fn store_in(dir: &Path) -> Arc<JsonlStore> {
    let recorder = Recorder::new(Arc::new(SystemHost::new()));
    let store = JsonlStore::open(&dir.join("store"), JsonlOptions::default(), recorder);
    Arc::new(store.expect("a store"))
}

fn seals() {
    let dir = tempfile::tempdir().expect("a directory");
    let store = store_in(dir.path());
    let host = Arc::new(SystemHost::new());
    let sealer = Sealer::new(store.clone(), &dir.path().join("state"), host);
    let mut times = Vec::new();
    let mut syncs = Vec::new();
    let scratch = File::create(dir.path().join("scratch")).expect("a file");
    let mut busy = Duration::ZERO;
    for number in 1..=SEALS as u64 {
        store.append(vec![entry("one", number)]).expect("appended");
        let event = JournalEvent::SessionStarted(SessionStarted::default());
        store.record(Some("one"), event).expect("recorded");
        let (began, used) = (Instant::now(), processor_time());
        sealer.seal(WhatToSeal::Sessions(&["one"])).expect("sealed");
        times.push(began.elapsed());
        busy += processor_time() - used;
        let began = Instant::now();
        (&scratch).write_all(b"some bytes\n").expect("written");
        scratch.sync_data().expect("synced");
        syncs.push(began.elapsed());
    }
    let median = |times: &mut Vec<Duration>| {
        times.sort_unstable();
        times[times.len() / 2].as_secs_f64() * 1e6
    };
    say(&format!(
        "a seal with one new entry takes {:.0} µs, {:.0} µs of them of the processor; a write and its \
         sync take {:.0} µs\n",
        median(&mut times),
        busy.as_secs_f64() * 1e6 / SEALS as f64,
        median(&mut syncs)
    ));
}

/// What this process used of the processors.
fn processor_time() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    let (seconds, nanos) = (time.tv_sec.unsigned_abs(), time.tv_nsec.unsigned_abs());
    Duration::from_secs(seconds) + Duration::from_nanos(nanos)
}

fn verified(what: &str, entries: u64, sessions: u64) {
    let dir = tempfile::tempdir().expect("a directory");
    let store = store_in(dir.path());
    for session in 0..sessions {
        let name = format!("session-{session}");
        let mut left = entries / sessions;
        while left > 0 {
            let count = left.min(10_000);
            let batch = (0..count)
                .map(|number| entry(&name, left - number))
                .collect();
            store.append(batch).expect("appended");
            left -= count;
        }
    }
    let event = JournalEvent::SessionStarted(SessionStarted::default());
    store.record(Some("session-0"), event).expect("recorded");
    let state = dir.path().join("state");
    let sealer = Sealer::new(store.clone(), &state, Arc::new(SystemHost::new()));
    sealer.seal(WhatToSeal::All).expect("sealed");
    let request = VerifyRequest {
        keys: Some(Keys::in_state(&state)),
        ..VerifyRequest::default()
    };
    let ours = || {
        let found = verify(&*store, &request).expect("verified");
        assert_eq!(found.verdict, Verdict::Proved);
    };
    let bare = || hash_all(&dir.path().join("store"));
    let (ours, bare) = Pair::take(ROUNDS, bare, ours).medians();
    say(&format!(
        "| {entries} entries, {what} | {:.0} ms | {:.0} ms | {:.2} |",
        ours.as_secs_f64() * 1e3,
        bare.as_secs_f64() * 1e3,
        ours.as_secs_f64() / bare.as_secs_f64()
    ));
}

/// Hashes every file in `dir`.
fn hash_all(dir: &Path) {
    let mut piece = vec![0; 1 << 20];
    for found in fs::read_dir(dir).expect("a directory") {
        let mut hash = Sha256::new();
        let mut file = File::open(found.expect("a name").path()).expect("a file");
        loop {
            match file.read(&mut piece).expect("read") {
                0 => break,
                count => hash.update(&piece[..count]),
            }
        }
        black_box(hash.finalize());
    }
}
