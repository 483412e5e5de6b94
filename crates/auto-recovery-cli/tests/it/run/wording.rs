//! What is said to people: one is one, and no name is longer than what is said of it.

use super::{Machine, write};

#[test]
fn a_path_of_thousands_of_characters_is_shown_by_its_ends() {
    let machine = Machine::new();
    write(&machine, "value", "");
    let fix = "d=begin; for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15; do \
               d=$d/$(printf \"%0200d\" 0); done; mkdir -p \"$d\"; touch \"$d/end\"";
    let run = machine.recover(&[
        "run",
        "--session",
        "s",
        "--fix",
        fix,
        "--",
        "sh",
        "-c",
        "test -e begin",
    ]);
    assert_eq!(run.code, 0, "{run:?}");
    let longest = run.stderr.lines().filter(|line| line.contains("changed "));
    let longest = longest
        .map(str::len)
        .max()
        .expect("it is said what changed");
    assert!(longest < 500, "{run:?}");
    assert!(
        run.stderr.contains("begin/000") && run.stderr.contains("0/end"),
        "{run:?}"
    );
    let history = machine.recover(&["history", "s", "--json"]).json();
    let whole = history[0]["files_modified"][0].as_str().expect("a path");
    assert!(whole.len() > 3_000, "{whole}");
}

#[test]
fn one_file_is_one_file() {
    let machine = Machine::new();
    write(&machine, "value", "");
    let marked = machine.recover(&["checkpoint"]);
    assert!(marked.stderr.contains(" as good, 1 file · "), "{marked:?}");
    let refused = machine.recover_with(&["log"], "{}\n");
    assert!(
        refused.stderr.ends_with("1 of 1 line was not recorded\n"),
        "{refused:?}"
    );
}

#[test]
fn what_a_failed_run_leaves_changed_is_said_with_the_way_back() {
    let machine = Machine::new();
    let run = machine.recover(&[
        "run",
        "--session",
        "s",
        "--keep-failed-changes",
        "--max-attempts",
        "1",
        "--fix",
        "touch kept",
        "--",
        "test",
        "-e",
        "fixed",
    ]);
    let last = run.stderr.lines().last().expect("an end");
    assert!(last.contains(" · left changed: kept · seal "), "{run:?}");
    let says = " · s · recover show s · recover undo s";
    assert!(last.ends_with(says), "{run:?}");
    assert_eq!(machine.recover(&["undo", "s"]).code, 0);
    assert!(!machine.work().join("kept").exists());
}

#[test]
fn a_failure_that_has_no_name_but_its_exit_is_named_once() {
    let machine = Machine::new();
    let run = machine.recover(&["run", "--session", "s", "--", "sh", "-c", "exit 3"]);
    let first = run.stderr.lines().next().expect("a failure");
    assert_eq!(first, "recover: `sh -c 'exit 3'` failed (exit 3): unknown");
    let last = run.stderr.lines().last().expect("an end");
    assert!(last.contains(" · nothing to undo · seal "), "{run:?}");
    assert!(last.ends_with(" · s · recover show s"), "{run:?}");
}

#[test]
fn an_output_of_nothing_is_not_said_to_have_ended() {
    let machine = Machine::new();
    let answer = machine.recover_with(&["classify"], "\n").json();
    let says = "there is no output, and --exit-code was not given";
    assert_eq!(answer["message"], says, "{answer}");
    let answer = machine
        .recover_with(&["classify", "--exit-code", "3"], "")
        .json();
    assert_eq!(answer["message"], "ended with exit 3 and said nothing");
}

#[test]
fn a_session_that_tried_nothing_has_an_age() {
    let machine = Machine::new();
    machine.recover(&["run", "--session", "s", "--", "false"]);
    let run = machine.recover(&["prune", "--older-than", "0s", "--dry-run"]);
    let row = run.stdout.lines().nth(1).expect("a row");
    let words: Vec<_> = row.split_whitespace().collect();
    assert_eq!((words[0], words[2]), ("s", "0"), "{run:?}");
}
