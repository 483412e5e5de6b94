//! `recover clear`: trails go, a record that they went stays.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use serde_json::json;

use crate::harness::Machine;

#[test]
fn nobody_to_ask_means_nothing_is_removed() {
    let machine = Machine::with_trail();
    machine.recover(&["clear", "build-7"]).fails(
        2,
        "remove session build-7 with its outputs and checkpoints? nobody can be asked here: pass \
         `--yes`",
    );
    let all = machine.recover_with(&["clear", "--all"], "y\n");
    assert_eq!(all.code, 2, "an answer in a pipe is none: {all:?}");
    assert_eq!(
        machine.recover(&["stats", "build-7", "--json"]).json()["total_attempts"],
        3
    );
}

#[test]
fn a_cleared_session_is_gone_with_its_outputs_and_on_record_as_cleared() {
    let machine = Machine::with_trail();
    let output = machine.write(
        "user/.local/state/auto-recovery/outputs/build-7/001.log",
        "secret",
    );
    let other = machine.write(
        "user/.local/state/auto-recovery/outputs/build-70/001.log",
        "other",
    );
    let run = machine.recover(&["clear", "build-7", "--yes"]);
    assert_eq!(
        (run.code, run.stdout.as_str(), run.stderr.as_str()),
        (0, "", "recover: removed build-7 (3 entries)\n")
    );
    assert!(!output.exists() && other.exists());
    machine
        .recover(&["history", "build-7"])
        .fails(1, "no session build-7; `recover sessions --all` lists them");
    assert_eq!(machine.recover(&["sessions", "--json"]).json(), json!([]));
    assert!(!machine.state().join("build-7_audit.jsonl").exists());
    let journal = fs::read_to_string(machine.state().join("journal.jsonl")).expect("the journal");
    assert!(journal.contains("session_cleared"), "{journal}");
    machine
        .recover(&["clear", "build-7", "--yes"])
        .fails(1, "no session build-7; `recover sessions --all` lists them");
}

#[test]
fn a_cleared_session_can_begin_anew() {
    let machine = Machine::with_trail();
    machine
        .recover(&["clear", "build-7", "--yes", "-q"])
        .quiet();
    machine
        .recover_with(
            &["log"],
            r#"{"session_id":"build-7","strategy":"fix","success":true,"error_type":"E"}"#,
        )
        .quiet();
    let shown = machine.recover(&["show", "build-7", "--json"]).json();
    assert_eq!(shown["entry"]["attempt_number"], 1);
    assert_eq!(shown["journal"][0]["event"], "session_started");
}

#[test]
fn what_restores_replaced_goes_with_the_session_that_they_undid() {
    let machine = Machine::new();
    machine.write("project/price", "1000");
    let run = |session: &str, price: &str| {
        let fix = format!("echo {price} > price");
        let check = format!("grep -qx {price} price");
        let args = [
            "run",
            "-q",
            "--session",
            session,
            "--fix",
            &fix,
            "-c",
            &check,
        ];
        assert_eq!(machine.recover(&args).code, 0, "{session}");
    };
    run("first", "500");
    // Undone, and the undo undone.
    machine.recover(&["restore", "first", "-q"]).quiet();
    let undone = machine.recover(&["restore", "first", "--json"]).json();
    assert_eq!(undone["taken_back_by"], json!(null), "{undone}");
    run("second", "700");
    let undone = machine.recover(&["restore", "second", "--json"]).json();
    let restore = undone["taken_back_by"].as_str().expect("an id");
    machine.recover(&["restore", restore, "-q"]).quiet();
    machine.recover(&["clear", "first", "--yes", "-q"]).quiet();
    let preview = machine.recover(&["restore", restore, "--preview"]);
    assert_eq!(preview.code, 0, "{preview:?}");
    assert!(machine.state().join("checkpoints").exists());
    machine.recover(&["clear", "second", "--yes", "-q"]).quiet();
    assert!(!machine.state().join("checkpoints").exists());
}

/// What all objects of the state hold.
#[expect(
    clippy::disallowed_methods,
    reason = "the objects are read by git itself"
)]
fn objects(machine: &Machine) -> String {
    let shelves = fs::read_dir(machine.state().join("checkpoints"));
    let shelves = shelves.into_iter().flatten().flatten();
    let gits = shelves.map(|shelf| shelf.path().join("git"));
    let read = |git: PathBuf| {
        let args = ["cat-file", "--batch", "--batch-all-objects"];
        let mut command = Command::new("git");
        let output = command.arg("--git-dir").arg(git).args(args).output();
        String::from_utf8_lossy(&output.expect("git runs").stdout).into_owned()
    };
    gits.filter(|git| git.is_dir()).map(read).collect()
}

#[test]
fn what_only_a_cleared_session_held_is_in_no_object() {
    let machine = Machine::new();
    machine.write("project/shared", "held by both");
    let run = |session: &str| {
        let fix = format!("echo held by {session} > file-of-{session}; rm shared");
        let args = ["run", "-q", "--session", session, "--max-attempts", "1"];
        let more = ["--rollback", "--fix", &fix, "--", "false"];
        let run = machine.recover(&[&args[..], &more].concat());
        assert_eq!(run.code, 1, "{run:?}");
    };
    run("first");
    run("second");
    machine.recover(&["restore", "first", "--whole-tree", "-q"]);
    let before = objects(&machine);
    for text in ["held by first", "file-of-first", "held by second", "first"] {
        assert!(before.contains(text), "{text}");
    }
    machine.recover(&["clear", "first", "--yes", "-q"]).quiet();
    let after = objects(&machine);
    assert!(!after.contains("first"), "{after}");
    for text in ["held by both", "held by second", "file-of-second"] {
        assert!(after.contains(text), "{text}");
    }
    let shown = machine.recover(&["show", "second", "1", "--diff"]);
    assert!(shown.stdout.contains("+held by second"), "{shown:?}");
    machine.recover(&["clear", "second", "--yes", "-q"]).quiet();
    assert!(!machine.state().join("checkpoints").exists());
}

#[test]
fn everything_can_be_cleared_at_once() {
    let machine = Machine::with_trail();
    machine
        .recover_with(
            &["log"],
            r#"{"session_id":"b","strategy":"fix","success":true,"error_type":"E"}"#,
        )
        .quiet();
    let run = machine.recover(&["clear", "--all", "--yes", "--json"]);
    assert_eq!(
        run.json(),
        json!([{"session_id": "b", "entries": 1}, {"session_id": "build-7", "entries": 3}])
    );
    let again = machine.recover(&["clear", "--all"]);
    assert_eq!(
        (again.code, again.stderr.as_str()),
        (0, "recover: there was nothing to remove\n")
    );
}

#[test]
fn a_session_that_died_is_cleared_once_its_tree_is_put_back() {
    let machine = Machine::new();
    machine.write("project/whole", "whole");
    let fix = "echo half > whole; kill -9 $PPID";
    let mut command = machine.command(&["run", "--fix", fix, "false"]);
    let died = command.status().expect("a run that dies");
    assert_eq!(died.code(), None, "{died:?}");
    let sessions = machine.recover(&["sessions", "--json"]).json();
    let id = sessions[0]["session_id"]
        .as_str()
        .expect("an id")
        .to_owned();
    let busy = machine.recover(&["clear", &id, "--yes"]);
    assert_eq!(busy.code, 125, "{busy:?}");
    let short = &id[id.len() - 8..];
    let way_out = format!("`recover restore {short}` puts the tree back");
    assert!(busy.stderr.contains(&way_out), "{busy:?}");
    assert_eq!(machine.recover(&["restore", &id]).code, 0);
    let whole = fs::read_to_string(machine.work().join("whole"));
    assert_eq!(whole.expect("the file"), "whole");
    assert_eq!(machine.recover(&["clear", &id, "--yes"]).code, 0);
}

#[test]
fn what_a_killed_undo_left_goes_with_the_next_run_and_what_looks_like_it_stays() {
    let machine = Machine::new();
    machine.write("project/a", "1");
    let args = ["run", "--max-attempts=1", "--fix", "echo 2 > a", "false"];
    assert_eq!(machine.recover(&args).code, 1);
    let trees = fs::read_dir(machine.state().join("checkpoints")).expect("checkpoints");
    let of_workspace = trees.map(|entry| entry.expect("an entry").path());
    let dir: Vec<PathBuf> = of_workspace.filter(|path| path.is_dir()).collect();
    let [dir] = &dir[..] else {
        panic!("one workspace: {dir:?}");
    };
    fs::write(dir.join("restoring"), ".recover-restore-abcdef012345.tmp\n").expect("a note");
    let ours = machine.write("project/.recover-restore-abcdef012345.tmp", "half");
    let theirs = machine.write("project/.recover-restore-000000000000.tmp", "theirs");
    assert_eq!(machine.recover(&args).code, 1);
    assert!(!ours.exists() && theirs.exists());
    assert!(!dir.join("restoring").exists());
}
