//! What a run tells CI systems, and the exit codes that schedulers branch on.

use std::fs;

use serde_json::{Value, json};

use crate::harness::{Machine, Run};
use crate::projects::tools::Tools;

/// Fails until `../passes` is there, as a program with a grudge would.
const HOSTILE: &str = r#"
test -e ../passes && exit 0
printf 'src/a.py:3:1: error[E1]: ]]> <b> \033[31m\001 ::set-output name=a::b\n' >&2
printf '::set-output name=p::q\n##[add-mask]zz \376\377\n' >&2
exit 4
"#;

/// Runs `recover run ARGS -- sh -c HOSTILE` as a step of GitHub Actions.
fn step(machine: &Machine, args: &[&str]) -> Run {
    let args = [&["run"], args, &["--", "sh", "-c", HOSTILE]].concat();
    let mut command = machine.command(&args);
    command
        .env("GITHUB_STEP_SUMMARY", machine.root().join("summary"))
        .env("GITHUB_OUTPUT", machine.root().join("output"));
    let output = command.output().expect("run recover");
    Run {
        code: output.status.code().expect("an exit code"),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

fn read(machine: &Machine, path: &str) -> String {
    let path = machine.root().join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

const FILES: [&str; 6] = [
    "--report",
    "junit=../a.xml",
    "--report",
    "sarif=../a.sarif",
    "--report",
    "gitlab=../a.json",
];

#[test]
fn a_command_that_passes_has_its_reports_and_no_record() {
    let machine = Machine::new();
    machine.write("a.xml", "an older one");
    machine.write("passes", "");
    let ran = step(&machine, &[&FILES[..], &["--report", "github"]].concat());
    assert_eq!((ran.code, &*ran.stdout, &*ran.stderr), (0, "", ""));
    assert!(read(&machine, "a.xml").contains("tests=\"1\" failures=\"0\""));
    assert_eq!(read(&machine, "a.json"), "[]\n");
    let sarif: Value = serde_json::from_str(&read(&machine, "a.sarif")).expect("JSON");
    assert_eq!(sarif["runs"][0]["results"], json!([]));
    assert!(read(&machine, "output").starts_with("outcome<<"));
    assert!(!machine.root().join("summary").exists());
    // Neither a store nor an output is opened for it.
    let state = fs::read_dir(machine.state()).map(|names| names.count());
    let trails = machine.recover(&["sessions", "--json"]);
    assert_eq!(trails.json(), json!([]), "{state:?}");
    let outputs = machine.state().join("outputs");
    assert!(!outputs.exists());
}

#[test]
fn a_step_of_github_has_an_annotation_a_summary_and_outputs() {
    let machine = Machine::new();
    machine.write("summary", "what others wrote\n");
    let ran = step(&machine, &["--report", "github", "--fix", "true"]);
    assert_eq!(ran.code, 4);
    let annotations = ran
        .stderr
        .lines()
        .filter(|line| line.starts_with("::error "));
    assert_eq!(annotations.count(), 1, "{}", ran.stderr);
    assert!(
        ran.stderr.contains("\n::error file=src/a.py,line=3,title="),
        "{}",
        ran.stderr
    );
    let summary = read(&machine, "summary");
    assert!(
        summary.starts_with("what others wrote\n### ❌ not recovered"),
        "{summary}"
    );
    let outputs = read(&machine, "output");
    assert!(outputs.contains("\nnot_recovered\n"), "{outputs}");
    let ran = step(
        &machine,
        &["--report", "github=../own.md", "--fix", "touch ../passes"],
    );
    assert_eq!(ran.code, 0);
    assert!(ran.stderr.contains("\n::notice "), "{}", ran.stderr);
    assert!(read(&machine, "own.md").starts_with("### ✅ recovered"));
    assert_eq!(read(&machine, "summary"), summary);
}

#[test]
fn a_summary_that_cannot_be_written_changes_nothing_of_the_end() {
    let machine = Machine::new();
    fs::create_dir(machine.root().join("summary")).expect("make a directory");
    let ran = step(&machine, &["--report", "github"]);
    assert_eq!(ran.code, 4);
    let warned = "warning: not told to GitHub: write to ";
    assert!(ran.stderr.contains(warned), "{}", ran.stderr);
}

#[test]
fn a_report_that_cannot_be_written_is_refused_before_the_command_runs() {
    let machine = Machine::new();
    let refused = |report: &[&str], says: &str| {
        let args = [&["run"], report, &["--", "touch", "../ran"]].concat();
        let ran = machine.recover(&args);
        assert_eq!(ran.code, 125, "{ran:?}");
        assert!(ran.stderr.contains(says), "{ran:?}");
        assert!(!machine.root().join("ran").exists());
    };
    refused(
        &["--report", "junit=../no/x"],
        "--report: ../no is no directory: make it first",
    );
    refused(&["--report", "junit=../user"], "is a directory");
    refused(&["--report", "sarif="], "no file behind the `=`");
    refused(
        &["--report", "teamcity"],
        "use github, gitlab, junit or sarif",
    );
    let same = ["--report", "junit=../x", "--report", "sarif=../x"];
    refused(&same, "two reports for ../x");
    let twice = ["--exit-map", "transient=75", "--exit-map", "transient=3"];
    refused(
        &twice,
        "--exit-map: transient=75 and transient=3: give each category one code",
    );
}

#[test]
fn a_session_on_record_is_told_as_its_run_was() {
    let machine = Machine::new();
    for fix in ["true", "touch ../passes"] {
        step(&machine, &[&FILES[..], &["--fix", fix]].concat());
        for (format, path) in [
            ("junit", "a.xml"),
            ("sarif", "a.sarif"),
            ("gitlab", "a.json"),
        ] {
            let told = machine.recover(&["report", "-q", "--format", format]);
            // Of how long it took and where the patch is, the record knows less.
            let plain = |text: &str| -> Vec<String> {
                let lines = text.lines().filter(|line| !line.contains("recover.patch"));
                let cut = |line: &str| match line.split_once(" time=") {
                    Some((before, _)) => before.to_owned(),
                    None => line.to_owned(),
                };
                lines.map(cut).collect()
            };
            assert_eq!(
                plain(&told.stdout),
                plain(&read(&machine, path)),
                "{format}"
            );
        }
    }
    let log = machine.recover(&["report", "-q", "--format", "github"]);
    assert!(
        log.stdout.starts_with("::notice file=src/a.py,line=3,"),
        "{log:?}"
    );
}

/// Prints what two readers find in a report in JUnit's and one in SARIF's format; the second is
/// held against its schema.
const READ: &str = r#"
import json, sys
import jsonschema
from junitparser import xunit2
junit, sarif, schema = sys.argv[1:]
suite = list(xunit2.JUnitXml.fromfile(junit))[0]
case = list(suite)[0]
schema = json.load(open(schema))
document = json.load(open(sarif))
reader = jsonschema.validators.validator_for(schema)(schema)
print(json.dumps({
    "name": case.name,
    "passed": case.is_passed,
    "failures": suite.failures,
    "result": [type(result).__name__ for result in case.result],
    "outcome": {one.name: one.value for one in suite.properties()}["recover.outcome"],
    "reruns": len(case.rerun_failures()),
    "flaky": len(case.flaky_failures()),
    "errors": [error.message for error in reader.iter_errors(document)],
}))
"#;

#[test]
fn those_who_read_reports_find_in_them_what_was() {
    let tools = Tools::get();
    let schema = "node_modules/@microsoft/jest-sarif/lib/schemas/sarif-2.1.0-rtm.5.json";
    let check = |args: &[&str], expected: Value| {
        let machine = Machine::new();
        step(&machine, &[&FILES[..], args].concat());
        #[expect(
            clippy::disallowed_methods,
            reason = "tests start the programs they test with"
        )]
        let read = std::process::Command::new(tools.folder.join("venv/bin/python"))
            .args(["-c", READ])
            .args(["a.xml", "a.sarif"].map(|name| machine.root().join(name)))
            .arg(tools.folder.join(schema))
            .output()
            .expect("start Python");
        let complaint = String::from_utf8_lossy(&read.stderr);
        assert!(read.status.success(), "{complaint}");
        let mut read: Value = serde_json::from_slice(&read.stdout).expect("JSON");
        let name = read["name"].take();
        assert!(
            name.as_str()
                .is_some_and(|name| name.starts_with("sh -c \n")),
            "{name}"
        );
        assert_eq!(read, expected);
    };
    check(
        &["--retry", "2", "--base-delay", "1ms"],
        json!({
            "name": null, "passed": false, "failures": 1, "result": ["Failure"], "reruns": 2,
            "flaky": 0, "outcome": "not_recovered", "errors": [],
        }),
    );
    check(
        &["--fix", "touch ../passes"],
        json!({
            "name": null, "passed": true, "failures": 0, "result": [], "reruns": 0, "flaky": 0,
            "outcome": "recovered", "errors": [],
        }),
    );
}

#[test]
fn an_exit_code_says_which_failures_are_worth_another_start() {
    let machine = Machine::new();
    let map = ["--exit-map", "transient=75", "--exit-map", "unknown=3"];
    let refused = "echo 'curl: (7) Failed to connect to x port 1: Connection refused' >&2; exit 7";
    let run = |args: &[&str], script: &str| {
        let args = [&["run"], &map[..], args, &["--", "sh", "-c", script]].concat();
        machine.recover(&args).code
    };
    assert_eq!(run(&["--retry", "0"], refused), 75);
    assert_eq!(run(&[], "exit 9"), 3);
    assert_eq!(run(&[], "exit 126"), 126);
    assert_eq!(run(&["--dry-run"], "exit 9"), 9);
    assert_eq!(run(&["--fix", "touch ../cured"], "test -e ../cured"), 0);
    let flaky = "test -e ../again || { touch ../again; exit 9; }";
    assert_eq!(run(&["--retry", "1", "--fail-on-flaky"], flaky), 9);
    // The record keeps the command's own code.
    let args = [
        &["run", "--session", "s"],
        &map[..],
        &["--", "sh", "-c", "exit 9"],
    ]
    .concat();
    assert_eq!(machine.recover(&args).code, 3);
    let journal = fs::read_to_string(machine.state().join("journal.jsonl")).expect("a journal");
    let ended = journal
        .lines()
        .filter(|line| line.contains("\"session_finished\"") && line.contains("\"s\""))
        .any(|line| line.contains("\"exit_code\":9"));
    assert!(ended, "{journal}");
    let killed = machine
        .command(&[&["run"], &map[..], &["--", "sh", "-c", "kill -9 $$"]].concat())
        .status()
        .expect("run recover");
    assert_eq!(
        std::os::unix::process::ExitStatusExt::signal(&killed),
        Some(9)
    );
}
