//! `recover export` and `recover report`.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};

use serde_json::{Value, json};

use crate::harness::{Machine, keys};
use crate::projects::tools::Tools;

fn two_sessions() -> Machine {
    let machine = Machine::with_trail();
    machine
        .recover_with(
            &["log"],
            r#"{"session_id":"calc","strategy":"fix","success":true,"error_type":"=1+2","error_message":"-a, \"b\"","changes_made":["x","y"],"timestamp":"2021-01-01T00:00:00Z"}"#,
        )
        .quiet();
    machine
}

#[test]
fn json_has_the_shape_of_the_contract() {
    let machine = two_sessions();
    let one = machine.recover(&["export", "build-7"]).json();
    assert_eq!(
        keys(&one),
        [
            "session_id",
            "session_start",
            "export_timestamp",
            "total_entries",
            "entries"
        ]
    );
    assert_eq!(
        (
            &one["total_entries"],
            one["entries"].as_array().map(Vec::len)
        ),
        (&json!(3), Some(3))
    );
    let all = machine.recover(&["export", "--all"]).json();
    assert_eq!(
        keys(&all),
        [
            "export_timestamp",
            "total_sessions",
            "total_entries",
            "sessions"
        ]
    );
    assert_eq!(
        (&all["total_sessions"], &all["total_entries"]),
        (&json!(2), &json!(4))
    );
}

#[test]
fn csv_has_a_header_and_no_formulas_unless_asked() {
    let machine = two_sessions();
    let run = machine.recover(&["export", "calc", "--format", "csv"]);
    let mut lines = run.quiet().lines();
    assert_eq!(
        lines.next(),
        Some(
            "entry_id,timestamp,session_id,error_type,strategy,attempt_number,success,changes_made,\
             files_modified,rollback_performed,next_action,duration_seconds,error_message,\
             recovery_message"
        )
    );
    let row = lines.next().expect("a row");
    assert!(row.contains(r#",'=1+2,fix,1,"#), "{row}");
    assert!(row.contains(r#""[""x"",""y""]""#), "{row}");
    assert!(row.contains(r#""'-a, ""b""""#), "{row}");
    let raw = machine.recover(&["export", "calc", "--format", "csv", "--raw"]);
    assert!(raw.quiet().contains(",=1+2,fix,1,"), "{raw:?}");
}

#[test]
fn jsonl_is_what_is_stored() {
    let machine = two_sessions();
    let stored =
        fs::read_to_string(machine.state().join("build-7_audit.jsonl")).expect("the trail");
    assert_eq!(
        machine
            .recover(&["export", "build-7", "--format", "jsonl"])
            .quiet(),
        stored
    );
}

#[test]
fn a_file_appears_whole_for_its_owner_alone_and_its_ending_names_the_format() {
    let machine = two_sessions();
    for (name, begins) in [
        ("t.csv", "entry_id,"),
        ("t.jsonl", "{\"entry_id\""),
        ("t.json", "{"),
        ("t", "{"),
    ] {
        let path = machine.work().join(name);
        fs::write(&path, "what was there").expect("write a file");
        let run = machine.recover(&["export", "build-7", "-o", name]);
        assert_eq!(
            (run.code, run.stdout.as_str(), run.stderr),
            (0, "", format!("recover: wrote 3 entries to {name}\n"))
        );
        let text = fs::read_to_string(&path).expect("the export");
        assert!(text.starts_with(begins), "{name}: {text}");
        let mode = fs::metadata(&path)
            .expect("its metadata")
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600);
    }
    let names = fs::read_dir(machine.work()).expect("the workspace").count();
    assert_eq!(names, 4, "nothing is left beside them");
    let stdout = machine.recover(&["export", "build-7", "--format", "csv", "-o", "-"]);
    assert!(stdout.quiet().starts_with("entry_id,"));
}

#[test]
fn an_export_that_cannot_be_written_leaves_what_was_there() {
    let machine = two_sessions();
    let run = machine.recover(&["export", "build-7", "-o", "no/such/dir.json"]);
    assert_eq!(run.code, 125);
    assert!(run.stderr.contains("no/such"), "{run:?}");
    machine
        .recover(&["export", "build-7", "-o", "."])
        .fails(2, "output . is a directory: name a file in it");

    fs::write(machine.work().join("real.json"), "old").expect("write a file");
    symlink("real.json", machine.work().join("link.json")).expect("a link");
    machine
        .recover(&["export", "build-7", "-q", "-o", "link.json"])
        .quiet();
    assert!(
        fs::symlink_metadata(machine.work().join("link.json"))
            .expect("the link")
            .is_symlink()
    );
    let real = fs::read_to_string(machine.work().join("real.json")).expect("the file");
    assert_ne!(real, "old");
}

#[test]
fn a_report_for_programs_has_the_shape_of_the_specification() {
    let machine = two_sessions();
    for args in [
        &["report", "build-7", "--json"][..],
        &["report", "build-7", "--format", "json"],
    ] {
        let report = machine.recover(args).json();
        assert_eq!(
            keys(&report),
            [
                "report_metadata",
                "summary",
                "statistics",
                "detailed_entries"
            ]
        );
        assert_eq!(
            report["report_metadata"]["report_type"],
            "recovery_audit_report"
        );
        assert_eq!(report["summary"]["success_rate"], "33.33%");
    }
    machine
        .recover(&["report", "build-7", "-q", "-o", "r.json"])
        .quiet();
    let text = fs::read_to_string(machine.work().join("r.json")).expect("the report");
    serde_json::from_str::<Value>(&text).expect("JSON");
}

#[test]
fn a_report_for_people_is_markdown() {
    let machine = two_sessions();
    let run = machine.recover(&["report", "build-7"]);
    assert!(run.quiet().starts_with("# "), "{run:?}");
    assert!(run.stdout.contains("| alternative |"), "{run:?}");
    let file = machine.recover(&["report", "build-7", "-o", "r.md"]);
    assert_eq!(file.stderr, "recover: wrote r.md\n");
}

#[test]
fn a_page_tells_the_whole_story_of_a_run() {
    let machine = Machine::new();
    fs::write(machine.work().join("config.toml"), "port = 1\n").expect("the tree");
    let check = "grep -q 'port = 2' config.toml || { echo 'a.py:3: error: port <1>' >&2; exit 4; }";
    let run = machine.recover(&[
        "run",
        "--max-attempts",
        "1",
        "--fix",
        "echo no > other.txt",
        "--fix",
        "sed -i s/1/2/ config.toml",
        "--fix",
        "never",
        "-c",
        check,
    ]);
    assert_eq!(run.code, 0, "{run:?}");
    machine.recover(&["report", "-q", "-o", "r.html"]).quiet();
    let file = machine.work().join("r.html");
    assert_eq!(
        fs::metadata(&file).expect("the page").permissions().mode() & 0o777,
        0o600
    );
    let page = fs::read_to_string(file).expect("the page");
    for said in [
        "<strong>Recovered</strong> by attempt 2, fix.",
        "<dt>On host</dt>",
        "<dd><code>a.py:3</code></dd>",
        "with exit code 4",
        "a.py:3: error: port &lt;1&gt;",
        "fix: never, once: planned, not needed any more",
        "<td><code>sed -i s/1/2/ config.toml</code></td>",
        "<span class=\"cut\">-port = 1</span>",
        "<span class=\"add\">+port = 2</span>",
        "<span class=\"add\">+no</span>",
        "the command failed, exit code 4",
        "</html>\n",
    ] {
        assert!(page.contains(said), "{said} is missing in\n{page}");
    }
    assert!(
        !page.contains("<script") && !page.contains("http:"),
        "{page}"
    );
    let to_stdout = machine.recover(&["report", "-q", "--format", "html"]);
    assert!(
        to_stdout.quiet().starts_with("<!DOCTYPE html>"),
        "{to_stdout:?}"
    );
    let text = machine.recover(&["report", "-q"]);
    for said in [
        "**Recovered** by attempt 2, fix.",
        "| At | a.py:3 |",
        "- fix: never, once: planned, not needed any more",
        "```diff\ndiff --git a/config.toml",
        "- Verification: the command failed, exit code 4",
    ] {
        assert!(
            text.quiet().contains(said),
            "{said} is missing in\n{text:?}"
        );
    }
}

#[test]
fn a_record_that_names_a_strange_file_shows_nothing_of_it() {
    let machine = Machine::new();
    let secret = machine.write("secret.txt", "a secret");
    let run = machine.recover(&["run", "--retry", "0", "-c", "echo said; exit 3"]);
    assert_eq!(run.code, 3, "{run:?}");
    let journal = machine.state().join("journal.jsonl");
    let text = fs::read_to_string(&journal).expect("the journal");
    let field = "\"output_file\":\"";
    let at = text.find(field).expect("an output on record") + field.len();
    let end = at + text[at..].find('"').expect("an end");
    let named = format!("{}{}{}", &text[..at], secret.display(), &text[end..]);
    fs::write(&journal, named).expect("writing the journal");
    for format in ["html", "markdown"] {
        let run = machine.recover(&["report", "-q", "--format", format]);
        assert!(run.quiet().contains("exit code 3"), "{run:?}");
        assert!(!run.stdout.contains("a secret"), "{run:?}");
    }
}

/// Prints the rows of the file as JSON, as two programs read them.
const READ_PARQUET: &str = r#"
import json, sys
import duckdb, polars
name = sys.argv[1]
frame = polars.read_parquet(name)
table = duckdb.sql(f"select * from '{name}'")
rows = [dict(zip(table.columns, row)) for row in table.fetchall()]
print(json.dumps({"polars": frame.to_dicts(), "duckdb": rows}))
"#;

#[test]
fn a_parquet_file_says_the_same_to_those_who_read_it() {
    let machine = Machine::with_trail();
    let hostile = r#"{"session_id":"build-7","strategy":"=1+1","success":true,"error_type":"\u0000\u001b[31m","changes_made":["","a,b","\ud83e\udd80"],"files_modified":[],"attempt_number":9223372036854775807}"#;
    machine.recover_with(&["log"], hostile).quiet();
    let file = machine.root().join("all.parquet");
    let args = [
        "export",
        "--all",
        "-q",
        "-o",
        file.to_str().expect("a path"),
    ];
    machine.recover(&args).quiet();
    let entries = machine.recover(&["history", "build-7", "--json"]).json();
    let tools = Tools::get();
    #[expect(
        clippy::disallowed_methods,
        reason = "tests start the programs they test with"
    )]
    let read = std::process::Command::new(tools.folder.join("venv/bin/python"))
        .args(["-c", READ_PARQUET])
        .arg(&file)
        .output()
        .expect("start Python");
    let text = String::from_utf8_lossy(&read.stdout);
    assert!(
        read.status.success(),
        "{}",
        String::from_utf8_lossy(&read.stderr)
    );
    let rows: Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(rows["polars"], entries);
    assert_eq!(rows["duckdb"], entries);
}

#[test]
fn a_parquet_file_of_many_entries_has_them_all_in_order() {
    let machine = Machine::new();
    let line = |n: u32| {
        let text = "x".repeat(1000);
        format!(
            r#"{{"session_id":"s","strategy":"fix","success":true,"error_type":"E","error_message":"{n} {text}"}}"#
        )
    };
    // More text than one group of rows takes.
    let lines: Vec<_> = (0..20_000).map(line).collect();
    machine.recover_with(&["log"], lines.join("\n")).quiet();
    let file = machine.root().join("s.parquet");
    machine
        .recover(&["export", "s", "-q", "-o", file.to_str().expect("a path")])
        .quiet();
    let count = "import sys, polars; frame = polars.read_parquet(sys.argv[1]); \
                 print(frame.height, frame['attempt_number'].is_sorted())";
    #[expect(
        clippy::disallowed_methods,
        reason = "tests start the programs they test with"
    )]
    let read = std::process::Command::new(Tools::get().folder.join("venv/bin/python"))
        .args(["-c", count])
        .arg(&file)
        .output()
        .expect("start Python");
    assert_eq!(
        String::from_utf8_lossy(&read.stdout),
        "20000 True\n",
        "{read:?}"
    );
}
