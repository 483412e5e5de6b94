//! Output once: only what the deciding run wrote, and what an agent is told.

use std::fs;

use super::Machine;

#[test]
fn only_the_deciding_run_is_heard() {
    let machine = Machine::new();
    let script = "echo out; echo err >&2; echo $$ >> ../runs; test -e ok";
    let fix = "echo noise; echo more noise >&2; touch ok";
    let run = machine.recover(&[
        "run",
        "--quiet",
        "--hold-output",
        "--fix",
        fix,
        "--",
        "sh",
        "-c",
        script,
    ]);
    assert_eq!((run.code, run.stdout.as_str()), (0, "out\n"), "{run:?}");
    assert_eq!(run.stderr.matches("err\n").count(), 1, "{run:?}");
    assert!(!run.stderr.contains("noise"), "{run:?}");
    let runs = fs::read_to_string(machine.root().join("runs")).expect("the runs");
    assert_eq!(runs.lines().count(), 2);
    // Of one that failed to its end, the last.
    let run = machine.recover(&[
        "run",
        "--hold-output",
        "--fix",
        ":",
        "--",
        "sh",
        "-c",
        "echo $$; exit 3",
    ]);
    assert_eq!((run.code, run.stdout.lines().count()), (3, 1), "{run:?}");
}

#[test]
fn both_streams_stay_in_order_where_they_end_in_one_place() {
    let machine = Machine::new();
    let script =
        "$RECOVER run --hold-output -- sh -c 'echo 1; echo 2 >&2; echo 3; echo 4 >&2' 2>&1";
    let run = machine.run(&mut machine.shell(script));
    assert_eq!(run.stdout, "1\n2\n3\n4\n");
}

#[test]
fn an_agent_is_told_one_verdict_below_one_output() {
    let machine = Machine::new();
    let test = "echo $$ >> ../runs; echo 'FAILED test_a.py::test_b - AssertionError: no'; \
                echo '==== 1 failed in 0.01s ===='; exit 1";
    machine.write("project/pytest", &format!("#!/bin/sh\n{test}\n"));
    let run = machine
        .run(&mut machine.shell("chmod +x pytest; $RECOVER run --profile agent -- ./pytest"));
    assert_eq!(run.code, 1, "{run:?}");
    assert_eq!(run.stdout.matches("FAILED").count(), 1, "{run:?}");
    assert_eq!(run.stderr.lines().count(), 1, "{run:?}");
    assert!(
        run.stderr.contains("`./pytest` failed (exit 1): "),
        "{run:?}"
    );
    let runs = fs::read_to_string(machine.root().join("runs")).expect("the runs");
    assert_eq!(runs.lines().count(), 1, "no blind retry of tests: {run:?}");
    // What is typed wins.
    let run = machine.run(
        &mut machine.shell("$RECOVER run --profile agent --retry 1 --base-delay 0s -- ./pytest"),
    );
    assert_eq!(run.code, 1, "{run:?}");
    let runs = fs::read_to_string(machine.root().join("runs")).expect("the runs");
    assert_eq!(runs.lines().count(), 3, "{run:?}");
    let late = machine.recover(&[
        "run",
        "--profile",
        "agent",
        "--deadline",
        "200ms",
        "--",
        "sleep",
        "77.5",
    ]);
    assert_eq!(late.code, 124, "{late:?}");
}

#[test]
fn what_is_long_is_cut_in_the_middle_and_can_be_read() {
    let machine = Machine::new();
    let args = ["run", "--profile", "agent", "--", "seq", "100000"];
    let run = machine.recover(&args);
    assert_eq!(run.code, 0, "{run:?}");
    assert!(run.stdout.len() < 17_000, "{}", run.stdout.len());
    assert!(run.stdout.starts_with("1\n2\n"), "{run:?}");
    assert!(run.stdout.ends_with("\n99999\n100000\n"), "{run:?}");
    let line = run
        .stdout
        .lines()
        .find(|line| line.contains("bytes left out"));
    let path = line
        .expect("a note")
        .rsplit("all of it is in ")
        .next()
        .expect("a path");
    let whole = fs::read_to_string(path).expect("the rest");
    fs::remove_file(path).expect("remove it");
    assert_eq!(whole.lines().count(), 100_000);
    let count = whole.len() - 16 * 1024;
    assert!(
        line.expect("a note").contains(&format!("… {count} bytes")),
        "{line:?}"
    );
}

#[test]
fn output_that_is_not_cut_makes_no_file() {
    let machine = Machine::new();
    let dir = machine.root().join("tmp");
    fs::create_dir(&dir).expect("a directory");
    for (last, files) in [("1000", 0), ("100000", 1)] {
        let mut command = machine.command(&["run", "--profile", "agent", "--", "seq", last]);
        let run = machine.run(command.env("TMPDIR", &dir));
        assert_eq!(run.code, 0, "{run:?}");
        let made = fs::read_dir(&dir).expect("the directory").count();
        assert_eq!(made, files, "{last}");
    }
}
