//! What cannot be read of a store hides nothing else from any command, and each says so.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::Command;

use serde_json::json;

use crate::harness::{Machine, Run, skipped};

/// Every command that reads all sessions, and what it shows of `build-7`.
const OF_ALL: [(&[&str], &str); 7] = [
    (&["sessions"], "build-7"),
    (&["sessions", "--json"], "build-7"),
    (&["stats", "--all"], "3: 1 cured"),
    (&["stats", "--all", "--json"], "\"total_attempts\": 3"),
    (&["stats", "--all", "--by", "strategy"], "alternative"),
    (&["export", "--all"], "ImportError"),
    (&["export", "--all", "--format", "csv"], "ImportError"),
];

/// Every command that reads one.
const OF_ONE: [&[&str]; 7] = [
    &["history"],
    &["history", "--json"],
    &["stats"],
    &["stats", "--json"],
    &["show"],
    &["report"],
    &["report", "--format", "json"],
];

fn trail(machine: &Machine, id: &str) -> std::path::PathBuf {
    machine.state().join(format!("{id}_audit.jsonl"))
}

fn make_fifo(path: &Path) {
    let (cwd, fifo) = (rustix::fs::CWD, rustix::fs::FileType::Fifo);
    rustix::fs::mknodat(cwd, path, fifo, rustix::fs::Mode::RWXU, 0).expect("make a FIFO");
}

/// A trail that can be read among a FIFO, a directory and a link to a device.
fn among_what_cannot_be_read() -> Machine {
    let machine = Machine::with_trail();
    make_fifo(&trail(&machine, "fifo"));
    fs::create_dir(trail(&machine, "directory")).expect("make a directory");
    symlink("/dev/zero", trail(&machine, "link")).expect("make a link");
    machine
}

fn says_what_it_could_not_read(run: &Run) {
    for said in [
        "directory_audit.jsonl: cannot be opened: it is a directory, not a regular file",
        "fifo_audit.jsonl: cannot be opened: it is a FIFO, not a regular file",
        "link_audit.jsonl: cannot be opened: it is a symbolic link, not a regular file",
    ] {
        assert_eq!(run.stderr.matches(said).count(), 1, "{said}: {run:?}");
    }
}

#[test]
fn a_trail_that_cannot_be_opened_hides_no_other() {
    let machine = among_what_cannot_be_read();
    for (args, shown) in OF_ALL {
        let run = machine.recover(args);
        assert_eq!(run.code, 0, "{args:?}: {run:?}");
        assert!(run.stdout.contains(shown), "{args:?}: {run:?}");
        says_what_it_could_not_read(&run);
        let said = "3 damaged places; everything else is shown\n";
        assert!(run.stderr.ends_with(said), "{args:?}: {run:?}");
    }
    // Whoever asks for another session is not bothered.
    for args in OF_ONE {
        let run = machine.recover(&[args, &["build-7"]].concat());
        assert_eq!((run.code, &*run.stderr), (0, ""), "{args:?}: {run:?}");
    }
    let copied = machine.recover(&[
        "copy",
        &format!("jsonl:{}", machine.state().display()),
        "sqlite:x.db",
    ]);
    assert_eq!(copied.code, 1, "{copied:?}");
    says_what_it_could_not_read(&copied);
    assert!(copied.stderr.contains("3 entries"), "{copied:?}");
}

#[test]
fn a_link_is_told_as_what_it_is() {
    for name in ["journal.jsonl", "build-7_audit.jsonl"] {
        let machine = Machine::with_trail();
        let (path, moved) = (machine.state().join(name), machine.root().join("elsewhere"));
        fs::rename(&path, &moved).expect("move it");
        symlink(&moved, &path).expect("make a link");
        let run = machine.recover_with(&["log"], crate::harness::TRAIL);
        assert_eq!(run.code, 125, "{run:?}");
        let says = run.stderr.contains(name) && run.stderr.contains(" link");
        assert!(says && !run.stderr.contains("os error"), "{run:?}");
    }
}

#[test]
fn whoever_asks_for_what_cannot_be_read_is_told_so() {
    let machine = among_what_cannot_be_read();
    fs::write(trail(&machine, "zeros"), [0; 4096]).expect("write zeros");
    for id in ["fifo", "directory", "link", "zeros"] {
        for args in OF_ONE {
            let run = machine.recover(&[args, &[id]].concat());
            assert_eq!(run.code, 1, "{id} {args:?}: {run:?}");
            assert!(!run.stderr.contains("nothing was tried"), "{run:?}");
            let name = format!("{id}_audit.jsonl");
            assert!(run.stderr.contains(&name), "{args:?}: {run:?}");
        }
        for args in [&["export"][..], &["show", "--json"]] {
            let run = machine.recover(&[args, &[id]].concat());
            let said = format!("nothing of the attempts of session {id} can be read: ");
            assert_eq!((run.code, &*run.stdout), (1, ""), "{run:?}");
            assert!(run.stderr.contains(&said), "{run:?}");
        }
    }
    let sessions = machine.recover(&["sessions", "--json"]);
    let zeros = sessions
        .stderr
        .matches("zeros_audit.jsonl line 1: 4096 bytes");
    assert_eq!(zeros.count(), 1, "{sessions:?}");
}

#[test]
fn what_cannot_be_opened_stays_and_all_others_go() {
    let machine = among_what_cannot_be_read();
    let one = machine.recover(&["clear", "fifo", "--yes"]);
    assert_eq!(one.code, 1, "{one:?}");
    let all = machine.recover(&["clear", "--all", "--yes"]);
    assert_eq!(all.code, 1, "{all:?}");
    says_what_it_could_not_read(&all);
    assert!(all.stderr.contains("removed build-7"), "{all:?}");
    assert!(!trail(&machine, "build-7").exists());
    for id in ["fifo", "directory", "link"] {
        let found = trail(&machine, id).symlink_metadata().expect("it is there");
        assert!(!found.is_file(), "{id}");
    }
}

#[test]
fn pruning_goes_past_what_cannot_be_opened() {
    let machine = among_what_cannot_be_read();
    let run = machine.recover(&["prune", "--older-than", "1d", "--yes"]);
    assert_eq!(run.code, 0, "{run:?}");
    says_what_it_could_not_read(&run);
    assert!(!trail(&machine, "build-7").exists(), "{run:?}");
}

#[test]
fn importing_goes_past_what_is_no_file_and_waits_for_nobody() {
    let machine = among_what_cannot_be_read();
    let state = machine.state();
    let script = format!(
        "$RECOVER import {}/*_audit.jsonl --store sqlite:new.db",
        state.display()
    );
    let run = machine.run(&mut machine.shell(&script));
    assert_eq!(run.code, 1, "{run:?}");
    assert!(run.stderr.contains("3 entries"), "{run:?}");
    assert!(
        run.stderr.contains("it is a FIFO, not a regular file"),
        "{run:?}"
    );
    assert!(
        run.stderr.contains("it is a device, not a regular file"),
        "{run:?}"
    );
    // A pipe that the shell opened is one.
    let script = format!(
        "cat {} | $RECOVER import /dev/stdin --store sqlite:piped.db --json",
        trail(&machine, "build-7").display()
    );
    let run = machine.run(&mut machine.shell(&script));
    assert_eq!(run.json()[0]["added"], json!(3));
}

#[test]
fn a_journal_that_cannot_be_opened_hides_no_trail() {
    let machine = Machine::with_trail();
    let journal = machine.state().join("journal.jsonl");
    fs::remove_file(&journal).expect("remove the journal");
    make_fifo(&journal);
    for (args, shown) in OF_ALL {
        let run = machine.recover(args);
        assert_eq!(run.code, 0, "{args:?}: {run:?}");
        assert!(run.stdout.contains(shown), "{args:?}: {run:?}");
        assert!(
            run.stderr.contains("journal.jsonl: cannot be opened"),
            "{run:?}"
        );
    }
    let clear = machine.recover(&["clear", "build-7", "--yes"]);
    assert_eq!(clear.code, 125, "{clear:?}");
    assert!(trail(&machine, "build-7").exists(), "it may be held");
}

#[test]
#[expect(
    clippy::disallowed_methods,
    reason = "the test looks for a program that lets it be another user"
)]
fn a_trail_that_a_user_may_not_read_hides_no_other() {
    let machine = Machine::with_trail();
    let closed = trail(&machine, "closed");
    fs::write(&closed, "").expect("write a trail");
    fs::set_permissions(&closed, fs::Permissions::from_mode(0o000)).expect("close it");
    let mut as_user = String::new();
    if rustix::process::geteuid().is_root() {
        let setpriv = "setpriv --reuid=65534 --regid=65534 --clear-groups";
        let words: Vec<_> = setpriv.split(' ').chain(["true"]).collect();
        let tried = Command::new(words[0]).args(&words[1..]).status();
        if !tried.is_ok_and(|status| status.success()) {
            skipped("nobody else can be run as here");
            return;
        }
        let given = machine.run(
            &mut machine
                .shell("chown -R 65534:65534 .. && chown 0 \"$HOME\"/.local/state/*/closed*"),
        );
        assert_eq!(given.code, 0, "{given:?}");
        as_user = format!("{setpriv} ");
    }
    // By another process: while this one has it open to write, no other thread's child may run it.
    let copied = machine.run(&mut machine.shell("cp \"$RECOVER\" ../recover"));
    assert_eq!(copied.code, 0, "{copied:?}");
    for (args, shown) in OF_ALL {
        let script = format!("exec {as_user}../recover {}", args.join(" "));
        let run = machine.run(&mut machine.shell(&script));
        assert_eq!(run.code, 0, "{args:?}: {run:?}");
        assert!(run.stdout.contains(shown), "{args:?}: {run:?}");
        let said = "closed_audit.jsonl: cannot be opened: Permission denied";
        assert!(run.stderr.contains(said), "{args:?}: {run:?}");
    }
}

#[test]
fn a_file_without_end_takes_no_more_memory_than_any_other() {
    const HOLE: u64 = 160 * 1024 * 1024;
    for name in ["build-7_audit.jsonl", "journal.jsonl"] {
        let machine = Machine::with_trail();
        let path = machine.state().join(name);
        // A hole takes no room, and is one line without an end.
        let file = fs::OpenOptions::new().write(true).open(&path);
        let file = file.expect("open it");
        let length = file.metadata().expect("look at it").len();
        file.set_len(length + HOLE).expect("make it long");
        for args in [
            "sessions",
            "stats --all",
            "history build-7 --json",
            "log",
            "export --all",
        ] {
            // The 128 MiB are enough for what any command needs, and not for the hole.
            let line =
                r#"{"session_id":"build-7","strategy":"fix","success":true,"error_type":"E"}"#;
            let script = format!("ulimit -d 131072; echo '{line}' | $RECOVER {args}");
            let run = machine.run(&mut machine.shell(&script));
            assert_eq!(run.code, 0, "{name} {args}: {run:?}");
        }
        let moved = fs::read_dir(machine.state()).expect("list the state");
        let torn = moved.filter_map(|found| found.ok()?.file_name().into_string().ok());
        let torn: Vec<_> = torn.filter(|found| found.contains(".torn-")).collect();
        assert_eq!(torn.len(), 1, "what an append found: {torn:?}");
    }
}
