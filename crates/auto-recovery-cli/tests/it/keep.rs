//! How long trails are kept, and how they move: `prune`, `hold`, `import`, `copy`, and the rules of
//! the configuration.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use serde_json::{Value, json};

use crate::harness::Machine;

/// A machine with ten sessions of one entry, `s0` of the year 2010 to `s9` of 2019.
fn with_years() -> Machine {
    let machine = Machine::new();
    let lines: Vec<_> = (0..10).map(|year| attempt(year, "fix")).collect();
    machine.recover_with(&["log"], lines.join("\n")).quiet();
    machine
}

fn attempt(year: u32, strategy: &str) -> String {
    format!(
        r#"{{"session_id":"s{year}","strategy":"{strategy}","success":true,"error_type":"E","timestamp":"201{year}-01-01T00:00:00.000Z"}}"#
    )
}

fn ids(machine: &Machine) -> Vec<String> {
    let sessions = machine.recover(&["sessions", "--json"]).json();
    let sessions = sessions.as_array().expect("a list").iter();
    let mut ids: Vec<_> = sessions
        .map(|one| one["session_id"].as_str().expect("an id").to_owned())
        .collect();
    ids.sort();
    ids
}

fn out(machine: &Machine, args: &[&str]) -> String {
    machine.recover(args).quiet().to_owned()
}

fn journal(machine: &Machine) -> Vec<Value> {
    let text = fs::read_to_string(machine.state().join("journal.jsonl")).expect("the journal");
    let lines = text.lines();
    lines
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect()
}

#[test]
fn a_session_that_stays_keeps_what_hangs_on_it_and_keeps_no_other() {
    let machine = Machine::new();
    for id in ["one", "two"] {
        let args = [
            "run",
            "-q",
            "--session",
            id,
            "--fix",
            "true",
            "--max-attempts",
            "1",
        ];
        machine.recover(&[&args[..], &["--", "false"]].concat());
    }
    let outputs = |id: &str| machine.state().join("outputs").join(id).exists();
    let file = machine.write("file", "");
    let archive = file.join("below").display().to_string();
    let args = ["prune", "--keep-last", "0", "--yes", "--archive", &archive];
    assert_eq!(machine.recover(&args).code, 125);
    assert!(outputs("one") && outputs("two"));
    let trail = machine.state().join("one_audit.jsonl");
    fs::write(&trail, "damaged\n").expect("written");
    let run = machine.recover(&["prune", "--keep-last", "0", "--yes"]);
    assert_eq!(run.code, 1, "{run:?}");
    assert!(outputs("one") && !outputs("two"));
    assert_eq!(ids(&machine), ["one"]);
    assert_eq!(machine.recover(&["clear", "one", "--yes"]).code, 0);
    // As somebody left it who died before the outputs were removed.
    fs::create_dir_all(machine.state().join("outputs/two")).expect("made");
    assert_eq!(
        machine
            .recover(&["prune", "--keep-last", "0", "--yes"])
            .code,
        0
    );
    assert!(!outputs("two"));
}

#[test]
fn what_went_is_not_told_of_whoever_comes_under_its_name() {
    let machine = Machine::new();
    let run = |command: &str| {
        let args = [
            "run",
            "--session",
            "x",
            "--retry",
            "0",
            "--fix",
            "true",
            "--",
        ];
        let run = machine.recover(&[&args[..], &["sh", "-c", command]].concat());
        assert_eq!(run.code, 1, "{run:?}");
    };
    run("echo first; false");
    machine
        .recover(&["prune", "--older-than", "0s", "--yes", "-q"])
        .quiet();
    run("echo second; false");
    let shown = machine.recover(&["show", "x", "--json"]);
    assert_eq!(shown.code, 0, "{shown:?}");
    assert!(shown.stdout.contains("echo second"), "{}", shown.stdout);
    assert!(!shown.stdout.contains("echo first"), "{}", shown.stdout);
}

#[test]
fn what_would_go_is_shown_and_stays() {
    let machine = with_years();
    let run = machine.recover(&["prune", "--keep-last", "8", "--dry-run"]);
    assert_eq!(run.code, 0);
    insta::assert_snapshot!(run.stdout, @r"
    SESSION         AGE  ATTEMPTS   SIZE  REASON
    s0       2010-01-01         1  333 B  not among the last 8
    s1       2011-01-01         1  333 B  not among the last 8
    ");
    assert_eq!(
        run.stderr,
        "recover: 2 sessions (2 entries, 666 B) would go\n"
    );
    assert_eq!(ids(&machine).len(), 10);
}

#[test]
fn a_rule_and_somebody_to_ask_are_needed() {
    let machine = with_years();
    machine.recover(&["prune"]).fails(
        2,
        "prune needs a rule: --older-than, --keep-last or --max-size, or [retention] in your \
         config.toml",
    );
    machine.recover(&["prune", "--older-than", "90d"]).fails(
        2,
        "remove 10 sessions (10 entries, 3.3 KiB) for good? nobody can be asked here: pass `--yes`",
    );
    for wrong in [
        ["--older-than", "90"],
        ["--max-size", "much"],
        ["--keep-last", "-1"],
    ] {
        assert_eq!(machine.recover(&["prune", wrong[0], wrong[1]]).code, 2);
    }
    assert_eq!(ids(&machine).len(), 10);
}

#[test]
fn what_went_is_on_record_with_its_digest() {
    let machine = with_years();
    let trail = fs::read(machine.state().join("s0_audit.jsonl")).expect("the trail");
    let run = machine.recover(&["prune", "--keep-last", "9", "--yes"]);
    assert_eq!(
        (run.code, run.stdout.as_str(), run.stderr.as_str()),
        (0, "", "recover: removed 1 session (1 entry, 333 B)\n")
    );
    assert!(!machine.state().join("s0_audit.jsonl").exists());
    let record = journal(&machine)
        .into_iter()
        .find(|record| record["event"] == "session_pruned")
        .expect("it is on record");
    assert_eq!(record["session_id"], "s0");
    assert_eq!(record["entries"], 1);
    assert_eq!(record["first_timestamp"], "2010-01-01T00:00:00.000Z");
    assert_eq!(record["last_timestamp"], "2010-01-01T00:00:00.000Z");
    assert_eq!(record["reason"], "not among the last 9");
    assert_eq!(record["user"], "tester");
    assert_eq!(record["sha256"], sha256(&trail));
    assert_eq!(record["trail_bytes"], trail.len());
}

/// As `sha256sum` says.
fn sha256(bytes: &[u8]) -> String {
    use std::io::Write;
    #[expect(
        clippy::disallowed_methods,
        reason = "tests start the programs they test with"
    )]
    let mut child = std::process::Command::new("sha256sum")
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .expect("start sha256sum");
    child
        .stdin
        .take()
        .expect("its input")
        .write_all(bytes)
        .expect("write to it");
    let output = child.wait_with_output().expect("wait for it");
    String::from_utf8_lossy(&output.stdout)[..64].to_owned()
}

#[test]
fn an_archive_is_compressed_private_and_reads_back_to_the_byte() {
    let machine = with_years();
    let before = out(&machine, &["export", "--all", "--format", "jsonl"]);
    let sessions = machine.recover(&["sessions", "--json"]).json();
    let run = machine.recover(&[
        "prune",
        "--older-than",
        "1d",
        "--archive",
        "old",
        "--yes",
        "--json",
    ]);
    let pruned = run.json();
    assert_eq!(pruned.as_array().map(Vec::len), Some(10));
    let archive = machine.work().join("old/s0_audit.jsonl.zst");
    assert_eq!(pruned[0]["archive"], json!(archive));
    assert_eq!(ids(&machine), Vec::<String>::new());
    let bytes = fs::read(&archive).expect("the archive");
    assert_eq!(bytes[..4], [0x28, 0xb5, 0x2f, 0xfd], "it is Zstandard");
    for path in [&archive, &machine.work().join("old")] {
        let mode = fs::metadata(path).expect("its mode").permissions().mode();
        assert_eq!(mode & 0o077, 0, "nobody else can read it");
    }
    let files: Vec<String> = fs::read_dir(machine.work().join("old"))
        .expect("the archives")
        .map(|file| file.expect("a file").path().display().to_string())
        .collect();
    assert_eq!(
        files.len(),
        20,
        "a trail and a journal of each session: {files:?}"
    );
    let import: Vec<&str> = ["import"]
        .into_iter()
        .chain(files.iter().map(|file| &**file))
        .collect();
    assert_eq!(machine.recover(&import).code, 0);
    assert_eq!(
        out(&machine, &["export", "--all", "--format", "jsonl"]),
        before
    );
    assert_eq!(machine.recover(&["sessions", "--json"]).json(), sessions);
    let again = machine.recover(&[&import[..], &["--json"]].concat()).json();
    let added = |file: &Value| file["added"] == 0 && file["records_added"] == 0;
    assert!(
        again.as_array().expect("a list").iter().all(added),
        "{again}"
    );
}

#[test]
fn the_oldest_go_until_the_rest_fits() {
    let machine = with_years();
    machine
        .recover(&["prune", "--max-size", "1000", "--yes", "-q"])
        .quiet();
    assert_eq!(ids(&machine), ["s7", "s8", "s9"]);
    machine
        .recover(&[
            "prune",
            "--max-size",
            "0",
            "--keep-last",
            "1",
            "--yes",
            "-q",
        ])
        .quiet();
    assert_eq!(ids(&machine), ["s9"]);
}

#[test]
fn what_is_held_is_removed_by_nobody() {
    let machine = with_years();
    let run = machine.recover(&["hold", "s0", "--reason", "incident 7"]);
    assert_eq!(
        (run.code, run.stderr.as_str()),
        (
            0,
            "recover: session s0 is held; `recover hold --release s0` lets it go\n"
        )
    );
    assert!(
        machine
            .recover(&["sessions"])
            .quiet()
            .contains("recovered, held")
    );
    machine
        .recover(&["prune", "--max-size", "0", "--yes", "-q"])
        .quiet();
    assert_eq!(ids(&machine), ["s0"]);
    let refusal = "recover: warning: session s0 is held by tester (incident 7): \
                   `recover hold --release s0` lets it go\n";
    let clear = machine.recover(&["clear", "s0", "--yes"]);
    assert_eq!((clear.code, clear.stderr.as_str()), (1, refusal));
    machine.recover_with(&["log"], attempt(5, "fix")).quiet();
    let clear = machine.recover(&["clear", "--all", "--yes"]);
    assert_eq!((clear.code, clear.stderr.contains(refusal)), (1, true));
    assert_eq!(ids(&machine), ["s0"]);
    machine.recover(&["hold", "--release", "s0", "-q"]).quiet();
    let again = machine.recover(&["hold", "--release", "s0"]);
    assert_eq!(again.stderr, "recover: session s0 was not held\n");
    machine.recover(&["clear", "s0", "--yes", "-q"]).quiet();
    for args in [&["hold", "nope"][..], &["hold", "--release", "nope"]] {
        machine
            .recover(args)
            .fails(1, "no session nope; `recover sessions --all` lists them");
    }
}

#[test]
fn a_trail_that_cannot_be_read_whole_stays() {
    let machine = with_years();
    let trail = machine.state().join("s0_audit.jsonl");
    let good = fs::read_to_string(&trail).expect("the trail");
    fs::write(&trail, format!("{{\"damaged\":1}}\n{good}")).expect("damage it");
    let run = machine.recover(&["prune", "--older-than", "1d", "--yes"]);
    assert_eq!(run.code, 1);
    assert!(
        run.stderr
            .contains("warning: 1 place of session s0 cannot be read, the first in line 1 of"),
        "{}",
        run.stderr
    );
    assert_eq!(ids(&machine), ["s0"]);
}

#[test]
fn the_rules_of_the_configuration_are_applied_after_a_recovery_once_a_day() {
    let machine = with_years();
    machine.write(
        "user/.config/recover/config.toml",
        "[retention]\nolder_than = \"90d\"\nkeep_last = 3\n",
    );
    machine.recover(&["run", "--", "true"]).quiet();
    assert_eq!(ids(&machine).len(), 10, "no recovery, no removal");
    let run = machine.recover(&["run", "--no-checkpoint", "--", "false"]);
    assert_eq!(run.code, 1);
    assert!(
        run.stderr.contains("removed 8 sessions (8 entries"),
        "{}",
        run.stderr
    );
    assert_eq!(
        ids(&machine).len(),
        3,
        "the recovery is one of the last three"
    );
    machine.recover_with(&["log"], attempt(1, "fix")).quiet();
    machine.recover(&["run", "--no-checkpoint", "--", "false"]);
    assert_eq!(ids(&machine).len(), 5, "not twice a day");
    machine.recover(&["prune", "--yes", "-q"]).quiet();
    assert_eq!(ids(&machine).len(), 3, "by hand they count at any time");
}

#[test]
fn rules_that_could_not_be_applied_are_tried_again_by_the_next() {
    let machine = with_years();
    let configure = |archive: &str| {
        machine.write(
            "user/.config/recover/config.toml",
            &format!("[retention]\nkeep_last = 3\narchive = \"{archive}\"\n"),
        )
    };
    let file = machine.write("file", "");
    configure(&file.join("below").display().to_string());
    let run = machine.recover(&["run", "--no-checkpoint", "--", "false"]);
    assert!(
        run.stderr.contains("old sessions could not be removed"),
        "{}",
        run.stderr
    );
    assert_eq!(ids(&machine).len(), 11);
    configure(&machine.root().join("old").display().to_string());
    machine.recover(&["run", "--no-checkpoint", "--", "false"]);
    assert_eq!(ids(&machine).len(), 3);
}

#[test]
fn a_project_cannot_say_how_long_trails_are_kept() {
    let machine = with_years();
    machine.write("project/recover.toml", "[retention]\nolder_than = \"0s\"\n");
    let run = machine.recover(&["plan", "true"]);
    assert_eq!(run.code, 2);
    assert!(
        run.stderr
            .contains("`retention` cannot be set by a project"),
        "{}",
        run.stderr
    );
}

#[test]
fn every_kind_of_file_is_taken_over() {
    let machine = Machine::with_trail();
    let lines = out(&machine, &["export", "build-7", "--format", "jsonl"]);
    for (name, args) in [
        ("export.json", &["export", "build-7"][..]),
        ("all.json", &["export", "--all"]),
        ("trail.jsonl", &["export", "build-7", "--format", "jsonl"]),
        ("history.json", &["history", "build-7", "--json"]),
        ("report.json", &["report", "build-7", "--format", "json"]),
    ] {
        let text = out(&machine, &[args, &["-q"]].concat());
        let file = machine.write(name, &text);
        let other = Machine::new();
        let file = file.to_str().expect("a path");
        let run = other.recover(&["import", file]);
        assert_eq!(run.code, 0, "{name}: {run:?}");
        let exported = out(&other, &["export", "build-7", "--format", "jsonl"]);
        assert_eq!(exported, lines, "{name}");
        let again = other.recover(&["import", file, "--json"]).json();
        assert_eq!(
            (&again[0]["entries"], &again[0]["added"]),
            (&json!(3), &json!(0))
        );
    }
}

#[test]
fn what_the_original_wrote_is_taken_over_to_the_byte() {
    let original = r#"{
  "entry_id": "entry_0123456789ab",
  "timestamp": "2024-01-01T00:00:00.123456+00:00",
  "session_id": "session_abc12345",
  "error_type": "SyntaxError",
  "strategy": "fix",
  "attempt_number": 1,
  "success": true,
  "changes_made": [],
  "files_modified": ["a.py"],
  "rollback_performed": false,
  "next_action": "complete",
  "duration_seconds": 1.2345678,
  "error_message": "caf\u00e9",
  "recovery_message": ""
}
"#;
    let machine = Machine::new();
    let file = machine.write("session_abc12345_audit.jsonl", original);
    machine
        .recover(&["import", file.to_str().expect("a path"), "-q"])
        .quiet();
    let stored = machine.state().join("session_abc12345_audit.jsonl");
    assert_eq!(fs::read_to_string(stored).expect("the trail"), original);
}

#[test]
fn what_cannot_be_taken_over_is_located_and_keeps_nothing_else_out() {
    let machine = Machine::with_trail();
    let good = out(&machine, &["export", "build-7", "--format", "jsonl"]);
    let file = machine.write(
        "mixed.jsonl",
        &format!("{good}{{\"no\":\"entry\"}}\nnonsense\n{good}"),
    );
    let other = Machine::new();
    let run = other.recover(&["import", file.to_str().expect("a path")]);
    assert_eq!(run.code, 1, "{run:?}");
    assert!(
        run.stderr.contains("mixed.jsonl line 4: "),
        "{}",
        run.stderr
    );
    assert!(
        run.stderr.contains("mixed.jsonl line 5: "),
        "{}",
        run.stderr
    );
    assert_eq!(
        other.recover(&["stats", "build-7", "--json"]).json()["total_attempts"],
        6
    );
    let root = other.root().display().to_string();
    let run = other.recover(&["import", &root]);
    assert_eq!(run.code, 2);
    assert!(
        run.stderr.contains("is a directory: name the files in it"),
        "{}",
        run.stderr
    );
    assert_eq!(other.recover(&["import", "/nowhere"]).code, 1);
    let cut = machine.write(
        "cut.json",
        &machine.recover(&["export", "build-7"]).stdout[..700],
    );
    let third = Machine::new();
    let run = third.recover(&["import", cut.to_str().expect("a path")]);
    assert_eq!(run.code, 1);
    assert!(
        run.stderr.contains("the rest cannot be read"),
        "{}",
        run.stderr
    );
    let taken_over = out(&third, &["export", "build-7", "--format", "jsonl"]);
    assert_eq!(taken_over.lines().count(), 1);
    assert!(good.starts_with(&taken_over));
    let none = machine.write("none.json", "[{}]");
    let run = third.recover(&["import", none.to_str().expect("a path")]);
    assert_eq!(run.code, 1);
    assert!(
        run.stderr.contains("none.json: entry 1: missing field"),
        "{}",
        run.stderr
    );
}

#[test]
fn a_store_is_copied_whole_and_once() {
    let machine = with_years();
    machine.recover(&["run", "--no-checkpoint", "--retry", "0", "--", "false"]);
    machine
        .recover(&["hold", "s3", "--reason", "why not", "-q"])
        .quiet();
    machine
        .recover(&["prune", "--keep-last", "10", "--yes", "-q"])
        .quiet();
    let from = format!("jsonl:{}", machine.state().display());
    let to = format!("jsonl:{}", machine.root().join("copy").display());
    let run = machine.recover(&["copy", &from, &to]);
    assert_eq!(run.code, 0, "{run:?}");
    assert!(
        run.stderr
            .ends_with("every trail there has the same entries and digest\n"),
        "{}",
        run.stderr
    );
    for args in [
        &["sessions", "--json"][..],
        &["export", "--all", "--format", "csv"],
    ] {
        let there = machine.recover(&[args, &["--store", &to]].concat());
        assert_eq!(there.quiet(), machine.recover(args).quiet());
    }
    let held = machine.recover(&["clear", "s3", "--yes", "--store", &to]);
    assert_eq!(held.code, 1, "it is held there too");
    let again = machine.recover(&["copy", &from, &to, "--json"]).json();
    assert_eq!(
        (&again["added"], &again["records_added"]),
        (&json!(0), &json!(0))
    );
    assert_eq!(again["sessions"], 10);
    // Both go on: that is said.
    machine
        .recover_with(&["log", "--store", &to], attempt(5, "retry"))
        .quiet();
    let run = machine.recover(&["copy", &from, &to]);
    assert_eq!(run.code, 1);
    assert!(
        run.stderr
            .contains("session s5 is not the same in both stores: entries here: 1, there: 2"),
        "{}",
        run.stderr
    );
    machine.recover(&["copy", &from, &from]).fails(
        2,
        &format!("both stores are {from}: name two")
            .replace(&machine.root().display().to_string(), "[ROOT]"),
    );
}

#[test]
fn an_entry_in_the_wrong_trail_keeps_no_other_from_being_copied() {
    let machine = with_years();
    let trail = |id: &str| machine.state().join(format!("{id}_audit.jsonl"));
    let stray = fs::read_to_string(trail("s1")).expect("a trail");
    let own = fs::read_to_string(trail("s0")).expect("a trail");
    fs::write(trail("s0"), format!("{stray}{own}")).expect("put it there");
    let from = format!("jsonl:{}", machine.state().display());
    let to = format!("jsonl:{}", machine.root().join("copy").display());
    let run = machine.recover(&["copy", &from, &to, "--json"]);
    assert_eq!(run.code, 1, "{run:?}");
    assert!(run.stdout.contains("\"added\": 10,"), "{run:?}");
    assert!(run.stderr.contains("session s0 of "), "{}", run.stderr);
    assert!(
        run.stderr
            .contains("no entry of session s0: it is of another"),
        "{}",
        run.stderr
    );
    assert!(
        run.stderr
            .contains("session s0 is not the same in both stores: entries here: 2, there: 1"),
        "{}",
        run.stderr
    );
}
