//! The command's streams: the order of its lines, its unfinished lines, and inputs that can be read
//! once only.

use std::fs;
use std::process::Stdio;

use super::{Machine, read};
use crate::session::Session;

/// Lines that alternate between the streams.
const BOTH: &str = "i=0; while [ $i -lt 300 ]; do echo out $i; echo err $i >&2; i=$((i + 1)); done";

fn both() -> String {
    (0..300).map(|i| format!("out {i}\nerr {i}\n")).collect()
}

#[test]
fn lines_keep_their_order_where_both_streams_are_one() {
    let machine = Machine::new();
    for (what, script) in [
        ("a file", "\"$RECOVER\" run -- sh -c \"$BOTH\" > log 2>&1"),
        (
            "a pipe",
            "\"$RECOVER\" run -- sh -c \"$BOTH\" 2>&1 | cat > log",
        ),
        (
            "a helper's",
            "\"$RECOVER\" run -q --fix \"$BOTH; touch ok\" -- test -e ok 2> log",
        ),
    ] {
        let run = machine.run(
            machine
                .shell(script)
                .env("BOTH", BOTH)
                .stderr(Stdio::piped()),
        );
        assert_eq!(run.code, 0, "{what}: {run:?}");
        assert_eq!(read(&machine, "log"), both(), "{what}");
    }
}

#[test]
fn streams_that_end_apart_stay_apart() {
    let machine = Machine::new();
    let script = "\"$RECOVER\" run -- sh -c 'echo out; echo err >&2' > out 2> err";
    assert_eq!(machine.run(&mut machine.shell(script)).code, 0);
    assert_eq!(
        (read(&machine, "out"), read(&machine, "err")),
        ("out\n".into(), "err\n".into())
    );
}

#[test]
fn no_line_of_ours_continues_one_of_the_commands() {
    let command = "printf 'no newline'; exit 3";
    let machine = Machine::new();
    // Into a file or a pipe with both streams, and where only stderr is.
    for script in [
        "\"$RECOVER\" run -- sh -c \"$COMMAND\" > log 2>&1",
        "\"$RECOVER\" run -- sh -c \"$COMMAND\" 2>&1 | cat > log",
        "\"$RECOVER\" run -- sh -c \"$COMMAND\" 2> log >&2",
    ] {
        machine.run(machine.shell(script).env("COMMAND", command));
        let log = read(&machine, "log");
        assert!(
            log.starts_with("no newline\nrecover: `sh"),
            "{script}: {log}"
        );
    }
    let run = machine.recover(&["run", "--", "sh", "-c", command]);
    assert_eq!(run.stdout, "no newline");
    assert!(
        run.stderr.starts_with("recover: `sh"),
        "stdout is elsewhere: {run:?}"
    );
    let run = machine.recover(&["run", "--", "sh", "-c", "echo whole; exit 3"]);
    assert_eq!(run.stdout, "whole\n");
    let mut session = Session::start(&machine, &["run", "--", "sh", "-c", command]);
    assert_eq!(session.end().code(), Some(3));
    assert!(
        session.seen().contains("no newline\nrecover: `sh"),
        "{}",
        session.seen()
    );
}

#[test]
fn a_terminal_is_a_pipe_to_the_command_where_that_is_wanted() {
    let machine = Machine::new();
    let script = "[ -t 1 ] && echo a terminal; [ -t 2 ] || echo \"a pi\"\"pe\"";
    let mut session = Session::start(&machine, &["run", "--no-pty", "--", "sh", "-c", script]);
    assert_eq!(session.end().code(), Some(0));
    assert_eq!(session.seen(), "a pipe\n");
}

#[test]
fn what_reads_an_input_that_can_be_read_once_is_not_run_again() {
    let machine = Machine::new();
    let ran = |script: &str| {
        let quoted = script.replace('\'', "'\\''");
        let script = format!("command -v bash >&2 && exec bash -c '{quoted}'");
        let run = machine.run(
            machine
                .shell(&script)
                .stderr(Stdio::piped())
                .stdout(Stdio::piped()),
        );
        (run.code, run.stderr)
    };
    for script in [
        "\"$RECOVER\" run --retry 1 -- diff <(echo a) <(echo b)",
        "\"$RECOVER\" run --retry 1 -- sh -c '! grep -q a /dev/fd/9' 9< <(echo a)",
        "mkfifo f; echo a > f & \"$RECOVER\" run --retry 1 -- sh -c '! grep -q a \"$1\"' sh f",
    ] {
        let (code, stderr) = ran(script);
        assert_eq!(code, 1, "{script}: {stderr}");
        assert!(
            stderr.contains("what runs the command again: "),
            "{script}: {stderr}"
        );
    }
    let (code, stderr) =
        ran("\"$RECOVER\" run --retry 1 --alternative true -- diff <(echo a) <(echo b)");
    assert_eq!(code, 0, "an alternative needs no second run: {stderr}");
    // What is no such input does not matter.
    let passes_then = "test -e ok || { touch ok; exit 1; }";
    let script =
        format!("\"$RECOVER\" run --retry 1 -- sh -c '{passes_then}' 8< /dev/null 9> >(cat)");
    let (code, stderr) = ran(&script);
    assert_eq!(code, 0, "{stderr}");
    fs::remove_file(machine.work().join("ok")).expect("it was made");
    let script = format!(
        "MAKEFLAGS='-j --jobserver-auth=9,63' \"$RECOVER\" run --retry 1 -- sh -c '{passes_then}' \
         9< <(echo a)"
    );
    let (code, stderr) = ran(&script);
    assert_eq!(code, 0, "{stderr}");
}

#[test]
fn an_inherited_file_is_read_again_from_where_it_stood() {
    // In the background the parent may have moved what is its own, too.
    for (script, code, runs, why) in [
        (
            "\"$RECOVER\" run --retry 1 -- sh -c \"$READS\" 3< words",
            1,
            2,
            "",
        ),
        (
            "{ read -r skipped; \"$RECOVER\" run --retry 1 -- sh -c \"$READS\" 3<&0 4<&-; } < words",
            1,
            2,
            "",
        ),
        (
            "exec 3< words; \"$RECOVER\" run --retry 1 -- sh -c \"$READS\" & wait $!",
            1,
            1,
            "descriptor 3",
        ),
        (
            "\"$RECOVER\" run --retry 1 -- sh -c \"$READS\" 3<> words",
            1,
            1,
            "descriptor 3",
        ),
        (
            "\"$RECOVER\" run --retry 1 -- sh -c 'echo >> ../runs; test -e ok || { : > ok; exit 1; }' \
             3< words",
            0,
            2,
            "",
        ),
    ] {
        let machine = Machine::new();
        machine.write("project/words", "good\nbad\n");
        let mut command = machine.shell(script);
        command.env("READS", "echo >> ../runs; ! grep -q bad <&3");
        let run = machine.run(command.stderr(Stdio::piped()));
        assert_eq!(run.code, code, "{script}: {run:?}");
        let ran = fs::read(machine.root().join("runs")).expect("it ran");
        assert_eq!(ran.len(), runs, "{script}: {run:?}");
        assert!(run.stderr.contains(why), "{script}: {run:?}");
    }
}

#[test]
fn the_result_is_the_last_line_of_stdout_where_json_is_asked_for() {
    let machine = Machine::new();
    for (args, script, before, success, code) in [
        (&[][..], "echo out", "out\n", true, 0),
        (&[], "printf out; exit 3", "out\n", false, 3),
        (
            &["--hold-stdout", "--retry", "1"],
            "printf out; test -e ok || { : > ok; exit 3; }",
            "out\n",
            true,
            0,
        ),
        (
            &["--fix", "printf fixed; : > fixed"],
            "test -e fixed",
            "",
            true,
            0,
        ),
    ] {
        let args = [&["run", "--json"], args, &["--", "sh", "-c", script]].concat();
        let run = machine.recover(&args);
        assert_eq!(run.code, code, "{run:?}");
        let result = run.stdout.strip_prefix(before).expect("the command's own");
        let result: serde_json::Value = serde_json::from_str(result).expect("one object");
        assert_eq!(result["success"], success, "{run:?}");
        assert_eq!(
            run.stdout.lines().count(),
            before.lines().count() + 1,
            "{run:?}"
        );
    }
}
