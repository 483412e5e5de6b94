//! A journal of many sessions is not read for one of them, by whichever process.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use auto_recovery::audit::{
    AuditStore, Damage, Durability, JournalEvent, NewEntry, Recorder, SessionHeld,
};
use auto_recovery::jsonl::{JsonlOptions, JsonlStore};
use auto_recovery::statistics::AggregateQuery;
use auto_recovery::testing::{FaultyIo, ScriptedHost};

use crate::audit_support::{entry, read};

/// Number of bytes that a process reads before it writes their places for others.
const BYTES_MIN: u64 = 16 * 1024;

/// The store in `dir` as a process that starts sees it.
fn started(dir: &Path) -> JsonlStore {
    let options = JsonlOptions {
        durability: Durability::Flush,
        rollup_bytes_min: BYTES_MIN,
        ..JsonlOptions::default()
    };
    let host = ScriptedHost::new();
    // Long enough that the clock of any file is behind: every stamp has settled.
    host.advance(Duration::from_secs(100 * 365 * 24 * 3600));
    JsonlStore::open_with_io(
        dir,
        options,
        Recorder::new(Arc::new(host)),
        Arc::new(FaultyIo::new()),
    )
    .unwrap()
}

/// Some records of `count` sessions, numbered from `from`.
fn records(from: u64, count: u64) -> String {
    let at = "2026-01-02T03:04:05.000Z";
    let session = |number: u64| {
        let id = format!("session_{number:032x}");
        [
            format!(
                r#"{{"v":1,"at":"{at}","session_id":"{id}","event":"session_started","command":["make","test"],"cwd":"/home/user/project","host":"h","user":"u","pid":1,"version":"0.1.0"}}"#
            ),
            format!(
                r#"{{"v":1,"at":"{at}","session_id":"{id}","event":"session_finished","outcome":"recovered","strategy":"fix","reason":"it passes","duration_seconds":1.5}}"#
            ),
        ]
        .join("\n")
            + "\n"
    };
    (from..from + count).map(session).collect()
}

fn lengthen(dir: &Path, from: u64, count: u64) {
    let path = dir.join("journal.jsonl");
    let mut journal = fs::read_to_string(&path).unwrap_or_default();
    journal.push_str(&records(from, count));
    fs::write(path, journal).unwrap();
}

fn numbered(session_id: &str) -> NewEntry {
    NewEntry {
        entry: entry(session_id, 0),
        number_by_store: true,
    }
}

fn files_of_places(dir: &Path) -> usize {
    let files = fs::read_dir(dir.join("rollups")).unwrap();
    let names = files.map(|file| file.unwrap().file_name());
    names
        .filter(|name| name.to_string_lossy().ends_with(".places"))
        .count()
}

/// Bytes that this thread asked the system for so far.
#[cfg(target_os = "linux")]
fn bytes_read() -> u64 {
    let counts = fs::read_to_string("/proc/thread-self/io").unwrap();
    let read = counts.lines().find_map(|line| line.strip_prefix("rchar: "));
    read.unwrap().parse().unwrap()
}

#[cfg(target_os = "linux")]
#[test]
fn an_append_by_a_new_process_reads_as_little_of_a_long_journal_as_of_a_short_one() {
    let read_by_one = |sessions| {
        let dir = tempfile::tempdir().unwrap();
        lengthen(dir.path(), 0, sessions);
        let known = format!("session_{:032x}", sessions / 2);
        // The first process reads everything, and writes the places.
        assert!(started(dir.path()).is_known(&known).unwrap());
        started(dir.path()).append(vec![numbered(&known)]).unwrap();
        let before = bytes_read();
        let store = started(dir.path());
        assert!(!store.is_known("a new one").unwrap());
        assert!(store.is_known(&known).unwrap());
        let appended = store.append(vec![numbered(&known)]).unwrap();
        assert_eq!(appended[0].attempt_number, 2);
        let read = bytes_read() - before;
        let journal = fs::metadata(dir.path().join("journal.jsonl"))
            .unwrap()
            .len();
        (read, journal)
    };
    let (short, _) = read_by_one(1_000);
    let (long, journal) = read_by_one(16_000);
    assert!(journal > 5_000_000, "{journal}");
    assert!(
        short < 100_000 && long < 100_000,
        "{short} and {long} bytes"
    );
}

#[test]
fn what_is_left_of_a_growing_journal_stays_a_handful_of_files() {
    let dir = tempfile::tempdir().unwrap();
    for round in 0..60 {
        lengthen(dir.path(), round * 100, 100);
        let store = started(dir.path());
        for number in [0, round * 50, round * 100 + 99] {
            let id = format!("session_{number:032x}");
            assert!(store.is_known(&id).unwrap(), "{number} in round {round}");
        }
        assert!(!store.is_known("none").unwrap());
        let files = files_of_places(dir.path());
        assert!((1..=7).contains(&files), "{files} after {round} rounds");
    }
}

#[test]
fn one_process_sees_what_others_append_while_it_lives() {
    let dir = tempfile::tempdir().unwrap();
    lengthen(dir.path(), 0, 500);
    let long_lived = started(dir.path());
    for round in 1..10_u64 {
        let id = format!("held-{round}");
        assert!(!long_lived.is_known(&id).unwrap());
        let other = started(dir.path());
        let held = JournalEvent::SessionHeld(SessionHeld::default());
        other.append(vec![numbered(&id)]).unwrap();
        other.record(Some(&id), held).unwrap();
        lengthen(dir.path(), round * 1_000, 200);
        assert!(long_lived.clear(&id).is_err(), "it is held");
        let released = JournalEvent::SessionReleased(Default::default());
        started(dir.path()).record(Some(&id), released).unwrap();
        assert_eq!(long_lived.clear(&id).unwrap(), Some(1));
        assert!(!started(dir.path()).is_known(&id).unwrap());
        assert_eq!(read(&started(dir.path()), &id).0, []);
    }
}

#[test]
fn places_that_are_damaged_or_of_another_journal_are_not_believed() {
    let dir = tempfile::tempdir().unwrap();
    lengthen(dir.path(), 0, 500);
    let first = format!("session_{:032x}", 0);
    assert!(started(dir.path()).is_known(&first).unwrap());
    let rollups = fs::read_dir(dir.path().join("rollups")).unwrap();
    let places = rollups.map(|file| file.unwrap().path()).next().unwrap();
    let whole = fs::read(&places).unwrap();
    for at in (0..whole.len()).step_by(97) {
        let mut damaged = whole.clone();
        damaged[at] ^= 0x55;
        fs::write(&places, damaged).unwrap();
        assert!(started(dir.path()).is_known(&first).unwrap(), "byte {at}");
    }
    fs::write(&places, &whole).unwrap();
    // Of the same length, and read before.
    let journal = dir.path().join("journal.jsonl");
    let text = fs::read_to_string(&journal).unwrap();
    let id = format!("session_{:032x}", 0);
    let other = text.replace(&id, &id.replace("session", "another"));
    fs::remove_file(&journal).unwrap();
    fs::write(&journal, other).unwrap();
    assert!(!started(dir.path()).is_known(&id).unwrap());
}

/// The damage of the journal, as reported to a process that asks for one session, and to one that
/// asks for all.
fn damage_told(dir: &Path, id: &str) -> [Vec<Damage>; 2] {
    let of_all = started(dir).read_aggregate(&AggregateQuery::default());
    [
        started(dir).read_statistics(id).unwrap().1,
        of_all.unwrap().1,
    ]
}

#[test]
fn a_record_of_a_session_that_says_nothing_is_told_to_who_reads_that_session() {
    let dir = tempfile::tempdir().unwrap();
    let line =
        r#"{"v":1,"at":"x","session_id":"s","event":"attempt_finished","attempt_number":"no"}"#;
    let journal = format!("{}{line}\n", records(0, 3));
    let last = journal.lines().count() as u64;
    fs::write(dir.path().join("journal.jsonl"), journal).unwrap();
    let store = started(dir.path());
    let read = |session| store.read_journal(session, &mut |_| Ok(())).unwrap();
    let told = read(Some("s"));
    assert_eq!((told.len(), told[0].line), (1, last), "{told:?}");
    assert_eq!(told, read(None));
}

#[test]
fn what_cannot_be_read_of_a_long_journal_is_told_by_those_who_do_not_read_it() {
    let dir = tempfile::tempdir().unwrap();
    let journal = dir.path().join("journal.jsonl");
    let append = |text: &str| {
        let before = fs::read_to_string(&journal).unwrap_or_default();
        fs::write(&journal, before + text).unwrap();
    };
    let id = format!("session_{:032x}", 7);
    let mut lines = 0;
    let mut damaged = Vec::new();
    for round in 0..5 {
        // What a header all the same has, and what has none, in files that are joined and in none.
        append(
            r#"{"v":1,"at":"x","session_id":"other","event":"session_finished","outcome":7}
no record
"#,
        );
        append(&records(round * 200, 100));
        damaged.extend([lines + 1, lines + 2]);
        lines += 202;
        // The first reads the new records, the second takes their places from its file.
        for _ in 0..2 {
            for told in damage_told(dir.path(), &id) {
                let told: Vec<u64> = told.iter().map(|one| one.line).collect();
                assert_eq!(told, damaged, "round {round}");
            }
        }
    }
    assert!(files_of_places(dir.path()) > 0);
    // A last record without a line's end is reported as long as it exists.
    append(r#"{"v":1,"at":"x","#);
    let [of_one, of_all] = damage_told(dir.path(), &id);
    assert_eq!(of_one, of_all);
    assert_eq!(of_one.len(), damaged.len() + 1);
    append(r#""session_id":"s","event":"unheard_of"}"#);
    append("\n");
    let [of_one, of_all] = damage_told(dir.path(), &id);
    assert_eq!(of_one, of_all);
    assert_eq!(of_one.len(), damaged.len());
    // The journal is elsewhere now.
    let store = tempfile::tempdir_in(dir.path()).unwrap();
    let moved = store.path();
    for name in ["rollups", "journal.jsonl"] {
        fs::rename(dir.path().join(name), moved.join(name)).unwrap();
    }
    let place = moved.join("journal.jsonl").display().to_string();
    for told in damage_told(moved, &id) {
        assert!(told.iter().all(|one| one.place == place), "{told:?}");
        assert_eq!(told.len(), damaged.len());
    }
}
