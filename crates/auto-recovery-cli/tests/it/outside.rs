//! What the outside does to the command: readers that go away, disks that are full, closed streams.

use std::fs;

use crate::harness::{Machine, TRAIL};

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let machine = Machine::with_trail();
    for args in [
        &["sessions"][..],
        &["sessions", "--json"],
        &["history"],
        &["history", "--json"],
        &["show"],
        &["stats"],
        &["export"],
        &["export", "--format", "csv"],
        &["report"],
        &["config"],
        &["--help"],
        &["completions", "bash"],
    ] {
        let (reader, writer) = std::io::pipe().expect("a pipe");
        drop(reader);
        let run = machine.run(machine.command(args).arg("--quiet").stdout(writer));
        assert_eq!((run.code, run.stderr.as_str()), (0, ""), "{args:?}");
    }
}

#[test]
fn a_full_disk_is_told_and_exits_with_125() {
    let machine = Machine::with_trail();
    let full = || {
        fs::File::options()
            .write(true)
            .open("/dev/full")
            .expect("/dev/full")
    };
    for args in [
        &["sessions"][..],
        &["history", "--json"],
        &["export"],
        &["report"],
        &["stats"],
    ] {
        let run = machine.run(machine.command(args).arg("--quiet").stdout(full()));
        assert_eq!(run.code, 125, "{args:?}: {run:?}");
        for words in ["No space left on device", "make room there"] {
            assert!(run.stderr.contains(words), "{args:?}: {run:?}");
        }
    }
}

#[test]
fn closed_streams_are_survived() {
    let machine = Machine::with_trail();
    for script in [
        "sessions >&-",
        "history 2>&-",
        "log <&-",
        "sessions <&- >&- 2>&-",
    ] {
        let run = machine.run(&mut machine.shell(&format!("\"$RECOVER\" {script}")));
        assert_eq!(
            (run.code, run.stderr.as_str().contains("panic")),
            (0, false),
            "{script}: {run:?}"
        );
    }
}

#[test]
fn a_store_that_is_no_directory_is_named() {
    let machine = Machine::new();
    machine.write("project/file", "");
    let run = machine.recover(&["sessions", "--store", "jsonl:file"]);
    assert_eq!(run.code, 2, "{run:?}");
    assert!(
        run.stderr
            .contains("[ROOT]/project/file is not a directory"),
        "{run:?}"
    );
    let run = machine.recover_with(&["log", "--store", "jsonl:file/below"], TRAIL);
    assert_ne!(run.code, 0, "{run:?}");
    assert!(run.stderr.contains("[ROOT]/project/file"), "{run:?}");
}

#[test]
fn a_current_directory_that_is_gone_is_told() {
    let machine = Machine::new();
    let run = machine
        .run(&mut machine.shell("mkdir gone; cd gone; rmdir ../gone; \"$RECOVER\" sessions"));
    assert_eq!(run.code, 125);
    assert!(run.stderr.contains("find the current directory"), "{run:?}");
}
