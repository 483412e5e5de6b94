//! The commands that read: what people see, and the shapes that programs read.

use std::fs;

use serde_json::{Value, json};

use crate::harness::{Machine, keys};

#[test]
fn an_empty_store_is_told_kindly() {
    let machine = Machine::new();
    let hint = "no sessions yet in jsonl:[ROOT]/user/.local/state/auto-recovery; \
                `recover run -- CMD` records one when CMD fails";
    let run = machine.recover(&["sessions"]);
    assert_eq!(
        (run.code, run.stdout.as_str(), run.stderr),
        (0, "", format!("recover: {hint}\n"))
    );
    assert_eq!(machine.recover(&["sessions", "--json"]).json(), json!([]));
    for command in ["history", "show", "stats", "export", "report"] {
        machine.recover(&[command]).fails(1, hint);
    }
    machine
        .recover(&["export", "--all", "--format", "jsonl"])
        .quiet();
    assert!(!machine.state().exists(), "reading makes nothing");
}

#[test]
fn an_unknown_session_is_told_how_to_find_the_known() {
    let machine = Machine::with_trail();
    for args in [
        &["history", "nope"][..],
        &["show", "nope"],
        &["show", "nope", "1"],
        &["stats", "nope"],
        &["export", "nope"],
        &["report", "nope"],
        &["clear", "nope", "--yes"],
        &["history", "nope", "--json"],
    ] {
        machine
            .recover(args)
            .fails(1, "no session nope; `recover sessions --all` lists them");
    }
    machine.recover(&["show", "build-7", "9"]).fails(
        1,
        "session build-7 has no attempt 9; `recover history build-7` lists them",
    );
    let run = machine.recover(&["history", "../../etc/passwd"]);
    assert_eq!(run.code, 1, "{run:?}");
    let run = machine.recover(&["history", &"x".repeat(201)]);
    assert_eq!(run.code, 2, "{run:?}");
}

#[test]
fn without_a_session_the_newest_is_taken_and_named() {
    let machine = Machine::with_trail();
    machine
        .recover_with(
            &["log"],
            r#"{"session_id":"newer","strategy":"fix","success":true,"error_type":"E"}"#,
        )
        .quiet();
    for command in ["history", "show", "stats", "export", "report"] {
        let run = machine.recover(&[command]);
        assert_eq!(
            (run.code, run.stderr.as_str()),
            (0, "recover: newest session: newer\n")
        );
        assert_eq!(machine.recover(&[command, "--quiet"]).stderr, "");
    }
}

#[test]
fn sessions_for_people() {
    let machine = Machine::with_trail();
    insta::assert_snapshot!(machine.recover(&["sessions"]).quiet(), @r"
    SESSION         AGE  OUTCOME    CURED  COMMAND  PROJECT
    build-7  2020-01-02  recovered    1/3           project
    ");
}

#[test]
fn sessions_for_programs() {
    let machine = Machine::with_trail();
    let sessions = machine.recover(&["sessions", "--json"]).json();
    let session = &sessions[0];
    assert_eq!(
        keys(session),
        [
            "session_id",
            "session_start",
            "last_attempt_timestamp",
            "total_attempts",
            "successful_attempts",
            "outcome",
            "command",
            "cwd",
            "project",
            "host",
            "user",
        ]
    );
    assert_eq!(session["session_id"], "build-7");
    assert_eq!(session["session_start"], "2020-01-02T03:04:05Z");
    assert_eq!(session["last_attempt_timestamp"], "2020-01-02T03:05:40Z");
    assert_eq!(
        (&session["total_attempts"], &session["successful_attempts"]),
        (&json!(3), &json!(1))
    );
    assert_eq!(session["outcome"], "recovered");
    assert_eq!(session["command"], Value::Null);
    assert_eq!(session["project"], "project");
}

#[test]
fn history_for_people() {
    let machine = Machine::with_trail();
    insta::assert_snapshot!(machine.recover(&["history", "build-7"]).quiet(), @r"
    #         AGE  STRATEGY     RESULT                TOOK  ERROR TYPE   NEXT      CHANGED
    1  2020-01-02  fix          failed, undone       1.5 s  E0308        retry     src/main.rs, src/lib.rs
    2  2020-01-02  retry        failed               0.3 s  E0308        continue
    3  2020-01-02  alternative  cured           1 min 30 s  ImportError  complete  used the old linker
    ");
}

#[test]
fn the_last_entries_of_a_history() {
    let machine = Machine::with_trail();
    let numbers = |args: &[&str]| -> Vec<u64> {
        let history = machine.recover(args).json();
        let entries = history.as_array().expect("an array");
        entries
            .iter()
            .map(|entry| entry["attempt_number"].as_u64().expect("a number"))
            .collect()
    };
    assert_eq!(
        numbers(&["history", "build-7", "--json", "--last", "2"]),
        [2, 3]
    );
    assert_eq!(numbers(&["history", "--json", "--last", "1"]), [3]);
    assert_eq!(numbers(&["history", "--json", "--last"]), [1, 2, 3]);
    assert_eq!(numbers(&["history", "--json", "--last=99"]), [1, 2, 3]);
    let table = machine.recover(&["history", "build-7", "--last", "1"]);
    assert_eq!(table.quiet().lines().count(), 2);
}

#[test]
fn a_long_history_is_shown_to_people_from_its_end() {
    let machine = Machine::new();
    let line =
        "{\"session_id\":\"s\",\"strategy\":\"fix\",\"success\":false,\"error_type\":\"E\"}\n";
    machine.recover_with(&["log"], line.repeat(1003)).quiet();
    let run = machine.recover(&["history", "s"]);
    assert_eq!(run.stdout.lines().count(), 1001);
    assert!(
        run.stdout
            .lines()
            .last()
            .expect("a row")
            .starts_with("1003 ")
    );
    assert_eq!(
        run.stderr,
        "recover: 3 earlier attempts are not shown; `--last 1003` or `--json` shows them\n"
    );
    let all = machine.recover(&["history", "s", "--last", "1003"]);
    assert_eq!(all.quiet().lines().count(), 1004);
}

#[test]
fn stats_for_people() {
    let machine = Machine::with_trail();
    insta::assert_snapshot!(machine.recover(&["stats", "build-7"]).quiet(), @r"
    session        build-7
    began          2020-01-02T03:04:05Z
    first attempt  2020-01-02T03:04:05Z
    last attempt   2020-01-02T03:05:40Z
    attempts       3: 1 cured, 2 failed
    success rate   33.33 %
    strategies     alternative × 1, fix × 1, retry × 1
    error types    E0308 × 2, ImportError × 1
    spent          1 min 32 s in all, 31 s on average
    undone         1
    files          2: src/lib.rs, src/main.rs
    ");
}

#[test]
fn stats_of_all_sessions_for_people() {
    let machine = Machine::with_trail();
    let more = r#"{"session_id":"other","strategy":"fix","success":false,"error_type":"E1","duration_seconds":2,"timestamp":"2020-02-02T03:04:05Z"}"#;
    assert_eq!(machine.recover_with(&["log"], more).code, 0);
    insta::assert_snapshot!(machine.recover(&["stats", "--all"]).quiet(), @r"
    sessions       2: 1 recovered, 0 not recovered, 1 interrupted or unknown
    first attempt  2020-01-02T03:04:05Z
    last attempt   2020-02-02T03:04:05Z
    attempts       4: 1 cured, 3 failed, 0 flaky
    success rate   25.00 %, with 95 % confidence from 4.56 to 69.94 %
    strategies     fix × 2, alternative × 1, retry × 1
    error types    E0308 × 2, E1 × 1, ImportError × 1
    spent          1 min 34 s in all, 23 s on average
    an attempt     half within 1.5 s, 95 % within 1 min 30 s, 99 % within 1 min 30 s
    a recovery     half within 1 min 35 s, 95 % within 1 min 35 s
    undone         1
    files          2: most often src/lib.rs × 1, src/main.rs × 1
    ");
    let empty = Machine::new().recover(&["stats", "--all"]);
    assert_eq!((empty.code, &*empty.stdout), (0, ""), "{empty:?}");
    assert!(empty.stderr.contains("no sessions yet in"), "{empty:?}");
}

#[test]
fn stats_of_all_sessions_for_programs() {
    let machine = Machine::with_trail();
    let stats = machine.recover(&["stats", "--all", "--json"]).json();
    assert_eq!(
        keys(&stats),
        [
            "total_attempts",
            "successful_attempts",
            "failed_attempts",
            "success_rate",
            "strategies_used",
            "error_type_distribution",
            "total_duration_seconds",
            "average_duration_seconds",
            "files_modified_count",
            "rollback_count",
            "first_attempt_timestamp",
            "last_attempt_timestamp",
            "sessions",
            "recovered_sessions",
            "escalated_sessions",
            "flaky_attempts",
            "success_rate_low",
            "success_rate_high",
            "duration_p50_seconds",
            "duration_p95_seconds",
            "duration_p99_seconds",
            "recovery_p50_seconds",
            "recovery_p95_seconds",
        ]
    );
    assert_eq!(stats["success_rate_low"], json!(6.15));
    assert_eq!(stats["duration_p50_seconds"], json!(1.5));
}

#[test]
fn stats_for_programs_have_the_15_keys() {
    let machine = Machine::with_trail();
    let stats = machine.recover(&["stats", "build-7", "--json"]).json();
    assert_eq!(
        keys(&stats),
        [
            "session_id",
            "session_start",
            "total_attempts",
            "successful_attempts",
            "failed_attempts",
            "success_rate",
            "strategies_used",
            "error_type_distribution",
            "total_duration_seconds",
            "average_duration_seconds",
            "files_modified_count",
            "files_modified",
            "rollback_count",
            "first_attempt_timestamp",
            "last_attempt_timestamp",
        ]
    );
    assert_eq!(stats["success_rate"], json!(33.33));
    assert_eq!(stats["total_duration_seconds"], json!(91.75));
}

#[test]
fn show_for_people() {
    let machine = Machine::with_trail();
    let run = machine.recover(&["show", "build-7"]);
    let host = fs::read_to_string("/proc/sys/kernel/hostname").expect("the host's name");
    let root = machine.root().to_str().expect("UTF-8");
    let text = run
        .quiet()
        .replace(host.trim(), "[HOST]")
        .replace(root, "[ROOT]");
    insta::assert_snapshot!(text, @r"
    session  build-7
    in       [ROOT]/project
    by       tester on [HOST]
    outcome  recovered, 3 attempts

    attempt 1  fix · failed, undone · 1.5 s · 2020-01-02
      failure    E0308: mismatched types
      files      src/main.rs, src/lib.rs
      next       retry

    attempt 2  retry · failed · 0.3 s · 2020-01-02
      next       continue

    attempt 3  alternative · cured · 1 min 30 s · 2020-01-02
      failure    ImportError: no module
      changes    used the old linker
      result     passed
    ");
}

#[test]
fn show_one_attempt() {
    let machine = Machine::with_trail();
    let run = machine.recover(&["show", "build-7", "2"]);
    let attempts: Vec<_> = run
        .quiet()
        .lines()
        .filter(|line| line.starts_with("attempt "))
        .collect();
    assert_eq!(attempts, ["attempt 2  retry · failed · 0.3 s · 2020-01-02"]);
    let newest = machine.recover(&["show", "--last", "2"]);
    assert_eq!(newest.stdout, run.stdout);
}

#[test]
fn show_for_programs() {
    let machine = Machine::with_trail();
    let shown = machine.recover(&["show", "build-7", "1", "--json"]).json();
    assert_eq!(keys(&shown), ["entry", "journal", "diff", "output_file"]);
    assert_eq!(shown["entry"]["strategy"], "fix");
    assert_eq!(shown["journal"][0]["event"], "session_started");
    let last = machine.recover(&["show", "build-7", "--json"]).json();
    assert_eq!(last["entry"]["attempt_number"], 3);
}

#[test]
fn the_journal_and_the_output_of_an_attempt_are_shown() {
    let machine = Machine::with_unsealed_trail();
    let output = machine.write(
        "user/.local/state/auto-recovery/outputs/build-7/001.log",
        "first\n\x1b[31mred\x1b[0m \u{202e}\r\nlast\n",
    );
    let records = [
        json!({"v":1,"at":"2020-01-02T03:04:04Z","session_id":"build-7","event":"failure_detected",
            "failure":{"error_type":"E0308","message":"mismatched\u{1b}[2J types","source":"cargo","file_path":"src/main.rs","line_number":7},
            "category":"code_quality","rule":"rustc","skipped":["recipe clippy: cargo-clippy is not installed"]}),
        json!({"v":1,"at":"2020-01-02T03:04:04Z","session_id":"build-7","event":"attempt_started",
            "attempt_number":1,"strategy":"fix","strategy_attempt":1,"category":"code_quality","action":"cargo fmt","recipe":"rustfmt"}),
        json!({"v":1,"at":"2020-01-02T03:04:05Z","session_id":"build-7","event":"attempt_finished",
            "attempt_number":1,"entry_id":"e","success":false,"undone":true,"protected":["tests/a.rs"],"output_file":output}),
        json!({"v":1,"at":"2020-01-02T03:05:41Z","session_id":"build-7","event":"session_finished",
            "outcome":"recovered","attempts":3,"reason":"recovered by alternative","duration_seconds":96.5}),
    ];
    let journal = machine.state().join("journal.jsonl");
    let mut text = fs::read_to_string(&journal).expect("the journal");
    for record in &records {
        text.push_str(&format!("{record}\n"));
    }
    fs::write(&journal, text).expect("write the journal");

    let run = machine.recover(&["show", "build-7", "1"]);
    let root = machine.root().to_str().expect("UTF-8");
    let shown = run.quiet().replace(root, "[ROOT]");
    let shown: Vec<_> = shown
        .lines()
        .filter(|line| !line.starts_with("by "))
        .collect();
    insta::assert_snapshot!(shown.join("\n"), @r"
    session    build-7
    in         [ROOT]/project
    failure    E0308: mismatched\x1b[2J types · src/main.rs:7
    kind       code_quality (rule rustc)
    not tried  recipe clippy: cargo-clippy is not installed
    outcome    recovered by alternative, 3 attempts, 1 min 37 s

    attempt 1  fix · failed, undone · 1.5 s · 2020-01-02
      did        cargo fmt
      recipe     rustfmt
      failure    E0308: mismatched types
      files      src/main.rs, src/lib.rs
      next       retry
      protected  tests/a.rs
      output
      │ first
      │ red \u{202e}
      │ last
    ");

    let shown = machine.recover(&["show", "build-7", "1", "--json"]).json();
    assert_eq!(shown["output_file"], json!(output));
    assert_eq!(shown["journal"].as_array().expect("an array").len(), 5);
    let other = machine.recover(&["show", "build-7", "2", "--json"]).json();
    assert_eq!(other["output_file"], Value::Null);
    assert_eq!(other["journal"].as_array().expect("an array").len(), 3);
}

#[test]
fn damage_is_counted_and_located_and_hides_nothing_else() {
    let machine = Machine::with_trail();
    let trail = machine.state().join("build-7_audit.jsonl");
    let text = fs::read_to_string(&trail).expect("the trail");
    let mut lines: Vec<_> = text.lines().collect();
    lines[1] = "{\"entry_id\": \x1b[31mgarbage";
    fs::write(&trail, lines.join("\n") + "\n").expect("write the trail");
    for args in [
        &["history", "build-7"][..],
        &["history", "build-7", "--json"],
        &["show", "build-7"],
        &["export", "build-7"],
        &["report", "build-7"],
    ] {
        let run = machine.recover(args);
        assert_eq!(run.code, 0, "{run:?}");
        assert!(run.stdout.contains("ImportError"), "{run:?}");
        assert!(
            run.stderr
                .contains("[ROOT]/user/.local/state/auto-recovery/build-7_audit.jsonl line 2: "),
            "{run:?}"
        );
        assert!(
            run.stderr
                .ends_with("1 damaged place; everything else is shown\n"),
            "{run:?}"
        );
    }
}

#[test]
fn hostile_text_is_shown_and_never_obeyed() {
    let machine = Machine::new();
    let line = json!({"session_id":"evil \u{202e}id","strategy":"fix\n\u{1b}[2J","success":true,
        "error_type":"E\u{9b}31m\u{7}","error_message":"a\tb\r\u{2066}c","files_modified":["\u{1b}]0;x\u{7}"],
        "next_action":"\u{200b}","timestamp":"2020-01-02T03:04:05Z\u{1b}"});
    machine.recover_with(&["log"], line.to_string()).quiet();
    for args in [&["sessions"][..], &["history"], &["show"], &["stats"]] {
        let run = machine.recover(args);
        assert_eq!(run.code, 0);
        for text in [&run.stdout, &run.stderr] {
            let hostile = text.chars().find(|c| {
                (c.is_control() && *c != '\n') || "\u{202e}\u{2066}\u{200b}".contains(*c)
            });
            assert_eq!(hostile, None, "{args:?}: {text:?}");
        }
    }
    assert!(
        machine
            .recover(&["history"])
            .stdout
            .contains(r"fix\n\x1b[2J")
    );
}

#[test]
fn sums_told_apart_for_people() {
    let machine = Machine::new();
    machine.recover_with(&["log"], two_days()).quiet();
    insta::assert_snapshot!(machine.recover(&["stats", "--all", "--by", "day"]).quiet(), @"
    DAY         ATTEMPTS  CURED                 95 %  SESSIONS  RECOVERED  HALF WITHIN  95 % WITHIN  CHANGE
    2020-01-02        20  ██████████ 100.0 %  84–100         1          1        1.5 s        1.5 s
    2020-01-03        21  █·········   9.5 %    3–29         1          0        1.5 s        1.5 s  ▼ 90.5 worse

    sessions       2: 1 recovered, 0 not recovered, 1 interrupted or unknown
    first attempt  2020-01-02T10:00:00.000Z
    last attempt   2020-01-03T10:00:00.000Z
    attempts       41: 22 cured, 19 failed, 0 flaky
    success rate   53.66 %, with 95 % confidence from 38.75 to 67.94 %
    strategies     fix × 40, retry × 1
    error types    E × 41
    spent          62 s in all, 1.5 s on average
    an attempt     half within 1.5 s, 95 % within 1.5 s, 99 % within 1.5 s
    a recovery     half within 0 s, 95 % within 0 s
    undone         0
    files          0
    ");
    let run = machine.recover(&[
        "stats",
        "--all",
        "--by",
        "strategy",
        "--since",
        "2020-01-03",
    ]);
    let rows: Vec<_> = run.quiet().lines().skip(1).take(2).collect();
    assert!(
        rows[0].starts_with("fix    "),
        "most attempts first: {rows:?}"
    );
    assert!(rows[1].starts_with("retry  "), "{rows:?}");
}

#[test]
fn sums_told_apart_for_programs() {
    let machine = Machine::new();
    machine.recover_with(&["log"], two_days()).quiet();
    let window = [
        "--since",
        "2020-01-02T12:00:00+01:00",
        "--until",
        "2020-01-04",
    ];
    let args = [
        &["stats", "--all", "--by", "strategy,day", "--json"][..],
        &window,
    ]
    .concat();
    let answer = machine.recover(&args).json();
    assert_eq!(
        keys(&answer),
        ["since", "until", "group_by", "total", "groups"]
    );
    assert_eq!(answer["since"], "2020-01-02T11:00:00.000Z");
    assert_eq!(answer["group_by"], json!(["strategy", "day"]));
    let groups = answer["groups"].as_array().unwrap();
    assert_eq!(groups.len(), 2);
    assert_eq!(keys(&groups[0])[..3], ["strategy", "day", "total_attempts"]);
    assert_eq!(groups[0]["day"], "2020-01-03");
    assert_eq!(groups[0]["total_attempts"], 20);
    assert_eq!(answer["total"]["total_attempts"], 21);
    let names = keys(&answer["total"]);
    assert_eq!(
        keys(&groups[0])[2..],
        names[..],
        "each group has what the total has"
    );
    let alone = machine.recover(&[&["stats", "--all", "--json"][..], &window].concat());
    assert_eq!(alone.json(), answer["total"]);
    let elsewhere = ["stats", "--all", "--json", "--host", "no such machine"];
    assert_eq!(machine.recover(&elsewhere).json()["sessions"], 0);
}

#[test]
fn what_cannot_be_asked_of_all_sessions_is_said() {
    let machine = Machine::new();
    let ask = |args: &[&str]| machine.recover(&[&["stats", "--all"], args].concat());
    ask(&["--by", "day,day"]).fails(2, "flag --by: day stands there twice: name it once");
    ask(&["--since", "yesterday"]).fails(
        2,
        "`yesterday` cannot be the value of `--since`: write it like 30d (ago), 2026-01-31 or \
         2026-01-31T12:00:00Z",
    );
    for args in [
        &["stats", "build-7", "--by", "day"][..],
        &["stats", "--any-project", "--by", "day"],
        &["stats", "--all", "--by", "mood"],
    ] {
        assert_eq!(machine.recover(args).code, 2);
    }
}

/// Two days: on the first 20 of 20 attempts cure, on the second 2 of 21.
fn two_days() -> String {
    let attempt = |day: u32, strategy: &str, success: bool| {
        format!(
            r#"{{"session_id":"s{day}","strategy":"{strategy}","success":{success},"error_type":"E","timestamp":"2020-01-0{day}T10:00:00.000Z","duration_seconds":1.5}}"#
        )
    };
    let first = (0..20).map(|_| attempt(2, "fix", true));
    let second = (0..20).map(|n| attempt(3, "fix", n < 2));
    let lines: Vec<_> = first
        .chain(second)
        .chain([attempt(3, "retry", false)])
        .collect();
    lines.join("\n")
}
