//! Reports for CI systems: the content that those must read, whatever programs wrote.

use auto_recovery::report::{
    CiReport, CiTry, SUMMARY_BYTES_MAX, github_log, github_outputs, github_summary, gitlab, junit,
    sarif,
};
use auto_recovery::{Category, Failure};
use serde_json::{Value, json};

use crate::audit_support::{entry, given, store};

/// Text that no reader should have to take.
const HOSTILE: &str = "a]]>b</failure> <![CDATA[ &amp; \"'\u{0}\u{1b}[31m\u{85}\u{fffe}\u{ffff}\r\n\
                       ::set-output name=x::y\n ::add-mask::z\n##[error]boo\n%0A::error::%25\u{2028}\
                       ::endgroup::\n::stop-commands::x\n```\n<script>";

fn failure(message: &str) -> Failure {
    Failure {
        file_path: Some("src/a,b:c d%.rs".to_owned()),
        line_number: Some(7),
        stack_trace: Some(HOSTILE.to_owned()),
        ..Failure::new("E0308", message, "cargo")
    }
}

fn tried(success: bool) -> CiTry {
    CiTry {
        strategy: "retry".to_owned(),
        success,
        message: HOSTILE.to_owned(),
        failure: (!success).then(|| failure(HOSTILE)),
        duration_seconds: 0.25,
    }
}

/// A command that was tried twice and fails.
fn failed() -> CiReport {
    CiReport {
        command: format!("cargo test {HOSTILE}"),
        cwd: "/w/sub".into(),
        workspace: "/w".into(),
        session_id: Some("session_1".to_owned()),
        outcome: "not_recovered".to_owned(),
        exit_code: 101,
        message: "escalated".to_owned(),
        category: Some(Category::TestFailure),
        failure: Some(failure(HOSTILE)),
        left: Some(failure(HOSTILE)),
        tries: vec![tried(false), tried(false)],
        timestamp: "2026-01-02T03:04:05.000Z".to_owned(),
        duration_seconds: 12.5,
        ..CiReport::default()
    }
}

fn flaky() -> CiReport {
    CiReport {
        outcome: "flaky".to_owned(),
        exit_code: 0,
        success: true,
        flaky: true,
        left: None,
        tries: vec![tried(false), tried(true)],
        ..failed()
    }
}

fn cured() -> CiReport {
    CiReport {
        outcome: "recovered".to_owned(),
        flaky: false,
        files_modified: vec!["src/a.rs".to_owned(), HOSTILE.to_owned()],
        patch: Some("/state/cure.patch".to_owned()),
        ..flaky()
    }
}

fn passed() -> CiReport {
    CiReport {
        command: "true".to_owned(),
        outcome: "passed".to_owned(),
        success: true,
        ..CiReport::default()
    }
}

/// The workflow commands in `log`, as the runner finds them: at the beginning of a line, or behind
/// `##[` anywhere in it, and none between `stop-commands` and its mark.
fn commands(log: &str) -> Vec<(String, String)> {
    const KNOWN: [&str; 9] = [
        "error",
        "warning",
        "notice",
        "group",
        "endgroup",
        "add-mask",
        "set-output",
        "debug",
        "stop-commands",
    ];
    let mut found = Vec::new();
    let mut stopped: Option<String> = None;
    for line in log.split(['\n', '\r']) {
        let new = line.trim_start().strip_prefix("::");
        let new = new.and_then(|rest| rest.split_once("::"));
        let old = line.split_once("##[");
        let old = old.and_then(|(_, rest)| rest.split_once(']'));
        for (info, data) in [new, old].into_iter().flatten() {
            let name = info.split(' ').next().unwrap_or_default().to_lowercase();
            if let Some(mark) = &stopped {
                if name == mark.to_lowercase() {
                    stopped = None;
                }
            } else if KNOWN.contains(&&*name) {
                if name == "stop-commands" {
                    stopped = Some(data.to_owned());
                }
                found.push((info.to_owned(), data.to_owned()));
                break;
            }
        }
    }
    assert_eq!(stopped, None, "the log ends with commands stopped");
    found
}

#[test]
fn a_log_has_one_annotation_and_no_command_of_a_program() {
    for (report, kind) in [
        (failed(), "error"),
        (flaky(), "warning"),
        (cured(), "notice"),
    ] {
        let log = github_log(&report, "mark_1");
        let found = commands(&log);
        let names: Vec<_> = found
            .iter()
            .map(|(info, _)| info.split(' ').next().unwrap())
            .collect();
        assert_eq!(names, [kind, "group", "stop-commands", "endgroup"], "{log}");
        let (info, _) = &found[0];
        // A property ends at a comma.
        let properties: Vec<_> = info[kind.len() + 1..]
            .split(',')
            .map(|one| one.split_once('=').expect("name=value").0)
            .collect();
        assert_eq!(properties, ["file", "line", "title"], "{info}");
        assert!(
            info.contains("file=sub/src/a%2Cb%3Ac d%25.rs,line=7,"),
            "{info}"
        );
    }
    assert_eq!(github_log(&passed(), "mark_1"), "");
}

#[test]
fn an_annotation_says_again_what_was_said() {
    let mut report = failed();
    report.left = Some(failure("50% of\r\nlines, really: %0A"));
    let log = github_log(&report, "m");
    let (_, said) = &commands(&log)[0];
    let said = said
        .replace("%0D", "\r")
        .replace("%0A", "\n")
        .replace("%25", "%");
    assert_eq!(said, "50% of\r\nlines, really: %0A");
}

#[test]
fn an_annotation_has_no_empty_part() {
    let known = CiReport {
        message: "stopped at the deadline".to_owned(),
        ..stopped()
    };
    assert!(
        github_log(&known, "m").starts_with("::error title=`make` fails::stopped at"),
        "{}",
        github_log(&known, "m")
    );
    let nothing = github_log(&stopped(), "m");
    assert_eq!(
        nothing,
        "::error title=`make` fails::exit code 124 (deadline)\n"
    );
    for (success, flaky, title) in [
        (true, true, "`make` is flaky::"),
        (true, false, "`make` was recovered::"),
    ] {
        let report = CiReport {
            success,
            flaky,
            failure: Some(Failure::default()),
            message: "m".to_owned(),
            ..stopped()
        };
        let log = github_log(&report, "m");
        assert!(log.contains(title), "{log}");
        assert!(!junit(&report).contains("type=\"\""), "{}", junit(&report));
    }
}

/// A run with nothing known but its end.
fn stopped() -> CiReport {
    CiReport {
        command: "make".to_owned(),
        outcome: "deadline".to_owned(),
        exit_code: 124,
        ..CiReport::default()
    }
}

#[test]
fn outputs_hold_what_later_steps_branch_on() {
    let outputs = github_outputs(&cured(), "mark");
    let blocks: Vec<_> = outputs.split("mark\n").collect();
    let values: Vec<_> = blocks.chunks(2).map(|pair| pair.concat()).collect();
    assert_eq!(
        values[..6],
        [
            "outcome<<recovered\n",
            "exit_code<<0\n",
            "session<<session_1\n",
            "flaky<<false\n",
            "category<<test_failure\n",
            "patch<</state/cure.patch\n",
        ]
    );
}

#[test]
fn a_summary_stays_below_what_is_dropped_whole() {
    let mut long = failed();
    long.failure = Some(failure(&"x".repeat(3 * SUMMARY_BYTES_MAX)));
    long.tries = vec![tried(false); 10_000];
    long.files_modified = vec!["y".repeat(4000); 1000];
    let whole = github_summary(&long, SUMMARY_BYTES_MAX);
    assert!(whole.len() <= SUMMARY_BYTES_MAX, "{}", whole.len());
    assert!(whole.contains("9900 tries before these"), "{whole}");
    for room in [0, 10, 100, 1000, 5000] {
        assert!(github_summary(&long, room).len() <= room, "{room}");
    }
    let cut = github_summary(&long, 5000);
    assert!(
        cut.ends_with("for which the summary has no room.\n"),
        "{cut}"
    );
    assert_eq!(github_summary(&passed(), SUMMARY_BYTES_MAX), "");
    assert!(github_summary(&flaky(), SUMMARY_BYTES_MAX).starts_with("### ⚠️ flaky"));
}

/// The elements of `xml` in order, each with the names of its attributes; fails on text that no XML
/// reader takes.
fn elements(xml: &str) -> Vec<String> {
    let allowed = |c: char| matches!(c, '\n' | '\t' | ' '..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..);
    assert!(xml.chars().all(allowed), "{xml:?}");
    let mut open = Vec::new();
    let mut found = Vec::new();
    let body = xml.strip_prefix("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    for part in body.expect("a declaration").split('<').skip(1) {
        let (tag, text) = part.split_once('>').expect("a tag ends");
        assert!(!text.contains('>'), "{part}");
        for entity in text.split('&').skip(1).chain(tag.split('&').skip(1)) {
            let (name, _) = entity.split_once(';').expect("an entity ends");
            assert!(
                ["amp", "lt", "gt", "quot", "#10", "#9"].contains(&name),
                "{name}"
            );
        }
        if let Some(name) = tag.strip_prefix('/') {
            assert_eq!(open.pop().as_deref(), Some(name), "{xml}");
            continue;
        }
        let name = tag.split(' ').next().unwrap().to_owned();
        let quotes = tag.matches('"').count();
        assert_eq!(quotes % 2, 0, "{tag}");
        let names = tag
            .split('"')
            .step_by(2)
            .map(|part| part.trim().trim_end_matches('='));
        let names: Vec<_> = names
            .filter(|name| !name.is_empty() && *name != "/")
            .collect();
        found.push(names.join(" "));
        if !tag.ends_with('/') {
            open.push(name);
        }
    }
    assert!(open.is_empty(), "{open:?}");
    found
}

#[test]
fn junit_has_a_failure_and_its_re_runs_or_a_flaky_success() {
    let check = |report: &CiReport, failures: &str, expected: &[&str]| {
        let xml = junit(report);
        let found = elements(&xml);
        let interesting: Vec<_> = found
            .iter()
            .map(|element| element.split(' ').next().unwrap())
            .filter(|name| name.ends_with("ailure"))
            .collect();
        assert_eq!(interesting, expected, "{xml}");
        assert!(
            xml.contains(&format!("tests=\"1\" failures=\"{failures}\"")),
            "{xml}"
        );
        assert!(
            found.contains(&"testcase name classname time".to_owned()),
            "{found:?}"
        );
    };
    check(&failed(), "1", &["failure", "rerunFailure", "rerunFailure"]);
    check(&flaky(), "0", &["flakyFailure", "flakyFailure"]);
    check(&cured(), "0", &[]);
    check(&passed(), "0", &[]);
    // A user who asked that a flaky pass fails sees a failure.
    let red = CiReport {
        exit_code: 101,
        ..flaky()
    };
    check(&red, "1", &["failure", "rerunFailure", "rerunFailure"]);
    let seen_once = CiReport {
        tries: vec![tried(true)],
        ..red
    };
    check(&seen_once, "1", &["failure", "rerunFailure"]);
    let said = "passed when it was run again, and fails all the same";
    assert!(junit(&seen_once).contains(said), "{}", junit(&seen_once));
}

#[test]
fn a_code_quality_report_has_the_finding_that_the_commit_has() {
    let findings = |report: &CiReport| serde_json::from_str::<Value>(&gitlab(report)).unwrap();
    let found = findings(&failed());
    let finding = &found[0];
    assert_eq!(finding["severity"], "major");
    assert_eq!(finding["check_name"], "recover/E0308");
    assert_eq!(finding["location"]["path"], "sub/src/a,b:c d%.rs");
    assert_eq!(finding["location"]["lines"], json!({"begin": 7}));
    assert!(!finding["description"].as_str().unwrap().is_empty());
    let again = CiReport {
        left: Some(Failure {
            line_number: Some(8),
            ..failure(HOSTILE)
        }),
        ..failed()
    };
    assert_eq!(findings(&again)[0]["fingerprint"], finding["fingerprint"]);
    assert_eq!(findings(&cured())[0]["severity"], "minor");
    let mute = CiReport {
        left: Some(Failure {
            error_type: String::new(),
            ..failure("")
        }),
        ..failed()
    };
    assert_eq!(findings(&mute)[0]["description"], "Failed");
    assert_eq!(findings(&flaky()), json!([]));
    assert_eq!(findings(&passed()), json!([]));
    let outside = CiReport {
        workspace: "/elsewhere".into(),
        ..failed()
    };
    assert_eq!(findings(&outside), json!([]));
}

#[test]
fn sarif_has_a_placed_result_or_a_notification() {
    let run = |report: &CiReport| {
        let document: Value = serde_json::from_str(&sarif(report)).unwrap();
        assert_eq!(document["version"], "2.1.0");
        document["runs"][0].clone()
    };
    let found = run(&failed());
    let result = &found["results"][0];
    assert_eq!(result["level"], "error");
    assert_eq!(result["ruleId"], found["tool"]["driver"]["rules"][0]["id"]);
    let place = &result["locations"][0]["physicalLocation"];
    assert_eq!(
        place["artifactLocation"]["uri"],
        "sub/src/a%2Cb%3Ac%20d%25.rs"
    );
    assert_eq!(place["region"]["startLine"], 7);
    assert_eq!(found["invocations"][0]["exitCode"], 101);
    assert_eq!(run(&cured())["results"][0]["level"], "warning");
    assert_eq!(run(&flaky())["results"], json!([]));
    assert_eq!(run(&passed())["results"], json!([]));
    let outside = CiReport {
        workspace: "/elsewhere".into(),
        ..failed()
    };
    let outside = run(&outside);
    assert_eq!(outside["results"], json!([]));
    let notification = &outside["invocations"][0]["toolExecutionNotifications"][0];
    assert_eq!(notification["level"], "error");
}

#[test]
fn a_session_without_a_journal_is_told_by_its_entries() {
    let dir = tempfile::tempdir().unwrap();
    let store = store(dir.path());
    store_entries(&store, 1..=3);
    let (report, damage) = CiReport::of_session(&store, "s").unwrap();
    assert!(damage.is_empty());
    assert_eq!((report.command.as_str(), report.success), ("s", false));
    assert_eq!((report.exit_code, report.tries.len()), (1, 3));
    store_entries(&store, 4..=4);
    let (report, _) = CiReport::of_session(&store, "s").unwrap();
    assert_eq!(
        (report.outcome.as_str(), report.exit_code),
        ("recovered", 0)
    );
    assert_eq!(report.files_modified, ["src/file4.rs"]);
}

fn store_entries(
    store: &dyn auto_recovery::audit::AuditStore,
    numbers: std::ops::RangeInclusive<u64>,
) {
    let entries = numbers.map(|number| given(entry("s", number)));
    store.append(entries.collect()).unwrap();
}

#[test]
fn what_became_of_a_try_is_said_in_the_words_of_screens() {
    let story = |text: &str| {
        assert!(text.contains("retry: failed: "), "{text}");
        assert!(text.contains("retry: cured: "), "{text}");
    };
    story(&github_log(&flaky(), "mark"));
    story(&junit(&flaky()));
    let summary = github_summary(&flaky(), SUMMARY_BYTES_MAX);
    assert!(summary.contains("| ✘ failed |"), "{summary}");
    assert!(summary.contains("| ✔ cured |"), "{summary}");
}
