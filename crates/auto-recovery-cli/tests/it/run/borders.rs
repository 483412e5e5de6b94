//! Borders between people: whose the state, the store, a repository and an output are.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, chown, symlink};
use std::path::Path;

use super::Machine;
use crate::harness::{Run, TRAIL, skipped};

/// A user that is nobody here.
const OTHER: u32 = 65534;

fn is_root() -> bool {
    let is_root = rustix::process::geteuid().is_root();
    if !is_root {
        skipped("only root can make what is another user's");
    }
    is_root
}

fn mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("set a mode");
}

fn names(dir: &Path) -> Vec<String> {
    let names = fs::read_dir(dir).expect("list").flatten();
    let names = names.map(|entry| entry.file_name().to_string_lossy().into_owned());
    let mut names: Vec<_> = names.collect();
    names.sort_unstable();
    names
}

/// Where the state is, as `config --json` has it.
fn state_of(run: &Run) -> String {
    let config = run.json();
    let mut settings = config.as_array().expect("a list").iter();
    let found = settings.find(|setting| setting["key"] == "state_dir");
    found.expect("the state")["value"].to_string()
}

/// A run in a state that is not the user's own: a pass is a pass, a failure is the command's own,
/// with one warning that says `why`, and nothing is left there.
fn check_refused(machine: &Machine, state: &Path, why: &str) {
    let run = |args: &[&str]| {
        let mut command = machine.command(args);
        machine.run(command.env("RECOVER_STATE_DIR", state))
    };
    assert_eq!(run(&["run", "--", "true"]).quiet(), "");
    let failed = run(&["run", "--fix", "touch fixed", "--", "sh", "-c", "exit 7"]);
    assert_eq!(failed.code, 7, "{failed:?}");
    assert_eq!(failed.stderr.matches("warning").count(), 1, "{failed:?}");
    let cannot = "cannot use the state directory";
    for said in [
        why,
        "RECOVER_STATE_DIR",
        "sudo -H",
        "nothing was tried",
        cannot,
    ] {
        assert!(failed.stderr.contains(said), "{said}: {failed:?}");
    }
    assert!(!machine.work().join("fixed").exists());
    for args in [&["sessions"][..], &["checkpoint"], &["restore", "--last"]] {
        let refused = run(args);
        assert_eq!(refused.code, 125, "{args:?} {refused:?}");
        assert!(refused.stderr.contains(why), "{args:?} {refused:?}");
    }
    assert_eq!(names(state), ["theirs"]);
}

#[test]
fn a_state_of_somebody_elses_is_left_alone() {
    if !is_root() {
        return;
    }
    let machine = Machine::new();
    let state = machine.root().join("state");
    fs::create_dir(&state).expect("make a state");
    fs::write(state.join("theirs"), "").expect("write");
    mode(&state, 0o700);
    chown(&state, Some(OTHER), None).expect("give it away");
    check_refused(
        &machine,
        &state,
        "it belongs to user 65534, and you are user 0",
    );
}

#[test]
fn a_state_that_others_may_write_is_left_alone() {
    let machine = Machine::new();
    let state = machine.root().join("state");
    fs::create_dir(&state).expect("make a state");
    fs::write(state.join("theirs"), "").expect("write");
    mode(&state, 0o1777);
    check_refused(&machine, &state, "others can write it (mode 1777)");
}

#[test]
fn under_sudo_that_keeps_home_no_state_is_made_in_it() {
    if !is_root() {
        return;
    }
    let machine = Machine::new();
    chown(machine.home(), Some(OTHER), None).expect("give it away");
    let mut command = machine.command(&["config", "--json"]);
    let state = state_of(&machine.run(command.env("SUDO_UID", OTHER.to_string())));
    let home = machine.home().display().to_string();
    assert!(!state.contains(&home), "{state}");
    // Without sudo it is the home that somebody gave this user.
    let state = state_of(&machine.recover(&["config", "--json"]));
    assert!(state.contains(&home), "{state}");
}

#[test]
fn a_link_in_place_of_a_lock_overwrites_nothing() {
    let machine = Machine::new();
    let victim = machine.write("victim", "whole\n");
    let args = ["run", "--max-attempts", "1", "--fix", "true", "--", "false"];
    assert_eq!(machine.recover(&args).code, 1);
    let locks = machine.state().join("locks");
    for name in names(&locks) {
        fs::remove_file(locks.join(&name)).expect("remove a lock");
        symlink(&victim, locks.join(&name)).expect("plant a link");
    }
    let run = machine.recover(&args);
    assert_eq!(run.code, 1, "{run:?}");
    assert!(run.stderr.contains("it is a symbolic link"), "{run:?}");
    assert_eq!(fs::read(&victim).expect("read"), b"whole\n");
}

#[test]
fn a_store_that_others_may_write_is_refused() {
    let machine = Machine::with_trail();
    let store = machine.root().join("team");
    fs::create_dir(&store).expect("make a store");
    fs::write(store.join("a.db"), "").expect("write");
    mode(&store, 0o1777);
    for url in [
        "jsonl:../team",
        "sqlite:../team/a.db",
        "sqlite:../team/new.db",
    ] {
        for args in [&["log"][..], &["sessions"]] {
            let refused = machine.recover_with(&[&["--store", url], args].concat(), TRAIL);
            let is_absent = url.contains("new") && args == ["sessions"];
            assert_eq!(
                refused.code == 125,
                !is_absent,
                "{url} {args:?} {refused:?}"
            );
            assert!(
                is_absent || refused.stderr.contains("others can write it"),
                "{refused:?}"
            );
        }
    }
    let fix = [
        "--store",
        "jsonl:../team",
        "run",
        "--fix",
        "touch fixed",
        "--",
        "sh",
        "-c",
        "exit 7",
    ];
    let failed = machine.recover(&fix);
    assert_eq!(failed.code, 7, "{failed:?}");
    assert_eq!(
        failed.stderr.matches("nothing was tried").count(),
        1,
        "{failed:?}"
    );
    assert!(!machine.work().join("fixed").exists());
    assert_eq!(names(&store), ["a.db"]);
    let passed = machine.recover(&["--store", "jsonl:../team", "run", "--", "true"]);
    assert_eq!(passed.quiet(), "");
}

/// Makes the project a git repository with a commit, as the user of these tests.
fn with_git(machine: &Machine) {
    let git = "git init -q && git config user.email a@b && git config user.name a && \
               git add -A && git commit -qm one";
    let made = machine.run(&mut machine.shell(git));
    assert_eq!(made.code, 0, "{made:?}");
}

#[test]
fn in_a_repository_of_somebody_elses_only_the_current_directory_is_covered() {
    if !is_root() {
        return;
    }
    let machine = Machine::new();
    machine.write("project/sub/.gitattributes", "* filter=x\n");
    machine.write("project/sub/value", "1\n");
    with_git(&machine);
    machine.write("project/recover.toml", "fix = [\"touch ../../ran\"]\n");
    let filter = "for one in clean smudge process; do git config filter.x.$one 'touch ../ran'; done; \
                  git config core.fsmonitor 'touch ../ran'";
    machine.run(&mut machine.shell(filter));
    chown(machine.work().join(".git"), Some(OTHER), None).expect("give it away");
    let sub = |args: &[&str]| {
        let mut command = machine.command(args);
        machine.run(command.current_dir(machine.work().join("sub")))
    };
    assert_eq!(sub(&["run", "--", "true"]).quiet(), "");
    let fix = "echo 2 > value; echo 2 > ../beside";
    let run = sub(&["run", "--max-attempts", "1", "--fix", fix, "--", "false"]);
    assert_eq!(run.code, 1, "{run:?}");
    let warned = "project/.git belongs to user 65534, and you are user 0";
    assert_eq!(run.stderr.matches(warned).count(), 1, "{run:?}");
    assert!(
        run.stderr
            .contains("git config --global --add safe.directory"),
        "{run:?}"
    );
    let read = |name: &str| fs::read_to_string(machine.work().join(name)).expect("read");
    assert_eq!(
        (read("sub/value"), read("beside")),
        ("1\n".into(), "2\n".into())
    );
    let refused = sub(&["run", "--rollback=git:HEAD", "--", "false"]);
    assert_eq!(refused.code, 125, "{refused:?}");
    assert!(refused.stderr.contains(warned), "{refused:?}");
    assert!(!machine.root().join("ran").exists());
    // Who said so to git need not say it again.
    let trusted = format!("[safe]\n\tdirectory = {}\n", machine.work().display());
    machine.write("user/.gitconfig", &trusted);
    let run = sub(&["checkpoint", "--json"]);
    let work = fs::canonicalize(machine.work()).expect("the project");
    assert_eq!(run.json()["workspace"], *work.display().to_string());
}

/// Recoveries in a project where a fix of `first` waits until it is let go on; ends with what both
/// came to. `start` starts `second` once the fix of the first one is under way.
const SIBLINGS: &str = r#"
"$RECOVER" run --fix 'touch ../fixing; until [ -e ../go ]; do sleep 0.01; done; echo mended > a' \
    -- grep -q mended a &
until [ -e ../fixing ]; do sleep 0.01; done
"$RECOVER" run --no-wait --fix 'echo broken > a; false' -- false 2> ../refused
echo $? > ../refused.code
"$RECOVER" run --max-attempts 1 --fix 'cp a ../a.seen; echo broken > a' -- false 2> ../second &
until grep -q waiting ../second; do sleep 0.01; done
touch ../go
wait
"#;

#[test]
fn siblings_inside_a_recovery_wait_for_each_other_and_not_for_their_parent() {
    let machine = Machine::new();
    machine.write("project/a", "broken\n");
    machine.write("siblings", SIBLINGS);
    let outer = "\"$RECOVER\" run --max-attempts 1 --fix '. ../siblings' -- grep -q mended a";
    let run = machine.run(&mut machine.shell(outer));
    assert_eq!(run.code, 0, "{run:?}");
    let read = |name: &str| fs::read_to_string(machine.root().join(name)).expect("read");
    assert_eq!(read("refused.code"), "125\n");
    assert!(
        read("refused").contains("another recovery works"),
        "{}",
        read("refused")
    );
    // The second one saw the cure of the first, and its undo left that alone.
    assert_eq!(read("a.seen"), "mended\n");
    assert_eq!(read("project/a"), "mended\n");
    assert!(
        names(&machine.state().join("locks"))
            .iter()
            .all(|name| !name.contains(".in-"))
    );
}

#[test]
fn a_variable_alone_lets_nobody_past_the_lock_of_another() {
    let machine = Machine::new();
    let fix = "echo \"$RECOVER_SESSION_ID\" > ../id; until [ -e ../go ]; do sleep 0.01; done";
    let args = ["run", "--max-attempts", "1", "--fix", fix, "--", "false"];
    let mut first = super::start(&machine, &args);
    let id = machine.root().join("id");
    super::wait_for(&id);
    let says = |session: &str| {
        let mut command = machine.command(&["run", "--no-wait", "--fix", "true", "--", "false"]);
        machine.run(command.env("RECOVER_SESSION_ID", session))
    };
    let refused = says("some-other");
    assert_eq!(refused.code, 125, "{refused:?}");
    assert!(
        refused.stderr.contains("another recovery works"),
        "{refused:?}"
    );
    let mut session = String::new();
    while session.is_empty() {
        session = fs::read_to_string(&id).expect("read").trim().to_owned();
    }
    // Waiting for it might never end, so it is not begun.
    let refused = says(&session);
    assert_eq!(refused.code, 125, "{refused:?}");
    assert!(
        refused.stderr.contains("unset RECOVER_SESSION_ID"),
        "{refused:?}"
    );
    fs::write(machine.root().join("go"), "").expect("let the first go on");
    assert_eq!(first.wait().expect("it ends").code(), Some(1));
}

#[test]
fn show_opens_only_the_outputs_that_the_state_holds() {
    let machine = Machine::new();
    let run = |args: &[&str]| machine.recover(&[&["--store", "jsonl:../store"], args].concat());
    let fix = [
        "run",
        "--session",
        "s",
        "--max-attempts",
        "1",
        "--fix",
        "echo words-of-the-fix",
    ];
    assert_eq!(run(&[&fix[..], &["--", "false"]].concat()).code, 1);
    let shown = run(&["show", "s"]);
    assert!(shown.quiet().contains("│ words-of-the-fix"), "{shown:?}");
    let outputs = machine.state().join("outputs/s");
    let kept = outputs.join("001.log");
    let secret = machine.write("secret", "words-of-a-secret\n");
    let pipe = machine.root().join("pipe");
    let made = machine.run(&mut machine.shell("mkfifo ../pipe"));
    assert_eq!(made.code, 0);
    let journal = machine.root().join("store/journal.jsonl");
    let text = fs::read_to_string(&journal).expect("read the journal");
    let was = format!("{:?}", kept.display().to_string());
    assert!(text.contains(&was), "{text}");
    let dots = format!("{}/../s/../../../secret", outputs.display());
    for named in [
        secret.display().to_string(),
        pipe.display().to_string(),
        dots,
    ] {
        let other = text.replace(&was, &format!("{named:?}"));
        fs::write(&journal, other).expect("write the journal");
        let shown = run(&["show", "s"]);
        assert!(
            shown.quiet().contains("(not in this state: not opened)"),
            "{named}: {shown:?}"
        );
        assert!(
            !shown.stdout.contains("words-of-a-secret"),
            "{named}: {shown:?}"
        );
    }
    fs::write(&journal, &text).expect("write the journal");
    // Nor does a link in the state lead out of it.
    fs::remove_file(&kept).expect("remove");
    symlink(&secret, &kept).expect("plant a link");
    let shown = run(&["show", "s"]);
    assert!(shown.quiet().contains("it is a symbolic link"), "{shown:?}");
    fs::remove_file(&kept).expect("remove");
    fs::rename(&pipe, &kept).expect("plant a pipe");
    assert!(run(&["show", "s"]).quiet().contains("it is a FIFO"));
}
