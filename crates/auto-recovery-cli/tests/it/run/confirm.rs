//! `--confirm`: a cure is one only if the command fails without it and passes with it again.

use std::fs;

use super::Machine;

/// Runs `script` with `fix` and `--confirm`, and tells the result.
fn told(machine: &Machine, fix: &str, script: &str) -> serde_json::Value {
    let args = [
        "run",
        "--json",
        "--confirm",
        "--session",
        "s",
        "--max-attempts",
        "1",
    ];
    let more = ["--retry", "0", "--fix", fix, "--", "sh", "-c", script];
    let run = machine.run(&mut machine.command(&[&args[..], &more].concat()));
    let last = run.stdout.lines().last().unwrap_or_default();
    serde_json::from_str(last).unwrap_or_else(|error| panic!("{error}: {run:?}"))
}

#[test]
fn each_run_that_proves_a_cure_is_announced_in_a_pipe() {
    let machine = Machine::new();
    machine.write("project/file", "bad\n");
    let script = "echo \"saw $(cat file)\" >&2; grep -q good file";
    let fix = "echo good > file";
    let run = machine.recover(&["run", "--confirm", "--fix", fix, "--", "sh", "-c", script]);
    assert_eq!(run.code, 0, "{run:?}");
    let (_, after) = run.stderr.split_once("saw good\n").expect("the cure");
    let expected = "recover: confirming     without the change\nsaw bad\n\
                    recover: confirming     with it again\nsaw good\n";
    assert!(after.starts_with(expected), "{run:?}");
}

fn confirmed(machine: &Machine, number: &str) -> serde_json::Value {
    let shown = machine.recover(&["show", "--json", "s", number]).json();
    let journal = shown["journal"].as_array().expect("records").clone();
    let finished = journal
        .iter()
        .find(|one| one.to_string().contains("attempt_finished"));
    let finished = finished.unwrap_or_else(|| panic!("{shown}"));
    let at = |value: &serde_json::Value| value.get("confirmed").cloned();
    let nested = finished
        .as_object()
        .expect("an object")
        .values()
        .find_map(at);
    at(finished).or(nested).unwrap_or_default()
}

#[test]
fn a_cure_is_seen_to_be_one() {
    let machine = Machine::new();
    machine.write("project/file", "bad\n");
    let script = "cat file >> ../seen; touch by-the-command; grep -q good file";
    let result = told(&machine, "echo good > file; touch new", script);
    assert_eq!(result["outcome"], "recovered", "{result}");
    let message = result["attempts"][0]["message"].as_str().expect("words");
    assert!(
        message.contains("fails without the change, passes with it again"),
        "{message}"
    );
    let seen = fs::read_to_string(machine.root().join("seen")).expect("what it saw");
    assert_eq!(seen, "bad\ngood\nbad\ngood\n");
    let file = fs::read_to_string(machine.work().join("file")).expect("the file");
    assert_eq!(file, "good\n");
    assert!(machine.work().join("new").exists());
    assert_eq!(confirmed(&machine, "1"), true);
    // It can be taken back as any other.
    let run = machine.recover(&["restore", "s"]);
    assert_eq!(run.code, 0, "{run:?}");
    let file = fs::read_to_string(machine.work().join("file")).expect("the file");
    assert_eq!(file, "bad\n");
}

#[test]
fn a_pass_without_the_change_is_flaky_and_the_change_is_dropped() {
    let machine = Machine::new();
    machine.write("project/file", "as it was\n");
    let script = "test -e ../once && exit; touch ../once; exit 3";
    let result = told(&machine, "echo worse > file; touch new", script);
    assert_eq!(result["outcome"], "flaky", "{result}");
    assert_eq!(result["strategy_used"], "retry", "{result}");
    assert!(result["patch"].is_null(), "{result}");
    let attempts = result["attempts"].as_array().expect("attempts");
    let told: Vec<_> = attempts
        .iter()
        .map(|one| (&one["strategy"], &one["success"]))
        .collect();
    assert_eq!(
        told,
        [
            (&"fix".into(), &false.into()),
            (&"retry".into(), &true.into())
        ]
    );
    let file = fs::read_to_string(machine.work().join("file")).expect("the file");
    assert_eq!(file, "as it was\n");
    assert!(!machine.work().join("new").exists());
    assert_eq!(confirmed(&machine, "1"), false);
    let run = machine.recover(&["show", "--diff", "s"]);
    assert_eq!(run.code, 1, "{run:?}");
}

#[test]
fn what_an_undo_does_not_cover_leaves_it_untold() {
    let machine = Machine::new();
    machine.write("project/.gitignore", "cache\n");
    machine.write("project/file", "bad\n");
    let run = machine.run(&mut machine.shell("git init -q"));
    assert_eq!(run.code, 0, "{run:?}");
    let result = told(&machine, "echo good > file; touch cache", "test -e cache");
    assert_eq!(result["outcome"], "recovered", "{result}");
    let message = result["attempts"][0]["message"].as_str().expect("words");
    assert!(message.contains("not confirmed"), "{message}");
    assert_eq!(confirmed(&machine, "1"), serde_json::Value::Null);
}

#[test]
fn what_passes_once_with_the_change_is_no_cure() {
    let machine = Machine::new();
    machine.write("project/file", "bad\n");
    // The second run passes, and no other.
    let script = "echo >> ../runs; test $(wc -l < ../runs) = 2";
    let result = told(&machine, "echo good > file", script);
    assert_eq!(result["outcome"], "not_recovered", "{result}");
    let file = fs::read_to_string(machine.work().join("file")).expect("the file");
    assert_eq!(file, "bad\n");
}

#[test]
fn a_pass_after_what_changed_nothing_is_flaky() {
    for fix in ["true", "touch ../side"] {
        let machine = Machine::new();
        let script = "test -e ../once && exit; touch ../once; exit 3";
        let result = told(&machine, fix, script);
        assert_eq!(result["outcome"], "flaky", "{result}");
        assert_eq!(result["strategy_used"], "retry", "{result}");
        let message = result["attempts"][0]["message"].as_str().expect("words");
        let says = "not confirmed: it changed nothing that an undo covers";
        assert!(message.contains(says), "{message}");
        assert_eq!(confirmed(&machine, "1"), serde_json::Value::Null);
        let shown = machine.recover(&["history", "--json", "s"]).json();
        assert_eq!(shown[0]["rollback_performed"], false, "{shown}");
        assert_eq!(shown[1]["strategy"], "retry", "{shown}");
    }
    let machine = Machine::new();
    let script = "test -e ../once && exit; touch ../once; exit 3";
    let args = "run --confirm --fail-on-flaky --retry 0 --fix true -- sh -c";
    let args: Vec<_> = args.split(' ').chain([script]).collect();
    let run = machine.recover(&args);
    assert_eq!(run.code, 3, "{run:?}");
}

#[test]
fn a_confirmation_that_the_deadline_ends_proves_nothing() {
    // Each run but those with these numbers is quick.
    for (slow, runs) in [(3, 3), (4, 4)] {
        let machine = Machine::new();
        machine.write("project/file", "bad\n");
        let script = format!(
            "echo >> ../runs; test $(wc -l < ../runs) != {slow} || sleep 60; grep -q good file"
        );
        let args = "run --confirm --json --deadline 3s --grace 1s --retry 0 --fix";
        let args = args
            .split(' ')
            .chain(["echo good > file", "--", "sh", "-c", &script]);
        let run = machine.recover(&args.collect::<Vec<_>>());
        assert_eq!(run.code, 124, "{run:?}");
        let last = run.stdout.lines().last().unwrap_or_default();
        let result: serde_json::Value = serde_json::from_str(last).expect("JSON");
        assert_eq!(result["outcome"], "deadline", "{result}");
        let message = result["attempts"][0]["message"].as_str().expect("words");
        let says = "the deadline passed while it was confirmed";
        assert!(message.contains(says), "{message}");
        assert!(!message.contains("passes no more"), "{message}");
        let file = fs::read_to_string(machine.work().join("file")).expect("the file");
        assert_eq!(file, "bad\n");
        let seen = fs::read_to_string(machine.root().join("runs")).expect("the runs");
        assert_eq!(seen.lines().count(), runs);
    }
}

#[test]
fn what_the_run_with_it_again_harms_is_the_reason() {
    let machine = Machine::new();
    machine.write("project/file", "bad\n");
    machine.write("project/kept", "mine\n");
    // The last run, with the change again, writes what is protected.
    let script =
        "echo >> ../runs; test $(wc -l < ../runs) -lt 4 || echo >> kept; grep -q good file";
    let args = "run --confirm --json --protect kept --max-attempts 1 --retry 0 --fix";
    let args = args
        .split(' ')
        .chain(["echo good > file", "--", "sh", "-c", script]);
    let run = machine.recover(&args.collect::<Vec<_>>());
    assert_eq!(run.code, 1, "{run:?}");
    let says = "kept is protected, and changed during the verification";
    assert!(run.stderr.contains(says), "{run:?}");
    assert!(!run.stderr.contains("passes no more"), "{run:?}");
    let kept = fs::read_to_string(machine.work().join("kept")).expect("the file");
    assert_eq!(kept, "mine\n");
}
