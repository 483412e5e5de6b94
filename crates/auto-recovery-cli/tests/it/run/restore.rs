//! Going back: restore, its own undoing, checkpoints, rollback, clearing.

use super::{Machine, read, write};

fn cured() -> Machine {
    let machine = Machine::new();
    write(&machine, "value", "broken\n");
    let fix = "echo mended > value; echo new > new";
    let args = [
        "--session",
        "s",
        "--fix",
        fix,
        "--",
        "grep",
        "-q",
        "mended",
        "value",
    ];
    let run = machine.recover(&[&["run"][..], &args].concat());
    assert_eq!(run.code, 0, "{run:?}");
    machine
}

#[test]
fn restore_goes_back_and_can_itself_be_taken_back() {
    let machine = cured();
    let back = machine.recover(&["restore", "s"]);
    assert_eq!(back.code, 0, "{back:?}");
    assert_eq!(back.stdout, "new\nvalue\n");
    assert_eq!(read(&machine, "value"), "broken\n");
    let command = back
        .stderr
        .split('`')
        .nth(1)
        .expect("the way back is printed");
    let words: Vec<_> = command.split(' ').skip(1).collect();
    assert_eq!(machine.recover(&words).code, 0, "{command}");
    assert_eq!(read(&machine, "value"), "mended\n");
    assert_eq!(read(&machine, "new"), "new\n");
}

#[test]
fn the_tree_after_an_attempt_can_be_had_although_it_was_undone() {
    let machine = Machine::new();
    write(&machine, "value", "broken\n");
    let args = [
        "--base-delay",
        "1ms",
        "--session",
        "s",
        "--fix",
        "echo try >> value",
    ];
    machine.recover(&[&["run"][..], &args, &["--", "false"]].concat());
    assert_eq!(read(&machine, "value"), "broken\n");
    assert_eq!(machine.recover(&["restore", "s", "2"]).code, 0);
    assert_eq!(read(&machine, "value"), "broken\ntry\n");
    assert_eq!(machine.recover(&["restore", "s", "9"]).code, 1);
}

#[test]
fn what_is_not_there_is_named_with_the_way_out() {
    let machine = cured();
    let run = machine.recover(&["restore", "nobody"]);
    assert_eq!(run.code, 1);
    assert!(
        run.stderr
            .contains("no session nobody; `recover sessions` lists them"),
        "{run:?}"
    );
}

#[test]
fn rollback_goes_to_the_tree_that_was_marked() {
    let machine = Machine::new();
    write(&machine, "value", "good\n");
    let marked = machine.recover(&["checkpoint"]);
    assert_eq!(marked.code, 0, "{marked:?}");
    write(&machine, "value", "bad\n");
    let run = machine.recover(&["run", "--rollback", "--", "grep", "-q", "good", "value"]);
    assert_eq!(run.code, 0, "{run:?}");
    assert!(run.stderr.contains("marked as good"), "{}", run.stderr);
    assert_eq!(read(&machine, "value"), "good\n");
}

#[test]
fn clearing_a_session_removes_its_outputs_and_checkpoints() {
    let machine = cured();
    let outputs = machine.state().join("outputs/s");
    assert!(outputs.join("000.log").exists());
    assert_eq!(machine.recover(&["clear", "s", "--yes"]).code, 0);
    assert!(!outputs.exists());
    assert_eq!(machine.recover(&["restore", "s"]).code, 1);
    assert_eq!(read(&machine, "value"), "mended\n");
}
