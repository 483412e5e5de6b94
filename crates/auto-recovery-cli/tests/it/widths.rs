//! What a terminal shows is no wider than the terminal, whatever is told.

use crate::harness::Machine;
use crate::terminal::showing;

const WIDTHS: [u16; 3] = [60, 80, 120];

/// Each story: what is typed, and words of its last lines.
const STORIES: [(&[&str], &str); 37] = [
    (
        &[
            "run",
            "--fix",
            "echo 1 > a-file-whose-name-is-long.txt; echo 2 > another-file.txt",
            "--",
            "test",
            "-e",
            "a-file-whose-name-is-long.txt",
        ],
        "recovered",
    ),
    (&["undo", "--preview"], "a-file"),
    (&["undo"], "recover restore"),
    (
        &[
            "run",
            "--fix",
            "echo no cure at all > touched",
            "--max-attempts",
            "2",
            "--base-delay",
            "10ms",
            "--no-jitter",
            "--",
            "sh",
            "-c",
            "test -e one -a -e two -a -e three -a -e four -a -e five || exit 7",
        ],
        "recovered",
    ),
    (
        &[
            "run",
            "no-such-program-of-a-long-name",
            "--with",
            "--many",
            "--options",
            "and/a/long/path",
        ],
        "in PATH",
    ),
    (
        &[
            "run",
            "--deadline",
            "300ms",
            "--",
            "sh",
            "-c",
            "sleep 60 # a comment that makes this long",
        ],
        "124",
    ),
    (
        &[
            "run",
            "--dry-run",
            "--fix",
            "./scripts/mend.sh",
            "--rollback",
            "--",
            "sh",
            "-c",
            "exit 3",
        ],
        "would",
    ),
    (
        &[
            "run",
            "--keep-failed-changes",
            "--max-attempts",
            "1",
            "--fix",
            "echo no cure at all > touched",
            "--",
            "sh",
            "-c",
            "echo 'it is told what is wrong here' >&2; test -e one -a -e two -a -e three || exit 7",
        ],
        "left changed: touched",
    ),
    (
        &[
            "run",
            "--",
            "sh",
            "-c",
            "echo 'nothing is known of this failure' >&2; exit 7",
        ],
        "nothing was tried",
    ),
    (
        &["run", "--retry", "1", "--base-delay", "10ms", "--", "false"],
        "recover",
    ),
    (
        &[
            "run",
            "--session",
            "a-name-of-a-job-that-is-so-long-that-no-terminal-has-room-for-it-and-for-anything-else-\
             beside-it-whatever-happens",
            "--fix",
            "touch here",
            "test",
            "-e",
            "here",
        ],
        "recover undo takes it back",
    ),
    (&["doctor"], "git"),
    (
        &[
            "plan",
            "--fix",
            "./scripts/mend-what-is-wrong.sh --all --verbose",
            "cargo",
            "clippy",
        ],
        "code_quality",
    ),
    (
        &[
            "checkpoint",
            "--label",
            "before the great rewrite of everything 日本語の名前",
        ],
        "",
    ),
    (&["checkpoints"], "CHECKPOINT"),
    (
        &[
            "show",
            "no-such-session-of-a-long-name-that-nobody-ever-had-or-will-have",
        ],
        "recover sessions",
    ),
    (&["run", "--max-atempts", "3", "true"], "max-attempts"),
    (&["sessions"], "SESSION"),
    (&["history"], "STRATEGY"),
    (&["show", "--no-pager"], "attempt 1"),
    (&["tail"], "attempt 1, fix: "),
    (&["stats", "--all", "--no-pager"], "attempts"),
    (&["stats", "--by", "error_type", "--no-pager"], "ERROR TYPE"),
    (&["stats", "--by", "project", "--no-pager"], "PROJECT"),
    (&["recipes"], "cargo-lock"),
    (&["recipes", "rustfmt"], "cargo fmt"),
    (&["verify", "--all"], "trail"),
    (&["config"], "state_dir"),
    (&["access"], "store"),
    (&["key", "list"], ""),
    (&["advise", "--", "cargo", "test"], ""),
    (&["prune", "--dry-run", "--keep", "1d"], ""),
    (
        &[
            "classify",
            "no-such-file-of-a-long-name-in-a-directory/that-is-not-there.log",
        ],
        "recover",
    ),
    (
        &[
            "export",
            "--format",
            "a-format-that-nobody-has-of-a-rather-long-name",
        ],
        "csv",
    ),
    (
        &["clear", "no-such-session-of-a-long-name-that-nobody-had"],
        "recover sessions",
    ),
    (
        &["hold", "no-such-session-of-a-long-name-that-nobody-had"],
        "recover sessions",
    ),
    (&["alerts", "check"], ""),
];

/// What of `text` is wider than `columns`, without what moves the cursor.
fn too_wide(text: &str, columns: u16) -> Option<String> {
    let bare = without_sequences(text);
    let wide = |line: &&str| {
        let width = |c: char| if c >= '\u{3000}' { 2 } else { 1 };
        line.chars().map(width).sum::<usize>() > usize::from(columns)
    };
    bare.split(['\n', '\r']).find(wide).map(str::to_owned)
}

fn without_sequences(text: &str) -> String {
    let mut parts = text.split("\x1b[");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |text, part| {
        let end = part.find(|c: char| c.is_ascii_alphabetic());
        text + end.map_or("", |end| &part[end + 1..])
    })
}

#[test]
fn nothing_that_is_told_is_wider_than_the_terminal() {
    for columns in WIDTHS {
        let (machine, mut wrong) = (Machine::new(), Vec::new());
        for (args, says) in STORIES {
            let text = showing(columns, machine.command(args), "");
            let one_line = text.split_whitespace().collect::<Vec<_>>().join(" ");
            if let Some(line) = too_wide(&text, columns) {
                wrong.push(format!("{args:?} at {columns}: too wide: {line}"));
            }
            if !one_line.contains(says) {
                wrong.push(format!("{args:?} at {columns}: no {says:?}:\n{text}"));
            }
        }
        assert_eq!(wrong.join("\n"), "");
        machine.write("project/recover.toml", "max_atempts = 3\n");
        let text = showing(columns, machine.command(&["checkpoints"]), "");
        assert_eq!(too_wide(&text, columns), None, "at {columns}:\n{text}");
        assert!(text.contains("warning: "), "{text}");
    }
}

/// What `recover` shows at the end of a run on a terminal of 80 columns.
fn end_of(machine: &Machine, args: &[&str]) -> Vec<String> {
    let text = showing(80, machine.command(args), "");
    assert_eq!(too_wide(&text, 80), None, "{text}");
    let text = without_sequences(&text).replace('\r', "");
    let lines: Vec<_> = text.lines().map(str::to_owned).collect();
    let begin = |line: &String| {
        ["recover: recovered", "recover: not recovered"]
            .iter()
            .any(|begin| line.starts_with(begin))
    };
    let at = lines.iter().position(begin);
    lines[at.unwrap_or_else(|| panic!("{text}"))..].to_vec()
}

#[test]
fn the_end_is_two_lines_with_what_people_ask_whatever_the_command_is_called() {
    let machine = Machine::new();
    let fails = |name: &str| {
        let args = [
            "run",
            "--retry",
            "1",
            "--fix",
            "true",
            "--max-attempts",
            "1",
        ];
        let command = ["--base-delay", "1ms", "sh", "-c", "exit 4", name];
        let lines = end_of(&machine, &[&args[..], &command].concat());
        assert_eq!(lines.len(), 2, "{lines:?}");
        assert!(lines[0].contains("still fails (exit 4)"), "{lines:?}");
        assert!(lines[1].contains("the tree is as it was · "), "{lines:?}");
        assert!(lines[1].contains("recover show "), "{lines:?}");
    };
    fails("--メッセージ本番環境へのデプロイを実行しますもう一度");
    fails("--a-long-option --another-one --and-yet-another-one-of-them");
    let flaky = "echo >> tries; test $(wc -l < tries) -gt 1 || exit 7";
    let surprising = [
        (
            ["--fail-on-flaky", "--retry", "1"],
            flaky,
            "exits 7: flaky (--fail-on-flaky)",
        ),
        (
            ["--fail-on-change", "--fix", "touch here"],
            "test -e here",
            "exits 1: files changed (--fail-on-change) · recover undo",
        ),
        (
            ["--deadline=50s", "--base-delay=60s", "--retry=3"],
            "exit 3",
            "exit 124: deadline · the tree is as it was",
        ),
    ];
    for (flags, script, says) in surprising {
        let command = ["sh", "-c", script];
        let lines = end_of(&machine, &[&["run"], &flags[..], &command].concat());
        assert_eq!(lines.len(), 2, "{lines:?}");
        assert!(lines.join(" · ").contains(says), "{lines:?}");
    }
}

#[test]
fn a_dumb_terminal_gets_no_line_that_moves() {
    let machine = Machine::new();
    let shown = |term: &str| {
        let args = ["run", "--retry", "1", "sh", "-c", "sleep 0.6; exit 4"];
        let mut command = machine.command(&args);
        command.env("TERM", term);
        showing(80, command, "")
    };
    assert!(shown("xterm").contains("\x1b["));
    let text = shown("dumb");
    assert!(
        !text.contains('\x1b') && !text.replace("\r\n", "").contains('\r'),
        "{text}"
    );
}

#[test]
fn help_fits_the_terminal_and_has_80_columns_in_a_pipe() {
    let machine = Machine::new();
    for command in ["run", "show", "log", "prune"] {
        for columns in WIDTHS {
            let text = showing(columns, machine.command(&[command, "--help"]), "");
            assert_eq!(
                too_wide(&text, columns),
                None,
                "{command} at {columns}:\n{text}"
            );
        }
        let piped = machine.recover(&[command, "--help"]);
        assert_eq!(too_wide(piped.quiet(), 80), None, "{command}: {piped:?}");
    }
    let piped = machine.recover(&["show", "--help"]);
    let example = "\n  recover show --diff | git apply --index --3way\n      the cure, in another \
                   checkout of the project\n";
    assert!(piped.quiet().contains(example), "{piped:?}");
}

#[test]
fn in_a_pipe_no_line_is_folded() {
    let machine = Machine::new();
    let long = "no-such-program-".repeat(12);
    let run = machine.recover(&["run", &long, "a", "b", "c"]);
    assert_eq!(run.code, 127, "{run:?}");
    assert!(!run.stderr.contains("\n     "), "{run:?}");
}

#[test]
fn what_an_attempt_did_is_folded_on_a_terminal_and_whole_in_a_pipe() {
    let machine = Machine::new();
    let fix = "echo one two three four five six seven eight nine ten eleven twelve > /dev/null";
    let run = machine.recover(&[
        "run",
        "--max-attempts",
        "1",
        "--fix",
        fix,
        "--",
        "test",
        "-e",
        "fixed",
    ]);
    assert_eq!(run.code, 1, "{run:?}");
    let args = ["show", "--no-pager"];
    let text = showing(60, machine.command(&args), "");
    let facts = text.split("\n  output").next().unwrap_or_default();
    let facts = facts.rsplit("\nattempt 1").next().unwrap_or_default();
    assert_eq!(too_wide(facts, 60), None, "{text}");
    let did = "did        echo one two three four five six seven eight\n             nine ten";
    assert!(without_sequences(&text).contains(did), "{text}");
    let piped = machine.recover(&args);
    assert!(
        piped.stdout.contains(&format!("  did        {fix}\n")),
        "{piped:?}"
    );
}
