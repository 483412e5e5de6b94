//! `recover prune`, killed: each session is there whole, or in the archive whole.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use auto_recovery::testing::{Campaign, Found, Random, Rounds, Wrong};

use super::{Phases, duration_of, instant, kill_after};
use crate::harness::Machine;

const SESSIONS: usize = 12;
const ENTRIES: usize = 20;

const PRUNE: [&str; 6] = ["prune", "--older-than", "1d", "--archive", "old", "--yes"];

fn filled() -> Machine {
    let machine = Machine::new();
    let lines: Vec<String> = (0..SESSIONS * ENTRIES)
        .map(|n| {
            let session = n / ENTRIES;
            format!(
                r#"{{"session_id":"s{session}","strategy":"fix","success":true,"error_type":"E","timestamp":"2020-01-01T00:00:00.000Z","error_message":"{n}"}}"#
            )
        })
        .collect();
    machine.recover_with(&["log"], lines.join("\n")).quiet();
    machine
}

/// Every entry that the store has, as it is stored.
fn entries(machine: &Machine) -> BTreeSet<String> {
    let run = machine.recover(&["export", "--all", "--format", "jsonl"]);
    assert_eq!(run.code, 0, "{run:?}");
    run.stdout.lines().map(str::to_owned).collect()
}

/// Every entry that the archives have.
fn archived(dir: &Path) -> BTreeSet<String> {
    let Ok(files) = fs::read_dir(dir) else {
        return BTreeSet::new();
    };
    let names = files.map(|file| file.expect("a file").path().display().to_string());
    // What has no name yet is not an archive.
    let names: Vec<String> = names.filter(|name| name.ends_with(".zst")).collect();
    let machine = Machine::new();
    for name in &names {
        let run = machine.recover(&["import", name]);
        assert_eq!(run.code, 0, "{run:?}");
    }
    entries(&machine)
}

#[test]
fn a_session_is_there_whole_or_archived_whole() {
    let campaign = Campaign::begin("33-kill-prune", "`kill -9` of `recover prune --archive`");
    let rounds = Rounds {
        ordinary: 4,
        long: 200,
    };
    let machine = filled();
    let whole = duration_of(|| assert_eq!(machine.recover(&PRUNE).code, 0));
    let mut random = Random::new(33);
    let mut phases = Phases::default();
    let mut found = Found::default();
    for round in 0..rounds.count() {
        found.round = format!("round {round}");
        let machine = filled();
        let before = entries(&machine);
        let mut child = machine.command(&PRUNE).spawn().expect("start recover");
        kill_after(&mut child, instant(&mut random, whole));
        let left = entries(&machine);
        phases.met(match left.len() {
            0 => "3 after the last",
            all if all == before.len() => "1 before the first",
            _ => "2 in between",
        });
        let old = machine.work().join("old");
        let lost = before.iter().filter(|entry| !left.contains(*entry));
        let archive = archived(&old);
        let lost: Vec<_> = lost.filter(|entry| !archive.contains(*entry)).collect();
        if !lost.is_empty() {
            found.wrong(Wrong::Lost, || {
                format!("{} entries are nowhere", lost.len())
            });
        }
        if !left.len().is_multiple_of(ENTRIES) {
            found.wrong(Wrong::Torn, || format!("{} entries are left", left.len()));
        }
        let again = machine.recover(&PRUNE);
        let all = archived(&old);
        if again.code != 0 || !entries(&machine).is_empty() || all != before {
            found.wrong(Wrong::Other, || format!("done again: {again:?}"));
        }
        found.rounds += 1;
    }
    campaign.note(&phases.in_words("`recover prune`, 12 sessions of 20 entries"));
    campaign.end(&found);
}
