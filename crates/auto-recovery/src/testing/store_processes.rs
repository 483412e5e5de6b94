//! Processes of the tests' own that write to one store; some of them are killed. Every entry that
//! was acknowledged to them must be there.
//!
//! A process is started as the test binary with one test, which does nothing unless it finds its
//! orders.
#![expect(clippy::unwrap_used, reason = "these are tests")]

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::sync::Arc;

use super::store_contract::{assert_exact, entry, read};
use crate::audit::AuditStore;

const WRITERS: u64 = 4;

/// Prefix of a writer's line with the id of an acknowledged entry.
const ACKNOWLEDGED: &str = "acknowledged ";

/// A process that runs the test `name`, which does nothing without [`orders`].
///
/// # Panics
/// If it cannot be started.
#[expect(clippy::disallowed_methods, reason = "the tests need real processes")]
pub fn start(name: &str, numbers: [u64; 2], dir: &Path) -> Child {
    let [first, second] = numbers;
    std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", name, "--nocapture"])
        .arg(format!("orders={first},{second},{}", dir.display()))
        .env_clear()
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

/// The orders that [`start`] gave to this process.
///
/// # Panics
/// If they have another form.
pub fn orders() -> Option<([u64; 2], PathBuf)> {
    let orders = std::env::args().find_map(|arg| Some(arg.strip_prefix("orders=")?.to_owned()))?;
    let mut orders = orders.splitn(3, ',');
    let mut order = || orders.next().unwrap();
    let numbers = [order().parse().unwrap(), order().parse().unwrap()];
    Some((numbers, PathBuf::from(order())))
}

/// Does a writer's work, once it has its orders: appends `count` entries to a session that all
/// share and to one of its own, and prints which were acknowledged.
///
/// # Panics
/// If one cannot be appended.
pub fn write(store: &dyn AuditStore, [number, count]: [u64; 2]) {
    for index in 0..count {
        let mut shared = entry("shared", number * 1_000_000 + index);
        shared.number_by_store = true;
        shared.entry.error_message = "x".repeat(3000);
        let own = entry(&format!("own{number}"), number * 1_000_000 + index);
        for one in store.append(vec![shared, own]).unwrap() {
            acknowledge(&one.session_id, &one.entry_id);
        }
    }
}

#[expect(clippy::print_stdout, reason = "this is how the writer acknowledges")]
fn acknowledge(session_id: &str, entry_id: &str) {
    println!("{ACKNOWLEDGED}{session_id} {entry_id}");
}

/// Has processes that run the test `writer` in `dir` write at once to one store, which `open`
/// opens.
///
/// # Panics
/// If anything is lost or mixed.
pub fn share(writer: &str, dir: &Path, open: &dyn Fn() -> Arc<dyn AuditStore>) {
    const EACH: u64 = 150;
    let writers: Vec<Child> = (0..WRITERS)
        .map(|number| start(writer, [number, EACH], dir))
        .collect();
    for mut writer in writers {
        assert_eq!(listen(&mut writer, usize::MAX).len() as u64, 2 * EACH);
    }
    let store = open();
    let entries = read(&*store, "shared");
    let numbers: Vec<u64> = entries.iter().map(|one| one.attempt_number).collect();
    assert_eq!(numbers, (1..=WRITERS * EACH).collect::<Vec<_>>());
    assert_eq!(ids(&*store, "shared").len() as u64, WRITERS * EACH);
    assert_exact(&*store, "shared");
    assert_eq!(store.sessions().unwrap().len() as u64, WRITERS + 1);
}

/// The same, with each killed in the midst of it, several times over.
///
/// # Panics
/// If anything is lost that was acknowledged, or a number given twice.
pub fn kill(writer: &str, dir: &Path, open: &dyn Fn() -> Arc<dyn AuditStore>) {
    const ROUNDS: u64 = 6;
    let mut acknowledged = BTreeSet::new();
    for round in 0..ROUNDS {
        let writers: Vec<Child> = (0..WRITERS)
            .map(|number| start(writer, [round * WRITERS + number, 1_000_000], dir))
            .collect();
        for (index, mut writer) in writers.into_iter().enumerate() {
            acknowledged.extend(listen(&mut writer, 10 + 17 * index));
        }
    }
    let store = open();
    // The next writer finds the remains of the killed ones, and mends them.
    store.append(vec![entry("shared", 1)]).unwrap();
    let sessions: BTreeSet<&String> = acknowledged.iter().map(|(session, _)| session).collect();
    for session in sessions {
        let there = ids(&*store, session);
        for (_, entry) in acknowledged.iter().filter(|(of, _)| of == session) {
            assert!(there.contains(entry), "{session}: {entry} is lost");
        }
    }
    let mut numbers = Vec::new();
    store
        .read_trail("shared", &mut |stored| {
            numbers.push(stored.attempt_number());
            Ok(())
        })
        .unwrap();
    numbers.pop();
    let different: BTreeSet<u64> = numbers.iter().copied().collect();
    assert_eq!(different.len(), numbers.len(), "no number is given twice");
}

/// The acknowledged entries as `session entry`, until the writer ends, or `enough` were seen and it
/// is killed.
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

/// The entries of a trail, without those that a killed writer left torn.
fn ids(store: &dyn AuditStore, session: &str) -> BTreeSet<String> {
    let mut ids = BTreeSet::new();
    store
        .read_trail(session, &mut |stored| {
            ids.insert(stored.entry_id().into_owned());
            Ok(())
        })
        .unwrap();
    ids
}
