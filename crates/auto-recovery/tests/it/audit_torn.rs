//! Writes that were cut short: nothing whole is lost, nothing torn is shown, nothing is glued.

use std::fs;
use std::path::Path;

use auto_recovery::RecoveryAuditEntry;
use auto_recovery::audit::{AuditStore, Damage, JournalEvent, Recorder, TailQuarantined};
use auto_recovery::jsonl::{JsonlOptions, JsonlStore};
use auto_recovery::testing::{Effect, Fault, FaultyIo, Operation, ScriptedHost};

use crate::audit_support::{entry, given, original, read, store};

/// What the journal says was moved aside.
fn quarantined(store: &dyn AuditStore) -> Vec<TailQuarantined> {
    let mut moved = Vec::new();
    store
        .read_journal(None, &mut |record| {
            if let JournalEvent::TailQuarantined(event) = record.event {
                moved.push(event);
            }
            Ok(())
        })
        .unwrap();
    moved
}

/// The bytes of all `.torn-` files.
fn torn_files(dir: &Path) -> Vec<Vec<u8>> {
    let mut names: Vec<_> = fs::read_dir(dir)
        .unwrap()
        .map(|name| name.unwrap().path())
        .filter(|path| path.to_string_lossy().contains(".torn-"))
        .collect();
    names.sort();
    names.iter().map(|path| fs::read(path).unwrap()).collect()
}

/// A trail holds `bytes`. Reads it, appends to it, and checks that `whole` entries and the new one
/// are there, and that `torn` bytes are kept beside it.
fn check(bytes: &[u8], whole: &[RecoveryAuditEntry], torn: &[u8]) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("s_audit.jsonl");
    fs::write(&path, bytes).unwrap();
    let store_before = store(dir.path());
    let (entries, damage) = read(&store_before, "s");
    assert_eq!(entries, whole);
    assert_eq!(damage.is_empty(), torn.is_empty(), "{damage:?}");
    assert_eq!(
        store_before.statistics("s").unwrap().total_attempts,
        whole.len() as u64
    );
    assert_eq!(fs::read(&path).unwrap(), bytes, "readers change nothing");

    let new = entry("s", 77);
    store_before.append(vec![given(new.clone())]).unwrap();
    let mut expected = whole.to_vec();
    expected.push(new);
    for store in [store_before, store(dir.path())] {
        let (entries, damage) = read(&store, "s");
        assert_eq!(entries, expected);
        check_quarantine(&store, &damage, torn);
        let statistics = store.statistics("s").unwrap();
        assert_eq!(statistics.total_attempts, expected.len() as u64);
    }
    let kept: Vec<Vec<u8>> = torn_files(dir.path());
    let expected: Vec<Vec<u8>> = match torn {
        [] => Vec::new(),
        torn => vec![torn.to_vec()],
    };
    assert_eq!(kept, expected);
}

fn check_quarantine(store: &dyn AuditStore, damage: &[Damage], torn: &[u8]) {
    let moved = quarantined(store);
    if torn.is_empty() {
        assert!(moved.is_empty() && damage.is_empty(), "{damage:?}");
        return;
    }
    assert_eq!(moved.len(), 1);
    assert_eq!(moved[0].bytes, torn.len() as u64);
    assert_eq!(damage.len(), 1, "{damage:?}");
    assert!(damage[0].place.ends_with(&moved[0].quarantine));
    assert_eq!(damage[0].bytes, torn.len() as u64);
}

#[test]
fn a_trail_cut_at_every_byte() {
    let entries: Vec<RecoveryAuditEntry> = (1..=3).map(|n| entry("s", n)).collect();
    let lines: Vec<String> = entries.iter().map(|one| one.to_json() + "\n").collect();
    let text = lines.concat();
    for cut in 0..=text.len() {
        let bytes = &text.as_bytes()[..cut];
        let ended = bytes.iter().filter(|&&byte| byte == b'\n').count();
        let line_start: usize = lines[..ended].iter().map(String::len).sum();
        let tail = &bytes[line_start..];
        if tail.len() + 1 == lines.get(ended).map_or(0, String::len) {
            check(bytes, &entries[..=ended], b"");
        } else {
            check(bytes, &entries[..ended], tail);
        }
    }
}

#[test]
fn a_trail_of_the_original_cut_at_every_byte() {
    let entries: Vec<RecoveryAuditEntry> = (1..=2).map(|n| entry("s", n)).collect();
    let texts: Vec<String> = entries.iter().map(original).collect();
    let text = texts.concat();
    for cut in 0..=text.len() {
        let bytes = &text.as_bytes()[..cut];
        let first = texts[0].len();
        // An object lacks only its line's end, or is cut within.
        let whole = if cut + 1 >= text.len() {
            2
        } else {
            usize::from(cut + 1 >= first)
        };
        let start = [0, first, text.len()][whole];
        let torn = &bytes[start.min(cut)..];
        if torn.ends_with(b"\n") {
            // It ends with a line's end and so does not disturb the next entry: it stays, as
            // damage.
            let dir = tempfile::tempdir().unwrap();
            fs::write(dir.path().join("s_audit.jsonl"), bytes).unwrap();
            let store = store(dir.path());
            store.append(vec![given(entry("s", 77))]).unwrap();
            let (read, damage) = read(&store, "s");
            assert_eq!(read.len(), whole + 1);
            assert_eq!(damage.len(), 1, "{damage:?}");
            assert_eq!(damage[0].bytes, torn.len() as u64);
        } else {
            check(bytes, &entries[..whole], torn);
        }
    }
}

#[test]
fn what_power_cuts_and_other_programs_leave_at_the_end() {
    let whole = entry("s", 1);
    let line = whole.to_json() + "\n";
    let tails: [&[u8]; 9] = [
        b"\0",
        &[0; 5000],
        b"\0\0{\"entry_id\":\"x\"",
        b"{\"entry_id\":\"\xc3",
        b"\xff\xfe",
        b"garbage",
        b"}",
        b"{}garbage",
        b"{\"entry_id\":\"x\"}\0\0\0",
    ];
    for tail in tails {
        let bytes = [line.as_bytes(), tail].concat();
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("s_audit.jsonl");
        fs::write(&path, &bytes).unwrap();
        let store = store(dir.path());
        assert_eq!(read(&store, "s").0, std::slice::from_ref(&whole));
        let new = entry("s", 2);
        store.append(vec![given(new.clone())]).unwrap();
        let (entries, damage) = read(&store, "s");
        assert_eq!(entries, [whole.clone(), new.clone()]);
        assert!(!damage.is_empty());
        // Every byte that was there is still there, but for the end that a whole line may have got.
        let now = fs::read(&path).unwrap();
        let prefix = now.strip_suffix((new.to_json() + "\n").as_bytes()).unwrap();
        let torn = torn_files(dir.path()).concat();
        let ended = &prefix[..prefix.len() - 1];
        assert!(
            [prefix, &torn].concat() == bytes || [ended, &torn].concat() == bytes,
            "{tail:?}"
        );
    }
}

#[test]
fn what_is_shown_stays_when_something_is_appended() {
    let (whole, last) = (entry("s", 1), entry("s", 2));
    let json = last.to_json();
    let broken_over_lines = json.replacen(',', ",\r\n", 1) + "\n";
    let behind_zeros = "\0".repeat(300) + &json;
    for text in [broken_over_lines, behind_zeros] {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("s_audit.jsonl");
        fs::write(&path, whole.to_json() + "\n" + &text).unwrap();
        assert_eq!(read(&store(dir.path()), "s").0.len(), 2, "{text:?}");
        let new = entry("s", 3);
        store(dir.path()).append(vec![given(new.clone())]).unwrap();
        let expected = [whole.clone(), last.clone(), new];
        assert_eq!(read(&store(dir.path()), "s").0, expected, "{text:?}");
    }
}

#[test]
fn a_full_disk_leaves_no_pile_of_copies() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("s_audit.jsonl"), "{\"entry_id\":\"torn").unwrap();
    let io = std::sync::Arc::new(FaultyIo::new());
    let host = std::sync::Arc::new(ScriptedHost::new());
    let options = JsonlOptions::default();
    let store =
        JsonlStore::open_with_io(dir.path(), options, Recorder::new(host), io.clone()).unwrap();
    for _ in 0..150 {
        io.fail(Fault {
            operation: Operation::Write,
            nth: 0,
            and_all_after: false,
            errno: libc::ENOSPC,
            effect: Effect::None,
        });
        store.append(vec![given(entry("s", 1))]).unwrap_err();
        io.heal();
    }
    assert_eq!(torn_files(dir.path()).len(), 0);
    store.append(vec![given(entry("s", 1))]).unwrap();
    assert_eq!(torn_files(dir.path()).len(), 1);
}

#[test]
fn a_journal_cut_at_every_byte() {
    let dir = tempfile::tempdir().unwrap();
    let journal = dir.path().join("journal.jsonl");
    let event = || JournalEvent::SessionStarted(Default::default());
    let first = store(dir.path());
    first.record(Some("a"), event()).unwrap();
    let one = fs::read(&journal).unwrap().len();
    first.record(Some("b"), event()).unwrap();
    let bytes = fs::read(&journal).unwrap();
    for cut in one..bytes.len() {
        fs::write(&journal, &bytes[..cut]).unwrap();
        let store = store(dir.path());
        store.record(Some("c"), event()).unwrap();
        let mut ids = Vec::new();
        let damage = store
            .read_journal(None, &mut |record| {
                if matches!(record.event, JournalEvent::SessionStarted(_)) {
                    ids.push(record.session_id.unwrap());
                }
                Ok(())
            })
            .unwrap();
        assert!(damage.is_empty(), "{damage:?}");
        let whole = cut + 1 == bytes.len();
        assert_eq!(
            ids,
            if whole {
                vec!["a", "b", "c"]
            } else {
                vec!["a", "c"]
            }
        );
        let torn = cut > one && !whole;
        assert_eq!(quarantined(&store).len(), usize::from(torn));
        for name in torn_files(dir.path()) {
            assert_eq!(name, &bytes[one..cut]);
        }
        for name in fs::read_dir(dir.path()).unwrap() {
            fs::remove_file(name.unwrap().path()).unwrap();
        }
    }
}
