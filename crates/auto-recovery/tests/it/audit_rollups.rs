//! Sums that outlive a process are never believed of a file that says something else by now.

use std::fs::{self, File};
use std::os::unix::fs::{FileExt, PermissionsExt};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use auto_recovery::RecoveryStatistics;
use auto_recovery::audit::{
    AuditStore, Damage, Durability, JournalEvent, Recorder, SessionFinished, SessionOutcome,
};
use auto_recovery::jsonl::{JsonlOptions, JsonlStore};
use auto_recovery::statistics::{AggregateQuery, AggregateStatistics};
use auto_recovery::testing::{FaultyIo, ScriptedHost};
use proptest::prelude::*;

use crate::audit_support::{entry, given};

const SESSIONS: [&str; 3] = ["a", "b", "c"];

/// The number of the journal, where a session's number means its trail.
const JOURNAL: usize = SESSIONS.len();

/// Long enough that the clock of any file is behind: every stamp has settled.
const YEARS: Duration = Duration::from_secs(100 * 365 * 24 * 3600);

/// The store in `dir` as a process that starts sees it; it writes rollups from this many bytes on.
fn started(dir: &Path, rollup_bytes_min: u64) -> JsonlStore {
    let options = JsonlOptions {
        durability: Durability::Flush,
        rollup_bytes_min,
        ..JsonlOptions::default()
    };
    let host = ScriptedHost::new();
    host.advance(YEARS);
    JsonlStore::open_with_io(
        dir,
        options,
        Recorder::new(Arc::new(host)),
        Arc::new(FaultyIo::new()),
    )
    .unwrap()
}

type Told = (
    (AggregateStatistics, Vec<Damage>),
    Vec<(RecoveryStatistics, Vec<Damage>, bool)>,
);

fn told(store: &JsonlStore) -> Told {
    // First of each alone: a store asked for all knows each already.
    let each = SESSIONS.map(|id| {
        let (statistics, damage) = store.read_statistics(id).unwrap();
        (statistics, damage, store.is_known(id).unwrap())
    });
    let (all, damage) = store.read_aggregate(&AggregateQuery::default()).unwrap();
    ((all.total, damage), each.into())
}

/// Checks that a process that finds sums gets the same answers as one that sums up itself.
fn check(dir: &Path) {
    let with_rollups = told(&started(dir, 1));
    let anew = told(&started(dir, u64::MAX));
    assert_eq!(with_rollups, anew);
    let again = told(&started(dir, 1));
    assert_eq!(again, anew, "the sums that were just left");
    fs::remove_dir_all(dir.join("rollups")).ok();
    assert_eq!(
        told(&started(dir, u64::MAX)),
        anew,
        "nothing but the trails"
    );
    told(&started(dir, 1));
}

#[derive(Clone, Debug)]
enum Action {
    Append(usize, u64),
    Finish(usize, bool),
    Clear(usize),
    /// Another program writes over some bytes.
    Overwrite(usize, prop::sample::Index, u8),
    /// Another program puts other contents there.
    Replace(usize, u64),
    Shorten(usize, prop::sample::Index),
    Remove(usize),
    /// A line that has not ended yet.
    BeginLine(usize, u64),
    /// The sums themselves are damaged.
    Damage(prop::sample::Index, prop::sample::Index),
}

fn actions() -> impl Strategy<Value = Vec<Action>> {
    let any_index = any::<prop::sample::Index>;
    let session = || 0..SESSIONS.len();
    let file = || 0..=JOURNAL;
    let action = prop_oneof![
        6 => (session(), 1..6_u64).prop_map(|(id, count)| Action::Append(id, count)),
        2 => (session(), any::<bool>()).prop_map(|(id, flaky)| Action::Finish(id, flaky)),
        1 => session().prop_map(Action::Clear),
        2 => (file(), any_index(), any::<u8>())
            .prop_map(|(id, at, byte)| Action::Overwrite(id, at, byte)),
        1 => (file(), 1..4_u64).prop_map(|(id, count)| Action::Replace(id, count)),
        1 => (file(), any_index()).prop_map(|(id, at)| Action::Shorten(id, at)),
        1 => file().prop_map(Action::Remove),
        1 => (file(), 1..4_u64).prop_map(|(id, number)| Action::BeginLine(id, number)),
        1 => (any_index(), any_index()).prop_map(|(file, at)| Action::Damage(file, at)),
    ];
    prop::collection::vec(action, 1..12)
}

fn act(dir: &Path, action: &Action, step: u64) {
    let path = |id: &usize| match SESSIONS.get(*id) {
        Some(id) => dir.join(format!("{id}_audit.jsonl")),
        None => dir.join("journal.jsonl"),
    };
    let lines = |id: &usize, count: u64| {
        let one = |number| match SESSIONS.get(*id) {
            Some(id) => entry(id, step * 10 + number).to_json() + "\n",
            None => started_line(SESSIONS[number as usize % SESSIONS.len()]),
        };
        (0..count).map(one).collect::<String>()
    };
    let store = started(dir, 1);
    match action {
        Action::Append(id, count) => {
            let one = |number| given(entry(SESSIONS[*id], step * 10 + number));
            store.append((0..*count).map(one).collect()).unwrap();
        }
        Action::Finish(id, flaky) => {
            let finished = SessionFinished {
                outcome: SessionOutcome::Recovered,
                duration_seconds: step as f64,
                flaky: *flaky,
                ..SessionFinished::default()
            };
            let event = JournalEvent::SessionFinished(finished);
            store.record(Some(SESSIONS[*id]), event).unwrap();
        }
        Action::Clear(id) => drop(store.clear(SESSIONS[*id]).unwrap()),
        // Another digit would make a journal record one of a newer format, which is refused.
        Action::Overwrite(JOURNAL, at, _) => overwrite(&path(&JOURNAL), at, b'x', step),
        Action::Overwrite(id, at, byte) => overwrite(&path(id), at, *byte, step),
        Action::Replace(id, count) => fs::write(path(id), lines(id, *count)).unwrap(),
        Action::Shorten(id, at) => {
            if let Ok(file) = File::options().write(true).open(path(id)) {
                let length = file.metadata().unwrap().len() as usize;
                file.set_len(at.index(length + 1) as u64).unwrap();
            }
        }
        Action::Remove(id) => drop(fs::remove_file(path(id))),
        Action::BeginLine(id, number) => {
            let mut text = fs::read(path(id)).unwrap_or_default();
            text.extend(lines(id, *number).trim_end().bytes());
            // In its place, as an append is.
            fs::write(path(id), text).unwrap();
        }
        Action::Damage(file, at) => {
            let Ok(list) = fs::read_dir(dir.join("rollups")) else {
                return;
            };
            let mut files: Vec<_> = list.map(|file| file.unwrap().path()).collect();
            files.sort();
            if !files.is_empty() {
                overwrite(&files[file.index(files.len())], at, b'7', step);
            }
        }
    }
}

/// A journal record that `session` began.
fn started_line(session: &str) -> String {
    let at = "2026-01-02T03:04:05.000Z";
    let record = serde_json::json!({"v": 1, "at": at, "session_id": session,
        "event": "session_started", "pid": 0, "version": "0.1.0"});
    format!("{record}\n")
}

/// Writes over one byte. The clock of files may be too coarse to show it, so the time is set.
fn overwrite(path: &Path, at: &prop::sample::Index, byte: u8, step: u64) {
    let Ok(file) = File::options().write(true).open(path) else {
        return;
    };
    let length = file.metadata().unwrap().len() as usize;
    if length > 0 {
        file.write_at(&[byte], at.index(length) as u64).unwrap();
        let time = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000 + step);
        file.set_modified(time).unwrap();
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]
    #[test]
    fn what_is_left_by_another_is_never_believed_of_another_file(actions in actions()) {
        let dir = tempfile::tempdir().unwrap();
        for (step, action) in actions.iter().enumerate() {
            act(dir.path(), action, step as u64 + 1);
            check(dir.path());
        }
    }
}

#[test]
fn what_was_appended_is_all_that_is_read() {
    let dir = tempfile::tempdir().unwrap();
    let batch = |from: u64| {
        (from..from + 50)
            .map(|number| given(entry("a", number)))
            .collect()
    };
    started(dir.path(), 1).append(batch(1)).unwrap();
    let before = told(&started(dir.path(), 1));
    let trail = dir.path().join("a_audit.jsonl");
    let length = fs::metadata(&trail).unwrap().len();
    started(dir.path(), 1).append(batch(51)).unwrap();
    // A reader of the first byte would find it damaged.
    File::options()
        .write(true)
        .open(&trail)
        .unwrap()
        .write_at(b"x", 0)
        .unwrap();
    let after = told(&started(dir.path(), 1));
    assert_eq!(before.1[0].0.total_attempts, 50);
    assert_eq!(after.1[0].0.total_attempts, 100);
    assert_eq!(after.0.0.total_attempts, 100);
    assert!(fs::metadata(&trail).unwrap().len() > length);
}

#[test]
fn they_are_private_and_only_left_by_those_who_read_much() {
    let dir = tempfile::tempdir().unwrap();
    let rollups = dir.path().join("rollups");
    started(dir.path(), u64::MAX)
        .append(vec![given(entry("a", 1))])
        .unwrap();
    told(&started(
        dir.path(),
        JsonlOptions::default().rollup_bytes_min,
    ));
    assert!(!rollups.exists());
    told(&started(dir.path(), 1));
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&rollups), 0o700);
    assert_eq!(mode(&rollups.join("a_audit.json")), 0o600);
    started(dir.path(), 1).clear("a").unwrap();
    assert!(!rollups.join("a_audit.json").exists());
}
