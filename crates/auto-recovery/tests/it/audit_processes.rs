//! Several processes write to one store, and some are killed: what was acknowledged is there.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};
use std::process::Child;

use auto_recovery::audit::AuditStore;
use auto_recovery::testing::store_contract::{assert_exact, entry};

use crate::audit_support::{orders, read, start, store};

const WRITERS: u64 = 4;

/// What a writer prints before the id of an entry that was acknowledged.
const ACKNOWLEDGED: &str = "acknowledged ";

/// No test, but what the processes run.
#[test]
fn writer() {
    let Some(([number, count], dir)) = orders() else {
        return;
    };
    let store = store(&dir);
    for index in 0..count {
        let mut shared = entry("shared", number * 1_000_000 + index);
        shared.number_by_store = true;
        shared.entry.error_message = "x".repeat(3000);
        let own = entry(&format!("own{number}"), number * 1_000_000 + index);
        for one in store.append(vec![shared, own]).unwrap() {
            println_raw(&format!(
                "{ACKNOWLEDGED}{} {}",
                one.session_id, one.entry_id
            ));
        }
    }
}

#[expect(clippy::print_stdout, reason = "this is how the writer acknowledges")]
fn println_raw(line: &str) {
    println!("{line}");
}

/// The acknowledged entries as `session entry`, until the writer ends, or `enough` were seen and it is
/// killed.
fn listen(writer: &mut Child, enough: usize) -> Vec<(String, String)> {
    let mut acknowledged = Vec::new();
    let lines = BufReader::new(writer.stdout.take().unwrap()).lines();
    for line in lines {
        let line = line.unwrap();
        let Some(rest) = line.strip_prefix(ACKNOWLEDGED) else {
            continue;
        };
        let (session, entry) = rest.split_once(' ').unwrap();
        acknowledged.push((session.to_owned(), entry.to_owned()));
        if acknowledged.len() == enough {
            writer.kill().unwrap();
        }
    }
    writer.wait().unwrap();
    acknowledged
}

fn ids(store: &dyn AuditStore, session: &str) -> BTreeSet<String> {
    let (entries, _) = read(store, session);
    entries.into_iter().map(|entry| entry.entry_id).collect()
}

#[test]
fn processes_share_a_trail_without_losing_or_mixing_anything() {
    const EACH: u64 = 150;
    let dir = tempfile::tempdir().unwrap();
    let writers: Vec<Child> = (0..WRITERS)
        .map(|number| start("audit_processes::writer", [number, EACH], dir.path()))
        .collect();
    for mut writer in writers {
        assert_eq!(listen(&mut writer, usize::MAX).len() as u64, 2 * EACH);
    }
    let store = store(dir.path());
    let (entries, damage) = read(&store, "shared");
    assert!(damage.is_empty(), "{damage:?}");
    let numbers: Vec<u64> = entries.iter().map(|one| one.attempt_number).collect();
    assert_eq!(numbers, (1..=WRITERS * EACH).collect::<Vec<_>>());
    assert_eq!(ids(&store, "shared").len() as u64, WRITERS * EACH);
    assert_exact(&store, "shared");
    assert_eq!(store.sessions().unwrap().len() as u64, WRITERS + 1);
}

#[test]
fn killed_writers_lose_nothing_they_acknowledged() {
    let dir = tempfile::tempdir().unwrap();
    let mut acknowledged = BTreeSet::new();
    for round in 0..6 {
        let writers: Vec<Child> = (0..WRITERS)
            .map(|number| {
                start(
                    "audit_processes::writer",
                    [round * WRITERS + number, 1_000_000],
                    dir.path(),
                )
            })
            .collect();
        for (index, mut writer) in writers.into_iter().enumerate() {
            acknowledged.extend(listen(&mut writer, 10 + 17 * index));
        }
    }
    let store = store(dir.path());
    // Whoever writes next finds what the killed ones left, and mends it.
    store.append(vec![entry("shared", 1)]).unwrap();
    for (session, entry) in &acknowledged {
        // Reading once a session would be quicker, and would not show which entry is missing.
        assert!(session == "shared" || session.starts_with("own"), "{entry}");
    }
    let sessions: BTreeSet<&String> = acknowledged.iter().map(|(session, _)| session).collect();
    for session in sessions {
        let there = ids(&store, session);
        for (_, entry) in acknowledged.iter().filter(|(of, _)| of == session) {
            assert!(there.contains(entry), "{session}: {entry} is lost");
        }
    }
    let (entries, _) = read(&store, "shared");
    let numbers: BTreeSet<u64> = entries[..entries.len() - 1]
        .iter()
        .map(|one| one.attempt_number)
        .collect();
    assert_eq!(numbers.len(), entries.len() - 1, "no number is given twice");
}
