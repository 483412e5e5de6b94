//! What is typed: where a command's words begin, lines for a shell, and what implies what.

use crate::harness::{Machine, TRAIL};

#[test]
fn the_first_word_that_is_no_option_begins_the_command() {
    let machine = Machine::new();
    for (args, says) in [
        (&["run", "echo", "a"][..], "a\n"),
        (&["run", "--", "echo", "a"], "a\n"),
        (
            &["run", "-q", "echo", "--json", "-q", "--", "x", "--dry-run"],
            "--json -q -- x --dry-run\n",
        ),
        (&["run", "--", "echo", "--", "x"], "-- x\n"),
        (
            &["run", "--retry", "1", "echo", "--retry", "x"],
            "--retry x\n",
        ),
        (&["run", "--rollback", "echo", "x"], "x\n"),
    ] {
        assert_eq!(machine.recover(args).quiet(), says, "{args:?}");
    }
}

#[test]
fn a_line_for_a_shell_is_run_by_one() {
    let machine = Machine::new();
    let run = machine.recover(&["run", "-c", "echo a && echo \"b  c\""]);
    assert_eq!(run.quiet(), "a\nb  c\n");
    let run = machine.recover(&["run", "--retry", "0", "-c", "true && exit 7"]);
    assert_eq!(run.code, 7, "{run:?}");
    let run = machine.recover(&["run", "--json", "-c", "true"]);
    assert_eq!(
        run.json()["command"],
        serde_json::json!(["sh", "-c", "true"])
    );
}

#[test]
fn a_plan_takes_what_a_run_takes_and_answers_for_that() {
    let machine = Machine::new();
    let args = [
        "plan",
        "--json",
        "--fix",
        "./mend",
        "--retry",
        "2",
        "--result-file",
        "r.json",
        "false",
        "--fix",
    ];
    let plans = machine.recover(&args).json();
    assert!(!machine.work().join("r.json").exists());
    let unknown = &plans.as_array().expect("a plan for each category")[4];
    assert_eq!(unknown["category"], "unknown");
    let steps = unknown["steps"].as_array().expect("steps");
    assert_eq!(
        steps[0],
        serde_json::json!({
            "strategy": "fix",
            "does": "fix: ./mend, up to 3 times",
            "command": ["sh", "-c", "./mend"],
            "folder": null,
            "recipe": null,
            "tier": null,
            "max_attempts": 3,
        })
    );
    let (strategy, command) = (&steps[1]["strategy"], &steps[1]["command"]);
    assert_eq!(
        (strategy, command),
        (&"retry".into(), &serde_json::Value::Null)
    );
    let run = machine.recover(&["plan", "--no-wait", "--retry", "0", "-c", "true && false"]);
    assert!(!run.quiet().contains("retry:"), "{run:?}");
    let recipe = &machine
        .recover(&["plan", "--json", "sh", "-c", "black --check ."])
        .json()[1];
    let all = [recipe["steps"].to_string(), recipe["skipped"].to_string()].concat();
    assert!(all.contains("black"), "{recipe}");
}

#[test]
fn what_only_sums_over_all_sessions_have_implies_all() {
    let machine = Machine::with_trail();
    for args in [
        &["--by", "day"][..],
        &["--since", "2020-01-01"],
        &["--until", "2030-01-01"],
        &["--host", "nowhere"],
        &["--project", "none"],
    ] {
        let short = machine.recover(&[&["stats", "--json"], args].concat());
        let long = machine.recover(&[&["stats", "--all", "--json"], args].concat());
        assert_eq!(short.stdout, long.stdout, "{args:?}");
        assert_eq!(short.code, long.code, "{args:?}");
    }
}

#[test]
fn record_is_another_name_of_log_and_a_dash_is_a_stream() {
    let machine = Machine::new();
    let run = machine.recover_with(&["record"], TRAIL);
    assert_eq!(run.quiet().lines().count(), 3);
    let input = "curl: (7) Failed to connect\n";
    let dash = machine.recover_with(&["classify", "-", "--exit-code", "7"], input);
    let none = machine.recover_with(&["classify", "--exit-code", "7"], input);
    assert_eq!(dash.quiet(), none.quiet());
    let dash = machine.recover(&["completions", "bash", "-"]);
    assert_eq!(
        dash.quiet(),
        machine.recover(&["completions", "bash"]).quiet()
    );
    let report = machine.recover(&["report", "build-7", "-q", "-o", "-"]);
    assert!(report.quiet().starts_with('#'), "{report:?}");
}

#[test]
fn a_file_without_an_ending_has_the_default_format() {
    let machine = Machine::with_trail();
    machine
        .recover(&["export", "build-7", "-q", "-o", "trail"])
        .quiet();
    machine
        .recover(&["export", "build-7", "-q", "--format", "csv", "-o", "t.txt"])
        .quiet();
    assert!(machine.work().join("t.txt").exists());
}

#[test]
fn durations_have_points_and_blanks() {
    let machine = Machine::new();
    let args = ["run", "--deadline", "2m 30s", "--grace", "1.5s", "true"];
    machine.recover(&args).quiet();
}
