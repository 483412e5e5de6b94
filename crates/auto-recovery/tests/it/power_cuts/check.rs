//! What whoever opens the store after a power cut finds, with the real operations on files.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::sync::Arc;

use auto_recovery::RecoveryAuditEntry;
use auto_recovery::audit::{AuditStore, Damage, JournalEvent, Recorder, TailQuarantined};
use auto_recovery::jsonl::{JsonlOptions, JsonlStore};
use auto_recovery::testing::{ScriptedHost, store_contract};

use super::ledger::Ledger;
use crate::audit_support::read;
use auto_recovery::testing::{Found, Wrong};

/// The entries of each session.
pub(super) type Shown = BTreeMap<String, Vec<RecoveryAuditEntry>>;

/// Number of the entry that is appended to see whether it can be.
const NEXT: u64 = u64::MAX / 2;

/// Holds what is in the store of `root` against `ledger`. Changes nothing.
pub(super) fn check(root: &Path, ledger: &Ledger, found: &mut Found) -> Shown {
    let dir = root.join("state/audit");
    let store = open(&dir);
    let mut shown = Shown::new();
    for (id, session) in &ledger.sessions {
        let (entries, damage) = read(&store, id);
        session.check(id, &entries, found);
        check_damage(&dir, id, &entries, &damage, found);
        let total = store.statistics(id).unwrap().total_attempts;
        if total != entries.len() as u64 {
            found.wrong(Wrong::Other, || {
                format!("{id}: statistics count {total} entries")
            });
        }
        shown.insert(id.clone(), entries);
    }
    for summary in store.sessions().unwrap() {
        let entries = shown.get(&summary.session_id).map_or(0, Vec::len);
        if summary.total_attempts != entries as u64 {
            found.wrong(Wrong::Other, || {
                format!("{}: listed otherwise", summary.session_id)
            });
        }
    }
    check_journal(&dir, &store, ledger, found);
    shown
}

/// Appends to every session of the store in `root`, and looks again.
pub(super) fn check_going_on(root: &Path, ledger: &Ledger, shown: &Shown, found: &mut Found) {
    let dir = root.join("state/audit");
    let store = open(&dir);
    let is_undamaged = |id: &&String| read(&store, id).1.is_empty();
    let undamaged: BTreeSet<&String> = shown.keys().filter(is_undamaged).collect();
    for (number, id) in shown.keys().enumerate() {
        let next = store_contract::entry(id, NEXT + number as u64);
        if let Err(error) = store.append(vec![next]) {
            found.wrong(Wrong::Other, || {
                format!("{id}: cannot go on: {}", error.chain())
            });
        }
    }
    // Looked at by this handle, which has seen it before, and by one that has not.
    for store in [&store, &open(&dir)] {
        for (id, before) in shown {
            let (after, damage) = read(store, id);
            match after.split_last() {
                Some((_, rest)) if rest == before => {}
                _ => found.wrong(Wrong::Lost, || format!("{id}: by the next append")),
            }
            if damage.is_empty() != undamaged.contains(id) {
                found.wrong(Wrong::Other, || {
                    format!("{id}: other damage after an append: {damage:?}")
                });
            }
            let total = store.statistics(id).unwrap().total_attempts;
            if total != after.len() as u64 {
                found.wrong(Wrong::Other, || {
                    format!("{id}: statistics count {total} entries")
                });
            }
        }
    }
    check_journal(&dir, &store, ledger, found);
    let files = contents(&dir);
    for id in shown.keys() {
        read(&open(&dir), id);
    }
    if files != contents(&dir) {
        found.wrong(Wrong::Other, || "reading changed something".to_owned());
    }
}

fn open(dir: &Path) -> JsonlStore {
    let host = Arc::new(ScriptedHost::new());
    JsonlStore::open(dir, JsonlOptions::default(), Recorder::new(host)).unwrap()
}

/// A reader that knows nothing but that an entry is a line decides whether there is damage; the
/// store must say the same.
fn check_damage(
    dir: &Path,
    id: &str,
    entries: &[RecoveryAuditEntry],
    damage: &[Damage],
    found: &mut Found,
) {
    let path = dir.join(format!("{id}_audit.jsonl"));
    let bytes = fs::read(&path).unwrap_or_default();
    let lines: Vec<&[u8]> = bytes.split(|byte| *byte == b'\n').collect();
    let is_entry = |line: &&&[u8]| {
        std::str::from_utf8(line).is_ok_and(|line| RecoveryAuditEntry::from_json(line).is_ok())
    };
    let good = lines.iter().filter(is_entry).count();
    if good > entries.len() {
        // What was before was cleared, and the file could not be removed any more. If it was not
        // cleared, the ledger misses it.
        return;
    }
    let bad = lines
        .iter()
        .any(|line| !line.is_empty() && !is_entry(&line));
    let here = path.display().to_string();
    let told = damage.iter().any(|one| one.place == here);
    if bad != told {
        found.wrong(Wrong::Other, || {
            format!("{id}: damage is {bad}, and told is {damage:?}")
        });
    }
}

/// Every record that was acknowledged is there once; what was moved aside is where the journal
/// says.
fn check_journal(dir: &Path, store: &JsonlStore, ledger: &Ledger, found: &mut Found) {
    let mut times: BTreeMap<String, u64> = BTreeMap::new();
    let mut moved: Vec<TailQuarantined> = Vec::new();
    store
        .read_journal(None, &mut |record| {
            match record.event {
                JournalEvent::SessionStarted(_) => {
                    *times.entry(record.session_id.unwrap()).or_default() += 1;
                }
                JournalEvent::TailQuarantined(event) => moved.push(event),
                JournalEvent::SessionCleared(_) => {
                    let cleared = format!("{}_audit.jsonl", record.session_id.unwrap());
                    moved.retain(|event| event.file != cleared);
                }
                _ => {}
            }
            Ok(())
        })
        .unwrap();
    for id in &ledger.journaled {
        match times.get(id) {
            None => found.wrong(Wrong::Lost, || id.clone()),
            Some(1) => {}
            Some(_) => found.wrong(Wrong::Doubled, || id.clone()),
        }
    }
    for event in moved {
        let there = fs::metadata(dir.join(&event.quarantine)).map(|metadata| metadata.len());
        if there.ok() != Some(event.bytes) {
            found.wrong(Wrong::Other, || {
                format!("what was moved aside is not there: {event:?}")
            });
        }
    }
}

fn contents(dir: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut files = BTreeMap::new();
    // Nothing may have been written yet.
    for entry in fs::read_dir(dir).into_iter().flatten() {
        let path = entry.unwrap().path();
        files.insert(path.display().to_string(), fs::read(&path).unwrap());
    }
    files
}
