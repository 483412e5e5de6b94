//! Signals: the tree is put back, the record says so, and `recover` dies as the command would have.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::os::unix::process::ExitStatusExt as _;
use std::process::Child;

use rustix::process::Signal;

use super::{Machine, is_running, read, signal, skip, start, wait_for, write};

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

/// Ends when `../end` is there, and says in `../got` what it was told.
const TELLS: &str = "for s in USR1 USR2 QUIT ALRM PROF IO 40; do trap \"echo $s >> ../got\" $s; done; \
                     touch ../started; until [ -e ../end ]; do sleep 0.01; done";

#[test]
fn signals_that_are_the_commands_reach_it_and_end_nothing() {
    let machine = Machine::new();
    let mut run = start(&machine, &["run", "--retry", "1", "--", "sh", "-c", TELLS]);
    wait_for(&machine.root().join("started"));
    let mut told = String::new();
    for name in ["USR1", "USR2", "QUIT", "ALRM", "PROF", "IO", "40"] {
        let pid = run.id();
        let sent = machine.run(&mut machine.shell(&format!("kill -s {name} {pid}")));
        assert_eq!(sent.code, 0, "{name}: {sent:?}");
        told += &format!("{name}\n");
        super::until(&format!("{name} was told"), || {
            fs::read_to_string(machine.root().join("got")).is_ok_and(|got| got == told)
        });
    }
    machine.write("end", "");
    assert_eq!(run.wait().expect("it ends").code(), Some(0));
    assert!(!machine.state().exists(), "it never failed");
}

#[test]
fn a_command_that_dies_of_a_forwarded_signal_is_died_after() {
    let machine = Machine::new();
    let script = "touch ../started; exec sleep 75.5";
    let mut run = start(&machine, &["run", "--", "sh", "-c", script]);
    wait_for(&machine.root().join("started"));
    super::until("it is `sleep`", || is_running("sleep 75.5"));
    signal(&run, Signal::USR1);
    assert_eq!(run.wait().expect("it ends").signal(), Some(10));
}

/// In a session of its own nobody could continue it, so the kernel stops no program there.
#[test]
fn a_pause_that_nobody_could_end_is_none() {
    let machine = Machine::new();
    let script = "setsid \"$RECOVER\" run --retry 0 -- sh -c 'touch ../started; sleep 0.5' & \
                  until [ -e ../started ]; do sleep 0.01; done; \
                  kill -s TSTP $!; kill -s CONT $!; wait $!";
    let run = machine.run(&mut machine.shell(script));
    assert_eq!(run.code, 0, "{run:?}");
}

#[test]
fn signals_between_two_runs_are_for_nobody() {
    let machine = Machine::new();
    let args = [
        "run",
        "--retry",
        "2",
        "--base-delay",
        "2s",
        "--no-jitter",
        "--",
    ];
    let args = [&args[..], &["sh", "-c", "exit 7"]].concat();
    let mut run = start(&machine, &args);
    let mut lines = BufReader::new(run.stderr.take().expect("it is piped")).lines();
    let waiting = lines.any(|line| line.is_ok_and(|line| line.contains("next try in")));
    assert!(waiting, "it waits before it tries again");
    signal(&run, Signal::USR1);
    signal(&run, Signal::QUIT);
    assert_eq!(run.wait().expect("it ends").code(), Some(7));
}

#[test]
fn what_is_ignored_stays_ignored() {
    let machine = Machine::new();
    let script = "trap '' HUP USR1; exec \"$RECOVER\" run -- sh -c \
                  'touch ../started; until [ -e ../end ]; do sleep 0.01; done'";
    let mut run = machine.shell(script).spawn().expect("start recover");
    wait_for(&machine.root().join("started"));
    signal(&run, Signal::HUP);
    signal(&run, Signal::USR1);
    machine.write("end", "");
    assert_eq!(run.wait().expect("it ends").code(), Some(0));
}

/// How many processes that ended are children of `parent`, and nobody's who collects them.
fn zombies(parent: u32) -> usize {
    let processes = fs::read_dir("/proc")
        .expect("read the process table")
        .flatten();
    let stats = processes.filter_map(|entry| fs::read_to_string(entry.path().join("stat")).ok());
    let is_zombie = |stat: &String| {
        let fields = stat.rsplit_once(") ").map(|(_, fields)| fields.to_owned());
        fields.is_some_and(|fields| fields.starts_with(&format!("Z {parent} ")))
    };
    stats.filter(is_zombie).count()
}

#[test]
fn orphans_are_collected_while_the_command_runs() {
    let machine = Machine::new();
    let script = "i=0; while [ $i -lt 200 ]; do (true &); i=$((i + 1)); done; touch ../started; \
                  until [ -e ../end ]; do sleep 0.01; done";
    let mut run = start(&machine, &["run", "--", "sh", "-c", script]);
    wait_for(&machine.root().join("started"));
    super::until("no orphan is a zombie", || zombies(run.id()) == 0);
    assert!(run.try_wait().expect("looked").is_none(), "it still runs");
    machine.write("end", "");
    assert_eq!(run.wait().expect("it ends").code(), Some(0));
}

/// Runs `script`, which finds `recover` in `$RECOVER`, as the first process of a container would.
/// `None` where this user may make none.
fn as_first_process(machine: &Machine, script: &str) -> Option<Child> {
    let unshare = "unshare --pid --fork --mount-proc";
    let probe = machine.run(&mut machine.shell(&format!("{unshare} true 2>/dev/null")));
    if probe.code != 0 {
        skip("this user cannot make a container");
        return None;
    }
    let script = format!("exec {unshare} {script}");
    Some(machine.shell(&script).spawn().expect("start unshare"))
}

#[test]
fn the_first_process_of_a_container_exits_as_a_shell_would() {
    let machine = Machine::new();
    for (script, code) in [
        ("\"$RECOVER\" run -- sh -c 'kill -9 $$'", 137),
        ("\"$RECOVER\" run -- sh -c 'kill -TERM $$'", 143),
        ("\"$RECOVER\" run -- sh -c 'exit 3'", 3),
        ("\"$RECOVER\" run -- sh -c '(sleep 0 &); exit 0'", 0),
    ] {
        let Some(mut run) = as_first_process(&machine, script) else {
            return;
        };
        assert_eq!(run.wait().expect("it ends").code(), Some(code), "{script}");
    }
}
