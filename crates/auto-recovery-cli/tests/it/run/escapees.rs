//! A failed strategy's programs are ended, however they detach; those that cannot be are named.

use std::fs;

use super::{Machine, is_running, read, write};

/// Detaches with a cleared environment again and again, and writes into the tree each time.
const HOPS: &str = "echo hop >> value; sleep 0.00$(($$ % 9)); \
                    env -i PATH=\"$PATH\" setsid sh ../hopsN.sh </dev/null >/dev/null 2>&1 & exit";

/// Detaches others with a cleared environment for ever; each writes into the tree.
const FORKS: &str = "trap '' TERM HUP INT; while :; do \
                     (env -i PATH=\"$PATH\" setsid sh -c 'trap \"\" TERM; echo hop >> value; \
                     sleep 614.N & wait' &); sleep 0.005; done";

/// Runs `command` with a fix that starts `script`; `number` is unique to the test.
fn run_with(number: &str, script: &str, more: &[&str], command: &str) -> (Machine, super::Run) {
    let machine = Machine::new();
    write(&machine, "value", "broken\n");
    machine.write(&format!("hops{number}.sh"), &script.replace('N', number));
    let fix = "env -i PATH=\"$PATH\" setsid sh ../hopsN.sh </dev/null >/dev/null 2>&1 & \
               until [ $(wc -l < value) -gt 20 ]; do :; done"
        .replace('N', number);
    let args = [
        &[
            "run",
            "--grace",
            "200ms",
            "--max-attempts",
            "1",
            "--fix",
            &fix,
        ],
        more,
        &["--", "sh", "-c", command],
    ];
    let run = machine.recover(&args.concat());
    (machine, run)
}

fn assert_is_as_it_was(number: &str, machine: &Machine, run: &super::Run) {
    assert!(run.stderr.contains("the tree is as it was"), "{run:?}");
    for _ in 0..100 {
        assert_eq!(read(machine, "value"), "broken\n", "{run:?}");
        std::thread::yield_now();
    }
    for mark in ["hopsN.sh", "614.N"] {
        assert!(!is_running(&mark.replace('N', number)), "{run:?}");
    }
}

#[test]
fn who_detaches_again_and_again_from_a_failed_fix_is_ended() {
    let (machine, run) = run_with("1", HOPS, &[], "exit 7");
    assert_eq!(run.code, 7, "{run:?}");
    assert_is_as_it_was("1", &machine, &run);
}

#[test]
fn who_starts_others_for_ever_in_a_failed_fix_is_ended() {
    let (machine, run) = run_with("2", FORKS, &[], "exit 7");
    assert_eq!(run.code, 7, "{run:?}");
    assert_is_as_it_was("2", &machine, &run);
}

#[test]
fn who_detaches_from_a_fix_is_ended_at_the_deadline() {
    for (number, script) in [("3", HOPS), ("4", FORKS)] {
        let command = "test -e ../begun || { touch ../begun; exit 7; }; sleep 615.5";
        let (machine, run) = run_with(number, script, &["--deadline", "3s"], command);
        assert_eq!(run.code, 124, "{run:?}");
        assert!(!is_running("615.5"), "{run:?}");
        assert_is_as_it_was(number, &machine, &run);
    }
}

#[test]
fn what_the_command_left_running_meanwhile_stays() {
    let daemon = "[ -e ../daemon ] || { setsid sleep 616.5 </dev/null >/dev/null 2>&1 & \
                  echo $! > ../daemon; }; exit 7";
    // Only the second run leaves it: the first is the one before the fix.
    let command = format!("[ -e ../begun ] || {{ touch ../begun; exit 7; }}; {daemon}");
    let (machine, run) = run_with("5", HOPS, &[], &command);
    assert_eq!(run.code, 7, "{run:?}");
    assert!(run.stderr.contains("the tree is as it was"), "{run:?}");
    assert!(is_running("sleep 616.5"), "{run:?}");
    let pid = fs::read_to_string(machine.root().join("daemon")).expect("it was written");
    let pid = pid
        .trim()
        .parse()
        .ok()
        .and_then(rustix::process::Pid::from_raw);
    rustix::process::kill_process(pid.expect("an id"), rustix::process::Signal::KILL)
        .expect("end it");
}
