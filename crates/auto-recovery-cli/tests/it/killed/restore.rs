//! `recover restore`, killed: the next run finishes it.

use auto_recovery::testing::{Campaign, Found, Random, Rounds, Wrong};

use super::tree::{CHANGE_ALL, Tree, difference, tree, write_project};
use super::{Phases, duration_of, instant, kill_after};
use crate::harness::Machine;

/// A machine on which session `s` was recovered by a fix that changed everything, and the tree
/// before.
fn recovered() -> (Machine, Tree) {
    let machine = Machine::new();
    write_project(&machine);
    let before = tree(&machine);
    let fix = format!("{CHANGE_ALL}; echo mended > value");
    let args = ["run", "--session", "s", "--fix", &fix, "--"];
    let command = ["grep", "-q", "mended", "value"];
    let run = machine.recover(&[&args[..], &command].concat());
    assert_eq!(run.code, 0, "{run:?}");
    (machine, before)
}

#[test]
fn the_next_run_finishes_it() {
    let campaign = Campaign::begin("32-kill-restore", "`kill -9` of `recover restore`");
    let rounds = Rounds {
        ordinary: 4,
        long: 200,
    };
    let (machine, _) = recovered();
    let whole = duration_of(|| assert_eq!(machine.recover(&["restore", "s"]).code, 0));
    let mut random = Random::new(32);
    let mut phases = Phases::default();
    let mut found = Found::default();
    for round in 0..rounds.count() {
        found.round = format!("round {round}");
        let (machine, before) = recovered();
        let after = tree(&machine);
        let mut child = machine
            .command(&["restore", "s"])
            .spawn()
            .expect("start recover");
        kill_after(&mut child, instant(&mut random, whole));
        let left = tree(&machine);
        let is_half_way = left != before && left != after;
        phases.met(match (left == after, is_half_way) {
            (true, _) => "1 before the first file",
            (_, true) => "2 between two files",
            _ => "3 after the last",
        });
        let next = machine.recover(&["run", "--", "true"]);
        let now = tree(&machine);
        // Killed before it began to change anything, it need not have left word that it would.
        if next.code != 0 || (now != before && left != now) || (is_half_way && now != before) {
            let differ = difference(&before, &now);
            found.wrong(Wrong::Other, || format!("{next:?}: {differ:?}"));
        }
        let again = machine.recover(&["restore", "s"]);
        if again.code != 0 || tree(&machine) != before {
            found.wrong(Wrong::Other, || format!("done again: {again:?}"));
        }
        found.rounds += 1;
    }
    campaign.note(&phases.in_words("`recover restore`, 122 files"));
    campaign.end(&found);
}
