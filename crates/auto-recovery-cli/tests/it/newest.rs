//! Which session is taken where none is named: the newest of this workspace.

use std::fs;

use crate::harness::Machine;

/// An attempt that something else made.
const ONE: &str = r#"{"strategy":"fix","success":true,"error_type":"E"}"#;

/// The commands that take the newest session, run in `directory`; each must end with `code` and say
/// `says` on stderr.
fn reading(machine: &Machine, directory: &str, more: &[&str], code: i32, says: &str) {
    for command in [
        &["history"][..],
        &["history", "--last"],
        &["show"],
        &["show", "--last"],
        &["stats"],
        &["export"],
        &["report"],
    ] {
        let args = [command, more].concat();
        let mut command = machine.command(&args);
        let run = machine.run(command.current_dir(machine.root().join(directory)));
        assert_eq!(run.code, code, "{args:?}: {run:?}");
        assert_eq!(run.stderr, format!("recover: {says}\n"), "{args:?}");
    }
}

#[test]
fn the_newest_is_that_of_this_workspace() {
    let machine = Machine::with_trail();
    for directory in ["other/deep", "third"] {
        fs::create_dir_all(machine.root().join(directory)).expect("create a directory");
    }
    fs::create_dir(machine.root().join("other/.git")).expect("create a directory");
    machine.write("other/.git/HEAD", "ref: refs/heads/main\n");
    let mut log = machine.command(&["log"]);
    log.current_dir(machine.root().join("other"));
    let line = ONE.replacen('{', r#"{"session_id":"of-other","#, 1);
    let input = machine.write("line", &line);
    let run = machine.run(log.stdin(fs::File::open(input).expect("open")));
    assert_eq!(run.code, 0, "{run:?}");

    reading(&machine, "project", &[], 0, "newest session: build-7");
    reading(&machine, "other", &[], 0, "newest session: of-other");
    reading(&machine, "other/deep", &[], 0, "newest session: of-other");
    let none = "error: no session of this workspace, [ROOT]/third, in \
                jsonl:[ROOT]/user/.local/state/auto-recovery; `--any-project` takes the newest of \
                another, `recover sessions --all` lists them";
    reading(&machine, "third", &[], 1, none);
    let any = "newest session: of-other (project other)";
    for directory in ["project", "other", "third"] {
        reading(&machine, directory, &["--any-project"], 0, any);
    }
    for args in [&["history", "x"][..], &["export", "--all"]] {
        let run = machine.recover(&[args, &["--any-project"]].concat());
        assert_eq!(run.code, 2, "{run:?}");
    }
}

#[test]
fn a_session_of_no_workspace_counts_only_where_there_is_no_other() {
    let machine = Machine::new();
    // As the Python original leaves one: a trail, and no journal.
    let entry = r#"{"entry_id":"entry_1","timestamp":"2026-01-02T03:04:05.123456+00:00","session_id":"session_old","error_type":"E","strategy":"fix","attempt_number":1,"success":true,"changes_made":[],"files_modified":[],"rollback_performed":false,"next_action":"complete","duration_seconds":0.1,"error_message":"","recovery_message":""}"#;
    let file = machine.write("session_old_audit.jsonl", entry);
    let run = machine.recover(&["import", file.to_str().expect("UTF-8")]);
    assert_eq!(run.code, 0, "{run:?}");
    let says = "newest session: session_old (no session of this workspace; this one names none)";
    reading(&machine, "project", &[], 0, says);
    let logged = machine.recover_with(&["log"], ONE.replacen('{', r#"{"session_id":"own","#, 1));
    assert_eq!(logged.code, 0, "{logged:?}");
    reading(&machine, "project", &[], 0, "newest session: own");
    reading(&machine, "user", &[], 0, says);
}
