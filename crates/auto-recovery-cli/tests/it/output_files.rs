//! Logs in the tree: what the output goes to is another's, whoever writes it, and no undo takes a
//! word of it.

use std::fs;

use crate::harness::{Machine, skipped};

/// A fix that changes a file and says so, and does not help. A command that says how often it ran.
const ARGS: &str = "run --fix 'echo fixing; echo broken > code' -- \
                    sh -c 'echo x >> \"$HOME\"/runs; echo run $(wc -l < \"$HOME\"/runs); exit 7'";

/// Runs `script`, which has all output end up in `build.log`, and returns what stands there.
fn log_of(script: &str) -> String {
    let machine = Machine::new();
    machine.write("project/code", "whole\n");
    let script = script.replace("RECOVER", &format!("\"$RECOVER\" {ARGS}"));
    machine.run(&mut machine.shell(&script));
    let code = fs::read_to_string(machine.work().join("code")).expect("read the code");
    assert_eq!(code, "whole\n", "what the fix changed is undone");
    let log = machine.work().join("build.log");
    fs::read_to_string(log).expect("read the log")
}

fn has_all(log: &str) {
    let said = ["run 1\n", "fixing\n", "run 2\n", "not recovered: "];
    let mut rest = log;
    for part in said {
        let (_, after) = rest
            .split_once(part)
            .unwrap_or_else(|| panic!("no {part:?}, in order, in {log:?}"));
        rest = after;
    }
    assert!(!log.contains("build.log"), "nobody names it: {log}");
}

#[test]
fn a_log_that_the_shell_opened_is_whole() {
    has_all(&log_of("RECOVER > build.log 2>&1"));
}

#[test]
fn a_log_that_is_written_on_is_whole() {
    has_all(&log_of(
        "echo before > build.log; RECOVER >> build.log 2>&1",
    ));
}

#[test]
fn a_log_that_tee_writes_is_whole() {
    has_all(&log_of("RECOVER 2>&1 | tee build.log"));
}

#[test]
fn a_log_at_the_end_of_a_pipe_line_is_whole() {
    has_all(&log_of("RECOVER 2>&1 | cat | tee build.log | cat"));
}

#[test]
fn a_log_of_who_started_us_is_whole() {
    let started = "import os, socket, subprocess, sys
log = open('build.log', 'wb', 0)
ours, theirs = socket.socketpair()
child = subprocess.Popen(sys.argv[1:], stdin=subprocess.DEVNULL, stdout=theirs, stderr=theirs)
theirs.close()
while data := ours.recv(4096):
    log.write(data)
sys.exit(child.wait())";
    has_all(&log_of(&format!("python3 -c \"{started}\" RECOVER")));
}

#[test]
fn a_log_of_a_terminal_is_whole() {
    if !std::path::Path::new("/usr/bin/script").exists() {
        return skipped("script, of util-linux, is not here");
    }
    let log = log_of("cat > run.sh <<'END'\nRECOVER\nEND\nscript -qefc 'sh run.sh' build.log");
    has_all(&log.replace('\r', ""));
}

#[test]
fn a_log_in_git_is_as_it_was_written() {
    let log = log_of(
        "git init -q; git add -A; RECOVER > build.log 2>&1; git add build.log; \
         RECOVER >> build.log 2>&1; \"$RECOVER\" restore --last > restored.txt 2>&1; exit 0",
    );
    assert!(log.contains("run 2\n") && log.contains("run 4\n"), "{log}");
}
