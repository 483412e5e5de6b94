//! Named checkpoints: made, listed, gone back to; what is wrong here.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use crate::harness::Machine;

#[test]
fn a_labelled_checkpoint_is_listed_and_gone_back_to_by_label_id_and_piece() {
    let machine = Machine::new();
    let listed = machine.recover(&["checkpoints"]);
    assert_eq!((listed.code, listed.stdout.as_str()), (0, ""), "{listed:?}");
    assert!(!machine.state().exists(), "a question makes nothing");
    machine.write("project/a", "one");
    let marked = machine.recover(&["checkpoint", "--label", "before it", "--json"]);
    let id = marked.json()["checkpoint"]
        .as_str()
        .expect("an id")
        .to_owned();
    assert_eq!(marked.json()["label"], "before it");
    let listed = machine.recover(&["checkpoints", "--json"]).json();
    assert_eq!(listed[0]["checkpoint"], id.as_str());
    assert_eq!(
        (&listed[0]["label"], &listed[0]["why"]),
        (&"before it".into(), &"marked".into())
    );
    let text = machine.recover(&["checkpoints", "-q"]);
    assert!(text.quiet().contains(&id[..10]), "{text:?}");
    assert!(text.stdout.contains("before it"), "{text:?}");
    for name in ["before it", &id, &id[..7]] {
        machine.write("project/a", "two");
        machine.write("project/b", "new");
        let preview = machine
            .recover(&["restore", name, "--preview", "--json"])
            .json();
        assert_eq!(
            preview["would_restore"].as_array().map(Vec::len),
            Some(2),
            "{name}"
        );
        let run = machine.recover(&["restore", name, "--json"]);
        let taken_back_by = run.json()["taken_back_by"]
            .as_str()
            .expect("a way back")
            .to_owned();
        let read = |name| fs::read_to_string(machine.work().join(name)).ok();
        assert_eq!(
            (read("a").as_deref(), read("b")),
            (Some("one"), None),
            "{name}"
        );
        assert_eq!(machine.recover(&["undo", &taken_back_by]).code, 0);
        assert_eq!(read("a").as_deref(), Some("two"), "{name}");
    }
    machine.recover(&["restore", "abcdef0"]).fails(
        1,
        "no session or checkpoint abcdef0; `recover sessions --all` and `recover checkpoints` list them",
    );
    let refused = machine.recover(&["checkpoint", "--label", " "]);
    assert_eq!(refused.code, 2, "{refused:?}");
}

#[test]
fn the_file_that_init_writes_is_right_in_every_line_and_never_replaced() {
    let machine = Machine::new();
    let path = machine.work().join("recover.toml");
    let run = machine.recover(&["init", "-q"]);
    assert!(run.quiet().ends_with("/project/recover.toml\n"), "{run:?}");
    machine.recover(&["config", "-q"]).quiet();
    let text = fs::read_to_string(&path).expect("the file");
    let settings = text.lines().filter_map(|line| line.strip_prefix('#'));
    let settings: Vec<_> = settings.filter(|line| !line.starts_with(' ')).collect();
    assert!(settings.len() > 8, "{text}");
    machine.write("project/recover.toml", &settings.join("\n"));
    let config = machine.recover(&["config", "-q"]);
    assert!(config.quiet().contains("./scripts/mend.sh"), "{config:?}");
    machine.recover(&["init"]).fails(
        1,
        "[ROOT]/project/recover.toml is there already and stays; `recover config` shows what it \
         sets",
    );
    assert_eq!(fs::read_to_string(&path).expect("it"), settings.join("\n"));
    let refused = |what: &str| {
        machine.recover(&["init", "-q"]).fails(
            1,
            &format!(
                "[ROOT]/project/recover.toml is there already and stays: {what}: move it away and \
                 type `recover init` again"
            ),
        );
    };
    fs::remove_file(&path).expect("gone");
    std::os::unix::fs::symlink("nowhere", &path).expect("a link");
    refused("a link to nothing");
    fs::remove_file(&path).expect("gone");
    fs::create_dir(&path).expect("a directory");
    let run = machine.recover(&["init"]);
    assert!(
        run.stderr
            .contains("stays: it is a directory, not a regular file: move it"),
        "{run:?}"
    );
}

#[test]
fn doctor_says_what_is_wrong_and_what_to_type_and_makes_nothing() {
    let machine = Machine::new();
    let well = machine.recover(&["doctor", "--json"]);
    let checks = well.json();
    let all = checks.as_array().expect("checks");
    let whats: Vec<_> = all.iter().filter_map(|one| one["what"].as_str()).collect();
    let expected = ["version", "store", "space", "git", "workspace", "leftovers"];
    assert_eq!(whats, expected);
    assert!(all.iter().all(|one| one["finding"] == "ok"), "{checks}");
    assert!(!machine.state().exists());

    let empty = machine.root().join("empty");
    fs::create_dir(&empty).expect("a directory");
    let run = machine.run(machine.command(&["doctor"]).env("PATH", &empty));
    assert_eq!(run.code, 1, "{run:?}");
    assert!(run.stdout.contains("WRONG  git"), "{run:?}");
    assert!(run.stdout.contains("install git"), "{run:?}");

    machine.write("project/whole", "whole");
    let fix = "echo half > whole; kill -9 $PPID";
    let mut command = machine.command(&["run", "--fix", fix, "false"]);
    let died = command.status().expect("a run that dies");
    assert_eq!(died.code(), None, "{died:?}");
    let run = machine.recover(&["doctor"]);
    assert_eq!(run.code, 1, "{run:?}");
    assert!(run.stdout.contains("WRONG  leftovers"), "{run:?}");
    machine.recover(&["undo"]);
    assert_eq!(machine.recover(&["doctor"]).code, 0);

    machine.write("project/file", "no directory");
    let run = machine.recover(&["doctor", "--store", "jsonl:file"]);
    assert_eq!(run.code, 1, "{run:?}");
    assert!(run.stdout.contains("WRONG  store"), "{run:?}");

    machine.write("project/recover.toml", "");
    let path = machine.work().join("recover.toml");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o666)).expect("its mode");
    let run = machine.recover(&["doctor"]);
    assert_eq!(run.code, 0, "{run:?}");
    assert!(run.stdout.contains("note   settings"), "{run:?}");
}

#[test]
fn doctor_finds_what_no_run_could_use() {
    let says = |machine: &Machine, args: &[&str], what: &str, says: &str| {
        let run = machine.recover(&[&["doctor"], args].concat());
        let line = format!("WRONG  {what:<9}  ");
        let found = run.stdout.lines().find(|one| one.starts_with(&line));
        assert!(
            found.is_some_and(|one| one.contains(says)),
            "{says}: {run:?}"
        );
        assert_eq!(run.code, 1, "{run:?}");
    };
    for room in ["locks", "checkpoints", "outputs"] {
        let machine = Machine::with_trail();
        let path = machine.state().join(room);
        fs::remove_dir_all(&path).ok();
        fs::write(&path, "").expect("a file in its place");
        says(&machine, &[], "state", &format!("{room} is no directory"));
        // The rest is looked at all the same.
        let run = machine.recover(&["doctor"]);
        assert!(run.stdout.contains("ok     git"), "{run:?}");
    }
    let machine = Machine::with_trail();
    let journal = machine.state().join("journal.jsonl");
    fs::remove_file(&journal).expect("no journal");
    fs::create_dir(&journal).expect("a directory in its place");
    says(&machine, &[], "store", "journal.jsonl");

    let machine = Machine::with_trail();
    fs::write(machine.state().join("zeros_audit.jsonl"), [0; 4096]).expect("write zeros");
    says(&machine, &[], "store", "1 damaged place");

    let machine = Machine::new();
    fs::create_dir_all(machine.home().join(".local/state")).expect("directories");
    fs::write(machine.state(), "").expect("a file in its place");
    says(&machine, &[], "state", "auto-recovery is no directory");
    machine.write("project/x.db", &"junk".repeat(1000));
    says(
        &machine,
        &["--store", "sqlite:x.db"],
        "store",
        "it is no SQLite database",
    );
    // Root may write there, and nothing can be made.
    let nowhere = ["--store", "jsonl:/proc/x"];
    let reason = "nothing can be recorded there: make a file in /proc: No such file";
    says(&Machine::new(), &nowhere, "store", reason);
    let machine = Machine::new();
    let nobody = ["--store", "postgres://me@127.0.0.1:1/db"];
    says(&machine, &nobody, "store", "cannot be reached");

    let git = machine.write("bin/git", "#!/bin/sh\necho git version 2.11.0\n");
    fs::set_permissions(&git, fs::Permissions::from_mode(0o755)).expect("its mode");
    let run = machine.run(
        machine
            .command(&["doctor"])
            .env("PATH", machine.root().join("bin")),
    );
    let says = "WRONG  git        git version 2.11.0: checkpoints need 2.26 or later";
    assert!(run.stdout.contains(says), "{run:?}");
}

#[test]
fn another_project_is_gone_back_to_only_by_an_id_as_it_is_shown() {
    let machine = Machine::new();
    let other = machine.root().join("other");
    fs::create_dir(&other).expect("another project");
    let run_there = |args: &[&str]| {
        let ran = machine.command(args).current_dir(&other).output();
        ran.expect("start recover").status.code()
    };
    let there = |name: &str| fs::read_to_string(other.join(name)).ok();
    let recovering = ["run", "--fix", "touch cured", "--", "test", "-e", "cured"];
    assert_eq!(
        run_there(&[
            "run",
            "--session",
            "release",
            "--fix",
            "touch named",
            "--",
            "test",
            "-e",
            "named"
        ]),
        Some(0)
    );
    assert_eq!(run_there(&recovering), Some(0));
    // A label of this project goes before a session of another one.
    machine.write("project/a", "one");
    assert_eq!(
        machine.recover(&["checkpoint", "--label", "release"]).code,
        0
    );
    machine.write("project/a", "two");
    assert_eq!(machine.recover(&["restore", "release"]).code, 0);
    assert_eq!(
        fs::read_to_string(machine.work().join("a")).ok().as_deref(),
        Some("one")
    );
    assert!(there("named").is_some());
    // So does nothing that may be a slip.
    let sessions = machine.recover(&["sessions", "--json", "--all"]).json();
    let id = sessions[0]["session_id"]
        .as_str()
        .expect("an id")
        .to_owned();
    let shown = &id[id.len() - 8..];
    for slip in [&id[..id.len() - 1], &shown[1..]] {
        let refused = machine.recover(&["undo", slip]);
        assert_eq!(refused.code, 1, "{slip}: {refused:?}");
        assert!(refused.stderr.contains("another workspace"), "{refused:?}");
        let kept = machine.recover(&["clear", "--yes", slip]);
        assert_eq!(kept.code, 1, "{slip}: {kept:?}");
    }
    assert!(there("cured").is_some());
    assert_eq!(machine.recover(&["undo", shown]).code, 0);
    assert!(there("cured").is_none());
    // The newer of two sessions is cleared with what hangs on it, whatever the version of git.
    assert_eq!(machine.recover(&["clear", "--yes", shown]).code, 0);
}

#[test]
fn a_rollback_takes_a_label_or_a_piece_as_restore_does() {
    for by_label in [true, false] {
        let machine = Machine::new();
        machine.write("project/value", "good\n");
        let marked = machine.recover(&["checkpoint", "--label", "before it", "--json"]);
        let id = marked.json()["checkpoint"]
            .as_str()
            .expect("an id")
            .to_owned();
        machine.write("project/value", "bad\n");
        let name = if by_label { "before it" } else { &id[..8] };
        let back = format!("--rollback={name}");
        let run = machine.recover(&["run", &back, "--", "grep", "-q", "good", "value"]);
        assert_eq!(run.code, 0, "{name}: {run:?}");
        assert!(run.stderr.contains("recovered by rollback"), "{run:?}");
        let refused = machine.recover(&["run", "--rollback=no such label", "--", "true"]);
        assert_eq!(refused.code, 125, "{refused:?}");
    }
}

#[test]
fn of_several_that_a_name_means_one_is_taken_and_that_is_said() {
    let machine = Machine::new();
    let mark = |text: &str, label: &str| {
        machine.write("project/a", text);
        let run = machine.recover(&["checkpoint", "--label", label, "--json"]);
        run.json()["checkpoint"].as_str().expect("an id").to_owned()
    };
    let first = mark("one", "twice");
    mark("two", "twice");
    mark("three", &first);
    machine.write("project/a", "four");
    let read = || fs::read_to_string(machine.work().join("a")).expect("it");
    let newest = machine.recover(&["restore", "twice"]);
    let says = "recover: warning: twice: 2 checkpoints have that label: the newest counts\n";
    assert!(newest.stderr.contains(says), "{newest:?}");
    assert_eq!(read(), "two");
    let by_id = machine.recover(&["restore", &first]);
    let says = "that is the id of one checkpoint and the label of another: the id counts\n";
    assert!(by_id.stderr.contains(says), "{by_id:?}");
    assert_eq!(read(), "one");
}

#[test]
fn a_session_that_is_called_like_an_option_can_be_typed_as_it_is_advised() {
    let machine = Machine::new();
    let fix = "touch fixed";
    let run = machine.recover(&[
        "run",
        "--session=-x",
        "--fix",
        fix,
        "--",
        "test",
        "-e",
        "fixed",
    ]);
    assert_eq!(run.code, 0, "{run:?}");
    assert!(run.stderr.contains("recover show -- -x"), "{run:?}");
    assert!(
        run.stderr.contains("recover undo -- -x takes it back"),
        "{run:?}"
    );
    let shown = machine.recover(&["show", "--", "-x"]);
    assert_eq!(shown.code, 0, "{shown:?}");
    let undone = machine.recover(&["undo", "--", "-x"]);
    assert_eq!(undone.code, 0, "{undone:?}");
    assert!(!machine.work().join("fixed").exists());
}

#[test]
fn the_cure_before_a_session_that_tried_nothing_is_named() {
    let machine = Machine::new();
    let cure = [
        "run",
        "--session",
        "cure",
        "--fix",
        "touch fixed",
        "test",
        "-e",
        "fixed",
    ];
    assert_eq!(machine.recover(&cure).code, 0);
    assert_eq!(machine.recover(&["run", "--session", "s", "false"]).code, 1);
    let undone = machine.recover(&["undo"]);
    let says = "nothing was tried in session s; the cure of cure before it changed files: \
                `recover undo cure`\n";
    assert!(
        undone.code == 0 && undone.stderr.ends_with(says),
        "{undone:?}"
    );
    let undone = machine.recover(&["undo", "s"]);
    assert!(
        undone.stderr.ends_with("in session s\n"),
        "who names one means it: {undone:?}"
    );
    let undone = machine.recover(&["undo", "cure"]);
    assert_eq!((undone.code, &*undone.stdout), (0, "fixed\n"), "{undone:?}");
}

#[test]
fn a_session_that_tried_nothing_has_nothing_to_take_back() {
    let machine = Machine::new();
    let run = machine.recover(&["run", "--session", "s", "--", "false"]);
    assert_eq!(run.code, 1, "{run:?}");
    for args in [
        &["undo"][..],
        &["restore", "s"],
        &["undo", "s", "--preview"],
    ] {
        let undone = machine.recover(args);
        assert_eq!((undone.code, &*undone.stdout), (0, ""), "{undone:?}");
        let says = "nothing to put back in [ROOT]/project: nothing was tried in session s\n";
        assert!(undone.stderr.ends_with(says), "{undone:?}");
    }
    let json = machine.recover(&["undo", "--json"]).json();
    assert_eq!(json["restored"], serde_json::json!([]));
    let shown = machine.recover(&["show", "s", "--json"]).json();
    assert!(
        shown["entry"].is_null() && shown["diff"].is_null(),
        "{shown}"
    );
    assert!(shown["output_file"].is_string(), "{shown}");
    let sums = machine.recover(&["stats", "s"]);
    let failure = |line: &str| line.starts_with("failure ") && line.contains("exit");
    assert!(sums.stdout.lines().any(failure), "{sums:?}");
    for part in ["--diff", "--stat"] {
        let says = "nothing was tried in session s: `recover show s` tells why";
        machine.recover(&["show", "s", part]).fails(1, says);
    }
}

#[test]
fn a_label_that_names_a_session_too_is_made_and_that_is_said() {
    let machine = Machine::new();
    let fix = ["--fix", "touch fixed", "--", "test", "-e", "fixed"];
    machine.recover(&[&["run", "--session", "s"], &fix[..]].concat());
    let here = machine.recover(&["checkpoint", "--label", "s"]);
    let says = "\"s\" is the name of a session, too: `recover restore s` takes back what that did; \
                this tree goes by its id\n";
    assert!(here.stderr.contains(says), "{here:?}");
    let run = machine.recover(&["run", "--", "false"]);
    let id = run
        .stderr
        .rsplit("recover show ")
        .next()
        .unwrap_or_default()
        .trim();
    let short = machine.recover(&["checkpoint", "--label", id]);
    let says = format!("`recover restore {id}` goes back to this tree\n");
    assert!(short.stderr.contains(&says), "{short:?}");
    let other = machine.recover(&["checkpoint", "--label", "other"]);
    assert!(!other.stderr.contains("too"), "{other:?}");
}

#[test]
fn a_session_whose_cure_was_taken_back_says_so() {
    let machine = Machine::new();
    let run = machine.recover(&["run", "--fix", "echo ok > ok", "--", "test", "-e", "ok"]);
    assert_eq!(run.code, 0, "{run:?}");
    let shown = machine.recover(&["show"]);
    assert!(!shown.stdout.contains("put back"), "{shown:?}");
    assert_eq!(machine.recover(&["undo"]).code, 0);
    let says = "1 file, as it was at the beginning";
    let shown = machine.recover(&["show"]);
    let line = shown.stdout.lines().find(|line| line.contains("put back"));
    assert!(line.is_some_and(|line| line.contains(says)), "{shown:?}");
    let report = machine.recover(&["report"]);
    assert!(report.stdout.contains(says), "{report:?}");
}

#[test]
fn a_recovery_that_was_flaky_is_shown_as_one() {
    let machine = Machine::new();
    let script = "test -e seen || { touch seen; exit 3; }";
    let args = [
        "run",
        "--retry=1",
        "--base-delay=1ms",
        "--",
        "sh",
        "-c",
        script,
    ];
    let run = machine.recover(&args);
    assert_eq!(run.code, 0, "{run:?}");
    let shown = machine.recover(&["show"]);
    assert!(
        shown
            .stdout
            .contains("recovered by retry (flaky), 1 attempt"),
        "{shown:?}"
    );
}
