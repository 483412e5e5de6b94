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
        refused.stderr.contains("1 of 1 line was not recorded"),
        "{refused:?}"
    );
}
