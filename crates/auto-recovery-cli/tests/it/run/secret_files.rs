//! Files whose names say that they are secret, from the first run to what is kept of it.

use std::fs;
use std::path::Path;
use std::process::Command;

use rustix::process::Signal;

use super::{Machine, Run, read, signal, start, wait_for, write};

/// What no object of the state may hold.
const SECRET: &str = "KEY=hunter2hunter2\n";

const WHY: &str = "its name says that it is secret";

/// A machine with a project of one file and one secret.
fn machine() -> Machine {
    let machine = Machine::new();
    write(&machine, "value", "broken\n");
    write(&machine, ".env", SECRET);
    machine
}

/// Recovers `command` with `fix` in the session `s`.
fn recover(machine: &Machine, more: &[&str], fix: &str, command: &str) -> Run {
    let args = ["run", "--session", "s", "--max-attempts", "1", "--fix", fix];
    let command = ["--", "sh", "-c", command];
    machine.recover(&[&args[..], more, &command].concat())
}

/// Makes sure that no object of the state holds the secret.
#[track_caller]
#[expect(
    clippy::disallowed_methods,
    reason = "the objects are read by git itself"
)]
fn assert_not_kept(machine: &Machine) {
    let shelves = machine.state().join("checkpoints");
    let shelves = fs::read_dir(shelves).expect("there are checkpoints");
    let mut repositories = 0;
    for shelf in shelves.flatten() {
        let git = shelf.path().join("git");
        if !git.is_dir() {
            continue;
        }
        repositories += 1;
        let args = ["cat-file", "--batch", "--batch-all-objects"];
        let mut command = Command::new("git");
        let command = command.arg("--git-dir").arg(git).args(args);
        let objects = command.output().expect("git runs").stdout;
        let text = String::from_utf8_lossy(&objects);
        assert!(text.contains("broken"), "it is read: {text}");
        assert!(!text.contains("hunter2"), "{text}");
    }
    assert!(repositories > 0);
}

fn has(machine: &Machine, path: &str) -> bool {
    machine.work().join(path).symlink_metadata().is_ok()
}

#[test]
fn a_new_one_is_undone_and_the_tree_is_as_it_was() {
    let machine = machine();
    let fix = "cp .env prod.key; mkdir conf; cp .env conf/server.pem; echo bad > value";
    let run = recover(&machine, &[], fix, "grep -q mended value");
    assert_eq!(run.code, 1, "{run:?}");
    assert!(run.stderr.contains("the tree is as it was"), "{run:?}");
    assert!(!has(&machine, "prod.key") && !has(&machine, "conf"));
    assert_eq!(read(&machine, ".env"), SECRET);
    assert_not_kept(&machine);
    // One that the user makes later is left alone.
    write(&machine, "prod.key", "mine\n");
    let restored = machine.recover(&["restore", "--last"]);
    assert!(!restored.stderr.contains("prod.key"), "{restored:?}");
    assert_eq!(read(&machine, "prod.key"), "mine\n");
}

#[test]
fn one_that_was_changed_or_deleted_is_named_on_the_screen_and_in_the_record() {
    for fix in ["echo KEY=other > .env", "rm .env"] {
        let machine = machine();
        let fix = format!("{fix}; echo bad > value");
        let run = recover(&machine, &[], &fix, "grep -q mended value");
        assert_eq!(run.code, 1, "{run:?}");
        let said = format!(".env ({WHY})");
        assert!(run.stderr.contains(&said), "{run:?}");
        assert!(!run.stderr.contains("the tree is as it was"), "{run:?}");
        assert_eq!(read(&machine, "value"), "broken\n");
        let shown = machine.recover(&["show", "s", "1", "--json"]);
        assert!(shown.stdout.contains(&said), "{shown:?}");
        assert_not_kept(&machine);
        let restored = machine.recover(&["restore", "s"]);
        assert!(restored.stderr.contains(".env"), "{restored:?}");
    }
}

#[test]
fn one_that_was_renamed_has_its_name_back() {
    for fix in [
        "mv .env prod.key",
        "mv .env config.txt",
        "mv .env .env.bak; echo KEY=new > .env",
    ] {
        let machine = machine();
        let fix = format!("{fix}; echo bad > value");
        let run = recover(&machine, &[], &fix, "grep -q mended value");
        assert!(run.stderr.contains("the tree is as it was"), "{run:?}");
        assert_eq!(read(&machine, ".env"), SECRET);
        let left = ["prod.key", "config.txt", ".env.bak"];
        assert!(!left.iter().any(|path| has(&machine, path)), "{run:?}");
        assert_not_kept(&machine);
    }
}

#[test]
fn one_that_git_tracks_and_one_that_is_protected_are_covered() {
    let machine = machine();
    write(&machine, "app.key", SECRET);
    git(&machine, &["init", "-q"]);
    git(&machine, &["add", ".env"]);
    let more = ["--protect", "app.key"];
    let run = recover(&machine, &more, "echo 2 > .env", "grep -q mended value");
    assert!(run.stderr.contains("the tree is as it was"), "{run:?}");
    assert_eq!(read(&machine, ".env"), SECRET);
    let run = recover(&machine, &more, "echo 2 > app.key", "grep -q mended value");
    assert!(run.stderr.contains("app.key is protected"), "{run:?}");
    assert!(run.stderr.contains("the tree is as it was"), "{run:?}");
    assert_eq!(read(&machine, "app.key"), SECRET);
}

#[test]
fn a_cure_that_makes_one_keeps_it_and_is_not_confirmed() {
    let machine = machine();
    let fix = "cp .env prod.key; echo mended > value";
    let run = recover(&machine, &["--confirm"], fix, "grep -q mended value");
    assert_eq!(run.code, 0, "{run:?}");
    assert_eq!(read(&machine, "prod.key"), SECRET);
    assert_eq!(read(&machine, "value"), "mended\n");
    assert_not_kept(&machine);
    // Taking the cure back leaves it, and says so.
    let restored = machine.recover(&["restore", "s"]);
    assert_eq!(restored.code, 1, "{restored:?}");
    assert!(restored.stderr.contains("prod.key"), "{restored:?}");
    assert_eq!(read(&machine, "prod.key"), SECRET);
    assert_eq!(read(&machine, "value"), "broken\n");
    assert_not_kept(&machine);
}

#[test]
fn killed_between_fix_and_undo_the_next_run_removes_the_new_one_and_names_the_changed() {
    killed_between("cp .env prod.key; mv .env .env.bak", |next, machine| {
        assert!(!next.stderr.contains("not covered"), "{next:?}");
        assert_eq!(read(machine, ".env"), SECRET);
        assert!(!has(machine, "prod.key") && !has(machine, ".env.bak"));
    });
    killed_between("cp .env .env.bak; echo 2 > .env", |next, machine| {
        let named = "not covered: .env, .env.bak";
        assert!(next.stderr.contains(named), "{next:?}");
        assert_eq!(read(machine, ".env.bak"), SECRET);
    });
}

/// Checks the run after one whose fix did `act`, and that was killed before its undo.
fn killed_between(act: &str, check: impl FnOnce(&Run, &Machine)) {
    let machine = machine();
    let fix = &format!("{act}; echo mended > value");
    let command = "grep -q mended value || exit 1; touch ../verifying; exec sleep 63.25";
    let args = ["run", "--fix", fix, "--", "sh", "-c", command];
    let mut run = start(&machine, &args);
    wait_for(&machine.root().join("verifying"));
    signal(&run, Signal::KILL);
    run.wait().expect("it ends");
    assert_not_kept(&machine);
    let next = machine.recover(&["run", "--", "true"]);
    assert_eq!(next.code, 0, "{next:?}");
    assert_eq!(read(&machine, "value"), "broken\n");
    check(&next, &machine);
    assert_eq!(machine.recover(&["run", "--", "true"]).stderr, "");
}

#[test]
fn killed_in_the_middle_of_a_fix_nothing_of_them_is_lost() {
    let machine = machine();
    let fix = "cp .env prod.key; touch ../started; exec sleep 63.5";
    let mut run = start(&machine, &["run", "--fix", fix, "--", "false"]);
    wait_for(&machine.root().join("started"));
    signal(&run, Signal::KILL);
    run.wait().expect("it ends");
    // Nobody can say whose it is.
    let next = machine.recover(&["run", "--", "true"]);
    assert_eq!(next.code, 0, "{next:?}");
    assert!(next.stderr.contains("prod.key"), "{next:?}");
    let next = machine.recover(&["run", "--", "grep", "-q", "mended", "value"]);
    assert_eq!(next.code, 1, "{next:?}");
    assert!(next.stderr.contains("not covered: prod.key"), "{next:?}");
    assert_eq!(read(&machine, "prod.key"), SECRET);
    assert_not_kept(&machine);
}

#[expect(clippy::disallowed_methods, reason = "the user has a git")]
fn git(machine: &Machine, args: &[&str]) {
    let mut command = Command::new("git");
    let work: &Path = &machine.work();
    let done = command.args(args).current_dir(work).status();
    assert!(done.expect("git runs").success());
}
