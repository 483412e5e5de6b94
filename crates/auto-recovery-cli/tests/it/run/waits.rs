//! What others hold is waited for until the deadline or a signal, and it is said who holds it.

use std::fs::{self, File, OpenOptions};
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::Child;
use std::time::{Duration, Instant};

use rustix::pipe::PipeFlags;
use rustix::process::Signal;

use super::{Machine, Run, is_running, read, signal, skip, start, until, wait_for, write};

/// What a busy machine may add to a deadline. Far less than anybody would wait for a lock that is
/// never given back.
const SLACK: Duration = Duration::from_secs(15);

/// A file of the state that is ours, locked by this process until it is dropped.
fn locked(machine: &Machine, name: &str) -> File {
    let state = machine.state();
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true).mode(0o700);
    builder.create(&state).expect("make the state");
    let mut options = OpenOptions::new();
    options.create(true).append(true).mode(0o600);
    let file = options.open(state.join(name)).expect("open it");
    file.lock().expect("lock it");
    file
}

#[expect(clippy::disallowed_methods, reason = "a limit on real time is tested")]
fn in_time(limit: Duration, act: impl FnOnce() -> Run) -> Run {
    let started = Instant::now();
    let run = act();
    assert!(started.elapsed() < limit + SLACK, "{run:?}");
    run
}

const FAILS: [&str; 8] = [
    "run",
    "--deadline",
    "3s",
    "--fix",
    "echo half >> value",
    "--",
    "sh",
    "-c",
];

fn fails_within_3s(machine: &Machine, more: &[&str]) -> Run {
    let args = [&FAILS[..1], more, &FAILS[1..], &["exit 7"]].concat();
    in_time(Duration::from_secs(3), || machine.recover(&args))
}

fn assert_names_us(run: &Run, what: &str) {
    let held = format!("is locked by pid {}, `", std::process::id());
    let told = format!("recover: waiting for [ROOT]/{what}, which {held}");
    assert!(run.stderr.contains(&told), "{run:?}");
    let ended = format!("the deadline passed while waiting for [ROOT]/{what}, which {held}");
    assert!(run.stderr.contains(&ended), "{run:?}");
    assert!(run.stderr.contains("the tree is as it was"), "{run:?}");
}

#[test]
fn a_locked_journal_is_waited_for_until_the_deadline_and_its_holder_named() {
    let machine = Machine::new();
    let _held = locked(&machine, "journal.jsonl");
    let run = fails_within_3s(&machine, &[]);
    assert_eq!(run.code, 124, "{run:?}");
    assert_names_us(&run, "user/.local/state/auto-recovery/journal.jsonl");
    assert!(!machine.work().join("value").exists());
}

#[test]
fn a_journal_that_is_locked_during_a_fix_undoes_it_at_the_deadline() {
    let machine = Machine::new();
    write(&machine, "value", "broken\n");
    let journal = machine.state().join("journal.jsonl");
    let fix = "echo half > value; touch ../started; until [ -e ../go ]; do sleep 0.01; done";
    let args = [
        "run",
        "--deadline",
        "6s",
        "--fix",
        fix,
        "--",
        "sh",
        "-c",
        "exit 7",
    ];
    let mut run = start(&machine, &args);
    wait_for(&machine.root().join("started"));
    let held = File::open(&journal).expect("open the journal");
    held.lock().expect("lock the journal");
    machine.write("go", "");
    assert_eq!(run.wait().expect("it ends").code(), Some(124));
    drop(held);
    assert_eq!(read(&machine, "value"), "broken\n");
}

/// How a run ends that is told to by `which` while it waits for what `held` is.
fn told_to_end(machine: &Machine, which: Signal, args: &[&str]) -> Option<i32> {
    let mut run = start(machine, args);
    wait_for(&machine.root().join("failed"));
    let children = PathBuf::from(format!("/proc/{0}/task/{0}/children", run.id()));
    until("nothing runs but recover", || {
        fs::read_to_string(&children).is_ok_and(|list| list.is_empty())
    });
    signal(&run, which);
    end(&mut run)
}

fn end(run: &mut Child) -> Option<i32> {
    run.wait().expect("it ends").signal()
}

const FAILS_ONCE_SEEN: [&str; 8] = [
    "run",
    "--fix",
    "echo half > value",
    "--session",
    "s",
    "--",
    "sh",
    "-c",
];

#[test]
fn a_locked_journal_is_no_longer_waited_for_when_the_user_wants_to_stop() {
    for which in [Signal::INT, Signal::TERM] {
        let machine = Machine::new();
        let _held = locked(&machine, "journal.jsonl");
        let args = [&FAILS_ONCE_SEEN[..], &["touch ../failed; exit 7"]].concat();
        let ended = told_to_end(&machine, which, &args);
        assert_eq!(ended, Some(which.as_raw()));
    }
}

#[test]
fn a_locked_database_is_waited_for_until_the_deadline_and_its_holder_named() {
    let machine = Machine::new();
    let path = machine.root().join("trails.db");
    let store = format!("sqlite:{}", path.display());
    let made = machine.recover_with(&["--store", &store, "log"], super::super::harness::TRAIL);
    assert_eq!(made.code, 0, "{made:?}");
    let Some(mut holder) = python_with_lock(&machine, &path) else {
        return;
    };
    let run = fails_within_3s(&machine, &["--store", &store]);
    let pid = holder.id();
    holder.kill().expect("end it");
    holder.wait().expect("it ends");
    assert_eq!(run.code, 124, "{run:?}");
    let told = format!("waiting for [ROOT]/trails.db, which is locked by pid {pid}, `");
    assert!(run.stderr.contains(&told), "{run:?}");
}

/// A process of its own that writes to the database at `path` for ever.
fn python_with_lock(machine: &Machine, path: &Path) -> Option<Child> {
    let has_python = machine.run(&mut machine.shell("python3 -c 'import sqlite3' 2>&1"));
    if has_python.code != 0 {
        skip("python3 is missing");
        return None;
    }
    let script = format!(
        "exec python3 -c 'import sqlite3,time; c=sqlite3.connect(\"{}\"); \
         c.execute(\"BEGIN IMMEDIATE\"); open(\"../held\",\"w\"); time.sleep(600)'",
        path.display()
    );
    let holder = machine.shell(&script).spawn().expect("start python3");
    wait_for(&machine.root().join("held"));
    Some(holder)
}

#[test]
fn a_command_that_passes_waits_for_nobody() {
    let machine = Machine::new();
    let names = [
        "journal.jsonl",
        "retry-budget.json",
        "breaker.json",
        "locks",
    ];
    let _held: Vec<_> = names[..3]
        .iter()
        .map(|name| locked(&machine, name))
        .collect();
    let run = in_time(Duration::ZERO, || machine.recover(&["run", "--", "true"]));
    assert_eq!((run.code, &*run.stderr), (0, ""), "{run:?}");
}

#[test]
fn what_only_restrains_recover_is_not_waited_for() {
    let machine = Machine::new();
    let _held = [
        locked(&machine, "retry-budget.json"),
        locked(&machine, "breaker.json"),
    ];
    let args = ["run", "--base-delay", "1ms", "--", "sh", "-c"];
    let script = "test -e ../ok && exit; touch ../ok; \
                  echo 'curl: (7) Failed to connect to example.org port 443: Connection refused' >&2; \
                  exit 7";
    let run = in_time(Duration::ZERO, || {
        machine.recover(&[&args[..], &[script]].concat())
    });
    assert_eq!(run.code, 0, "{run:?}");
}

/// A `git` that hangs, and what it starts with it; the search path that finds it.
fn hanging_git(machine: &Machine, mark: &str) -> String {
    let git = machine.write("bin/git", &format!("#!/bin/sh\n{mark}\n"));
    fs::set_permissions(git, fs::Permissions::from_mode(0o755)).expect("set its mode");
    format!("{}:/usr/bin:/bin", machine.root().join("bin").display())
}

#[test]
fn a_git_that_hangs_is_ended_at_the_deadline() {
    let machine = Machine::new();
    let mark = "sleep 612.5";
    let path = hanging_git(&machine, mark);
    let args = [&FAILS[..], &["exit 7"]].concat();
    let run = in_time(Duration::from_secs(3), || {
        machine.run(machine.command(&args).env("PATH", path))
    });
    assert_eq!(run.code, 124, "{run:?}");
    assert!(
        run.stderr
            .contains("the deadline passed while waiting for git "),
        "{run:?}"
    );
    assert!(run.stderr.contains("the tree is as it was"), "{run:?}");
    assert!(!is_running(mark));
    assert!(!machine.work().join("value").exists());
}

#[test]
fn a_git_that_hangs_is_ended_when_the_user_wants_to_stop() {
    let machine = Machine::new();
    let mark = "sleep 613.5";
    let path = hanging_git(&machine, &format!("touch ../failed; {mark}"));
    let args = [&FAILS_ONCE_SEEN[..], &["exit 7"]].concat();
    let mut run = machine
        .command(&args)
        .env("PATH", path)
        .spawn()
        .expect("start recover");
    until("git hangs", || is_running(mark));
    signal(&run, Signal::INT);
    assert_eq!(end(&mut run), Some(2));
    assert!(!is_running(mark));
}

#[test]
fn a_reader_of_the_result_that_does_not_read_is_waited_for_until_the_deadline() {
    let machine = Machine::new();
    let pipe = machine.root().join("result");
    let made = machine.run(&mut machine.shell("mkfifo ../result"));
    assert_eq!(made.code, 0, "{made:?}");
    let reader = OpenOptions::new()
        .read(true)
        .write(true)
        .open(&pipe)
        .expect("open the pipe");
    // It has room for nothing.
    rustix::io::ioctl_fionbio(reader.as_fd(), true).expect("never wait");
    while rustix::io::write(&reader, &[b' '; 4096]).is_ok() {}
    let args = [
        "run",
        "--deadline",
        "2s",
        "--result-file",
        "../result",
        "--",
        "true",
    ];
    let run = in_time(Duration::from_secs(2), || machine.recover(&args));
    assert!(
        run.stderr
            .contains("while waiting for the reader of ../result"),
        "{run:?}"
    );
}

/// A pipe that has room for nothing: what reads it, stopped, and what writes to it.
fn full_pipe() -> (OwnedFd, OwnedFd) {
    let (reader, writer) = rustix::pipe::pipe_with(PipeFlags::CLOEXEC).expect("a pipe");
    rustix::io::ioctl_fionbio(&writer, true).expect("never wait");
    while rustix::io::write(&writer, &[b' '; 4096]).is_ok() {}
    rustix::io::ioctl_fionbio(&writer, false).expect("wait again");
    (reader, writer)
}

/// What is said where nobody reads it: by the command, by us, and to programs.
const UNREAD: [(&[&str], &str, [bool; 2]); 5] = [
    (&[], "echo words; touch ../failed", [true, false]),
    (
        &["--fix", "false"],
        "touch ../failed; exit 7",
        [false, true],
    ),
    (&[], "touch ../failed; exit 7", [false, true]),
    (&["--json"], "touch ../failed", [true, false]),
    (
        &["--hold-stdout"],
        "echo words; touch ../failed",
        [true, false],
    ),
];

/// `recover run` with `more` and one of [`UNREAD`], and the reader of it that is stopped.
fn unread_run(machine: &Machine, more: &[&str], number: usize) -> (Child, OwnedFd) {
    let (options, script, [stdout, stderr]) = UNREAD[number];
    let args = [&["run"], more, options, &["--", "sh", "-c", script]].concat();
    let mut command = machine.command(&args);
    let (reader, writer) = full_pipe();
    if stdout {
        command.stdout(writer.try_clone().expect("another"));
    }
    if stderr {
        command.stderr(writer);
    }
    (command.spawn().expect("start recover"), reader)
}

#[test]
fn a_reader_of_the_output_that_is_stopped_is_waited_for_until_the_deadline() {
    for number in 0..UNREAD.len() {
        let machine = Machine::new();
        let (run, _reader) = unread_run(&machine, &["--deadline", "2s"], number);
        let done = run.wait_with_output().expect("it ends");
        assert_eq!(done.status.code(), Some(124), "{number} {done:?}");
    }
}

#[test]
fn a_reader_of_the_output_that_is_stopped_is_no_longer_waited_for_after_term() {
    for number in 0..UNREAD.len() {
        let machine = Machine::new();
        let (mut run, _reader) = unread_run(&machine, &[], number);
        wait_for(&machine.root().join("failed"));
        signal(&run, Signal::TERM);
        assert_eq!(end(&mut run), Some(15), "{number}");
    }
}

#[test]
fn term_while_the_reader_of_a_result_is_waited_for_ends_the_run() {
    let machine = Machine::new();
    let made = machine.run(&mut machine.shell("mkfifo ../unread"));
    assert_eq!(made.code, 0, "{made:?}");
    let args = ["run", "--result-file", "../unread", "--", "sh", "-c"];
    let ended = told_to_end(
        &machine,
        Signal::TERM,
        &[&args[..], &["touch ../failed; exit 7"]].concat(),
    );
    assert_eq!(ended, Some(15));
}

#[test]
fn what_ends_a_run_decides_though_nobody_reads_its_result() {
    for option in [
        ["--result-file", "../unread"],
        ["--report", "sarif=../unread"],
    ] {
        for (script, deadline, code, ended) in [
            ("touch ../failed; sleep 60", None, None, Some(15)),
            ("touch ../failed; sleep 60", Some("2s"), Some(124), None),
        ] {
            let machine = Machine::new();
            let made = machine.run(&mut machine.shell("mkfifo ../unread"));
            assert_eq!(made.code, 0, "{made:?}");
            let limit = deadline.map(|limit| vec!["--deadline", limit]);
            let limit = limit.unwrap_or_default();
            let args = [&["run"], &option[..], &limit, &["--", "sh", "-c", script]].concat();
            let mut run = start(&machine, &args);
            wait_for(&machine.root().join("failed"));
            if deadline.is_none() {
                signal(&run, Signal::TERM);
            }
            let status = run.wait().expect("it ends");
            let is = (status.code(), status.signal());
            assert_eq!(is, (code, ended), "{option:?} {script} {deadline:?}");
        }
    }
}

#[test]
fn a_reader_shows_what_is_there_beside_a_writer_that_is_stopped() {
    let machine = Machine::with_trail();
    let trail = machine.state().join("build-7_audit.jsonl");
    let mut torn = OpenOptions::new().append(true).open(&trail).expect("open");
    std::io::Write::write_all(&mut torn, b"{\"entry_id\": \"half").expect("write");
    torn.lock().expect("lock the trail");
    let run = in_time(Duration::ZERO, || {
        machine.recover(&["history", "build-7", "--json"])
    });
    assert!(run.stdout.contains("used the old linker"), "{run:?}");
    assert!(run.stderr.contains("could not be read"), "{run:?}");
}

#[test]
fn other_commands_wait_too_and_end_when_they_are_told_to() {
    let machine = Machine::with_trail();
    let journal = machine.state().join("journal.jsonl");
    let held = File::open(&journal).expect("open the journal");
    held.lock().expect("lock the journal");
    let mut clear = start(&machine, &["clear", "build-7", "--yes"]);
    let mut stderr = std::io::BufReader::new(clear.stderr.take().expect("it is piped"));
    let mut told = String::new();
    std::io::BufRead::read_line(&mut stderr, &mut told).expect("it says what it waits for");
    let us = format!("which is locked by pid {}, `", std::process::id());
    assert!(
        told.contains("waiting for ") && told.contains(&us),
        "{told}"
    );
    signal(&clear, Signal::TERM);
    assert_eq!(end(&mut clear), Some(15));
}
