//! Sixteen processes with eight threads each write to one session, durably, while a reader asks:
//! nothing is lost, torn or doubled, and every answer is about some prefix that has all that was
//! acknowledged.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::Path;
use std::process::Child;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;

use auto_recovery::audit::{AuditStore, Recorder};
use auto_recovery::jsonl::{FileIo, JsonlOptions, JsonlStore, SystemIo};
use auto_recovery::statistics::{Accumulator, EntrySink};
use auto_recovery::testing::store_contract::entry;
use auto_recovery::testing::store_processes::{orders, start};
use auto_recovery::testing::{Campaign, Found, Rounds, ScriptedHost, Wrong, quick_dir};
use auto_recovery::{RecoveryAuditEntry, RecoveryStatistics};

use crate::audit_support::read;

const PROCESSES: u64 = 16;
const THREADS: u64 = 8;
const SESSION: &str = "crowd";

/// What a process prints before the number of an entry that was acknowledged, and its id.
const ACKNOWLEDGED: &str = "acknowledged ";

fn open(dir: &Path) -> JsonlStore {
    let host = Arc::new(ScriptedHost::new());
    JsonlStore::open(dir, JsonlOptions::default(), Recorder::new(host)).unwrap()
}

/// No test, but what the processes run.
#[test]
fn team() {
    let Some(([process, each], dir)) = orders() else {
        return;
    };
    let store = open(&dir);
    thread::scope(|scope| {
        for thread in 0..THREADS {
            let store = &store;
            scope.spawn(move || {
                for index in 0..each {
                    let mut new = entry(SESSION, ((process * THREADS) + thread) * 1000 + index);
                    new.number_by_store = true;
                    let appended = store.append(vec![new]).unwrap();
                    let one = &appended[0];
                    acknowledge(&format!("{} {}", one.attempt_number, one.entry_id));
                }
            });
        }
    });
}

#[expect(clippy::print_stdout, reason = "this is how the process acknowledges")]
fn acknowledge(line: &str) {
    println!("{ACKNOWLEDGED}{line}");
}

/// Listens to `team` until it ends. Returns the ids that it says are durable; `highest` follows
/// their numbers.
fn listen(mut team: Child, highest: &AtomicU64) -> Vec<String> {
    let lines = BufReader::new(team.stdout.take().unwrap()).lines();
    let mut acknowledged = Vec::new();
    for line in lines {
        let line = line.unwrap();
        if let Some(rest) = line.strip_prefix(ACKNOWLEDGED) {
            let (number, id) = rest.split_once(' ').unwrap();
            highest.fetch_max(number.parse().unwrap(), Ordering::SeqCst);
            acknowledged.push(id.to_owned());
        }
    }
    assert!(team.wait().unwrap().success());
    acknowledged
}

/// An answer, and the highest number that was acknowledged before the question.
type Answer = (u64, RecoveryStatistics);

/// Asks until `is_over`.
fn ask(dir: &Path, highest: &AtomicU64, is_over: &AtomicBool) -> Vec<Answer> {
    let store = open(dir);
    let mut answers: Vec<Answer> = Vec::new();
    while !is_over.load(Ordering::SeqCst) {
        let before = highest.load(Ordering::SeqCst);
        let statistics = store.statistics(SESSION).unwrap();
        let is_news = answers.last().is_none_or(|(_, last)| *last != statistics);
        if is_news || before > statistics.total_attempts {
            answers.push((before, statistics));
        }
        thread::yield_now();
    }
    answers
}

/// Every answer is that of as many entries from the beginning as it counts, and no fewer than were
/// acknowledged before it was asked for.
fn check_answers(entries: &[RecoveryAuditEntry], answers: &[Answer], found: &mut Found) {
    let mut sums = Accumulator::default();
    let mut counted = 0;
    for (before, answer) in answers {
        let total = answer.total_attempts as usize;
        for entry in entries.get(counted..total).unwrap_or_default() {
            sums.add_entry(entry);
        }
        counted = counted.max(total);
        if answer.total_attempts < *before {
            found.wrong(Wrong::Lost, || {
                format!("{before} were acknowledged: {answer:?}")
            });
        }
        if *answer != sums.statistics(SESSION, answer.session_start.clone()) {
            found.wrong(Wrong::Other, || format!("no prefix: {answer:?}"));
        }
    }
}

#[test]
fn sixteen_processes_of_eight_threads_lose_and_mix_nothing() {
    let campaign = Campaign::begin(
        "50-crowd",
        "entries of 16 processes × 8 threads in one session",
    );
    let each = Rounds {
        ordinary: 20,
        long: 400,
    }
    .count();
    let dir = tempfile::tempdir().unwrap();
    let highest = AtomicU64::new(0);
    let is_over = AtomicBool::new(false);
    let teams: Vec<Child> = (0..PROCESSES)
        .map(|process| start("audit_crowd::team", [process, each], dir.path()))
        .collect();
    let (acknowledged, answers) = thread::scope(|scope| {
        let asking = scope.spawn(|| ask(dir.path(), &highest, &is_over));
        let listening: Vec<_> = teams
            .into_iter()
            .map(|team| scope.spawn(|| listen(team, &highest)))
            .collect();
        let heard = listening.into_iter().flat_map(|one| one.join().unwrap());
        let heard: Vec<String> = heard.collect();
        is_over.store(true, Ordering::SeqCst);
        (heard, asking.join().unwrap())
    });
    let mut found = Found::nothing_in(acknowledged.len() as u64);
    let (entries, damage) = read(&open(dir.path()), SESSION);
    let shown: BTreeSet<&String> = entries.iter().map(|one| &one.entry_id).collect();
    for id in acknowledged.iter().filter(|id| !shown.contains(id)) {
        found.wrong(Wrong::Lost, || id.clone());
    }
    if shown.len() != entries.len() {
        found.wrong(Wrong::Doubled, || format!("{} entries", entries.len()));
    }
    if !damage.is_empty() {
        found.wrong(Wrong::Torn, || format!("{damage:?}"));
    }
    let numbers = entries.iter().map(|one| one.attempt_number);
    if !numbers.eq(1..=PROCESSES * THREADS * each) {
        found.wrong(Wrong::Other, || "numbers have gaps".to_owned());
    }
    check_answers(&entries, &answers, &mut found);
    assert!(
        answers.len() > 3,
        "the reader never saw it grow: {answers:?}"
    );
    campaign.note(&format!(
        "- The reader beside the 16 processes got {} different answers, each that of a prefix with all \
         that was acknowledged\n",
        answers.len()
    ));
    campaign.end(&found);
}

/// The real operations on files, but for the lock, and slower to write: a store that is broken.
struct Unlocked;

impl FileIo for Unlocked {
    fn lock(&self, _: &File) -> io::Result<()> {
        Ok(())
    }

    fn write(&self, file: &File, bytes: &[u8]) -> io::Result<usize> {
        thread::yield_now();
        SystemIo.write(file, bytes)
    }

    fn sync_data(&self, _: &File) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_store_that_does_not_lock_is_caught() {
    const TRIES: usize = 100;
    let is_caught = (0..TRIES).any(|_| {
        let dir = quick_dir();
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    let (options, host) = (JsonlOptions::default(), ScriptedHost::new());
                    let (host, io) = (Arc::new(host), Arc::new(Unlocked));
                    let store =
                        JsonlStore::open_with_io(dir.path(), options, Recorder::new(host), io)
                            .unwrap();
                    for number in 0..20 {
                        let mut new = entry(SESSION, number);
                        new.number_by_store = true;
                        store.append(vec![new]).ok();
                    }
                });
            }
        });
        let (entries, _) = read(&open(dir.path()), SESSION);
        let numbers: BTreeSet<u64> = entries.iter().map(|one| one.attempt_number).collect();
        numbers.len() < 80
    });
    assert!(
        is_caught,
        "{TRIES} tries without a lock, and no number was given twice"
    );
}
