//! State that cannot be written, and attempts of many runs in one session.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use super::{Machine, start, write};
use crate::harness::skipped;

#[test]
fn without_state_the_commands_own_code_passes_through_with_one_warning() {
    let machine = Machine::new();
    write(&machine, "value", "1\n");
    // Not even root can make a directory there.
    let state = "/proc/self/state";
    let run = |args: &[&str]| {
        let mut command = machine.command(&[&["run"], args].concat());
        machine.run(command.env("RECOVER_STATE_DIR", state))
    };
    assert_eq!(run(&["--", "true"]).quiet(), "");
    for args in [
        &["--", "sh", "-c", "exit 7"][..],
        &["--fix", "touch fixed", "--", "sh", "-c", "exit 7"],
        &["--retry", "2", "--", "sh", "-c", "exit 7"],
    ] {
        let run = run(args);
        assert_eq!(run.code, 7, "{run:?}");
        assert_eq!(run.stderr.matches("warning").count(), 1, "{run:?}");
        assert!(run.stderr.contains("RECOVER_STATE_DIR"), "{run:?}");
        assert_eq!(run.stderr.matches("nothing was tried").count(), 1);
        assert!(run.stderr.contains("--store for the record"), "{run:?}");
    }
    assert!(!machine.work().join("fixed").exists());
}

#[test]
fn a_home_that_may_not_be_written_stops_no_command() {
    if rustix::process::geteuid().is_root() {
        skipped("root may write everywhere");
        return;
    }
    let machine = Machine::new();
    let closed = fs::Permissions::from_mode(0o500);
    fs::set_permissions(machine.home(), closed).expect("close the home");
    assert_eq!(machine.recover(&["run", "--", "true"]).quiet(), "");
    let run = machine.recover(&["run", "--", "sh", "-c", "exit 7"]);
    assert_eq!(run.code, 7, "{run:?}");
}

#[test]
fn runs_that_share_a_session_number_their_attempts_without_a_repeat() {
    let machine = Machine::new();
    let dirs: Vec<String> = (0..8).map(|number| format!("p{number}")).collect();
    let running: Vec<_> = dirs
        .iter()
        .map(|dir| {
            machine.write(
                &format!("project/{dir}/.git/HEAD"),
                "ref: refs/heads/main\n",
            );
            let fix = format!("echo {dir} > tried");
            let args = [
                "run",
                "--session",
                "shared",
                "--base-delay",
                "1ms",
                "--max-attempts",
                "3",
            ];
            let args = [&args[..], &["--fix", &fix, "--", "false"]].concat();
            let mut command = machine.command(&args);
            command.current_dir(machine.work().join(dir));
            command.spawn().expect("start recover")
        })
        .collect();
    for mut run in running {
        assert_eq!(run.wait().expect("it ends").code(), Some(1));
    }
    let history = machine.recover(&["history", "shared", "--json"]);
    let entries = history.json();
    let entries = entries.as_array().expect("a list");
    let numbers: Vec<u64> = entries
        .iter()
        .map(|entry| entry["attempt_number"].as_u64().expect("a number"))
        .collect();
    assert_eq!(numbers, (1..=24).collect::<Vec<_>>());
    // Each number means one attempt, with the change that its entry tells of.
    let mut seen = BTreeSet::new();
    for (number, entry) in numbers.iter().zip(entries) {
        let shown = machine
            .recover(&["show", "shared", &number.to_string(), "--json"])
            .json();
        assert_eq!(shown["entry"]["entry_id"], entry["entry_id"]);
        let changes = entry["changes_made"][0].as_str().expect("what was done");
        let started = shown["journal"].to_string();
        assert!(
            started.contains(changes.trim_start_matches("ran ").trim_matches('`')),
            "{started}"
        );
        seen.insert(changes.to_owned());
    }
    assert_eq!(seen.len(), 8);
}

#[test]
fn a_second_run_of_a_session_goes_on_counting() {
    let machine = Machine::new();
    let args = [
        "run",
        "--session",
        "s",
        "--max-attempts",
        "1",
        "--fix",
        "true",
        "--",
        "false",
    ];
    let mut first = start(&machine, &args);
    first.wait().expect("it ends");
    machine.recover(&args);
    let history = machine.recover(&["history", "s", "--json"]).json();
    assert_eq!(history[0]["attempt_number"], 1);
    assert_eq!(history[1]["attempt_number"], 2);
}
