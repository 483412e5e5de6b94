//! What encrypting the texts of an entry costs beside making the entry without that.
//!
//! `cargo bench --bench encrypt` prints medians, in microseconds an entry.
#![expect(clippy::disallowed_methods, reason = "a measurement reads the clock")]

mod side_by_side;

use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use auto_recovery::RecoveryAuditEntry;
use auto_recovery::audit::encrypting::Encryption;
use auto_recovery::audit::{NewEntry, Recorder};
use auto_recovery::encryption::Identity;
use auto_recovery::host::{Host, SystemHost};
use auto_recovery::jsonl::{JsonlOptions, JsonlStore};
use auto_recovery::redaction::Redactor;
use side_by_side::{Pair, say};

const ENTRIES: u32 = 20_000;

const ROUNDS: usize = 7;

fn main() {
    let dir = tempfile::tempdir().expect("a directory for the keys");
    let host: Arc<dyn Host> = Arc::new(SystemHost::new());
    let recipient = Identity::new(&mut || [7; 32]).recipient();
    let encryption = Encryption::new(Arc::clone(&host), vec![recipient], None);
    let encryption = encryption.expect("there is a recipient");
    let redactor = Arc::new(Redactor::off());
    let plain = Recorder::with_redactor(Arc::clone(&host), Arc::clone(&redactor));
    let encrypting = Recorder::encrypting(host, redactor, encryption);
    // Once a store is open, the recorder has a place for keys.
    let options = JsonlOptions::default();
    let _store = JsonlStore::open(dir.path(), options, Arc::clone(&encrypting));
    let pair = Pair::take(ROUNDS, || record(&plain), || record(&encrypting));
    let (with, without) = pair.medians();
    let each = |time: Duration| time.as_secs_f64() * 1e6 / f64::from(ENTRIES);
    say(&format!(
        "an entry: {:.1} µs encrypted, {:.1} µs plain",
        each(with),
        each(without)
    ));
}

fn record(recorder: &Recorder) {
    let mut text = Vec::new();
    for number in 0..ENTRIES {
        text.clear();
        let made = recorder.entry(std::process::id(), entry(number.into()), &mut text);
        black_box(made.expect("it is an entry"));
    }
}

/// An entry of about half a kilobyte.
fn entry(number: u64) -> NewEntry {
    NewEntry {
        entry: RecoveryAuditEntry {
            session_id: "session".to_owned(),
            error_type: "E0308".to_owned(),
            strategy: "fix".to_owned(),
            attempt_number: number,
            changes_made: vec!["changed something".to_owned()],
            files_modified: vec![format!("src/file{}.rs", number % 97)],
            next_action: "continue".to_owned(),
            duration_seconds: 0.25,
            error_message: "mismatched types: expected `u64`, found `u32` ".repeat(4),
            recovery_message: "tried".to_owned(),
            ..RecoveryAuditEntry::default()
        },
        number_by_store: false,
    }
}
