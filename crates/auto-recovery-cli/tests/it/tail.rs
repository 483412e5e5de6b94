//! `recover tail`: the last attempts, and those that come.

use std::io::{BufRead as _, BufReader};
use std::process::Child;

use serde_json::Value;

use crate::harness::Machine;

/// A line of `recover log`.
fn line(session: &str, number: u64, timestamp: &str) -> String {
    format!(
        "{{\"session_id\":\"{session}\",\"strategy\":\"fix\",\"success\":true,\
         \"error_type\":\"E{number}\",\"timestamp\":\"{timestamp}\"}}\n"
    )
}

fn log(machine: &Machine, lines: &str) {
    machine.recover_with(&["log"], lines).quiet();
}

#[test]
fn the_last_attempts_are_told_by_their_times() {
    let machine = Machine::new();
    let lines: Vec<_> = (0..30)
        .map(|n| {
            line(
                &format!("s{}", n % 3),
                n,
                &format!("2026-01-02T03:04:{n:02}.000Z"),
            )
        })
        .collect();
    log(&machine, &lines.concat());
    let told = machine.recover(&["tail", "-n", "4", "--json"]);
    let types: Vec<String> = told
        .quiet()
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).expect("JSON")["error_type"].to_string())
        .collect();
    assert_eq!(types, ["\"E26\"", "\"E27\"", "\"E28\"", "\"E29\""]);
    let told = machine.recover(&["tail", "--session", "s1", "-n", "2"]);
    let lines: Vec<_> = told.quiet().lines().collect();
    assert_eq!(lines.len(), 2, "{lines:?}");
    assert!(
        lines[1].starts_with("2026-01-02T03:04:28.000Z  s1  project  attempt 10, fix: cured: E28"),
        "{lines:?}"
    );
    assert_eq!(machine.recover(&["tail", "--project", "other"]).quiet(), "");
    let nobody = machine.recover(&["tail", "--session", "nobody"]);
    assert_eq!((nobody.code, &*nobody.stdout), (1, ""));
    assert_eq!(machine.recover(&["tail", "-n", "0"]).code, 2);
}

/// A command that follows, ended with the test.
struct Following(Child);

impl Drop for Following {
    fn drop(&mut self) {
        self.0.kill().expect("it is ours to end");
        self.0.wait().expect("its end");
    }
}

#[test]
fn what_comes_is_told_once_also_what_comes_late() {
    let machine = Machine::new();
    log(&machine, &line("a", 1, "2026-01-02T03:04:05.000Z"));
    let mut child = machine
        .command(&["tail", "-f", "-n", "1", "--json"])
        .spawn()
        .expect("start");
    let mut told = BufReader::new(child.stdout.take().expect("its output")).lines();
    let _following = Following(child);
    let mut next = || {
        let line = told.next().expect("one more").expect("a line");
        serde_json::from_str::<Value>(&line).expect("JSON")["error_type"].clone()
    };
    assert_eq!(next(), "E1");
    log(&machine, &line("a", 2, "2020-01-02T03:04:05.000Z"));
    assert_eq!(next(), "E2");
    log(&machine, &line("b", 3, "2026-01-02T03:04:05.000Z"));
    assert_eq!(next(), "E3");
    machine.recover(&["clear", "a", "--yes"]);
    log(
        &machine,
        &(line("a", 4, "2026-01-02T03:04:05.000Z") + &line("a", 5, "2026-01-02T03:04:05.000Z")),
    );
    assert_eq!((next(), next()), ("E4".into(), "E5".into()));
}

#[test]
fn who_has_read_enough_ends_it() {
    let machine = Machine::new();
    log(&machine, &line("a", 1, "2026-01-02T03:04:05.000Z"));
    let script = "\"$RECOVER\" tail -f | head -n 1; echo \"${PIPESTATUS:-0}\"";
    let mut child = machine
        .shell(script)
        .stdout(std::process::Stdio::piped())
        .spawn()
        .expect("start");
    let mut told = BufReader::new(child.stdout.take().expect("its output")).lines();
    assert!(told.next().expect("a line").expect("text").contains("E1"));
    // The next write finds nobody.
    log(&machine, &line("a", 2, "2026-01-02T03:04:05.000Z"));
    assert_eq!(told.next().expect("a line").expect("text"), "0");
    assert!(child.wait().expect("its end").success());
}
