//! A configuration file with a mistake: it ends what would try something, and nobody's way to look
//! at what was done or to take it back.

use std::fs;

use crate::harness::{Machine, Run};

const BROKEN: &str = "retry = 1\nmax_atempts = 3\n";

/// What must work nevertheless, and its exit code.
const LOOKS: [(&[&str], i32); 13] = [
    (&["sessions"], 0),
    (&["ls", "--json"], 0),
    (&["history"], 0),
    (&["show"], 0),
    (&["stats"], 0),
    (&["report"], 0),
    (&["explain"], 0),
    (&["export"], 0),
    (&["checkpoints"], 0),
    (&["recipes"], 0),
    (&["undo", "--preview"], 0),
    (&["config"], 2),
    (&["doctor"], 1),
];

/// A workspace in which a fix of a run changed a file, and the run's own words.
fn mended() -> Machine {
    let machine = Machine::new();
    let fix = "echo fixed > fixed";
    let run = machine.recover(&["run", "--fix", fix, "--", "test", "-e", "fixed"]);
    assert_eq!(run.code, 0, "{run:?}");
    machine
}

/// The file and its mistake are told once, by `config` and `doctor` in what they show.
fn names_once(run: &Run, file: &str, args: &[&str]) {
    if let ["config"] | ["doctor"] = args {
        assert!(!run.stderr.contains("unknown key"), "{args:?}: {run:?}");
        let named = run.stdout.matches("unknown key `max_atempts`").count();
        assert_eq!(named, 1, "{args:?}: {run:?}");
        return;
    }
    let says = format!(
        "recover: warning: {file}:2: unknown key `max_atempts`: did you mean `max_attempts`?; until \
         you mend that, none of the file counts and `recover run` refuses\n"
    );
    let named = run.stderr.matches(&says).count();
    assert_eq!(named, 1, "{args:?}: {run:?}");
}

#[test]
fn a_broken_file_ends_only_what_would_try_something() {
    for file in ["project/recover.toml", "user/.config/recover/config.toml"] {
        let machine = mended();
        machine.write(file, BROKEN);
        let shown = format!("[ROOT]/{file}");
        for (args, code) in LOOKS {
            let run = machine.recover(args);
            assert_eq!(run.code, code, "{args:?}: {run:?}");
            assert!(!run.stdout.is_empty(), "{args:?}: {run:?}");
            names_once(&run, &shown, args);
        }
        let classified = machine.recover_with(&["classify"], "error[E0308]: mismatched types\n");
        assert_eq!(classified.code, 0, "{classified:?}");
        names_once(&classified, &shown, &["classify"]);
        for (args, code) in [(["run", "true"], 125), (["plan", "true"], 2)] {
            let run = machine.recover(&args);
            assert_eq!((run.code, &*run.stdout), (code, ""), "{run:?}");
            assert!(
                run.stderr.contains(&format!("{shown}:2: unknown key")),
                "{run:?}"
            );
        }
        let undone = machine.recover(&["undo"]);
        assert_eq!(undone.code, 0, "{undone:?}");
        assert!(!machine.work().join("fixed").exists(), "{undone:?}");
    }
}

#[test]
fn a_broken_file_of_the_users_own_still_says_where_the_record_is() {
    let machine = Machine::new();
    let file = "user/.config/recover/config.toml";
    let store = format!(
        "store = \"jsonl:{}\"\n",
        machine.root().join("kept").display()
    );
    machine.write(file, &store);
    let log = machine.recover_with(&["log"], crate::harness::TRAIL);
    assert_eq!(log.code, 0, "{log:?}");
    for mistake in ["max_atempts = 3\n", "retry = [1\n", "= 3\n"] {
        machine.write(file, &format!("{store}{mistake}"));
        let listed = machine.recover(&["sessions"]);
        assert!(listed.stdout.contains("build-7"), "{mistake}: {listed:?}");
        // What would write there, or remove, does not guess.
        for args in [&["log"][..], &["clear", "--all", "--yes"], &["checkpoint"]] {
            let run = machine.recover(args);
            assert_eq!(run.code, 2, "{args:?}: {run:?}");
        }
    }
}

#[test]
fn doctor_config_and_init_say_which_file_is_broken() {
    let machine = Machine::new();
    let path = machine.write("project/recover.toml", BROKEN);
    let doctor = machine.recover(&["doctor", "--json"]);
    assert_eq!(doctor.code, 1, "{doctor:?}");
    let checks: serde_json::Value = serde_json::from_str(&doctor.stdout).expect("JSON");
    let mut checks = checks.as_array().expect("an array").iter();
    let wrong = checks.find(|one| one["finding"] == "wrong").expect("one");
    assert_eq!(wrong["what"], "settings");
    let says = wrong["says"].as_str().expect("text");
    assert!(says.contains("recover.toml:2: unknown key"), "{says}");
    let config = machine.recover(&["config", "--json"]);
    assert_eq!(config.code, 2, "{config:?}");
    let rows: serde_json::Value = serde_json::from_str(&config.stdout).expect("JSON");
    let rows = rows.as_array().expect("an array");
    assert!(rows.iter().any(|row| row["key"] == "not read"), "{rows:?}");
    let init = machine.recover(&["init"]);
    assert_eq!(init.code, 1, "{init:?}");
    let last = "recover: error: [ROOT]/project/recover.toml is there already, broken, and stays: \
                mend it, or move it away and type `recover init` again\n";
    assert!(init.stderr.ends_with(last), "{init:?}");
    assert_eq!(fs::read_to_string(path).expect("the file"), BROKEN);
}

#[test]
fn a_file_that_was_typed_is_refused_and_one_of_the_environment_is_named() {
    let machine = Machine::with_trail();
    let path = machine.write("ci.toml", BROKEN);
    let typed = machine.recover(&["sessions", "--config", "../ci.toml"]);
    assert_eq!(typed.code, 2, "{typed:?}");
    let named = machine.run(machine.command(&["sessions"]).env("RECOVER_CONFIG", path));
    assert!(named.stdout.contains("build-7"), "{named:?}");
    assert_eq!(named.code, 0, "{named:?}");
}
