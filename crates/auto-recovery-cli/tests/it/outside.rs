//! What the outside does to the command: readers that go away, disks that are full, closed streams.

use std::collections::BTreeSet;
use std::fs;
use std::process::Stdio;

use serde_json::Value;

use crate::harness::{Machine, Run, TRAIL};

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
fn too_few_open_files_are_told_with_the_way_out_however_few() {
    let machine = Machine::new();
    for limit in 8..=30 {
        let script = format!("ulimit -n {limit}; exec \"$RECOVER\" run -- true");
        let run = machine.run(
            machine
                .shell(&script)
                .stdout(Stdio::piped())
                .stderr(Stdio::piped()),
        );
        if run.code != 0 {
            assert_eq!(run.code, 125, "{limit}: {run:?}");
            for words in ["Too many open files", "`ulimit -n 1024` raises it"] {
                assert!(run.stderr.contains(words), "{limit}: {run:?}");
            }
        }
    }
}

#[test]
fn a_command_whose_output_is_lost_has_not_passed() {
    let machine = Machine::new();
    machine.write("project/text", "text");
    for (args, command) in [
        (&[][..], &["cat", "text"][..]),
        (&["--alternative", "cat text"], &["sh", "-c", "exit 3"]),
        (
            &["--fix", "touch ok"],
            &["sh", "-c", "test -e ok && cat text"],
        ),
    ] {
        let full = fs::File::options()
            .write(true)
            .open("/dev/full")
            .expect("/dev/full");
        let all = [&["run", "--max-attempts", "1"], args, &["--"], command].concat();
        let run = machine.run(machine.command(&all).stdout(full));
        assert_ne!(run.code, 0, "{command:?}: {run:?}");
        let lost = "No space left on device";
        let told = machine.recover(&["show", "--last"]);
        assert!(
            run.stderr.contains(lost) || told.stdout.contains(lost),
            "{command:?}: {run:?} {told:?}"
        );
        assert!(!machine.work().join("ok").exists());
    }
}

#[test]
fn a_command_that_nobody_reads_ends_as_it_would() {
    let machine = Machine::new();
    let (reader, writer) = std::io::pipe().expect("a pipe");
    drop(reader);
    let script = "yes 2>&-; exit 3";
    let args = ["run", "--retry", "3", "--", "sh", "-c", script];
    let run = machine.run(machine.command(&args).stdout(writer));
    assert_eq!((run.code, run.stderr.as_str()), (3, ""));
    assert!(!machine.state().exists(), "there is nothing to recover");
}

/// Runs `recover log` on 24 lines of two sessions, which are in `lines.jsonl`, with no file growing
/// beyond `blocks` of 512 bytes.
fn log_within(machine: &Machine, store: &str, blocks: u64) -> Run {
    let script = format!(
        "trap '' XFSZ; ulimit -f {blocks}; exec \"$RECOVER\" --store {store} log <lines.jsonl"
    );
    machine.run(
        machine
            .shell(&script)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped()),
    )
}

fn ids(jsonl: &str) -> Vec<String> {
    let id = |line| serde_json::from_str::<Value>(line).expect("JSON")["entry_id"].clone();
    let ids = jsonl.lines().map(id);
    ids.map(|id| id.as_str().expect("text").to_owned())
        .collect()
}

#[test]
fn files_that_cannot_grow_lose_nothing_that_was_acknowledged() {
    const LINES: usize = 24;
    let line = |number: usize| {
        format!(
            "{{\"session_id\":\"s{}\",\"strategy\":\"fix\",\"success\":false,\
             \"error_type\":\"{number}\",\"error_message\":\"{}\"}}\n",
            number % 2,
            "x".repeat(number * 97 % 1500)
        )
    };
    for (store, step) in [("jsonl:trails", 2), ("sqlite:trails.db", 24)] {
        let mut failed = 0;
        for limit in (0..).step_by(step) {
            let machine = Machine::new();
            let lines: String = (0..LINES).map(line).collect();
            machine.write("project/lines.jsonl", &lines);
            let run = log_within(&machine, store, limit);
            let acknowledged = ids(&run.stdout);
            if run.code == 0 {
                assert_eq!(acknowledged.len(), LINES, "{store} {limit}: {run:?}");
                break;
            }
            failed += 1;
            assert!(matches!(run.code, 1 | 125), "{store} {limit}: {run:?}");
            assert!(run.stderr.contains("recover: error: "), "{run:?}");
            // Room is made.
            let run = machine.recover_with(&["--store", store, "log"], &lines);
            assert_eq!(run.code, 0, "{store} {limit}: {run:?}");
            let acknowledged = [acknowledged, ids(&run.stdout)].concat();
            let run = machine.recover(&["--store", store, "export", "--all", "--format", "jsonl"]);
            let there = ids(run.quiet());
            let distinct: BTreeSet<&String> = there.iter().collect();
            assert_eq!(distinct.len(), there.len(), "{store} {limit}: doubled");
            for id in &acknowledged {
                assert!(distinct.contains(id), "{store} {limit}: {id} is lost");
            }
        }
        assert!(failed > 5, "{store}: {failed}");
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
    let says = "[ROOT]/project/file is not a directory: give one to keep the audit trail in";
    for command in ["sessions", "history", "stats", "checkpoint", "export"] {
        let args = [command, "--store", "jsonl:file"];
        machine.recover(&args).fails(125, says);
    }
    machine.write("project/text", &"no database\n".repeat(100));
    for (store, says) in [
        ("sqlite:.", "is no file"),
        ("sqlite:text", "is no SQLite database"),
    ] {
        let run = machine.recover(&["sessions", "--store", store]);
        assert_eq!(run.code, 125, "{run:?}");
        assert!(run.stderr.contains(says), "{run:?}");
    }
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
    assert!(
        run.stderr
            .contains("the current directory is no more: go into one"),
        "{run:?}"
    );
}
