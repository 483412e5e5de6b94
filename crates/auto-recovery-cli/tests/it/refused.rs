//! What `run` refuses: told with 125 before anything runs or is written.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _};
use std::path::Path;

use crate::harness::{Machine, Run, skipped};

/// Asserts that `recover run` with `args` before the command refuses, says `says`, and neither runs
/// the command nor writes anything.
fn refuses(machine: &Machine, args: &[&str], says: &str) {
    let before = names(&machine.work());
    let run = machine.recover(&[&["run"], args, &["--", "touch", "ran"]].concat());
    assert_eq!(run.code, 125, "{args:?}: {run:?}");
    assert!(run.stderr.contains(says), "{args:?}: {run:?}");
    assert_eq!(names(&machine.work()), before, "{args:?}");
    assert!(!machine.state().exists(), "{args:?}");
}

fn names(dir: &Path) -> Vec<String> {
    let entries = fs::read_dir(dir).expect("list");
    let name = |entry: fs::DirEntry| entry.file_name().to_string_lossy().into_owned();
    let mut names: Vec<_> = entries
        .map(|entry| name(entry.expect("an entry")))
        .collect();
    names.sort();
    names
}

#[test]
fn a_rollback_to_nothing_and_a_protection_of_what_lies_outside_are_refused() {
    let machine = Machine::new();
    refuses(&machine, &["--rollback="], "--rollback");
    refuses(&machine, &["--rollback="], "names nothing");
    for glob in ["..", "../", "../beside/**"] {
        let says = format!("protect \"{glob}\" leads out of the workspace");
        refuses(&machine, &["--protect", glob], &says);
    }
}

#[test]
fn a_session_id_that_cannot_be_one_is_refused_everywhere() {
    let machine = Machine::new();
    let (long, encoded) = ("x".repeat(201), "é".repeat(34));
    for (id, says) in [
        ("", "session id is empty"),
        (&long, "has 201 characters: use at most 200"),
        (&encoded, "takes 204 bytes percent-encoded: use at most 200"),
        ("a\nb", "has a control character: leave it out"),
        ("a\u{7f}b", "has a control character"),
    ] {
        refuses(&machine, &["--session", id], says);
        for args in [
            &["history", id][..],
            &["show", id],
            &["stats", id],
            &["export", id],
            &["report", id],
            &["restore", id],
            &["hold", id],
            &["hold", "--release", id],
            &["clear", id, "--yes"],
        ] {
            let run = machine.recover(args);
            assert_eq!(run.code, 2, "{run:?}");
            assert!(run.stderr.contains(says), "{run:?}");
        }
    }
    let longest = "y".repeat(200);
    let args = ["run", "--session", &longest, "--", "true"];
    machine.recover(&args).quiet();
}

#[test]
fn a_command_line_that_cannot_be_used_is_refused() {
    let machine = Machine::new();
    for (args, says) in [
        (&["--bogus"][..], "--bogus"),
        (&["--fix", ""], "there is no command in it"),
        (&["--fix", " \n"], "there is no command in it"),
        (&["--alternative", ""], "is a variable unset?"),
        (&["--on-escalate", ""], "there is no command in it"),
        (&["--approve", ""], "there is no command in it"),
        (&["--grace", "5"], "a duration needs its unit"),
        (&["--retry", "many"], "write a whole number"),
        (&["--protect", "["], "is not a glob"),
        (
            &["--keep-progress", "--keep-failed-changes"],
            "cannot be used with",
        ),
        (&["--store", "mysql://h/d"], "no such kind of store"),
        (&["--store", "postgres://h:port/d"], "port"),
        (&["--config", "none.toml"], "does not exist"),
    ] {
        refuses(&machine, args, says);
    }
    machine.write("project/recover.toml", "max_atempts = 3\n");
    refuses(&machine, &[], "did you mean `max_attempts`?");
    fs::remove_file(machine.work().join("recover.toml")).expect("remove");
    let run = machine.run(
        machine
            .command(&["run", "--", "true"])
            .env("RECOVER_STORE", "x"),
    );
    assert_eq!(run.code, 125, "{run:?}");
    let odd = OsStr::from_bytes(b"--fix=\xff");
    let args = [OsStr::new("run"), odd, OsStr::new("--"), OsStr::new("true")];
    assert_eq!(machine.run(&mut machine.command(&args)).code, 125);
}

#[test]
fn a_result_file_that_cannot_be_written_is_refused() {
    let machine = Machine::new();
    fs::create_dir(machine.work().join("dir")).expect("create");
    machine.write("project/file", "kept");
    let long = "n".repeat(300);
    for (path, says) in [
        (
            "not/there",
            "--result-file: not is no directory: make it first",
        ),
        (
            "file/below",
            "--result-file: file is no directory: make it first",
        ),
        (
            "dir",
            "--result-file: dir is a directory: name a file in it",
        ),
        (".", "--result-file: . is a directory"),
        (&long, "File name too long"),
        ("/proc/result", "--result-file: make a file in /proc:"),
        (
            "/proc/self/result",
            "--result-file: make a file in /proc/self",
        ),
    ] {
        refuses(&machine, &["--result-file", path], says);
    }
    let socket = machine.work().join("socket");
    let _socket = std::os::unix::net::UnixListener::bind(&socket).expect("a socket");
    refuses(
        &machine,
        &["--result-file", "socket"],
        "is nothing that a result can be written to",
    );
    assert_eq!(
        fs::read_to_string(machine.work().join("file")).expect("read"),
        "kept"
    );
}

#[test]
fn a_result_file_in_a_directory_of_others_is_refused() {
    if rustix::process::geteuid().is_root() {
        skipped("root may write to every directory");
        return;
    }
    let machine = Machine::new();
    let dir = machine.work().join("dir");
    fs::create_dir(&dir).expect("create");
    fs::set_permissions(&dir, fs::Permissions::from_mode(0o555)).expect("set its mode");
    refuses(&machine, &["--result-file", "dir/r"], "Permission denied");
}

/// The result of a command that passes, by `--result-file PATH` and in `script` as `$RESULT`.
fn result_in_shell(machine: &Machine, script: &str) -> Run {
    let script = format!("R() {{ \"$RECOVER\" run --result-file \"$1\" -- true; }}; {script}");
    let run = machine.run(&mut machine.shell(&script));
    assert_eq!(run.code, 0, "{script}: {run:?}");
    run
}

#[test]
fn a_result_goes_into_what_is_no_file() {
    let machine = Machine::new();
    let passed = |text: &str| {
        let json: serde_json::Value = serde_json::from_str(text).expect("JSON");
        assert_eq!(json["success"], true);
    };
    let mode = || {
        let null = fs::metadata("/dev/null").expect("it").file_type();
        null.is_char_device()
    };
    assert!(mode());
    result_in_shell(&machine, "R /dev/null");
    assert!(mode(), "/dev/null is still what it was");
    passed(&result_in_shell(&machine, "R /dev/stdout | cat").stdout);
    // What is redirected to a file already stays, and so does the file.
    let run = result_in_shell(
        &machine,
        "{ echo before; R /dev/stdout; echo after; } > all; cat all",
    );
    let lines: Vec<_> = run.stdout.lines().collect();
    assert_eq!((lines[0], lines[1]), ("before", "{"), "{run:?}");
    assert_eq!(lines.last(), Some(&"}after"), "{run:?}");
    let pipe = "mkfifo pipe; cat pipe > out & R pipe; wait; cat out";
    passed(&result_in_shell(&machine, pipe).stdout);
    // Its reader may come when the command has begun.
    let late = "mkfifo late; { sleep 0.2; cat late > out; } & R late; wait; cat out";
    passed(&result_in_shell(&machine, late).stdout);
    let link =
        "mkdir -p real; echo old > real/r; ln -s real/r link; R link; test -h link; cat real/r";
    passed(&result_in_shell(&machine, link).stdout);
    let link = "ln -s real/new dangling; R dangling; test -h dangling; cat real/new";
    passed(&result_in_shell(&machine, link).stdout);
    assert!(
        fs::symlink_metadata(machine.work().join("pipe"))
            .expect("it")
            .file_type()
            .is_fifo()
    );
}

#[test]
fn a_reader_that_goes_away_makes_no_success_of_a_failure() {
    let machine = Machine::new();
    for flags in ["--hold-stdout", "--result-file /dev/stdout"] {
        let script = format!(
            "{{ \"$RECOVER\" run {flags} -- sh -c 'sleep 0.2; echo x; exit 3'; echo $? > code; }} | :"
        );
        machine.run(&mut machine.shell(&script));
        let code = fs::read_to_string(machine.work().join("code")).expect("a code");
        assert_eq!(code, "3\n", "{flags}");
    }
}

#[test]
fn a_store_that_cannot_be_opened_fails_no_command_that_passes() {
    let machine = Machine::new();
    machine.write("project/file", "");
    machine.write("project/text", &"no database\n".repeat(100));
    for store in ["jsonl:file", "jsonl:file/below", "sqlite:.", "sqlite:text"] {
        machine
            .recover(&["--store", store, "run", "--", "true"])
            .quiet();
        let run = machine.recover(&["--store", store, "run", "--", "false"]);
        assert_eq!(run.code, 125, "{store}: {run:?}");
        assert!(run.stderr.contains("nothing was tried"), "{run:?}");
        let run = machine.recover(&["--store", store, "run", "--dry-run", "--", "false"]);
        assert_eq!(run.code, 1, "{store}: {run:?}");
    }
}
