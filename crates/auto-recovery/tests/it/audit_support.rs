//! What the tests of the audit trail share: stores in directories of their own, entries, attempts.

use std::path::Path;
use std::sync::Arc;

use auto_recovery::audit::{AuditStore, Damage, Durability, NewEntry, Recorder};
use auto_recovery::jsonl::{JsonlOptions, JsonlStore};
use auto_recovery::logger::RecoveryAuditLogger;
use auto_recovery::testing::{FaultyIo, ScriptedHost};
use auto_recovery::{Failure, RecoveryAttempt, RecoveryAuditEntry, RecoveryStrategyType};

/// A logger over the JSONL store in `dir`, whose clock stands still.
pub(crate) fn logger(dir: &Path) -> RecoveryAuditLogger {
    RecoveryAuditLogger::open(dir, Arc::new(ScriptedHost::new())).unwrap()
}

/// The JSONL store in `dir`, which never waits for the disk.
pub(crate) fn store(dir: &Path) -> JsonlStore {
    let options = JsonlOptions {
        durability: Durability::Flush,
        ..JsonlOptions::default()
    };
    let host = Arc::new(ScriptedHost::new());
    JsonlStore::open_with_io(dir, options, Recorder::new(host), Arc::new(FaultyIo::new())).unwrap()
}

/// An attempt as the specification's example has it.
pub(crate) fn attempt(number: u64, strategy: &str, success: bool) -> RecoveryAttempt {
    RecoveryAttempt {
        attempt_number: number,
        strategy: RecoveryStrategyType::from(strategy.to_owned()),
        success,
        error_before: Some(Failure::new("TestError", "Test error", "test")),
        error_after: None,
        changes_made: vec!["Fixed syntax error".to_owned()],
        timestamp: format!("2026-01-02T03:04:{number:02}.000Z"),
        duration_seconds: 1.5,
        message: "Recovery successful".to_owned(),
    }
}

/// An entry of `session_id` with `number`.
pub(crate) fn entry(session_id: &str, number: u64) -> RecoveryAuditEntry {
    RecoveryAuditEntry {
        entry_id: format!("entry_{number:032x}"),
        timestamp: format!(
            "2026-01-02T03:{:02}:{:02}.000Z",
            number / 60 % 60,
            number % 60
        ),
        session_id: session_id.to_owned(),
        error_type: "TestError".to_owned(),
        strategy: "fix".to_owned(),
        attempt_number: number,
        success: number.is_multiple_of(2),
        changes_made: vec!["changed something".to_owned()],
        files_modified: vec![format!("src/file{}.rs", number % 7)],
        rollback_performed: !number.is_multiple_of(2),
        next_action: "continue".to_owned(),
        duration_seconds: 0.25,
        error_message: "it \"failed\"\nbadly".to_owned(),
        recovery_message: "tried".to_owned(),
    }
}

/// `entry` as the store takes it, numbered as it is.
pub(crate) fn given(entry: RecoveryAuditEntry) -> NewEntry {
    NewEntry {
        entry,
        number_by_store: false,
    }
}

/// Every entry of a trail, and its damage.
pub(crate) fn read(
    store: &dyn AuditStore,
    session_id: &str,
) -> (Vec<RecoveryAuditEntry>, Vec<Damage>) {
    let mut entries = Vec::new();
    let damage = store
        .read_trail(session_id, &mut |stored| {
            entries.push(stored.into_entry());
            Ok(())
        })
        .unwrap();
    (entries, damage)
}

/// `entry` as the Python original wrote it: pretty-printed, with times that end in `+00:00`.
pub(crate) fn original(entry: &RecoveryAuditEntry) -> String {
    serde_json::to_string_pretty(entry).unwrap() + "\n"
}
