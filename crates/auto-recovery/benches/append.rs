//! Cost of appending to a trail, compared with a bare file: one entry after the other, each
//! durable, and many callers at once.
//!
//! `cargo bench --bench append` appends to both in turn and prints medians. The directory that
//! TMPDIR names should be on the disk that is of interest.
#![expect(clippy::disallowed_methods, reason = "a measurement reads the clock")]

mod side_by_side;

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use auto_recovery::audit::{AuditStore, Durability, NewEntry, Recorder};
use auto_recovery::entry::RecoveryAuditEntry;
use auto_recovery::host::SystemHost;
use auto_recovery::jsonl::{JsonlOptions, JsonlStore};
use side_by_side::{Pair, say};

/// Appends a round.
const ENTRIES: usize = 256;

const ROUNDS: usize = 31;

/// Callers at once, and lines that the bare file has a sync for.
const CALLERS: usize = 64;

/// Appends a round that do not wait for the disk.
const FLUSHED: usize = 20_000;

fn main() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    say("| appended | ours, entries/s | bare, lines/s | ratio | at least |");
    say("|---|---|---|---|---|");
    let bare = File::create(dir.path().join("bare")).expect("a file");
    let line = entry().to_json() + "\n";
    let durable = Arc::new(store(dir.path(), Durability::Sync));
    let pair = Pair::take(
        ROUNDS,
        || {
            for _ in 0..ENTRIES {
                append_bare(&bare, &line);
                bare.sync_data().expect("synced");
            }
        },
        || (0..ENTRIES).for_each(|_| append(&durable)),
    );
    tell("durable, one by one", pair, ENTRIES, "0.85");
    let pair = Pair::take(
        ROUNDS,
        || {
            for _ in 0..ENTRIES / CALLERS {
                append_bare(&bare, &line.repeat(CALLERS));
                bare.sync_data().expect("synced");
            }
        },
        || at_once(&durable, ENTRIES / CALLERS),
    );
    tell(
        "durable, 64 callers; bare with 64 lines a sync",
        pair,
        ENTRIES,
        "",
    );
    let flushed = store(&dir.path().join("flushed"), Durability::Flush);
    let pair = Pair::take(
        ROUNDS / 3,
        || (0..FLUSHED).for_each(|_| append_bare(&bare, &line)),
        || (0..FLUSHED).for_each(|_| append(&flushed)),
    );
    tell("left to the system, one by one", pair, FLUSHED, "");
}

fn tell(what: &str, pair: Pair, count: usize, limit: &str) {
    let (ours, bare) = pair.medians();
    let rate = |time: Duration| count as f64 / time.as_secs_f64();
    say(&format!(
        "| {what} | {:.0} | {:.0} | {:.2} | {limit} |",
        rate(ours),
        rate(bare),
        rate(ours) / rate(bare)
    ));
}

fn store(dir: &Path, durability: Durability) -> JsonlStore {
    let options = JsonlOptions {
        durability,
        ..JsonlOptions::default()
    };
    JsonlStore::open(dir, options, Recorder::new(Arc::new(SystemHost::new()))).expect("opened")
}

fn append(store: &JsonlStore) {
    let new = NewEntry {
        entry: entry(),
        number_by_store: false,
    };
    store.append(vec![new]).expect("appended");
}

fn append_bare(mut file: &File, text: &str) {
    file.write_all(text.as_bytes()).expect("written");
}

/// Each of many callers appends this many entries.
fn at_once(store: &Arc<JsonlStore>, each: usize) {
    thread::scope(|scope| {
        for _ in 0..CALLERS {
            scope.spawn(|| (0..each).for_each(|_| append(store)));
        }
    });
}

fn entry() -> RecoveryAuditEntry {
    RecoveryAuditEntry {
        session_id: "bench".to_owned(),
        error_type: "E0308".to_owned(),
        strategy: "fix".to_owned(),
        attempt_number: 1,
        changes_made: vec!["ran `cargo fmt`".to_owned()],
        files_modified: vec!["src/lib.rs".to_owned(), "src/main.rs".to_owned()],
        rollback_performed: true,
        next_action: "retry".to_owned(),
        duration_seconds: 1.5,
        error_message: "mismatched types: expected `u32`, found `&str`".to_owned(),
        recovery_message: "`cargo fmt`: exit 0; `cargo check` still fails (exit 101)".to_owned(),
        ..RecoveryAuditEntry::default()
    }
}
