//! What a person types at the terminal while something runs: Ctrl-C ends the recovery, whatever the
//! program makes of it, unless the program reads keys.

use std::fs;
use std::os::unix::process::ExitStatusExt as _;

use super::{Machine, is_running, read, until, write};
use crate::session::Session;

/// Catches the interrupt and exits by itself, as test runners do.
const CATCHES: &str = "trap 'exit 2' INT; echo \"rea\"\"dy\"; while :; do sleep 0.01; done";

const CTRL_C: &[u8] = b"\x03";
const CTRL_BACKSLASH: &[u8] = b"\x1c";

#[test]
fn an_interrupt_typed_in_the_first_run_ends_it_all() {
    for (key, signal) in [(CTRL_C, 2), (CTRL_BACKSLASH, 3)] {
        let machine = Machine::new();
        write(&machine, "value", "broken\n");
        let script = format!("echo >> ../runs; trap 'exit 2' QUIT; {CATCHES}");
        let args = ["run", "--fix", "touch fixed", "--retry", "3", "--"];
        let args = [&args[..], &["sh", "-c", &script]].concat();
        let mut session = Session::start(&machine, &args);
        session.wait_for("ready");
        session.press(key);
        let status = session.end();
        assert_eq!(
            status.signal(),
            Some(signal),
            "{status:?} {}",
            session.seen()
        );
        assert!(!machine.work().join("fixed").exists());
        assert!(!machine.state().exists(), "nothing was recovered");
        assert_eq!(
            fs::read_to_string(machine.root().join("runs")).unwrap(),
            "\n"
        );
        assert!(
            session
                .seen()
                .contains("interrupted, nothing was recovered"),
            "{}",
            session.seen()
        );
        assert!(!session.seen().contains("stopping"), "{}", session.seen());
    }
}

#[test]
fn an_interrupt_typed_in_a_verification_ends_it_all() {
    let machine = Machine::new();
    write(&machine, "value", "broken\n");
    let script = format!("echo >> ../runs; grep -q half value || exit 1; {CATCHES}");
    let args = [
        "run",
        "--fix",
        "echo half > value",
        "--",
        "sh",
        "-c",
        &script,
    ];
    let mut session = Session::start(&machine, &args);
    session.wait_for("ready");
    session.press(CTRL_C);
    let status = session.end();
    assert_eq!(status.signal(), Some(2), "{status:?} {}", session.seen());
    assert_eq!(read(&machine, "value"), "broken\n");
    assert_eq!(
        fs::read_to_string(machine.root().join("runs")).unwrap(),
        "\n\n"
    );
    let sessions = machine.recover(&["sessions", "--json"]).stdout;
    assert!(sessions.contains("\"interrupted\""), "{sessions}");
}

#[test]
fn an_interrupt_typed_between_two_tries_ends_the_wait() {
    let machine = Machine::new();
    let args = [
        "run",
        "--retry",
        "3",
        "--base-delay",
        "100s",
        "--no-jitter",
        "--",
        "false",
    ];
    let mut session = Session::start(&machine, &args);
    session.wait_for("again soon");
    session.press(CTRL_C);
    let status = session.end();
    assert_eq!(status.signal(), Some(2), "{status:?} {}", session.seen());
    // What was typed stands behind the moving line, and goes with it.
    let seen = session.seen();
    let (_, last) = seen.rsplit_once("again soon").expect("the line");
    let (line, after) = last.split_once("\r\x1b[2K").expect("the line is cleared");
    assert!(line.trim_end_matches("^C").ends_with("left"), "{seen:?}");
    let after = after.replace("\r\x1b[2K", "");
    assert!(after.starts_with("recover: interrupted"), "{seen:?}");
}

#[test]
fn a_fix_that_is_deaf_to_the_interrupt_is_killed() {
    let fix = "echo half > value; trap '' INT TERM; echo \"rea\"\"dy\"; \
               while :; do sleep 0.01; done";
    for (grace, again) in [("100s", true), ("300ms", false)] {
        let machine = Machine::new();
        write(&machine, "value", "broken\n");
        let args = ["run", "--grace", grace, "--fix", fix, "--", "false"];
        let mut session = Session::start(&machine, &args);
        session.wait_for("ready");
        session.press(CTRL_C);
        session.wait_for("recover: stopping `echo half");
        session.wait_for("Ctrl-C again kills it now");
        if again {
            session.press(CTRL_C);
        }
        let status = session.end();
        assert_eq!(status.signal(), Some(2), "{status:?} {}", session.seen());
        assert_eq!(read(&machine, "value"), "broken\n");
    }
}

#[test]
fn what_left_the_group_is_told_and_a_second_interrupt_kills_it() {
    let machine = Machine::new();
    let script = "trap '' INT; setsid sh -c 'trap \"echo > ../told\" TERM; echo \"rea\"\"dy\"; \
                  while :; do sleep 0.01; done' & wait";
    let args = ["run", "--grace", "100s", "--", "sh", "-c", script];
    let mut session = Session::start(&machine, &args);
    session.wait_for("ready");
    session.press(CTRL_C);
    until("the descendant was told", || {
        machine.root().join("told").exists()
    });
    session.wait_for("Ctrl-C again kills it now");
    session.press(CTRL_C);
    let status = session.end();
    assert_eq!(status.signal(), Some(2), "{status:?} {}", session.seen());
}

#[test]
fn an_interrupt_that_was_typed_ends_what_is_around_as_well() {
    for (what, script) in [
        (
            "a loop",
            "for i in 1 2 3; do \"$RECOVER\" run -- sh catches; : > next; done",
        ),
        (
            "a run around",
            "\"$RECOVER\" run --retry 2 -- sh -c '\"$RECOVER\" run -- sh catches; : > next; exit 1'",
        ),
    ] {
        let machine = Machine::new();
        write(&machine, "catches", CATCHES);
        let mut session = Session::shell(&machine, script);
        session.wait_for("ready");
        session.press(CTRL_C);
        let status = session.end();
        let seen = session.seen();
        assert_eq!(status.signal(), Some(2), "{what}: {status:?} {seen}");
        assert!(!machine.work().join("next").exists(), "{what}: {seen}");
        assert_eq!(seen.matches("ready").count(), 1, "{what}: {seen}");
    }
}

#[test]
fn the_path_does_not_say_who_tells_what_was_typed() {
    let machine = Machine::new();
    machine.write("bin/cat", "#!/bin/sh\n: > ../started\n");
    write(&machine, "catches", CATCHES);
    let script = "chmod +x ../bin/cat; PATH=$PWD/../bin:$PATH; exec \"$RECOVER\" run -- sh catches";
    let mut session = Session::shell(&machine, script);
    session.wait_for("ready");
    session.press(CTRL_C);
    let status = session.end();
    assert_eq!(status.signal(), Some(2), "{status:?} {}", session.seen());
    assert!(!machine.root().join("started").exists());
}

/// The process that stands in the command's group for `recover`.
fn sentinel(session: &Session) -> Option<u32> {
    let processes = fs::read_dir("/proc")
        .expect("read the process table")
        .flatten();
    let ours = |stat: &str| {
        let (id, rest) = stat.split_once(" (cat) ")?;
        let is_child = rest.split(' ').nth(1) == Some(&session.pid().to_string());
        is_child.then(|| id.parse().ok()).flatten()
    };
    let stats = processes.filter_map(|entry| fs::read_to_string(entry.path().join("stat")).ok());
    stats.filter_map(|stat| ours(&stat)).next()
}

#[test]
fn a_program_that_reads_keys_makes_of_them_what_it_likes() {
    // Before the key is typed, and only after it, as a shell's prompt does that was at work.
    for script in [
        "trap 'echo \"ta\"\"ken\"' INT; stty -icanon; echo \"rea\"\"dy\"",
        "trap 'stty -icanon; echo \"ta\"\"ken\"' INT; echo \"rea\"\"dy\"",
    ] {
        let machine = Machine::new();
        let script = format!("{script}; until [ -e ../go ]; do sleep 0.01; done; stty icanon");
        let args = ["run", "--grace", "300ms", "--", "sh", "-c", &script];
        let mut session = Session::start(&machine, &args);
        session.wait_for("ready");
        until("somebody stands there", || sentinel(&session).is_some());
        let before = sentinel(&session);
        session.press(CTRL_C);
        session.wait_for("taken");
        // A program that is gone before we know of the key has made nothing of it.
        until("the key was noticed", || {
            let now = sentinel(&session);
            now.is_some() && now != before
        });
        machine.write("go", "");
        let status = session.end();
        assert_eq!(status.code(), Some(0), "{status:?} {}", session.seen());
        assert!(
            !session.seen().contains("interrupted"),
            "{}",
            session.seen()
        );
    }
}

#[test]
fn when_the_grace_ends_at_a_prompt_nothing_is_killed() {
    let machine = Machine::new();
    // Nothing is shown: only at the end of the grace can it be noticed, which is before a second
    // has passed.
    let script = "trap 'stty -icanon; sleep 1; stty icanon; exit 0' INT; echo \"rea\"\"dy\"; \
                  while :; do sleep 0.01; done";
    let args = ["run", "--grace", "100ms", "--", "sh", "-c", script];
    let mut session = Session::start(&machine, &args);
    session.wait_for("ready");
    session.press(CTRL_C);
    let status = session.end();
    assert_eq!(status.code(), Some(0), "{status:?} {}", session.seen());
}

#[test]
fn what_does_not_hear_the_key_is_asked_to_end_when_the_command_is_over() {
    let machine = Machine::new();
    // A shell's job in the background ignores what is typed, and one has left the group.
    let script = "sleep 76.25 & setsid sleep 76.75 & echo \"rea\"\"dy\"; exec sleep 76.5";
    let args = ["run", "--grace", "100s", "--", "sh", "-c", script];
    let mut session = Session::start(&machine, &args);
    session.wait_for("ready");
    until("all run", || {
        ["76.25", "76.5", "76.75"]
            .iter()
            .all(|s| is_running(&format!("sleep {s}")))
    });
    session.press(CTRL_C);
    let status = session.end();
    assert_eq!(status.signal(), Some(2), "{status:?} {}", session.seen());
    assert!(
        !["76.25", "76.5", "76.75"]
            .iter()
            .any(|s| is_running(&format!("sleep {s}")))
    );
}
