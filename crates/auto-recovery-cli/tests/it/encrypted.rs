//! Encryption through the program: nothing that was recorded is readable without the identity, all
//! of it is with one, and what was erased stays erased in backups.

use std::fs;
use std::path::{Path, PathBuf};

use auto_recovery::encryption::Identity;

use crate::harness::{Machine, Run};

/// What no file may have.
pub(crate) const PLANTED: &str = "planted-7c1e";

pub(crate) const CONFIG: &str = "user/.config/recover/config.toml";

/// Identities that differ, and are the same every time.
pub(crate) fn identity(number: u8) -> Identity {
    Identity::new(&mut || [number; 32])
}

/// A machine that encrypts to the identity `number`, and has none.
fn recording(number: u8) -> Machine {
    let machine = Machine::new();
    configure(&machine, number, None);
    machine
}

/// Sets the recipient, and the file of the identity that opens.
pub(crate) fn configure(machine: &Machine, recipient: u8, opens: Option<u8>) {
    let recipient = identity(recipient).recipient();
    let mut text = format!("[encryption]\nrecipients = [\"{recipient}\"]\n");
    if let Some(number) = opens {
        let file = machine.root().join("away/identity");
        machine.write("away/identity", &identity(number).secret_text());
        text += &format!("identity = {:?}\n", file.display().to_string());
    }
    machine.write(CONFIG, &text);
}

/// Runs a command that fails with a message, and is cured by a fix.
pub(crate) fn recovered(machine: &Machine) -> Run {
    let script = format!("echo out-{PLANTED}; echo 'error: {PLANTED} broke' >&2; test -e ok");
    let fix =
        format!("grep -q {PLANTED} \"$RECOVER_OUTPUT\" && : {PLANTED} && echo {PLANTED} > ok");
    let args = ["run", "--retry=0", "--fix", &fix, "--", "sh", "-c", &script];
    let run = machine.recover(&args);
    assert_eq!(run.code, 0, "{run:?}");
    run
}

/// The files below `dir` that have what was planted.
pub(crate) fn planted(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        let path = entry.path();
        let has = || {
            memchr::memmem::find(&fs::read(&path).expect("read a file"), PLANTED.as_bytes())
                .is_some()
        };
        if path.is_dir() {
            found.extend(planted(&path));
        } else if path.is_file() && has() {
            found.push(path);
        }
    }
    found
}

fn copied(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("make a directory");
    for entry in fs::read_dir(from).expect("list a directory").flatten() {
        let target = to.join(entry.file_name());
        match entry.path().is_dir() {
            true => copied(&entry.path(), &target),
            false => drop(fs::copy(entry.path(), target).expect("copy a file")),
        }
    }
}

fn session(machine: &Machine) -> String {
    let keys = machine.state().join("keys");
    let name = fs::read_dir(keys)
        .expect("the key of a session")
        .next()
        .expect("the key of a session")
        .expect("the key of a session")
        .file_name();
    let name = name.into_string().expect("the key of a session");
    name.strip_suffix(".age")
        .expect("the key of a session")
        .to_owned()
}

#[test]
fn a_machine_without_the_identity_keeps_nothing_that_it_could_read() {
    let machine = recording(1);
    let run = recovered(&machine);
    assert!(run.stderr.contains(PLANTED), "{run:?}");
    assert_eq!(planted(&machine.home()), Vec::<PathBuf>::new());
    let id = session(&machine);
    // What the fix was given was in memory, and is gone.
    for dir in fs::read_dir("/dev/shm").into_iter().flatten().flatten() {
        assert!(!dir.path().join("given").join(&id).exists(), "{dir:?}");
    }

    let show = machine.recover(&["show"]);
    assert_eq!(show.code, 0, "{show:?}");
    assert!(show.stdout.contains("(encrypted to age1"), "{show:?}");
    let notes = show.stderr.matches("texts are encrypted").count();
    assert_eq!(notes, 1, "{show:?}");
    // What counts needs no key.
    let stats = machine.recover(&["stats", "--json"]);
    assert!(
        stats.stdout.contains("\"successful_attempts\": 1"),
        "{stats:?}"
    );
    let export = machine.recover(&["export", "--all", "--format", "jsonl"]);
    assert!(export.stdout.contains("\"enc:1:"), "{export:?}");
    assert_eq!(export.code, 0, "{export:?}");
    let verify = machine.recover(&["verify"]);
    assert_eq!(verify.code, 0, "{verify:?}");
}

#[test]
fn the_identity_opens_what_was_recorded_and_another_one_is_named() {
    let machine = recording(1);
    recovered(&machine);
    configure(&machine, 1, Some(1));
    for args in [
        &["show"][..],
        &["history", "--json"],
        &["show", "--output"],
        &["report"],
        &["export", "--all"],
        &["explain"],
    ] {
        let run = machine.recover(args);
        assert_eq!(run.code, 0, "{run:?}");
        assert!(run.stdout.contains(PLANTED), "{run:?}");
        assert!(!run.stdout.contains("enc:1:"), "{run:?}");
    }
    // What the journal has of it is open there too.
    let report = machine.recover(&["report"]);
    let mut lines = report.stdout.lines();
    let command = lines.find(|line| line.starts_with("| Command |"));
    let is_told = command.is_some_and(|line| line.contains(PLANTED));
    assert!(is_told && lines.all(|line| line != "enc"), "{report:?}");
    configure(&machine, 1, Some(2));
    for args in [&["show"][..], &["history"], &["report"]] {
        let run = machine.recover(args);
        assert_eq!(run.code, 125, "{run:?}");
        assert!(run.stderr.contains("your identity is not one"), "{run:?}");
    }
    // Numbers are shown whatever identity there is.
    assert_eq!(machine.recover(&["stats"]).code, 0);
    let file = machine.root().join("away/identity");
    let file = file.display();
    let text = format!("[encryption]\nidentity_command = [\"age\", \"-d\", \"-i\", \"{file}\"]\n");
    machine.write("away/identity", &identity(1).secret_text());
    machine.write(CONFIG, &text);
    let run = machine.recover(&["history", "--json"]);
    assert!(run.code == 0 && run.stdout.contains(PLANTED), "{run:?}");
    machine.write(CONFIG, "[encryption]\nidentity_command = \"exit 3\"\n");
    let run = machine.recover(&["history"]);
    assert_eq!(run.code, 125, "{run:?}");
    assert!(run.stderr.contains("identity_command"), "{run:?}");
    machine.write(CONFIG, "[encryption]\nidentity = \"/nowhere\"\n");
    let run = machine.recover(&["history"]);
    assert!(
        run.code == 125 && run.stderr.contains("/nowhere"),
        "{run:?}"
    );
}

#[test]
fn after_clear_and_rotate_a_backup_opens_no_text_of_the_erased_session() {
    let machine = recording(1);
    recovered(&machine);
    let erased = session(&machine);
    let backup = machine.root().join("backup");
    copied(&machine.state(), &backup);
    configure(&machine, 1, Some(1));
    let cleared = machine.recover(&["clear", &erased, "--yes"]);
    assert_eq!(cleared.code, 0, "{cleared:?}");
    assert_eq!(
        fs::read_dir(machine.state().join("keys")).unwrap().count(),
        0
    );
    assert_eq!(machine.recover(&["verify"]).code, 0);
    // Another session lives on, and is wrapped anew.
    fs::remove_file(machine.work().join("ok")).ok();
    recovered(&machine);
    let to = identity(2).recipient().to_string();
    let rotated = machine.recover(&["key", "rotate", "--to", &to]);
    assert_eq!(rotated.code, 0, "{rotated:?}");
    assert!(
        rotated.stderr.contains("wrapped 1 key of 1 session"),
        "{rotated:?}"
    );
    let verify = machine.recover(&["verify"]);
    assert_eq!(verify.code, 0, "{verify:?}");
    // The old identity is destroyed; with the new one the backup says nothing of the old session.
    configure(&machine, 2, Some(2));
    let shown = machine.recover(&["show"]);
    assert!(
        shown.code == 0 && shown.stdout.contains(PLANTED),
        "{shown:?}"
    );
    assert_eq!(planted(&backup), Vec::<PathBuf>::new());
    let store = format!("jsonl:{}", backup.display());
    for command in ["show", "history", "report"] {
        let run = machine.recover(&["--store", &store, command, &erased]);
        assert!(run.code == 125 && !run.stdout.contains(PLANTED), "{run:?}");
    }
}

#[test]
fn a_session_whose_keys_are_destroyed_keeps_its_numbers_and_its_seals() {
    let machine = recording(1);
    recovered(&machine);
    let id = session(&machine);
    let unasked = machine.recover(&["key", "shred", &id]);
    assert_eq!(unasked.code, 2, "{unasked:?}");
    configure(&machine, 1, Some(1));
    let run = machine.recover(&["key", "shred", &id, "--yes"]);
    assert_eq!(run.code, 0, "{run:?}");
    let show = machine.recover(&["show", &id]);
    assert_eq!(show.code, 0, "{show:?}");
    assert!(show.stdout.contains("its key was destroyed"), "{show:?}");
    assert_eq!(machine.recover(&["show", "--output", &id]).code, 1);
    assert_eq!(machine.recover(&["verify"]).code, 0);
    let journal = fs::read_to_string(machine.state().join("journal.jsonl")).unwrap();
    assert!(
        journal.contains("\"keys_destroyed\",\"keys\":1"),
        "{journal}"
    );
    assert_eq!(machine.recover(&["key", "shred", &id, "--yes"]).code, 1);
}

#[test]
fn no_key_is_touched_where_one_does_not_open() {
    let machine = recording(1);
    recovered(&machine);
    configure(&machine, 2, None);
    fs::remove_file(machine.work().join("ok")).ok();
    recovered(&machine);
    configure(&machine, 2, Some(2));
    let keys = machine.state().join("keys");
    let files = || -> Vec<Vec<u8>> {
        let mut names: Vec<_> = fs::read_dir(&keys)
            .unwrap()
            .flatten()
            .map(|e| e.path())
            .collect();
        names.sort();
        names.iter().map(|path| fs::read(path).unwrap()).collect()
    };
    let before = files();
    assert_eq!(before.len(), 2);
    let to = identity(3).recipient().to_string();
    let run = machine.recover(&["key", "rotate", "--to", &to]);
    assert_eq!(run.code, 125, "{run:?}");
    assert!(run.stderr.contains("no key was touched"), "{run:?}");
    assert_eq!(files(), before);
}

#[test]
fn copies_and_archives_have_their_keys() {
    let machine = recording(1);
    recovered(&machine);
    configure(&machine, 1, Some(1));
    let other = format!("jsonl:{}", machine.root().join("other").display());
    let from = format!("jsonl:{}", machine.state().display());
    let run = machine.recover(&["copy", &from, &other]);
    assert_eq!(run.code, 0, "{run:?}");
    let run = machine.recover(&["--store", &other, "history", &session(&machine), "--json"]);
    assert!(run.code == 0 && run.stdout.contains(PLANTED), "{run:?}");
    let id = session(&machine);
    let run = machine.recover(&["prune", "--keep-last", "0", "--archive", "old", "--yes"]);
    assert_eq!(run.code, 0, "{run:?}");
    assert!(
        machine.work().join(format!("old/keys/{id}.age")).exists(),
        "{run:?}"
    );
    assert_eq!(
        fs::read_dir(machine.state().join("keys")).unwrap().count(),
        0
    );
}

#[test]
fn a_copy_encrypts_what_was_recorded_before_encryption_was_on() {
    let machine = Machine::new();
    recovered(&machine);
    let from = format!("jsonl:{}", machine.state().display());
    let dir = machine.root().join("closed");
    let to = format!("jsonl:{}", dir.display());
    let copy = ["copy", "--encrypt", &from, &to];
    let run = machine.recover(&copy);
    assert_eq!(run.code, 2, "{run:?}");
    assert!(run.stderr.contains("recipients"), "{run:?}");
    configure(&machine, 1, Some(1));
    let history = |store: &str| machine.recover(&["--store", store, "history", "--json"]);
    let before = history(&from).json();
    // What is in a box already is copied as it is, with its key.
    machine
        .recover_with(&["log"], crate::harness::TRAIL)
        .quiet();
    let run = machine.recover(&copy);
    assert_eq!(run.code, 0, "{run:?}");
    assert!(run.stderr.contains("re-encoded"), "{run:?}");
    for found in fs::read_dir(&dir).unwrap() {
        let path = found.unwrap().path();
        if path.is_file() {
            let text = String::from_utf8_lossy(&fs::read(&path).unwrap()).into_owned();
            assert!(!text.contains(PLANTED), "{}: {text}", path.display());
        }
    }
    let id = before[0]["session_id"].as_str().unwrap().to_owned();
    let open = machine.recover(&["--store", &to, "history", &id, "--json"]);
    assert_eq!(open.json(), before, "opened, it is what it was");
    let logged = machine.recover(&["--store", &to, "history", "build-7", "--json"]);
    assert!(logged.stdout.contains("mismatched types"), "{logged:?}");
    let shown = machine.recover(&["--store", &to, "stats", &id, "--json"]);
    let plain = machine.recover(&["stats", &id, "--json"]);
    assert_eq!((shown.code, &shown.stdout), (plain.code, &plain.stdout));
    let again = machine.recover(&copy);
    assert_eq!(again.code, 125, "{again:?}");
    assert!(again.stderr.contains("has sessions"), "{again:?}");
    assert_eq!(machine.recover(&["seal", "--store", &to]).code, 0);
    assert_eq!(machine.recover(&["verify", "--store", &to]).code, 0);
}

#[test]
fn a_key_is_made_once_and_the_lines_for_the_configuration_work() {
    let machine = Machine::new();
    let file = machine.root().join("mine");
    let name = file.to_str().unwrap();
    let made = machine.recover(&["key", "init", "-o", name]);
    assert_eq!(made.code, 0, "{made:?}");
    assert_eq!(machine.recover(&["key", "init", "-o", name]).code, 125);
    let text = format!("{}identity = {name:?}\n", made.stdout);
    machine.write(CONFIG, &text);
    recovered(&machine);
    let shown = machine.recover(&["show"]);
    assert!(shown.stdout.contains(PLANTED), "{shown:?}");
    let whose = machine.recover(&["key", "identity"]);
    assert!(made.stdout.contains(whose.stdout.trim()), "{whose:?}");
}

#[test]
fn a_project_sets_no_recipients_and_encryption_needs_seals() {
    let machine = Machine::new();
    let recipient = identity(1).recipient();
    machine.write(
        "project/recover.toml",
        &format!("[encryption]\nrecipients = [\"{recipient}\"]\n"),
    );
    let run = machine.recover(&["run", "--", "false"]);
    assert_eq!(run.code, 125, "{run:?}");
    assert!(run.stderr.contains("encryption"), "{run:?}");
    fs::remove_file(machine.work().join("recover.toml")).unwrap();
    for (text, says) in [
        (
            format!("[seal]\nwhen = \"off\"\n[encryption]\nrecipients = [\"{recipient}\"]\n"),
            "seals",
        ),
        (
            "[encryption]\nrecipients = [\"age1x\"]\n".to_owned(),
            "no recipient",
        ),
        (
            format!(
                "[encryption]\nrecipients = [\"{}\"]\n",
                *identity(1).secret_text()
            ),
            "secret key",
        ),
        ("[encryption]\nfields = \"all\"\n".to_owned(), "fields"),
    ] {
        machine.write(CONFIG, &text);
        let run = machine.recover(&["run", "--", "false"]);
        assert_eq!(run.code, 125, "{run:?}");
        assert!(run.stderr.contains(says), "{says}: {run:?}");
    }
}

/// The contents that checkpoints hold.
fn held(machine: &Machine) -> String {
    let script = "cd \"$HOME\"/.local/state/auto-recovery/checkpoints/*/git && \
                  git cat-file --batch-all-objects --batch-check='%(objecttype) %(objectname)' | \
                  grep ^blob | while read -r _ id; do git cat-file -p \"$id\"; done";
    let run = machine.run(&mut machine.shell(script));
    assert_eq!(run.code, 0, "{run:?}");
    run.stdout
}

#[test]
fn checkpoints_of_a_session_go_with_it_and_a_marked_tree_stays() {
    let machine = recording(1);
    let config = fs::read_to_string(machine.root().join(CONFIG)).unwrap();
    machine.write("project/code", "marked-tree\n");
    assert_eq!(machine.recover(&["checkpoint", "--label", "mine"]).code, 0);
    machine.write("project/code", "broken-tree\n");
    let fix = [
        "run",
        "--fix",
        "echo mended-tree > code",
        "--",
        "grep",
        "-q",
        "mended",
        "code",
    ];
    let kept = machine.recover(&fix);
    assert!(kept.stderr.contains("recover undo"), "{kept:?}");
    assert!(held(&machine).contains("broken-tree"));

    machine.write(CONFIG, &format!("{config}checkpoints = \"session\"\n"));
    machine.write("project/code", "broken-again\n");
    let dropped = machine.recover(&fix);
    assert_eq!(dropped.code, 0, "{dropped:?}");
    assert!(!dropped.stderr.contains("recover undo"), "{dropped:?}");
    let held = held(&machine);
    let is_held = |text: &str| held.contains(text);
    assert!(is_held("marked-tree"), "{held}");
    assert!(!is_held("broken") && !is_held("mended-tree"), "{held}");
    let undo = machine.recover(&["undo"]);
    assert_eq!(undo.code, 1, "{undo:?}");
    assert!(undo.stderr.contains("went when it ended"), "{undo:?}");
    assert_eq!(machine.recover(&["restore", "mine"]).code, 0);
    let code = fs::read_to_string(machine.work().join("code")).unwrap();
    assert_eq!(code, "marked-tree\n");
}
