//! What a program is told of a run: in a result file, and as the last line of stdout.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use super::{Machine, signal, start, wait_for};

/// What `recover run --json` with `args` tells last.
fn told(machine: &Machine, args: &[&str]) -> serde_json::Value {
    let run = machine.run(&mut machine.command(&[&["run", "--json"], args].concat()));
    let last = run.stdout.lines().last().unwrap_or_default();
    serde_json::from_str(last).unwrap_or_else(|error| panic!("{error}: {run:?}"))
}

#[test]
fn the_result_says_in_one_word_how_the_run_ended() {
    let machine = Machine::new();
    machine.write("project/file", "");
    let once = "test -e ../once && exit 0; touch ../once; echo timed out after $$ ms; exit 3";
    let hanging = ["--deadline", "200ms", "--", "sleep", "76.125"];
    let cases: [(&[&str], &str, i32); 9] = [
        (&["--", "true"], "passed", 0),
        (
            &["--fix", "touch ok", "--", "test", "-e", "ok"],
            "recovered",
            0,
        ),
        (&["--retry", "1", "--", "sh", "-c", once], "flaky", 0),
        (&["--", "sh", "-c", "exit 7"], "not_recovered", 7),
        (&["--", "sh", "-c", "kill -9 $$"], "not_recovered", 137),
        (&["--", "./nothing"], "not_started", 127),
        (&hanging, "deadline", 124),
        (
            &["--dry-run", "--fix", "touch x", "--", "false"],
            "dry_run",
            1,
        ),
        (&["--dry-run", "--", "true"], "passed", 0),
    ];
    for (args, outcome, code) in cases {
        let mut command = machine.command(&[&["run", "--json"], args].concat());
        let output = command.output().expect("run recover");
        let stdout = String::from_utf8(output.stdout).expect("UTF-8");
        let last = stdout.lines().last().unwrap_or_default();
        let result: serde_json::Value = serde_json::from_str(last).expect("JSON");
        assert_eq!(result["outcome"], outcome, "{result}");
        assert_eq!(result["exit_code"], code, "{result}");
        let words = args.iter().skip_while(|word| **word != "--").skip(1);
        let words: Vec<_> = words.copied().collect();
        assert_eq!(result["command"], serde_json::json!(words), "{result}");
        let failed = !matches!(outcome, "passed" | "deadline");
        for key in ["category", "error_type", "failure_kind"] {
            assert_eq!(result[key].is_string(), failed, "{key} of {result}");
        }
    }
    let run = machine.recover(&[
        "--store",
        "jsonl:file/below",
        "run",
        "--json",
        "--",
        "false",
    ]);
    let result: serde_json::Value = serde_json::from_str(run.stdout.trim()).expect("JSON");
    assert_eq!((run.code, &result["outcome"]), (125, &"error".into()));
    assert_eq!(result["exit_code"], 125);
    assert_eq!(result["command"], serde_json::json!(["false"]));
}

#[test]
fn a_run_that_is_interrupted_says_so() {
    let machine = Machine::new();
    let script = "touch ../began; sleep 76.375";
    let args = [
        "run",
        "--result-file",
        "../result.json",
        "--",
        "sh",
        "-c",
        script,
    ];
    let mut child = start(&machine, &args);
    wait_for(&machine.root().join("began"));
    signal(&child, rustix::process::Signal::TERM);
    child.wait().expect("wait for recover");
    let text = fs::read_to_string(machine.root().join("result.json")).expect("a result");
    let result: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(
        (&result["outcome"], &result["exit_code"]),
        (&"interrupted".into(), &143.into())
    );
}

#[test]
fn the_kind_of_a_failure_is_the_same_from_run_to_run_and_project_to_project() {
    let kind = |dir: &str, words: &str| {
        let machine = Machine::new();
        machine.write(&format!("project/{dir}/file"), "");
        let script = format!("cd {dir}; echo \"error: {words} after $$ ms in $PWD\" >&2; exit 3");
        let result = told_of_failure(&machine, &script);
        result["failure_kind"].as_str().expect("a kind").to_owned()
    };
    let first = kind("a", "gave up");
    assert!(first.starts_with("1-") && first.len() == 18, "{first}");
    assert_eq!(kind("a", "gave up"), first);
    assert_ne!(kind("a", "gave in"), first);
}

fn told_of_failure(machine: &Machine, script: &str) -> serde_json::Value {
    let output = machine
        .command(&["run", "--json", "--retry", "0", "--", "sh", "-c", script])
        .output()
        .expect("run recover");
    let stdout = String::from_utf8(output.stdout).expect("UTF-8");
    serde_json::from_str(stdout.lines().last().unwrap_or_default()).expect("JSON")
}

#[test]
fn the_patch_of_a_cure_makes_the_same_tree_of_a_fresh_checkout() {
    let machine = Machine::new();
    let before = "mkdir sub; printf 'a\\nb\\n' > sub/text; printf 'x\\0y' > bin; echo > gone; \
                  echo '#!/bin/sh' > run; git init -q; git add -A; \
                  git -c user.name=n -c user.email=e commit -qm c; git clone -q . ../fresh";
    let run = machine.run(&mut machine.shell(before));
    assert_eq!(run.code, 0, "{run:?}");
    let fix = "printf 'a\\nc\\n' > sub/text; printf 'z\\0y\\377' > bin; rm gone; chmod +x run; \
               printf 'new\\0' > 'new bin'; ln -s sub/text link; touch ok";
    let script = "test -e ok && touch by-the-command";
    let args = [
        "--fix",
        "echo no > bin",
        "--fix",
        fix,
        "--max-attempts",
        "1",
    ];
    let result = told(&machine, &[&args[..], &["--", "sh", "-c", script]].concat());
    assert_eq!(result["outcome"], "recovered", "{result}");
    let patch = result["patch"].as_str().expect("a path");
    let mode = fs::metadata(patch).expect("a file").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let after = format!(
        "rm by-the-command; cd ../fresh && git apply --check '{patch}' && git apply '{patch}' && \
         diff -r --exclude=.git --no-dereference . ../project && test -x run && test ! -e gone"
    );
    let run = machine.run(&mut machine.shell(&after));
    assert_eq!(run.code, 0, "{run:?}");
}

#[test]
fn without_a_change_or_a_cure_there_is_no_patch() {
    let machine = Machine::new();
    for args in [
        &["--fix", "touch x", "--max-attempts", "1", "--", "false"][..],
        &["--", "true"],
    ] {
        let output = machine
            .command(&[&["run", "--result-file", "../result.json"], args].concat())
            .output();
        output.expect("run recover");
        let text = fs::read_to_string(machine.root().join("result.json")).expect("a result");
        let result: serde_json::Value = serde_json::from_str(&text).expect("JSON");
        assert!(result["patch"].is_null(), "{result}");
    }
    // Nobody asked for one.
    let run = machine.recover(&["run", "--fix", "touch ok", "--", "test", "-e", "ok"]);
    assert_eq!(run.code, 0, "{run:?}");
    let find = machine.run(&mut machine.shell("find \"$HOME\" -name '*.patch'"));
    assert_eq!(find.stdout, "");
}
