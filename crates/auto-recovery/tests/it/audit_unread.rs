//! What cannot be read of a store hides nothing else, and every reader says so.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use auto_recovery::audit::{AuditStore, Damage, JournalEvent, Recorder, Removal, SessionHeld};
use auto_recovery::export::{self, ExportFormat, ExportOptions};
use auto_recovery::jsonl::{FileIo, JsonlOptions, JsonlStore, SystemIo};
use auto_recovery::retention::{PruneOptions, RetentionRules, prune};
use auto_recovery::statistics::{AggregateQuery, Dimension};
use auto_recovery::testing::ScriptedHost;
use auto_recovery::transfer;
use auto_recovery::{ErrorKind, RecoveryAuditLogger, report};

use crate::audit_support::{entry, given, read, store};

/// The trails in the stores of these tests that cannot be read. None of them is a regular file.
const UNREADABLE: [&str; 5] = ["device", "directory", "fifo", "link", "nowhere"];

/// Puts what can be read, two entries of `good`, among what cannot be.
fn among_what_cannot_be_read(dir: &Path) {
    for number in 1..=2 {
        let good = given(entry("good", number));
        store(dir).append(vec![good]).unwrap();
    }
    let path = |id: &str| dir.join(format!("{id}_audit.jsonl"));
    make_fifo(&path("fifo"));
    fs::create_dir(path("directory")).unwrap();
    symlink("/dev/zero", path("device")).unwrap();
    symlink(path("good"), path("link")).unwrap();
    symlink(path("gone"), path("nowhere")).unwrap();
}

fn make_fifo(path: &Path) {
    let (cwd, fifo) = (rustix::fs::CWD, rustix::fs::FileType::Fifo);
    rustix::fs::mknodat(cwd, path, fifo, rustix::fs::Mode::RWXU, 0).unwrap();
}

/// What `damage` is of, by the ids in the names of trails.
fn sessions_of(damage: &[Damage]) -> Vec<String> {
    let name = |one: &Damage| {
        let name = one.place.rsplit('/').next().unwrap().to_owned();
        name.trim_end_matches("_audit.jsonl").to_owned()
    };
    damage.iter().map(name).collect()
}

#[test]
fn a_trail_that_cannot_be_opened_hides_no_other_from_any_reader() {
    let dir = tempfile::tempdir().unwrap();
    among_what_cannot_be_read(dir.path());
    let store = store(dir.path());
    let (sessions, damage) = store.read_sessions().unwrap();
    assert_eq!(sessions.len(), 1);
    assert_eq!(sessions_of(&damage), UNREADABLE);
    assert!(damage.iter().all(Damage::is_of_all), "{damage:?}");
    let all = AggregateQuery::default();
    let by = AggregateQuery {
        by: vec![Dimension::Strategy],
        ..AggregateQuery::default()
    };
    for query in [all, by] {
        let (aggregates, damage) = store.read_aggregate(&query).unwrap();
        assert_eq!(aggregates.total.total_attempts, 2);
        assert_eq!(sessions_of(&damage), UNREADABLE, "{query:?}");
    }
    for format in [ExportFormat::Json, ExportFormat::Csv, ExportFormat::Jsonl] {
        let options = ExportOptions {
            format,
            ..ExportOptions::default()
        };
        let now = SystemTime::UNIX_EPOCH;
        let summary = export::export_all(&store, &options, now, &mut Vec::new()).unwrap();
        assert_eq!(summary.entries, 2);
        assert_eq!(sessions_of(&summary.damage), UNREADABLE, "{format:?}");
    }
    let elsewhere = tempfile::tempdir().unwrap();
    let copy = crate::audit_support::store(elsewhere.path());
    let copied = transfer::copy(&store, &copy, &mut |_| {}).unwrap();
    assert_eq!((copied.entries.added, copied.sessions), (2, 1));
    assert_eq!(sessions_of(&copied.damage), UNREADABLE);
    assert_eq!(copied.different, []);
}

#[test]
fn a_trail_that_cannot_be_opened_is_told_of_whoever_asks_for_it() {
    let dir = tempfile::tempdir().unwrap();
    among_what_cannot_be_read(dir.path());
    let store = store(dir.path());
    for id in UNREADABLE {
        assert!(store.is_known(id).unwrap(), "{id}");
        let (entries, damage) = read(&store, id);
        assert_eq!((entries.len(), damage.len()), (0, 1), "{id}");
        let last = store.read_last(id, 5, &mut |_| Ok(())).unwrap();
        assert_eq!(last, damage);
        let (statistics, told) = store.read_statistics(id).unwrap();
        assert_eq!(statistics.total_attempts, 0);
        assert_eq!(told, damage);
        let mut text = Vec::new();
        let told = report::write_json(&store, id, SystemTime::UNIX_EPOCH, &mut text).unwrap();
        assert_eq!(told, damage);
        let append = store.append(vec![given(entry(id, 1))]).map(drop);
        let remove = store.remove(id, &Removal::Cleared).map(drop);
        for refused in [append.unwrap_err(), remove.unwrap_err()] {
            let is_one_trails = refused.kind().spares_others();
            assert!(is_one_trails, "{}", refused.chain());
            assert!(refused.chain().contains("move it away"));
        }
    }
    assert_eq!(
        fs::read_dir(dir.path().join("directory_audit.jsonl"))
            .unwrap()
            .count(),
        0
    );
}

#[test]
fn what_cannot_be_opened_keeps_no_other_from_going() {
    let dir = tempfile::tempdir().unwrap();
    among_what_cannot_be_read(dir.path());
    let store = store(dir.path());
    // The journal knows of it, so it is listed.
    store
        .record(
            Some("fifo"),
            JournalEvent::SessionStarted(Default::default()),
        )
        .unwrap();
    let rules = RetentionRules {
        max_bytes: Some(0),
        ..RetentionRules::default()
    };
    let later = SystemTime::UNIX_EPOCH + Duration::from_secs(1 << 33);
    let doomed = rules.select(store.sessions().unwrap(), later);
    let pruned = doomed.iter().filter(|one| one.session.session_id == "fifo");
    for one in pruned {
        let stays = prune(&store, one, &PruneOptions::default()).unwrap_err();
        assert_eq!(stays.kind(), ErrorKind::Damaged);
    }
    let host = Arc::new(ScriptedHost::new());
    let logger = RecoveryAuditLogger::open(dir.path(), host).unwrap();
    let error = logger.clear_all_sessions().unwrap_err();
    assert!(error.chain().contains("fifo"), "{}", error.chain());
    let left = logger.store().read_sessions().unwrap().0;
    let left: Vec<_> = left.iter().map(|one| one.session_id.as_str()).collect();
    assert_eq!(left, ["fifo"], "and all others went");
}

/// The real thing, which may not open the trail `closed`, or fails for want of file numbers.
struct Closed(i32);

impl FileIo for Closed {
    fn open_read(&self, path: &Path) -> io::Result<File> {
        match path.ends_with("closed_audit.jsonl") {
            true => Err(io::Error::from_raw_os_error(self.0)),
            false => SystemIo.open_read(path),
        }
    }
}

#[test]
fn a_trail_that_may_not_be_read_is_counted() {
    let dir = tempfile::tempdir().unwrap();
    for id in ["closed", "good"] {
        store(dir.path()).append(vec![given(entry(id, 1))]).unwrap();
    }
    let open = |errno| {
        let (options, host) = (JsonlOptions::default(), Arc::new(ScriptedHost::new()));
        JsonlStore::open_with_io(
            dir.path(),
            options,
            Recorder::new(host),
            Arc::new(Closed(errno)),
        )
        .unwrap()
    };
    for errno in [libc::EACCES, libc::EIO, libc::ELOOP] {
        let store = open(errno);
        let (sessions, damage) = store.read_sessions().unwrap();
        assert_eq!(sessions.len(), 1, "{errno}");
        assert_eq!(sessions_of(&damage), ["closed"]);
        let (sums, damage) = store.read_aggregate(&AggregateQuery::default()).unwrap();
        assert_eq!(sums.total.total_attempts, 1);
        assert_eq!(sessions_of(&damage), ["closed"]);
    }
    // That says something of the process, not of the trail.
    let store = open(libc::EMFILE);
    assert!(store.read_sessions().is_err());
    assert!(store.read_aggregate(&AggregateQuery::default()).is_err());
}

#[test]
fn a_trail_of_zeros_is_damage_for_every_reader() {
    for ends in ["", "\n"] {
        let dir = tempfile::tempdir().unwrap();
        let zeros = "\0".repeat(5000) + ends;
        fs::write(dir.path().join("s_audit.jsonl"), zeros).unwrap();
        let store = store(dir.path());
        let says = |damage: &[Damage]| {
            assert_eq!(damage.len(), 1, "{damage:?}");
            assert_eq!((damage[0].line, damage[0].bytes), (1, 5000));
            assert!(damage[0].reason.starts_with("zero bytes"), "{damage:?}");
        };
        assert!(store.is_known("s").unwrap());
        says(&store.read_sessions().unwrap().1);
        says(&read(&store, "s").1);
        says(&store.read_last("s", 3, &mut |_| Ok(())).unwrap());
        says(&store.read_statistics("s").unwrap().1);
        says(&store.read_aggregate(&AggregateQuery::default()).unwrap().1);
    }
}

#[test]
fn damage_is_told_again_by_sums_that_were_kept() {
    let dir = tempfile::tempdir().unwrap();
    let line = |number| entry("s", number).to_json() + "\n";
    let trail = [&line(1), "torn {\n", &line(2), "\0\0\n"].concat();
    fs::write(dir.path().join("s_audit.jsonl"), &trail).unwrap();
    let journal = "no record\n{\"v\":1,\"at\":\"2026-01-01T00:00:00Z\",\"event\":\"x\"}\n";
    fs::write(dir.path().join("journal.jsonl"), journal).unwrap();
    let options = JsonlOptions {
        rollup_bytes_min: 1,
        ..JsonlOptions::default()
    };
    let host = Arc::new(ScriptedHost::new());
    host.advance(Duration::from_secs(1 << 32));
    let open =
        || JsonlStore::open(dir.path(), options.clone(), Recorder::new(host.clone())).unwrap();
    let lines = |damage: Vec<Damage>| {
        let lines: Vec<u64> = damage.iter().map(|one| one.line).collect();
        assert_eq!(lines, [2, 4, 1], "{damage:?}");
    };
    let all = AggregateQuery::default();
    for _ in 0..3 {
        let store = open();
        for _ in 0..2 {
            lines(store.read_statistics("s").unwrap().1);
            lines(store.read_aggregate(&all).unwrap().1);
            lines(store.read_sessions().unwrap().1);
        }
    }
    assert!(dir.path().join("rollups").join("all.json").exists());
    // What is appended goes on from there.
    open().append(vec![given(entry("s", 3))]).unwrap();
    let (sums, damage) = open().read_aggregate(&all).unwrap();
    assert_eq!(sums.total.total_attempts, 3);
    lines(damage);
}

#[test]
fn a_journal_that_cannot_be_read_hides_no_trail_and_lets_none_go() {
    type Make = fn(&Path);
    let make: [(&str, Make); 3] = [
        ("fifo", make_fifo),
        ("directory", |path| fs::create_dir(path).unwrap()),
        ("link", |path| symlink("/dev/zero", path).unwrap()),
    ];
    for (what, make) in make {
        let dir = tempfile::tempdir().unwrap();
        let journal = dir.path().join("journal.jsonl");
        store(dir.path())
            .append(vec![given(entry("good", 1))])
            .unwrap();
        let held = JournalEvent::SessionHeld(SessionHeld::default());
        store(dir.path()).record(Some("good"), held).unwrap();
        fs::remove_file(&journal).unwrap();
        make(&journal);
        let store = store(dir.path());
        let (sessions, damage) = store.read_sessions().unwrap();
        assert_eq!(sessions.len(), 1, "{what}");
        assert_eq!(sessions_of(&damage), ["journal.jsonl"]);
        let (entries, damage) = read(&store, "good");
        assert_eq!((entries.len(), damage.len()), (1, 1), "{what}");
        let (sums, damage) = store.read_aggregate(&AggregateQuery::default()).unwrap();
        assert_eq!((sums.total.total_attempts, damage.len()), (1, 1));
        let (sums, damage) = store.read_statistics("good").unwrap();
        assert_eq!((sums.total_attempts, damage.len()), (1, 1));
        let damage = store.read_journal(None, &mut |_| Ok(())).unwrap();
        assert_eq!(sessions_of(&damage), ["journal.jsonl"]);
        let stays = store.remove("good", &Removal::Cleared).unwrap_err();
        assert_eq!(stays.kind(), ErrorKind::Damaged, "it may be held");
        assert_eq!(read(&store, "good").0.len(), 1);
    }
}

#[test]
fn a_journal_of_zeros_is_damage() {
    let dir = tempfile::tempdir().unwrap();
    store(dir.path())
        .append(vec![given(entry("good", 1))])
        .unwrap();
    fs::write(dir.path().join("journal.jsonl"), [0; 300]).unwrap();
    let store = store(dir.path());
    let (sessions, damage) = store.read_sessions().unwrap();
    assert_eq!((sessions.len(), damage.len()), (1, 1), "{damage:?}");
    assert!(damage[0].reason.starts_with("zero bytes"));
    let damage = store.read_journal(Some("good"), &mut |_| Ok(())).unwrap();
    assert_eq!(damage.len(), 1);
}
