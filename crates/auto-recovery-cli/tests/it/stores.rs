//! The same commands over other stores than the directory of files.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use serde_json::json;

use crate::harness::{Machine, TRAIL};

const SQLITE: &str = "sqlite:trails.db";

/// What commands print that read whole trails.
const READERS: [&[&str]; 8] = [
    &["sessions", "--json"],
    &["history", "build-7", "--json"],
    &["history", "build-7", "--last", "2", "--json"],
    &["stats", "build-7", "--json"],
    &["stats", "--all", "--by", "day,strategy", "--json"],
    &["export", "--all", "--format", "csv"],
    &["export", "--all", "--format", "jsonl"],
    &["show", "build-7", "2", "--json"],
];

#[test]
fn every_reader_says_the_same_of_a_database() {
    let machine = Machine::with_trail();
    let from = format!("jsonl:{}", machine.state().display());
    let copied = machine.recover(&["copy", &from, SQLITE, "--json"]).json();
    assert_eq!(
        (&copied["entries"], &copied["added"]),
        (&json!(3), &json!(3))
    );
    for args in READERS {
        let there = machine.recover(&[args, &["--store", SQLITE, "-q"]].concat());
        let here = machine.recover(&[args, &["-q"]].concat());
        assert_eq!(there.quiet(), here.quiet(), "{args:?}");
    }
    let back = format!("jsonl:{}", machine.root().join("back").display());
    assert_eq!(machine.recover(&["copy", SQLITE, &back]).code, 0);
    let trail = |dir: &Path| fs::read(dir.join("build-7_audit.jsonl")).expect("the trail");
    assert_eq!(trail(&machine.root().join("back")), trail(&machine.state()));
}

#[test]
fn a_database_is_made_by_the_first_write_for_its_owner_alone() {
    let machine = Machine::new();
    let file = machine.work().join("trails.db");
    assert_eq!(
        machine
            .recover(&["sessions", "--store", SQLITE, "--json"])
            .json(),
        json!([])
    );
    assert!(!file.exists(), "reading makes nothing");
    machine
        .recover_with(&["log", "--store", SQLITE], TRAIL)
        .quiet();
    let mode = fs::metadata(&file)
        .expect("the database")
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn a_recovery_is_recorded_in_a_database_inside_the_tree_it_watches() {
    let machine = Machine::new();
    machine.write("project/value", "broken\n");
    machine.write(
        "user/.config/recover/config.toml",
        &format!(
            "store = \"sqlite:{}\"\n",
            machine.work().join("trails.db").display()
        ),
    );
    let run = machine.recover(&[
        "run",
        "--fix",
        "false",
        "--fix",
        "echo mended > value",
        "--",
        "grep",
        "-q",
        "mended",
        "value",
    ]);
    assert_eq!(run.code, 0, "{run:?}");
    let entries = machine.recover(&["history", "--json", "-q"]).json();
    let modified = |index: usize| entries[index]["files_modified"].clone();
    assert_eq!(
        modified(3),
        json!(["value"]),
        "the database is no part of the tree: {entries}"
    );
    assert_eq!(modified(0), json!([]));
    assert_eq!(machine.recover(&["restore", "--last"]).code, 0);
    let value = fs::read_to_string(machine.work().join("value")).expect("the file");
    assert_eq!(value, "broken\n");
    assert_eq!(
        machine.recover(&["sessions", "--json"]).json()[0]["outcome"],
        "recovered"
    );
}

#[test]
fn what_is_no_database_is_refused_by_name() {
    let machine = Machine::new();
    machine.write(
        "project/trails.db",
        "not a database, but long enough to look at",
    );
    let run = machine.recover(&["sessions", "--store", SQLITE]);
    assert_ne!(run.code, 0);
    assert!(run.stderr.contains("trails.db"), "{}", run.stderr);
    let run = machine.recover_with(&["log", "--store", "sqlite:/proc/nowhere/x.db"], TRAIL);
    assert_eq!(run.code, 125, "{run:?}");
    assert!(run.stderr.contains("/proc/nowhere"), "{}", run.stderr);
}
