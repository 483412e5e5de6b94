//! `recover log`, killed: every acknowledged line is there.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Write};
use std::process::Stdio;
use std::time::Duration;

use auto_recovery::testing::{Campaign, Found, Random, Rounds, Wrong};
use serde_json::Value;

use super::{Phases, duration_of, instant, kill_after};
use crate::harness::Machine;

const LINES: usize = 60;

/// What is given to `recover log`: two sessions in turn, lines of less and of more than a sector.
fn input(round: u64) -> String {
    (0..LINES)
        .map(|line| {
            format!(
                "{{\"session_id\":\"s{}\",\"strategy\":\"fix\",\"success\":false,\
                 \"error_type\":\"{round}-{line}\",\"error_message\":\"{}\"}}\n",
                line % 2,
                "x".repeat(line * 37 % 900)
            )
        })
        .collect()
}

/// Lines that are given before their acknowledgements are waited for, so that many commits follow.
const LINES_AT_ONCE: usize = 4;

/// Runs `recover log` on that, a few lines at a time, and kills it. Returns what was acknowledged.
fn log_and_kill(machine: &Machine, round: u64, delay: Option<Duration>) -> Vec<Value> {
    let mut child = machine
        .command(&["log"])
        .stdin(Stdio::piped())
        .spawn()
        .expect("start recover");
    let mut stdin = child.stdin.take().expect("its input");
    let stdout = BufReader::new(child.stdout.take().expect("its output"));
    let (acknowledged, heard) = std::sync::mpsc::channel();
    let writer = std::thread::spawn(move || {
        for (number, line) in input(round).split_inclusive('\n').enumerate() {
            // Nobody reads any more, or answers, once it is killed.
            if stdin.write_all(line.as_bytes()).is_err() {
                break;
            }
            if number % LINES_AT_ONCE == LINES_AT_ONCE - 1 {
                heard.iter().take(LINES_AT_ONCE).for_each(drop);
            }
        }
    });
    let reader = std::thread::spawn(move || {
        let mut acks = Vec::new();
        for line in stdout.lines() {
            // A line that the kill cut acknowledges nothing.
            if let Ok(ack) = serde_json::from_str::<Value>(&line.expect("UTF-8")) {
                acks.push(ack);
                acknowledged.send(()).ok();
            }
        }
        acks
    });
    match delay {
        Some(delay) => drop(kill_after(&mut child, delay)),
        None => assert!(child.wait().expect("wait for recover").success()),
    }
    writer.join().expect("the writer");
    reader.join().expect("the reader")
}

fn text(value: &Value) -> String {
    value.as_str().expect("text").to_owned()
}

/// Holds the trails against everything that was acknowledged so far.
fn check(machine: &Machine, acknowledged: &[(String, String)], found: &mut Found) {
    for session in ["s0", "s1"] {
        let mine = acknowledged.iter().filter(|(of, _)| of == session);
        let mine: Vec<&String> = mine.map(|(_, entry)| entry).collect();
        let run = machine.recover(&["history", session, "--json"]);
        let history: Vec<Value> = serde_json::from_str(&run.stdout).unwrap_or_default();
        let shown: Vec<String> = history
            .iter()
            .map(|entry| text(&entry["entry_id"]))
            .collect();
        let distinct: BTreeSet<&String> = shown.iter().collect();
        if distinct.len() != shown.len() {
            found.wrong(Wrong::Doubled, || session.to_owned());
        }
        for entry in &mine {
            if !distinct.contains(entry) {
                found.wrong(Wrong::Lost, || format!("{session}: {entry}"));
            }
        }
        let of_mine: BTreeSet<&String> = mine.iter().copied().collect();
        let in_order = shown.iter().filter(|entry| of_mine.contains(entry));
        if !in_order.eq(mine) {
            found.wrong(Wrong::Other, || format!("{session}: another order"));
        }
        let is_whole = |entry: &Value| entry.as_object().is_some_and(|keys| keys.len() == 14);
        // A write that the kill cut is damage that is told, and no entry.
        if !history.iter().all(is_whole) {
            found.wrong(Wrong::Torn, || format!("{session}: {}", run.stderr));
        }
    }
}

#[test]
fn every_acknowledged_line_is_there() {
    let campaign = Campaign::begin("30-kill-log", "`kill -9` of `recover log`");
    let rounds = Rounds {
        ordinary: 8,
        long: 500,
    };
    let whole = duration_of(|| drop(log_and_kill(&Machine::new(), 0, None)));
    let mut random = Random::new(30);
    let mut phases = Phases::default();
    let mut found = Found::default();
    let mut machine = Machine::new();
    let mut acknowledged = Vec::new();
    for round in 0..rounds.count() {
        if round % 10 == 0 {
            machine = Machine::new();
            acknowledged.clear();
        }
        found.round = format!("round {round}");
        let acks = log_and_kill(&machine, round, Some(instant(&mut random, whole)));
        phases.met(match acks.len() {
            0 => "before the first line",
            LINES => "after the last",
            _ => "between",
        });
        let ids = acks
            .iter()
            .map(|ack| (text(&ack["session_id"]), text(&ack["entry_id"])));
        acknowledged.extend(ids);
        check(&machine, &acknowledged, &mut found);
        found.rounds += 1;
    }
    campaign.note(&phases.in_words("`recover log`, 60 lines"));
    campaign.end(&found);
}
