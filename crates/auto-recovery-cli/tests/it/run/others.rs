//! Others in the same workspace: another recovery, and one inside of this one.

use std::os::unix::process::ExitStatusExt as _;

use rustix::process::Signal;

use super::{Machine, signal, start, until, wait_for, write};

#[test]
fn a_second_recovery_waits_and_passes_when_the_first_cured_it() {
    let machine = Machine::new();
    write(&machine, "value", "broken\n");
    let fix = "touch ../fixing; while ! test -e ../go; do sleep 0.02; done; echo mended > value";
    let check = ["--", "grep", "-q", "mended", "value"];
    let mut first = start(&machine, &[&["run", "--fix", fix][..], &check].concat());
    wait_for(&machine.root().join("fixing"));
    let refused = machine.recover(&[&["run", "--no-wait"][..], &check].concat());
    assert_eq!(refused.code, 125);
    assert!(
        refused.stderr.contains("another recovery works"),
        "{}",
        refused.stderr
    );
    let said = machine.root().join("said");
    let mut second = machine.command(&[&["run", "--fix", "touch second"][..], &check].concat());
    let second = second.stderr(std::fs::File::create(&said).expect("a file for its words"));
    let second = second.spawn().expect("start recover");
    // Only who waits is sure that another one was at work.
    until("the second waits", || {
        std::fs::read_to_string(&said).is_ok_and(|said| said.contains("waiting for it"))
    });
    std::fs::write(machine.root().join("go"), "").expect("let the first go on");
    assert!(first.wait().expect("it ends").success());
    let second = second.wait_with_output().expect("it ends");
    assert!(second.status.success(), "{second:?}");
    assert!(!machine.work().join("second").exists());
    let sessions = machine.recover(&["sessions", "--json"]);
    assert_eq!(
        sessions.stdout.matches("\"session_id\"").count(),
        1,
        "{}",
        sessions.stdout
    );
}

#[test]
fn a_recovery_that_ended_while_the_command_ran_is_not_missed() {
    let machine = Machine::new();
    write(&machine, "value", "broken\n");
    let fix = "touch ../fixing; while ! test -e ../go; do sleep 0.02; done; echo mended > value";
    let check = ["--", "grep", "-q", "mended", "value"];
    let mut first = start(&machine, &[&["run", "--fix", fix][..], &check].concat());
    wait_for(&machine.root().join("fixing"));
    let seen = "grep -q mended value && exit; touch ../seen; \
                while ! test -e ../over; do sleep 0.02; done; exit 1";
    let args = ["run", "--fix", "touch second", "--", "sh", "-c", seen];
    let second = start(&machine, &args);
    wait_for(&machine.root().join("seen"));
    write(&machine, "../go", "");
    assert!(first.wait().expect("it ends").success());
    write(&machine, "../over", "");
    let second = second.wait_with_output().expect("it ends");
    assert!(second.status.success(), "{second:?}");
    assert!(!machine.work().join("second").exists());
    assert!(!machine.state().join("onlookers").exists());
}

#[test]
fn a_recovery_that_the_command_runs_itself_is_not_another_one() {
    let machine = Machine::new();
    let inner = "echo ran >> ../runs; \
                 \"$RECOVER\" run --max-attempts 1 --fix 'echo half > other' -- false; exit 1";
    let script = format!(
        "\"$RECOVER\" run --retry 0 -- sh -c '{}'",
        inner.replace('\'', "'\\''")
    );
    let run = machine.run(&mut machine.shell(&script));
    assert_eq!(run.code, 1, "{run:?}");
    let runs = std::fs::read_to_string(machine.root().join("runs")).expect("it ran");
    assert_eq!(runs, "ran\n", "{run:?}");
}

#[test]
fn a_command_that_recovers_itself_does_so_again_after_another_recovery() {
    let machine = Machine::new();
    write(&machine, "value", "broken\n");
    let fix = "touch ../fixing; while ! test -e ../go; do sleep 0.02; done; echo mended > value";
    let args = ["run", "--fix", fix, "--", "grep", "-q", "mended", "value"];
    let mut first = start(&machine, &args);
    wait_for(&machine.root().join("fixing"));
    let recover = env!("CARGO_BIN_EXE_recover");
    let inner = format!("'{recover}' run --max-attempts 1 --fix 'echo half > other' -- false");
    let again = format!("test -e ../first || {{ touch ../first; exit 1; }}; {inner}");
    let args = [
        "run",
        "--retry",
        "0",
        "--deadline",
        "60s",
        "--",
        "sh",
        "-c",
        &again,
    ];
    let said = machine.root().join("said");
    let mut second = machine.command(&args);
    let second = second.stderr(std::fs::File::create(&said).expect("a file for its words"));
    let mut second = second.spawn().expect("start recover");
    let words = || std::fs::read_to_string(&said).expect("its words");
    until("the second waits", || words().contains("waiting for it"));
    write(&machine, "../go", "");
    assert!(first.wait().expect("it ends").success());
    let code = second.wait().expect("it ends").code();
    assert_eq!(code, Some(1), "{}", words());
    assert_eq!(words().matches("waiting for it").count(), 1, "{}", words());
}

#[test]
fn a_wait_for_another_recovery_ends_at_the_deadline() {
    let machine = Machine::new();
    let fix = "touch ../started; until [ -e ../go ]; do sleep 0.01; done";
    let args = ["run", "--max-attempts", "1", "--fix", fix, "--", "false"];
    let mut first = start(&machine, &args);
    wait_for(&machine.root().join("started"));
    let args = [
        "run",
        "--deadline",
        "200ms",
        "--session",
        "late",
        "--fix",
        "true",
    ];
    let args = [
        &args[..],
        &["--on-escalate", "touch ../called", "--", "false"],
    ]
    .concat();
    let late = machine.recover(&args);
    assert_eq!(late.code, 124, "{late:?}");
    let why = "not recovered: the deadline passed before anything was tried (exit 124)";
    assert!(late.stderr.contains(why), "{late:?}");
    assert!(machine.root().join("called").exists(), "{late:?}");
    assert!(machine.recover(&["show", "late"]).quiet().contains("false"));
    write(&machine, "../go", "");
    first.wait().expect("it ends");
    let none = ["run", "--deadline", "1ms", "--", "sleep", "5"];
    assert_eq!(machine.recover(&none).code, 124);
}

#[test]
fn a_wait_for_another_recovery_can_be_interrupted() {
    let machine = Machine::new();
    let fix = "touch ../fixing; while ! test -e ../go; do sleep 0.02; done";
    let args = ["run", "--max-attempts", "1", "--fix", fix, "--", "false"];
    let mut first = start(&machine, &args);
    wait_for(&machine.root().join("fixing"));
    let mut second = start(&machine, &["run", "--", "sh", "-c", "touch ../ran; exit 1"]);
    wait_for(&machine.root().join("ran"));
    signal(&second, Signal::TERM);
    assert_eq!(second.wait().expect("it ends").signal(), Some(15));
    std::fs::write(machine.root().join("go"), "").expect("let the first go on");
    assert_eq!(first.wait().expect("it ends").code(), Some(1));
}

#[test]
fn inside_another_recovery_only_what_was_asked_for_is_tried() {
    let machine = Machine::new();
    let recover = env!("CARGO_BIN_EXE_recover");
    let refused = "echo 'curl: (7) Connection refused' >&2; exit 7";
    let inner = format!("\"{recover}\" run -- sh -c \"{refused}\"");
    let args = [
        "--base-delay",
        "1ms",
        "--max-attempts",
        "1",
        "--fix",
        &inner,
        "--",
        "false",
    ];
    let run = machine.recover(&[&["run"][..], &args].concat());
    assert_eq!(run.code, 1, "{run:?}");
    assert!(run.stderr.contains("Connection refused"), "{}", run.stderr);
    assert!(!run.stderr.contains("retry 1/"), "{}", run.stderr);
    let why = "this runs inside a recovery, where only what is asked for is tried; give --fix, \
               --retry or --alternative";
    assert!(run.stderr.contains(why), "{}", run.stderr);
}

#[test]
fn a_checkpoint_inside_a_recovery_marks_nothing_and_says_so() {
    let machine = Machine::new();
    write(&machine, "value", "broken\n");
    let fix = "\"$RECOVER\" checkpoint > ../marked 2> ../said && echo mended > value";
    let script = format!("\"$RECOVER\" run --fix '{fix}' -- grep -q mended value");
    let run = machine.run(&mut machine.shell(&script));
    assert_eq!(run.code, 0, "{run:?}");
    let read = |name: &str| std::fs::read_to_string(machine.root().join(name)).expect("read");
    assert_eq!(read("marked"), "");
    let said = read("said");
    assert!(
        said.starts_with("recover: nothing is marked: this is inside"),
        "{said}"
    );
    let mut inside = machine.command(&["checkpoint", "--json"]);
    let inside = machine.run(inside.env("RECOVER_SESSION_ID", "outer"));
    assert_eq!(inside.json()["checkpoint"], serde_json::Value::Null);
    assert!(inside.stderr.contains("session outer"), "{inside:?}");
    let outside = machine.recover(&["checkpoint", "--json"]).json();
    assert!(outside["checkpoint"].is_string(), "{outside}");
}

#[test]
fn what_a_recovery_left_that_dies_while_it_is_waited_for_is_put_back_first() {
    let machine = Machine::new();
    write(&machine, "value", "broken\n");
    let fix = "echo half > value; touch more ../fixing; while ! test -e ../go; do sleep 0.02; done";
    let args = ["run", "--session", "first", "--fix", fix, "--", "false"];
    let mut first = start(&machine, &args);
    wait_for(&machine.root().join("fixing"));
    let said = machine.root().join("said");
    let fix = "cat value > ../found; echo mended > value";
    let check = ["--", "grep", "-q", "mended", "value"];
    let mut second = machine.command(&[&["run", "--fix", fix][..], &check].concat());
    let second = second.stderr(std::fs::File::create(&said).expect("a file for its words"));
    let mut second = second.spawn().expect("start recover");
    let has_said =
        |words: &str| std::fs::read_to_string(&said).is_ok_and(|said| said.contains(words));
    until("the second waits", || has_said("waiting for it"));
    signal(&first, Signal::KILL);
    first.wait().expect("it is killed");
    assert!(second.wait().expect("it ends").success());
    assert!(has_said(
        "session first died here in the middle of an attempt; put back"
    ));
    let read = |name: &str| std::fs::read_to_string(machine.work().join(name)).ok();
    assert_eq!(read("../found").as_deref(), Some("broken\n"));
    assert_eq!(read("value").as_deref(), Some("mended\n"));
    assert_eq!(read("more"), None);
}
