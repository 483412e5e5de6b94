//! Learning through the command: a project whose lock file breaks, again and again.

use std::fs;

use crate::harness::Machine;

/// A project whose build fails while its lock is broken. The first fix of the configuration is slow
/// and mends nothing; the second one mends it.
fn project(mode: &str) -> Machine {
    let machine = Machine::new();
    machine.write(
        "user/.config/recover/config.toml",
        &format!(
            "max_attempts = 1\n\
             fix = [[\"sh\", \"slow.sh\"], [\"sh\", \"relock.sh\"]]\n\
             [learn]\nmode = \"{mode}\"\n"
        ),
    );
    machine.write(
        "project/build.sh",
        "grep -q good lock || { echo 'Error: the lock file is out of date' >&2; exit 1; }\n",
    );
    machine.write("project/slow.sh", "sleep 0.4; echo tried >attempted\n");
    machine.write("project/relock.sh", "echo good >lock\n");
    machine
}

/// Breaks the lock, and recovers. Returns what was said, and how many attempts it took.
fn break_and_recover(machine: &Machine) -> (String, u64) {
    machine.write("project/lock", "bad\n");
    let result = machine.root().join("result.json");
    let file = result.to_str().expect("UTF-8");
    let run = machine.recover(&["run", "--result-file", file, "--", "sh", "build.sh"]);
    assert_eq!(run.code, 0, "{run:?}");
    let result: serde_json::Value =
        serde_json::from_slice(&fs::read(&result).expect("a result")).expect("JSON");
    let attempts = result["attempts"].as_array().map_or(0, Vec::len);
    (run.stderr, attempts as u64)
}

#[test]
fn what_cured_it_five_times_is_tried_first_and_the_run_says_so() {
    let machine = project("on");
    let (said, attempts) = break_and_recover(&machine);
    assert_eq!(attempts, 2, "{said}");
    assert!(!said.contains("order"), "{said}");
    for _ in 0..4 {
        break_and_recover(&machine);
    }
    let (said, attempts) = break_and_recover(&machine);
    assert_eq!(attempts, 1, "{said}");
    assert!(said.contains("sh relock.sh first"), "{said}");

    let advice = machine.recover(&["advise", "--json", "--", "sh", "build.sh"]);
    let advice = advice.json();
    assert_eq!(advice["status"], "changed", "{advice}");
    assert_eq!(advice["shipped"][0], advice["order"][1], "{advice}");

    let sessions = machine.recover(&["sessions", "--json"]).json();
    let newest = sessions[0]["session_id"].as_str().unwrap();
    let again = machine.recover(&["advise", "--session", newest]);
    assert_eq!(again.code, 0, "{again:?}");
    assert!(again.stdout.contains("the same advice"), "{again:?}");

    // Nothing is learned any more, and the shipped order is back until all is counted anew.
    machine.recover(&["advise", "--forget"]);
    let (said, attempts) = break_and_recover(&machine);
    assert_eq!(attempts, 2, "{said}");
    let (said, attempts) = break_and_recover(&machine);
    assert_eq!(attempts, 1, "counted anew from the journal: {said}");
}

#[test]
fn advice_alone_changes_nothing() {
    let machine = project("advise");
    for _ in 0..5 {
        break_and_recover(&machine);
    }
    let (said, attempts) = break_and_recover(&machine);
    assert_eq!(attempts, 2, "{said}");
    assert!(said.contains("sh relock.sh first"), "{said}");
}

#[test]
fn a_project_can_turn_it_off_and_nothing_else() {
    let machine = project("on");
    machine.write("project/recover.toml", "[learn]\nmode = \"off\"\n");
    for _ in 0..6 {
        let (said, attempts) = break_and_recover(&machine);
        assert_eq!(attempts, 2, "{said}");
    }
    assert!(
        !machine
            .root()
            .join("user/.local/state/recover/learned")
            .exists()
    );
    for text in ["[learn]\nmode = \"on\"\n", "[learn]\nperson = \"1h\"\n"] {
        machine.write("project/recover.toml", text);
        let run = machine.recover(&["run", "--", "true"]);
        assert_eq!(run.code, 125, "{text}: {run:?}");
    }
}
