//! Reading what others wrote and what was damaged.

use std::fs;
use std::io::Write;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::sync::Arc;

use auto_recovery::audit::{AuditStore, JournalEvent, Recorder};
use auto_recovery::jsonl::{JsonlOptions, JsonlStore};
use auto_recovery::testing::ScriptedHost;
use auto_recovery::{ErrorKind, RecoveryAuditEntry};

use crate::audit_support::{entry, given, original, read, store};

/// A trail of `parts` shows the entries of these numbers and has damage in these lines.
fn check(parts: &[&str], numbers: &[u64], damaged_lines: &[u64]) {
    check_bytes(parts.concat().as_bytes(), numbers, damaged_lines);
}

fn check_bytes(bytes: &[u8], numbers: &[u64], damaged_lines: &[u64]) {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("s_audit.jsonl"), bytes).unwrap();
    let store = store(dir.path());
    let (entries, damage) = read(&store, "s");
    let shown: Vec<u64> = entries.iter().map(|entry| entry.attempt_number).collect();
    let lines: Vec<u64> = damage.iter().map(|place| place.line).collect();
    let text = String::from_utf8_lossy(bytes);
    assert_eq!(shown, numbers, "{text}\n{damage:?}");
    assert_eq!(lines, damaged_lines, "{text}\n{damage:?}");
    let total = store.statistics("s").unwrap().total_attempts;
    assert_eq!(total, shown.len() as u64, "statistics count what is shown");
    assert_eq!(store.sessions().unwrap()[0].total_attempts, total);
    for count in 0..=entries.len() + 1 {
        check_end(&store, count, &entries, &lines);
    }
}

/// The last `count` of `entries`, read from the end, are those, and damage behind them is told
/// where it is.
fn check_end(store: &JsonlStore, count: usize, entries: &[RecoveryAuditEntry], lines: &[u64]) {
    let mut last = Vec::new();
    let damage = store
        .read_last("s", count, &mut |stored| {
            last.push(stored.into_entry());
            Ok(())
        })
        .unwrap();
    let from = entries.len().saturating_sub(count);
    assert_eq!(last, entries[from..], "the last {count}");
    let found: Vec<u64> = damage.iter().map(|place| place.line).collect();
    assert!(lines.ends_with(&found), "{found:?} of {lines:?}");
    assert!(count <= entries.len() || found.len() == lines.len());
}

fn line(number: u64) -> String {
    entry("s", number).to_json() + "\n"
}

#[test]
fn ours_and_the_originals_records_are_read_in_any_mixture() {
    let (one, two, three) = (&line(1), &line(2), &line(3));
    let pretty = &original(&entry("s", 2));
    check(&[one, two], &[1, 2], &[]);
    check(&[pretty, pretty], &[2, 2], &[]);
    check(&[one, pretty, three], &[1, 2, 3], &[]);
    check(&[pretty, one, pretty], &[2, 1, 2], &[]);
    check(&["\n", one, "\n \n", two, "\n"], &[1, 2], &[]);
    check(&["\u{feff}", one, two], &[1, 2], &[]);
    check(&["\u{feff}", pretty, two], &[2, 2], &[]);
    check(
        &[&[one.as_str(), two].concat().replace('\n', "\r\n")],
        &[1, 2],
        &[],
    );
    check(&[&pretty.replace('\n', "\r\n"), one], &[2, 1], &[]);
    check(&[one.trim_end(), two], &[1, 2], &[]);
    check(&[pretty.trim_end(), pretty, three], &[2, 2, 3], &[]);
}

#[test]
fn damage_is_located_and_hides_nothing() {
    let (one, two, three) = (&line(1), &line(2), &line(3));
    let pretty = &original(&entry("s", 2));
    let after_pretty = pretty.lines().count() as u64 + 2;
    let no_field = &one.replace("\"strategy\":\"fix\",", "");
    let wrong_type = &one.replace("\"attempt_number\":1", "\"attempt_number\":\"1\"");
    check(&[one, "garbage\n", two], &[1, 2], &[2]);
    check(&["x\n", one, "y\n", two], &[1, 2], &[1, 3]);
    check(&[one, pretty, "x\n", three], &[1, 2, 3], &[after_pretty]);
    check(&[one, no_field, two], &[1, 2], &[2]);
    check(&[wrong_type, two], &[2], &[1]);
    check(&["[1]\n1\n\"x\"\n{}\n", one], &[1], &[1, 2, 3, 4]);
    check(&[&one[..40], "\n", two], &[2], &[1]);
    check(&[&one[..40], "\n", &one[..90], "\n", two], &[2], &[1, 2]);
    check(&[&pretty[..60], "\n", two], &[2], &[1]);
    check(&[one, "\0\0\0\0", two, three], &[1, 2, 3], &[2]);
    check(&[one, "\0\0\0\0\n", two], &[1, 2], &[2]);
    let not_utf8 = b"{\"entry_id\":\"\xff\"}\n";
    let bytes = [one.as_bytes(), not_utf8, two.as_bytes()].concat();
    check_bytes(&bytes, &[1, 2], &[2]);
}

#[test]
fn statistics_notice_that_a_write_was_taken_back_and_another_followed() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("s_audit.jsonl");
    let store = store(dir.path());
    fs::write(&path, line(1) + &line(2)).unwrap();
    assert_eq!(store.statistics("s").unwrap().successful_attempts, 1);
    // As long as what was there, in the same file.
    let other = line(2)
        .replace("entry_0", "entry_1")
        .replace("true", "null");
    let other = other
        .replace("null", "false")
        .replace("\"tried\"", "\"trie\"");
    assert_eq!(other.len(), line(2).len());
    let file = fs::OpenOptions::new().append(true).open(&path).unwrap();
    file.set_len(line(1).len() as u64).unwrap();
    append(&path, &other);
    assert_eq!(store.statistics("s").unwrap().successful_attempts, 0);
}

#[test]
fn the_originals_times_and_missing_journal_are_understood() {
    let dir = tempfile::tempdir().unwrap();
    let mut first = entry("session_0123abcd", 1);
    first.timestamp = "2024-01-01T00:00:10.123456+00:00".to_owned();
    let mut second = entry("session_0123abcd", 2);
    second.timestamp = "2024-01-01T00:00:20+00:00".to_owned();
    let text = original(&first) + &original(&second);
    fs::write(dir.path().join("session_0123abcd_audit.jsonl"), text).unwrap();
    let store = store(dir.path());
    let statistics = store.statistics("session_0123abcd").unwrap();
    assert_eq!(statistics.session_start.as_deref(), Some(&*first.timestamp));
    assert_eq!(
        statistics.last_attempt_timestamp.as_deref(),
        Some(&*second.timestamp)
    );
    let sessions = store.sessions().unwrap();
    assert_eq!(sessions.len(), 1);
    assert_eq!(sessions[0].session_id, "session_0123abcd");
    // Going on with it keeps what is there.
    store
        .append(vec![given(entry("session_0123abcd", 3))])
        .unwrap();
    assert_eq!(read(&store, "session_0123abcd").0.len(), 3);
}

#[test]
fn a_session_starts_with_whichever_is_earlier() {
    for (first_entry, journal_is_earlier) in [
        ("2026-01-02T03:04:04.999Z", false),
        ("2026-01-02T04:04:04+01:00", false),
        ("2026-01-02T03:04:05.001Z", true),
        ("2026-01-02T01:04:06-02:00", true),
        ("no time", true),
    ] {
        let dir = tempfile::tempdir().unwrap();
        let store = store(dir.path());
        store
            .record(Some("s"), JournalEvent::SessionStarted(Default::default()))
            .unwrap();
        let mut one = entry("s", 1);
        one.timestamp = first_entry.to_owned();
        store.append(vec![given(one)]).unwrap();
        let expected = if journal_is_earlier {
            "2026-01-02T03:04:05.000Z"
        } else {
            first_entry
        };
        let start = store.statistics("s").unwrap().session_start;
        assert_eq!(start.as_deref(), Some(expected));
        assert_eq!(store.sessions().unwrap()[0].session_start, start);
    }
}

#[test]
fn a_line_of_a_hundred_megabytes_is_damage_like_any_other() {
    const HUGE: u64 = 100_000_000;
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("s_audit.jsonl");
    let mut file = fs::File::create(&path).unwrap();
    file.write_all(line(1).as_bytes()).unwrap();
    // A hole: it reads as zeros and takes no room.
    file.set_len(line(1).len() as u64 + HUGE).unwrap();
    drop(file);
    let mut file = fs::OpenOptions::new().append(true).open(&path).unwrap();
    file.write_all(format!("\n{}", line(2)).as_bytes()).unwrap();
    let store = store(dir.path());
    let (entries, damage) = read(&store, "s");
    assert_eq!(entries.len(), 2);
    assert_eq!(damage.len(), 1);
    assert_eq!((damage[0].line, damage[0].bytes), (2, HUGE + 1));
}

#[test]
fn a_journal_of_a_newer_format_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let store = store(dir.path());
    store
        .record(Some("s"), JournalEvent::SessionStarted(Default::default()))
        .unwrap();
    let newer = "{\"v\":2,\"what\":\"ever\",\"session_id\":\"s\",\"at\":\"x\",\"event\":\"y\"}\n";
    append(&dir.path().join("journal.jsonl"), newer);
    let errors = [
        store.read_journal(None, &mut |_| Ok(())).unwrap_err(),
        store.read_journal(Some("s"), &mut |_| Ok(())).unwrap_err(),
        store.sessions().unwrap_err(),
        store.statistics("s").unwrap_err(),
    ];
    for error in errors {
        assert_eq!(error.kind(), ErrorKind::NewerFormat);
        let text = error.to_string();
        assert!(
            text.contains("journal.jsonl") && text.contains("line 2"),
            "{text}"
        );
        assert!(text.contains("use the release"), "{text}");
    }
}

#[test]
fn what_this_release_does_not_know_in_the_journal_is_kept() {
    let dir = tempfile::tempdir().unwrap();
    let store = store(dir.path());
    let event = "{\"v\":1,\"at\":\"2026-01-02T03:04:05.000Z\",\"session_id\":\"s\",\
                 \"event\":\"held\",\"pid\":\"not a number\"}\n";
    append(&dir.path().join("journal.jsonl"), event);
    let mut events = Vec::new();
    let damage = store
        .read_journal(Some("s"), &mut |record| {
            events.push(record.event);
            Ok(())
        })
        .unwrap();
    assert_eq!(events, [JournalEvent::Other]);
    assert!(damage.is_empty());
    assert_eq!(store.sessions().unwrap().len(), 1);
}

fn append(path: &Path, text: &str) {
    let mut file = fs::OpenOptions::new()
        .append(true)
        .create(true)
        .open(path)
        .unwrap();
    file.write_all(text.as_bytes()).unwrap();
}

#[test]
fn only_the_owner_may_read_what_is_written() {
    let dir = tempfile::tempdir().unwrap();
    let audit = dir.path().join("state/audit");
    let store = store(&audit);
    store.append(vec![given(entry("s", 1))]).unwrap();
    store
        .record(Some("s"), JournalEvent::SessionStarted(Default::default()))
        .unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&audit), 0o700);
    assert_eq!(mode(&audit.join("s_audit.jsonl")), 0o600);
    assert_eq!(mode(&audit.join("journal.jsonl")), 0o600);
}

#[test]
fn a_place_that_cannot_be_a_store_is_refused_with_its_name() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    fs::write(&file, "").unwrap();
    let open = |path: &Path| {
        JsonlStore::open(
            path,
            JsonlOptions::default(),
            Recorder::new(Arc::new(ScriptedHost::new())),
        )
    };
    let error = open(&file).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Io);
    assert!(
        error.to_string().contains(&*file.to_string_lossy()),
        "{error}"
    );
    assert!(open(&file.join("below")).is_err());
    // Nobody, not even root, can make a directory there.
    let error = open(Path::new("/proc/audit"))
        .unwrap()
        .append(vec![given(entry("s", 1))])
        .unwrap_err();
    assert!(error.to_string().contains("/proc/audit"), "{error}");
}

#[test]
fn nothing_is_written_through_links_or_into_pipes() {
    let dir = tempfile::tempdir().unwrap();
    let elsewhere = dir.path().join("elsewhere");
    fs::write(&elsewhere, "precious\n").unwrap();
    let audit = dir.path().join("audit");
    fs::create_dir(&audit).unwrap();
    symlink(&elsewhere, audit.join("link_audit.jsonl")).unwrap();
    fs::create_dir(audit.join("dir_audit.jsonl")).unwrap();
    rustix::fs::mknodat(
        rustix::fs::CWD,
        audit.join("pipe_audit.jsonl"),
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::RWXU,
        0,
    )
    .unwrap();
    let store = store(&audit);
    for id in ["link", "dir", "pipe"] {
        assert!(store.append(vec![given(entry(id, 1))]).is_err(), "{id}");
        let (entries, damage) = read(&store, id);
        assert!(entries.is_empty() && damage[0].is_of_all(), "{damage:?}");
    }
    assert_eq!(fs::read_to_string(elsewhere).unwrap(), "precious\n");
}

#[test]
fn no_id_names_a_path_outside_the_store() {
    let dir = tempfile::tempdir().unwrap();
    let audit = dir.path().join("audit");
    let store = store(&audit);
    let ids = [
        "../../x",
        "/etc/passwd",
        "..",
        ".",
        ".hidden",
        "a/../b",
        "a%2F",
        "%",
        "~",
        "journal",
    ];
    for id in ids {
        store.append(vec![given(entry(id, 1))]).unwrap();
    }
    let names: Vec<String> = fs::read_dir(&audit)
        .unwrap()
        .map(|name| name.unwrap().file_name().into_string().unwrap())
        .collect();
    assert_eq!(names.len(), ids.len());
    assert!(
        names
            .iter()
            .all(|name| !name.starts_with('.') && name.ends_with("_audit.jsonl"))
    );
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    let mut listed: Vec<String> = store
        .sessions()
        .unwrap()
        .into_iter()
        .map(|session| session.session_id)
        .collect();
    listed.sort();
    let mut expected = ids.map(str::to_owned);
    expected.sort();
    assert_eq!(listed, expected);
}
