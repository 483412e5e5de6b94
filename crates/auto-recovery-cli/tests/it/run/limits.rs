//! Limits on time: they bound what cannot be killed as well.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use super::{Machine, is_running, skip, until};

/// Becomes root, where it may, and does not end when it is asked to, but when `../over` is there.
const DEAF: &str = r#"
#include <signal.h>
#include <unistd.h>
int main(void) {
    if (setuid(0) != 0) return 9;
    signal(SIGTERM, SIG_IGN);
    signal(SIGINT, SIG_IGN);
    write(1, "deaf\n", 5);
    while (access("../over", F_OK) != 0) usleep(10000);
    return 0;
}
"#;

/// A program that another user may start and cannot end; `None` where this one cannot make it.
fn deaf_program(machine: &Machine) -> Option<String> {
    if !rustix::process::geteuid().is_root() {
        skip("only root can make a program that others cannot end");
        return None;
    }
    machine.write("deaf.c", DEAF);
    let build = "cc -o ../deaf ../deaf.c && setpriv --version >&2";
    let built = machine.run(machine.shell(build).stderr(std::process::Stdio::piped()));
    if built.code != 0 {
        skip("cc or setpriv is missing");
        return None;
    }
    let program = machine.root().join("deaf");
    fs::set_permissions(&program, fs::Permissions::from_mode(0o4755)).expect("set its mode");
    for place in [machine.root().to_owned(), machine.work(), machine.home()] {
        fs::set_permissions(place, fs::Permissions::from_mode(0o777)).expect("set its mode");
    }
    Some(deaf_path(machine))
}

/// Runs `recover run` as nobody in particular; its exit code and stderr.
fn as_other_user(machine: &Machine, args: &str) -> (i32, String) {
    // The binary may lie where only root can go.
    let binary = machine.root().join("recover");
    fs::copy(env!("CARGO_BIN_EXE_recover"), &binary).expect("copy the binary");
    let user = "setpriv --reuid 65534 --regid 65534 --clear-groups";
    // What is left holds the stream: whoever waited for its end would wait for that too.
    let script = format!("{user} ../recover run {args} > ../stderr 2>&1");
    let code = machine.run(&mut machine.shell(&script)).code;
    let stderr = fs::read_to_string(machine.root().join("stderr")).expect("it was written");
    machine.write("over", "");
    until("what was left has gone", || {
        !is_running(&deaf_path(machine))
    });
    fs::remove_file(machine.root().join("over")).expect("it was made");
    (code, stderr)
}

fn deaf_path(machine: &Machine) -> String {
    machine.root().join("deaf").display().to_string()
}

#[test]
fn what_cannot_be_killed_ends_the_run_at_its_limit() {
    let machine = Machine::new();
    let Some(deaf) = deaf_program(&machine) else {
        return;
    };
    for limit in ["--attempt-timeout 300ms", "--deadline 300ms"] {
        let args = format!("{limit} --grace 100ms --retry 3 -- {deaf}");
        let (code, stderr) = as_other_user(&machine, &args);
        assert_eq!(code, 124, "{limit}: {stderr}");
        let named = "could not be ended and still runs: ";
        assert!(
            stderr.contains(named) && stderr.contains("deaf"),
            "{limit}: {stderr}"
        );
    }
}

#[test]
fn nothing_is_tried_beside_what_still_runs() {
    let machine = Machine::new();
    let Some(deaf) = deaf_program(&machine) else {
        return;
    };
    let limits = "--attempt-timeout 300ms --grace 100ms --max-attempts 3";
    // A fix that cannot be ended, and a second run of the command that cannot.
    for rest in [
        format!("--fix {deaf} --fix 'touch ../tried' -- sh -c 'echo >> ../runs; exit 1'"),
        format!(
            "--fix 'touch ok' --fix 'touch ../tried' -- sh -c 'echo >> ../runs; test -e ok || exit 1; \
             exec {deaf}'"
        ),
    ] {
        let (code, stderr) = as_other_user(&machine, &format!("{limits} {rest}"));
        assert_eq!(code, 124, "{rest}: {stderr}");
        assert!(
            stderr.contains("could not be ended and still runs: "),
            "{rest}: {stderr}"
        );
        assert!(!machine.root().join("tried").exists(), "{rest}: {stderr}");
        assert!(!machine.work().join("ok").exists(), "the tree is as it was");
    }
    let runs = fs::read_to_string(machine.root().join("runs")).expect("it ran");
    assert_eq!(runs.len(), 1 + 2);
}

#[test]
fn what_a_failed_fix_left_and_nobody_can_end_is_named_and_the_tree_not_vouched_for() {
    let machine = Machine::new();
    let Some(deaf) = deaf_program(&machine) else {
        return;
    };
    let fix = format!("env -i setsid {deaf} </dev/null >/dev/null 2>&1 & sleep 0.3");
    let args = format!("--grace 100ms --max-attempts 1 --fix '{fix}' -- sh -c 'exit 7'");
    let (code, stderr) = as_other_user(&machine, &args);
    assert_eq!(code, 7, "{stderr}");
    let named = "could not be ended and still runs: ";
    assert!(stderr.contains(named), "{stderr}");
    assert!(!stderr.contains("the tree is as it was"), "{stderr}");
}
