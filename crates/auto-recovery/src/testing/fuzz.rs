//! Properties that must hold for any bytes: the bodies of the fuzz targets, as functions that panic
//! where one does not.
//!
//! `fuzz/` calls them with what libFuzzer makes up; the ordinary tests with what is kept in
//! `fuzz/corpus` and with seeded changes of it.
#![expect(clippy::unwrap_used, reason = "this is for tests")]

use std::fs;
use std::path::Path;
use std::sync::Arc;

use super::store_contract::entry;
use super::{Random, ScriptedHost, quick_dir};
use crate::audit::{AuditStore, Damage, Durability, Recorder};
use crate::detect::{Observation, Rules, detect};
use crate::entry::RecoveryAuditEntry;
use crate::jsonl::{JsonlOptions, JsonlStore};

/// The mark that editors put before UTF-8 text. No entry, no damage.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// The longest message that a detection may have, with the marker of a cut.
const MESSAGE_BYTES_MAX: usize = 2 * 1024 + 64;

/// The longest stack trace that a detection may have, with the marker of a cut.
const TRACE_BYTES_MAX: usize = 16 * 1024 + 64;

/// The contents of a trail, as read.
type Shown = (Vec<RecoveryAuditEntry>, Vec<Damage>, usize);

fn open(dir: &Path) -> JsonlStore {
    let options = JsonlOptions {
        durability: Durability::Flush,
        ..JsonlOptions::default()
    };
    JsonlStore::open(dir, options, Recorder::new(Arc::new(ScriptedHost::new()))).unwrap()
}

/// The entries and damage of session `s`, and how many bytes the entries take that are no white
/// space.
fn read(store: &JsonlStore) -> Shown {
    let mut entries = Vec::new();
    let mut bytes = 0;
    let damage = store
        .read_trail("s", &mut |stored| {
            bytes += dense(stored.raw());
            entries.push(stored.into_entry());
            Ok(())
        })
        .unwrap();
    let total = store.statistics("s").unwrap().total_attempts;
    assert_eq!(
        total,
        entries.len() as u64,
        "statistics count what is shown"
    );
    (entries, damage, bytes)
}

fn dense(bytes: &[u8]) -> usize {
    bytes
        .iter()
        .filter(|byte| !byte.is_ascii_whitespace())
        .count()
}

/// A trail of any bytes: read the same each time, every byte accounted for, damage inside the file,
/// and an append adds one entry and takes nothing.
///
/// # Panics
/// If that does not hold.
pub fn trail(bytes: &[u8]) {
    let dir = quick_dir();
    let path = dir.path().join("s_audit.jsonl");
    fs::write(&path, bytes).unwrap();
    let store = open(dir.path());
    let first = read(&store);
    assert_eq!(
        first,
        read(&store),
        "read twice, the second time from what is kept"
    );
    assert_eq!(first, read(&open(dir.path())), "read by another");
    let (entries, damage, in_entries) = first;
    let damaged: u64 = damage.iter().map(|one| one.bytes).sum();
    let text = bytes.strip_prefix(BYTE_ORDER_MARK).unwrap_or(bytes);
    assert!(
        dense(text) as u64 <= in_entries as u64 + damaged,
        "{} bytes, {in_entries} in entries, {damaged} damaged",
        dense(text)
    );
    assert!(in_entries as u64 + damaged <= bytes.len() as u64);
    let lines = bytes.split(|byte| *byte == b'\n').count() as u64;
    for one in &damage {
        assert!((1..=lines).contains(&one.line), "{one:?} of {lines} lines");
        assert!(one.bytes > 0, "{one:?}");
    }
    append(&store, dir.path(), &entries, &damage);
}

/// Appends to what [`trail`] read.
fn append(store: &JsonlStore, dir: &Path, entries: &[RecoveryAuditEntry], damage: &[Damage]) {
    let new = entry("s", 77);
    store.append(vec![new.clone()]).unwrap();
    let (after, damage_after, _) = read(&open(dir));
    let (last, before) = after.split_last().unwrap();
    assert_eq!(
        (last, before),
        (&new.entry, entries),
        "one more, nothing less"
    );
    assert_eq!(
        damage.is_empty(),
        damage_after.is_empty(),
        "{damage_after:?}"
    );
    let files = |dir: &Path| fs::read_dir(dir).unwrap().count();
    let count = files(dir);
    open(dir).append(vec![entry("s", 78)]).unwrap();
    assert_eq!(files(dir), count, "a repair is done once");
}

/// An entry of any text, as the original and as we write it: read back the same, in any mixture.
///
/// # Panics
/// If that does not hold.
pub fn original(bytes: &[u8]) {
    let Some(entry) = std::str::from_utf8(bytes)
        .ok()
        .and_then(|text| RecoveryAuditEntry::from_json(text).ok())
    else {
        return trail(bytes);
    };
    let compact = entry.to_json() + "\n";
    let pretty = serde_json::to_string_pretty(&entry).unwrap() + "\n";
    let dir = quick_dir();
    let text = [&*pretty, &compact, &pretty, pretty.trim_end()].concat();
    fs::write(dir.path().join("s_audit.jsonl"), text).unwrap();
    let (entries, damage, _) = read(&open(dir.path()));
    assert_eq!(entries, vec![entry; 4]);
    assert_eq!(damage, []);
    trail(bytes);
}

/// A command that ended somehow and wrote any bytes: the same failure each time, of bounded size,
/// that names a type.
///
/// The first byte is the exit code; what follows is cut at `\xff` into arguments (the first piece,
/// at white space), standard error and standard output.
///
/// # Panics
/// If that does not hold.
pub fn detection(bytes: &[u8]) {
    let (code, rest) = bytes.split_first().unwrap_or((&1, &[]));
    let mut pieces = rest.splitn(3, |byte| *byte == 0xff);
    let mut piece = || pieces.next().unwrap_or_default();
    let argv = String::from_utf8_lossy(piece()).into_owned();
    let argv: Vec<String> = argv.split_whitespace().map(str::to_owned).collect();
    let observation = Observation {
        argv: &argv,
        exit_code: Some(i32::from(*code)),
        signal: None,
        timed_out: false,
        stderr: piece(),
        stdout: piece(),
    };
    let rules = Rules::builtin();
    let found = detect(&observation, rules);
    assert_eq!(found, detect(&observation, rules), "the same each time");
    assert!(!found.rule.is_empty() && !found.failure.error_type.is_empty());
    assert!(found.failure.message.len() <= MESSAGE_BYTES_MAX);
    let trace = found.failure.stack_trace.unwrap_or_default();
    assert!(trace.len() <= TRACE_BYTES_MAX, "{}", trace.len());
}

/// `bytes` with some changes: bits flipped, pieces removed, doubled, moved, cut, filled.
pub fn changed(bytes: &[u8], random: &mut Random) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    for _ in 0..=random.below(4) {
        let from = random.index(bytes.len() + 1);
        let most = random.one_of(&[4, 40, 400]);
        let length = random.index(most);
        let to = (from + length).min(bytes.len());
        match random.below(7) {
            0 if from < bytes.len() => bytes[from] ^= 1 << random.below(8),
            1 => drop(bytes.drain(from..to)),
            2 => bytes.truncate(from),
            3 => bytes[from..to].fill(0),
            4 => {
                let piece = bytes[from..to].to_vec();
                let at = random.index(bytes.len() + 1);
                bytes.splice(at..at, piece);
            }
            5 => bytes.insert(from, random.one_of(b"\n{}[]\",:\\\0\r\xff\xef \x1b0")),
            _ => {
                let piece =
                    random.one_of(&[&b"\n{"[..], b"}\n", b"\n", b"}{", b"\n\n", b"\xef\xbb\xbf"]);
                bytes.splice(from..from, piece.iter().copied());
            }
        }
    }
    bytes
}
