//! Whose tree it is: other projects, workspaces that overlap, runs beside a recovery.

use std::path::Path;
use std::process::{Child, Command};
use std::time::Duration;

use auto_recovery::testing::{Campaign, Found, Random, Rounds, Wrong};

use super::{Machine, read, start, wait_for, write};
use crate::harness::Run;

/// `recover` with `args`, in `dir` below the machine's directory.
fn recover_in(machine: &Machine, dir: &str, args: &[&str]) -> Run {
    let mut command = machine.command(args);
    command.current_dir(machine.root().join(dir));
    machine.run(&mut command)
}

fn start_in(machine: &Machine, dir: &str, args: &[&str]) -> Child {
    let mut command = machine.command(args);
    command.current_dir(machine.root().join(dir));
    command.spawn().expect("start recover")
}

#[expect(
    clippy::disallowed_methods,
    reason = "tests make repositories with the user's git"
)]
fn git(dir: &Path, args: &[&str]) {
    let mut git = Command::new("git");
    git.current_dir(dir)
        .args(["-c", "user.name=t", "-c", "user.email=t@t"]);
    let done = git.args(args).output().expect("run git");
    assert!(done.status.success(), "git {args:?}: {done:?}");
}

/// A project that was cured: `value` is mended and `new` is new.
fn cured(machine: &Machine, dir: &str, session: &str) {
    machine.write(&format!("{dir}/value"), "broken\n");
    let fix = "echo mended > value; echo new > new";
    let args = ["run", "--session", session, "--fix", fix, "--"];
    let run = recover_in(
        machine,
        dir,
        &[&args[..], &["grep", "-q", "mended", "value"]].concat(),
    );
    assert_eq!(run.code, 0, "{run:?}");
}

#[test]
fn restore_last_is_about_this_workspace_only() {
    let machine = Machine::new();
    cured(&machine, "a", "in-a");
    cured(&machine, "b", "in-b");
    let at = |path: &str| std::fs::read_to_string(machine.root().join(path)).ok();
    let back = recover_in(&machine, "a", &["restore", "--last"]);
    assert_eq!(back.code, 0, "{back:?}");
    assert_eq!(at("a/value").as_deref(), Some("broken\n"));
    assert_eq!(at("a/new"), None);
    assert_eq!(at("b/value").as_deref(), Some("mended\n"));
    assert_eq!(at("b/new").as_deref(), Some("new\n"));
    machine.write("c/file", "");
    let none = recover_in(&machine, "c", &["restore", "--last"]);
    assert_eq!(none.code, 1, "{none:?}");
    assert!(none.stderr.contains("`recover sessions --all`"), "{none:?}");
    // By its name a session is restored from anywhere.
    assert_eq!(recover_in(&machine, "c", &["restore", "in-b"]).code, 0);
    assert_eq!(at("b/value").as_deref(), Some("broken\n"));
}

#[test]
fn a_session_without_a_workspace_is_restored_by_nobody() {
    let machine = Machine::with_trail();
    let run = machine.recover(&["restore", "--last"]);
    assert_eq!(run.code, 1, "{run:?}");
}

#[test]
fn a_recovery_inside_another_workspace_waits_for_it_and_the_other_way_round() {
    for (first, second) in [("project", "project/inner"), ("project/inner", "project")] {
        let machine = Machine::new();
        std::fs::create_dir(machine.work().join("inner")).expect("make a directory");
        git(&machine.work().join("inner"), &["init", "-q"]);
        let fix = "touch ../fixing ../../fixing; until [ -e ../go ] || [ -e ../../go ]; do sleep 0.01; done";
        let args = ["run", "--max-attempts", "1", "--fix", fix, "--", "false"];
        let mut holder = start_in(&machine, first, &args);
        super::until("the fix began", || {
            machine.root().join("fixing").exists() || machine.work().join("fixing").exists()
        });
        let refused = recover_in(
            &machine,
            second,
            &["run", "--no-wait", "--fix", "true", "--", "false"],
        );
        assert_eq!(refused.code, 125, "{first} {second}: {refused:?}");
        assert!(
            refused.stderr.contains("another recovery works"),
            "{refused:?}"
        );
        // A command that passes asks nobody.
        assert_eq!(recover_in(&machine, second, &["run", "--", "true"]).code, 0);
        machine.write("go", "");
        machine.write("project/go", "");
        assert_eq!(holder.wait().expect("it ends").code(), Some(1));
    }
}

/// A cure inside, and an attempt outside that helps nothing, begun at random moments.
#[test]
#[expect(clippy::disallowed_methods, reason = "the moments are drawn")]
fn no_verified_cure_is_lost_to_a_workspace_around_it_or_in_it() {
    let campaign = Campaign::begin("34-nested", "recoveries in workspaces that overlap");
    let rounds = Rounds {
        ordinary: 6,
        long: 100,
    };
    let mut random = Random::new(34);
    let mut found = Found::default();
    for round in 0..rounds.count() {
        found.round = format!("round {round}");
        let machine = Machine::new();
        for dir in ["project", "project/inner"] {
            machine.write(&format!("{dir}/value"), "broken\n");
            git(&machine.root().join(dir), &["init", "-q"]);
        }
        // Either the inner one is cured and the outer one is not, or the other way round.
        let (cured, failed) = match round % 2 {
            0 => ("project/inner", "project"),
            _ => ("project", "project/inner"),
        };
        let cure = [
            "--fix",
            "sleep 0.05; echo mended > value",
            "--",
            "grep",
            "-q",
            "mended",
            "value",
        ];
        let no_cure = ["--fix", "sleep 0.05; echo half > other", "--", "false"];
        let args = ["run", "--max-attempts", "2", "--base-delay", "10ms"];
        let pause = |random: &mut Random| {
            std::thread::sleep(Duration::from_micros(random.below(120_000)));
        };
        let first = start_in(&machine, failed, &[&args[..], &no_cure].concat());
        pause(&mut random);
        let second = start_in(&machine, cured, &[&args[..], &cure].concat());
        pause(&mut random);
        let beside = recover_in(&machine, "project", &["run", "--", "touch", "beside"]);
        let (first, second) = (finish(first), finish(second));
        let at = |path: &str| std::fs::read_to_string(machine.root().join(path)).ok();
        let value = at(&format!("{cured}/value"));
        // What changed while a run beside was at work is left, and said to be.
        let may_be_the_others = first.1.contains("kept what changed while");
        let is_right = (first.0, second.0, beside.code) == (1, 0, 0)
            && value.as_deref() == Some("mended\n")
            && at("project/beside").is_some()
            && (at(&format!("{failed}/other")).is_none() || may_be_the_others);
        if !is_right {
            found.wrong(Wrong::Lost, || {
                format!("{cured}: {value:?}, {first:?}, {second:?}, {beside:?}")
            });
        }
        found.rounds += 1;
    }
    campaign.end(&found);
}

fn finish(child: Child) -> (i32, String) {
    let done = child.wait_with_output().expect("it ends");
    let told = String::from_utf8_lossy(&done.stderr).into_owned();
    (done.status.code().expect("a code"), told)
}

#[test]
fn what_a_passing_run_made_beside_a_recovery_survives_the_undo() {
    let machine = Machine::new();
    write(&machine, "value", "broken\n");
    write(&machine, "shared", "old\n");
    let fix = "echo half > value; touch ../fixing; until [ -e ../go ]; do sleep 0.01; done; echo x > late";
    let args = [
        "run",
        "--session",
        "s",
        "--max-attempts",
        "1",
        "--fix",
        fix,
        "--",
        "false",
    ];
    let recovery = start(&machine, &args);
    wait_for(&machine.root().join("fixing"));
    let beside = machine.recover(&[
        "run",
        "--",
        "sh",
        "-c",
        "echo mine > made; echo mine > shared",
    ]);
    assert_eq!((beside.code, beside.stderr.as_str()), (0, ""));
    machine.write("go", "");
    let recovery = recovery.wait_with_output().expect("it ends");
    let told = String::from_utf8_lossy(&recovery.stderr);
    assert_eq!(recovery.status.code(), Some(1), "{told}");
    assert_eq!(read(&machine, "made"), "mine\n", "{told}");
    assert_eq!(read(&machine, "shared"), "mine\n", "{told}");
    assert_eq!(read(&machine, "value"), "broken\n", "{told}");
    assert!(!machine.work().join("late").exists(), "{told}");
    assert!(told.contains("made, shared"), "{told}");
    assert!(!told.contains("the tree is as it was"), "{told}");
    // Nor does a restore of the session take them.
    machine.recover(&["restore", "s"]);
    assert_eq!(read(&machine, "made"), "mine\n");
    for room in ["running", "onlookers", "beside"] {
        let left = std::fs::read_dir(machine.state().join(room)).map_or(0, Iterator::count);
        assert_eq!(left, 0, "{room}");
    }
}

#[test]
fn what_a_passing_run_moves_and_removes_stays_moved_and_removed() {
    let machine = Machine::new();
    for path in ["dir/old", "dir/gone", "value"] {
        write(&machine, path, "as it was\n");
    }
    machine.write("elsewhere/deep/file", "the only copy\n");
    let fix = "touch ../fixing; until [ -e ../go ]; do sleep 0.01; done; echo half > value";
    let args = ["run", "--max-attempts", "1", "--fix", fix, "--", "false"];
    let recovery = start(&machine, &args);
    wait_for(&machine.root().join("fixing"));
    let script = "mv ../elsewhere moved; mv dir/old dir/renamed; rm dir/gone";
    // Those who work in a directory above are beside it as well.
    let up = format!("cd project; {script}");
    let beside = ["run", "--", "sh", "-c", &up];
    assert_eq!(recover_in(&machine, "", &beside).code, 0);
    machine.write("go", "");
    let recovery = recovery.wait_with_output().expect("it ends");
    let told = String::from_utf8_lossy(&recovery.stderr);
    assert_eq!(recovery.status.code(), Some(1), "{told}");
    assert_eq!(
        read(&machine, "moved/deep/file"),
        "the only copy\n",
        "{told}"
    );
    assert_eq!(read(&machine, "dir/renamed"), "as it was\n", "{told}");
    for path in ["dir/old", "dir/gone"] {
        assert!(!machine.work().join(path).exists(), "{path}: {told}");
        assert!(told.contains(path), "{path}: {told}");
    }
    assert_eq!(read(&machine, "value"), "as it was\n", "{told}");
}

#[test]
fn a_rollback_keeps_what_a_passing_run_is_writing() {
    let machine = Machine::new();
    write(&machine, "value", "good\n");
    assert_eq!(machine.recover(&["checkpoint"]).code, 0);
    write(&machine, "value", "bad\n");
    let server = "echo mine > made; touch ../up; until [ -e ../stop ]; do sleep 0.01; done";
    let mut server = start(&machine, &["run", "--", "sh", "-c", server]);
    wait_for(&machine.root().join("up"));
    let run = machine.recover(&["run", "--rollback", "--", "grep", "-q", "good", "value"]);
    machine.write("stop", "");
    assert!(server.wait().expect("it ends").success());
    assert_eq!(run.code, 0, "{run:?}");
    assert_eq!(read(&machine, "made"), "mine\n", "{run:?}");
    assert!(run.stderr.contains("may have changed: made"), "{run:?}");
}

#[test]
fn a_server_that_is_run_beside_delays_nothing_and_keeps_what_it_may_have_written() {
    let machine = Machine::new();
    write(&machine, "value", "broken\n");
    let server = "touch ../up; until [ -e ../stop ]; do sleep 0.01; done";
    let mut server = start(&machine, &["run", "--", "sh", "-c", server]);
    wait_for(&machine.root().join("up"));
    let args = [
        "run",
        "--max-attempts",
        "1",
        "--fix",
        "echo half > value",
        "--",
        "false",
    ];
    let run = machine.recover(&args);
    assert_eq!(run.code, 1, "{run:?}");
    assert!(run.stderr.contains("kept what changed while"), "{run:?}");
    assert!(!run.stderr.contains("the tree is as it was"), "{run:?}");
    machine.write("stop", "");
    assert!(server.wait().expect("it ends").success());
    assert!(!machine.state().join("running").exists());
    // Whose that is nobody knows, so a person is told, and decides.
    for named in [&["undo", "--preview"][..], &["undo"]] {
        let undone = machine.recover(named);
        assert_eq!(undone.code, 1, "{undone:?}");
        let says = "value was not changed by the session alone";
        assert!(undone.stderr.contains(says), "{undone:?}");
        assert_eq!(read(&machine, "value"), "half\n", "{undone:?}");
    }
    let whole = machine.recover(&["undo", "--whole-tree"]);
    assert_eq!(whole.code, 0, "{whole:?}");
    assert_eq!(read(&machine, "value"), "broken\n", "{whole:?}");
    let again = machine.recover(&["undo"]);
    assert_eq!(again.code, 0, "{again:?}");
}

#[test]
fn a_run_that_a_recovery_is_a_part_of_is_not_beside_it() {
    let machine = Machine::new();
    write(&machine, "value", "broken\n");
    let recover = env!("CARGO_BIN_EXE_recover");
    // As a recipe of make: the run around it has not failed yet.
    let inner = format!("{recover} run --max-attempts 1 --fix 'echo half > value' -- false");
    let run = machine.recover(&["run", "--retry", "0", "--", "sh", "-c", &inner]);
    assert_eq!(run.code, 1, "{run:?}");
    assert_eq!(read(&machine, "value"), "broken\n", "{run:?}");
    assert!(run.stderr.contains("the tree is as it was"), "{run:?}");
}

#[test]
fn a_run_that_was_killed_is_nobody_beside() {
    let machine = Machine::new();
    let mut run = start(
        &machine,
        &["run", "--", "sh", "-c", "touch ../up; exec sleep 81.5"],
    );
    wait_for(&machine.root().join("up"));
    run.kill().expect("kill it");
    run.wait().expect("it ends");
    write(&machine, "value", "broken\n");
    let args = [
        "run",
        "--max-attempts",
        "1",
        "--fix",
        "echo half > value",
        "--",
        "false",
    ];
    let run = machine.recover(&args);
    assert!(run.stderr.contains("the tree is as it was"), "{run:?}");
    assert!(!machine.state().join("running").exists());
}

#[test]
fn a_file_named_from_the_top_of_the_workspace_is_found_from_a_folder_below() {
    let machine = Machine::new();
    git(&machine.work(), &["init", "-q"]);
    machine.write("project/member/src/lib.rs", "fn f() -> u8 { \"\" }\n");
    // As cargo does: from the top, wherever it was started.
    let check = "echo 'error[E0308]: mismatched types' >&2; echo ' --> member/src/lib.rs:1:16' >&2; \
                 exit 101";
    let fix = "cat \"$RECOVER_FILE\" > ../seen";
    let args = [
        "run",
        "--max-attempts",
        "1",
        "--fix",
        fix,
        "--",
        "sh",
        "-c",
        check,
    ];
    let run = recover_in(&machine, "project/member", &args);
    assert!(run.stderr.contains("../member/src/lib.rs:1"), "{run:?}");
    assert!(!run.stderr.contains("No such file"), "{run:?}");
}

#[test]
fn the_folder_of_the_command_itself_is_no_place_of_a_failure() {
    let machine = Machine::new();
    let says = format!(
        "echo \"fatal: detected dubious ownership in repository at '{}'\" >&2; exit 128",
        machine.work().display()
    );
    let run = machine.recover(&["run", "-q", "--json", "--", "sh", "-c", &says]);
    let told: serde_json::Value = serde_json::from_str(&run.stdout).expect("JSON");
    let failure = &told["final_error"];
    assert_eq!(failure["error_type"], "DubiousOwnership", "{run:?}");
    assert!(failure["file_path"].is_null(), "{run:?}");
}
