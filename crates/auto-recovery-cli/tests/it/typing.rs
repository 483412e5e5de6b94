//! The command that `run` and `plan` take: where its words begin, and lines for a shell.

use crate::harness::Machine;

#[test]
fn the_first_word_that_is_no_option_begins_the_command() {
    let machine = Machine::new();
    for (args, says) in [
        (&["run", "echo", "a"][..], "a\n"),
        (&["run", "--", "echo", "a"], "a\n"),
        (
            &["run", "-q", "echo", "--json", "-q", "--", "x", "--dry-run"],
            "--json -q -- x --dry-run\n",
        ),
        (&["run", "--", "echo", "--", "x"], "-- x\n"),
        (
            &["run", "--retry", "1", "echo", "--retry", "x"],
            "--retry x\n",
        ),
        (&["run", "--rollback", "echo", "x"], "x\n"),
    ] {
        assert_eq!(machine.recover(args).quiet(), says, "{args:?}");
    }
}

#[test]
fn a_line_for_a_shell_is_run_by_one() {
    let machine = Machine::new();
    let run = machine.recover(&["run", "-c", "echo a && echo \"b  c\""]);
    assert_eq!(run.quiet(), "a\nb  c\n");
    let run = machine.recover(&["run", "--retry", "0", "-c", "true && exit 7"]);
    assert_eq!(run.code, 7, "{run:?}");
    let run = machine.recover(&["run", "--json", "-c", "true"]);
    assert_eq!(
        run.json()["command"],
        serde_json::json!(["sh", "-c", "true"])
    );
}
