//! A program that is not there: no recovery, and the name that was probably meant.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use serde_json::json;

use crate::harness::{Machine, Run};

/// A program of this name in the directory `dir` of the machine.
fn program(machine: &Machine, dir: &str, name: &str) {
    let path = machine.write(&format!("{dir}/{name}"), "#!/bin/sh\nexit 0\n");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("make it a program");
}

/// Runs `args` where programs are found in the machine's `bin` alone.
fn run(machine: &Machine, args: &[&str]) -> Run {
    let mut command = machine.command(&[&["run"], args].concat());
    machine.run(command.env("PATH", machine.root().join("bin")))
}

fn sessions(machine: &Machine) -> serde_json::Value {
    machine.recover(&["sessions", "--json"]).json()
}

#[test]
fn a_typo_is_told_what_was_meant_and_is_no_session() {
    let machine = Machine::new();
    for name in ["cargo", "git", "gin", "lsof"] {
        program(&machine, "bin", name);
    }
    machine.write("bin/makd", "no program\n");
    program(&machine, "project", "build.sh");
    program(&machine, "project", "tools/check");
    let cases = [
        (&["crago", "test"], Some("`cargo`?")),
        (&["gti", "status"], Some("`git`?")),
        (&["gi", "status"], Some("`gin` or `git`?")),
        (&["build.sh", "-x"], Some("`./build.sh`?")),
        (&["./biuld.sh", "-x"], Some("`./build.sh`?")),
        (&["tools/chekc", "-x"], Some("`tools/check`?")),
        (&["make", "all"], None),
        (&["x", "y"], None),
    ];
    for (typed, expected) in cases {
        let args = [&["--result-file", "../result.json", "--"], &typed[..]].concat();
        let ran = run(&machine, &args);
        assert_eq!(ran.code, 127, "{ran:?}");
        let last = ran.stderr.lines().last().expect("something is said");
        match expected {
            Some(meant) => assert_eq!(last, format!("recover: did you mean {meant}")),
            None => assert!(!ran.stderr.contains("did you mean"), "{ran:?}"),
        }
        let text = fs::read_to_string(machine.root().join("result.json")).expect("a result");
        let result: serde_json::Value = serde_json::from_str(&text).expect("JSON");
        assert_eq!(result["outcome"], "not_started", "{typed:?}");
        assert_eq!(result["session_id"], json!(null), "{typed:?}");
    }
    let denied = run(&machine, &["--", "../bin/makd"]);
    assert_eq!(denied.code, 126, "{denied:?}");
    assert_eq!(sessions(&machine), json!([]));
}

#[test]
fn what_stands_in_for_a_missing_program_is_a_recovery() {
    let machine = Machine::new();
    let args = ["run", "--alternative", "true", "--", "no-such-program"];
    assert_eq!(machine.recover(&args).code, 0);
    let sessions = sessions(&machine);
    assert_eq!(sessions.as_array().map(Vec::len), Some(1), "{sessions}");
    assert_eq!(sessions[0]["outcome"], "recovered");
}

#[test]
fn whoever_is_to_be_called_is_called_for_a_missing_program_too() {
    let machine = Machine::new();
    let args = [
        "run",
        "--on-escalate",
        "echo \"$RECOVER_ERROR_TYPE\" >../called",
        "--",
        "no-such-program",
    ];
    assert_eq!(machine.recover(&args).code, 127);
    let called = fs::read_to_string(machine.root().join("called")).expect("it was called");
    assert_eq!(called, "CommandNotFound\n");
    assert_eq!(sessions(&machine), json!([]));
}

#[test]
fn a_script_whose_interpreter_is_missing_is_no_typo() {
    let machine = Machine::new();
    program(&machine, "project", "scripts");
    let path = machine.write("project/script", "#!/no/such/interpreter\n");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("make it a program");
    let ran = machine.recover(&["run", "--", "./script"]);
    assert!(!ran.stderr.contains("did you mean"), "{ran:?}");
}

#[test]
fn an_option_of_ours_behind_the_command_is_named_when_the_command_does_not_know_it() {
    let machine = Machine::new();
    let failed = machine.recover(&["run", "ls", "--max-attempts", "3"]);
    let last = failed.stderr.lines().last().expect("something is said");
    let says = "recover: `--max-attempts` after the command is the command's: put it before, as in \
                `recover run --max-attempts … ls`";
    assert_eq!(last, says, "{failed:?}");
    let passed = machine.recover(&["run", "echo", "--fix", "x"]);
    assert_eq!((passed.code, &*passed.stderr), (0, ""), "{passed:?}");
}
