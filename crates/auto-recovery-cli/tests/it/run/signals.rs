//! Signals: the tree is put back, the record says so, and `recover` dies as the command would have.

use std::os::unix::process::ExitStatusExt as _;

use rustix::process::Signal;

use super::{Machine, is_running, read, signal, start, wait_for, write};

#[test]
fn interrupted_in_a_fix_the_tree_is_put_back_and_nothing_is_left() {
    for (which, number) in [(Signal::INT, 2), (Signal::TERM, 15)] {
        let machine = Machine::new();
        write(&machine, "value", "broken\n");
        let mark = format!("sleep 7{number}.75");
        let fix = format!("echo half > value; touch ../started; setsid {mark} & exec {mark}");
        let args = [
            "--session",
            "s",
            "--grace",
            "200ms",
            "--fix",
            &fix,
            "--",
            "false",
        ];
        let mut run = start(&machine, &[&["run"][..], &args].concat());
        wait_for(&machine.root().join("started"));
        signal(&run, which);
        let status = run.wait().expect("it ends");
        assert_eq!(status.signal(), Some(number), "{status:?}");
        assert_eq!(read(&machine, "value"), "broken\n");
        assert!(!is_running(&mark));
        let sessions = machine.recover(&["sessions", "--json"]);
        assert!(
            sessions.stdout.contains("\"interrupted\""),
            "{}",
            sessions.stdout
        );
        let history: serde_json::Value =
            serde_json::from_str(&machine.recover(&["history", "s", "--json"]).stdout)
                .expect("JSON");
        assert_eq!(history[0]["rollback_performed"], true);
    }
}

#[test]
fn interrupted_in_the_first_run_nothing_is_recovered() {
    let machine = Machine::new();
    let script = "touch ../started; exec sleep 74.5";
    let mut run = start(
        &machine,
        &["run", "--fix", "touch fixed", "--", "sh", "-c", script],
    );
    wait_for(&machine.root().join("started"));
    signal(&run, Signal::INT);
    assert_eq!(run.wait().expect("it ends").signal(), Some(2));
    assert!(!machine.work().join("fixed").exists());
    assert!(!machine.state().exists());
}

#[test]
fn a_command_that_dies_by_a_signal_is_died_after() {
    let machine = Machine::new();
    let mut run = start(&machine, &["run", "--", "sh", "-c", "kill -9 $$"]);
    assert_eq!(run.wait().expect("it ends").signal(), Some(9));
}
