//! Mistakes on the command line: exit code 2 (of `run` 125), the thing, the reason, the way out.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

use crate::harness::Machine;

#[test]
fn every_command_has_a_help_with_what_it_does() {
    let machine = Machine::new();
    let help = machine.recover(&["--help"]);
    assert_eq!(help.code, 0);
    for command in [
        "run",
        "plan",
        "classify",
        "redact",
        "log",
        "sessions",
        "history",
        "show",
        "stats",
        "export",
        "report",
        "checkpoint",
        "restore",
        "clear",
        "config",
        "trust",
        "completions",
    ] {
        assert!(
            help.stdout.contains(&format!("\n  {command} ")),
            "{command}"
        );
        let own = machine.recover(&[command, "--help"]);
        assert_eq!(own.code, 0, "{command}");
        assert!(own.stdout.contains("Usage: recover "), "{command}");
        assert!(
            own.stdout.lines().all(|line| line.chars().count() <= 100),
            "{command}"
        );
    }
}

#[test]
fn run_offers_every_option_of_the_contract() {
    let help = Machine::new().recover(&["run", "--help"]).stdout;
    for option in [
        "--session <ID>",
        "--fix <CMD>",
        "--alternative <CMD>",
        "--retry <N>",
        "--max-attempts <N>",
        "--base-delay <DURATION>",
        "--max-delay <DURATION>",
        "--no-jitter",
        "--deadline <DURATION>",
        "--attempt-timeout <DURATION>",
        "--protect <GLOB>",
        "--allow <TIER>",
        "--rollback[=",
        "--keep-progress",
        "--keep-failed-changes",
        "--no-checkpoint",
        "--no-wait",
        "--grace <DURATION>",
        "--no-pty",
        "--hold-stdout",
        "--hold-output",
        "--profile <PROFILE>",
        "--fail-on-change",
        "--stage",
        "--confirm",
        "--on-escalate <CMD>",
        "--dry-run",
        "--result-file <FILE>",
        "--fail-on-flaky",
        "--approve <CMD>",
    ] {
        assert!(help.contains(option), "{option} is missing");
    }
}

#[test]
fn nothing_typed_shows_the_help_and_is_a_mistake() {
    let run = Machine::new().recover(&[]);
    assert_eq!((run.code, run.stdout.as_str()), (2, ""));
    assert!(
        run.stderr.contains("Usage: recover [OPTIONS] <COMMAND>"),
        "{run:?}"
    );
}

#[test]
fn mistakes_are_named_and_exit_with_2_and_those_of_run_with_125() {
    let machine = Machine::new();
    for (args, says) in [
        (&["frobnicate"][..], "`frobnicate` is no command of recover"),
        (&["histroy"], "history"),
        (&["history", "--lats"], "--last"),
        (&["history", "--last", "0"], "it is at least 1"),
        (&["show", "--last", "two"], "write a whole number"),
        (&["show", "x", "--last"], "cannot be used with"),
        (&["run"], "`recover run` needs a command"),
        (&["run", "-c", "ls", "ls"], "cannot be used with"),
        (&["run", "-c", " "], "is a variable unset?"),
        (
            &["run", "--retr", "1", "--", "true"],
            "did you mean `--retry`?",
        ),
        (
            &["run", "--retry", "-1", "--", "true"],
            "`-1` cannot be the value of `--retry`",
        ),
        (
            &["run", "--max-attempts", "0", "--", "true"],
            "it is at least 1",
        ),
        (
            &["run", "--allow", "anything", "--", "true"],
            "use safe, moderate or network",
        ),
        (
            &["run", "--rollback=git:", "--", "true"],
            "names no revision",
        ),
        (
            &["run", "--no-checkpoint", "--rollback", "--", "true"],
            "cannot be used with",
        ),
        (&["export", "x", "--all"], "cannot be used with"),
        (
            &["export", "--format", "xml"],
            "json, csv, jsonl or parquet",
        ),
        (&["clear"], "`recover clear` needs SESSION"),
        (
            &["completions", "tcsh"],
            "bash, elvish, fish, powershell, zsh or man",
        ),
        (&["-q", "-v", "sessions"], "cannot be used with"),
    ] {
        let run = machine.recover(args);
        // What is not the command's own code says that `run` ran nothing.
        let code = if args[0] == "run" { 125 } else { 2 };
        assert_eq!(
            (run.code, run.stdout.as_str()),
            (code, ""),
            "{args:?}: {run:?}"
        );
        assert!(run.stderr.contains(says), "{args:?} says {}", run.stderr);
    }
}

#[test]
fn durations_need_their_unit() {
    let machine = Machine::new();
    for (text, says) in [
        (
            "5",
            "a duration needs its unit: write `5s`, `5m`, `5h` or `5d`",
        ),
        (
            "1.5",
            "a duration needs its unit: write `1.5s`, `1.5m`, `1.5h` or `1.5d`",
        ),
        (
            "1.0005s",
            "`1.0005s` is no duration: write it like 10ms, 1.5s or 5m30s (units d, h, m, s, ms)",
        ),
        ("5 s", "`5 s` is no duration"),
        ("soon", "`soon` is no duration"),
        ("5x", "`5x` is no duration"),
        (
            "30s5m",
            "the units of `30s5m` must go from large to small, each once",
        ),
        (
            "1s1s",
            "the units of `1s1s` must go from large to small, each once",
        ),
        ("36501d", "`36501d` is longer than 100 years"),
        ("99999999999999999999s", "is no duration"),
        ("", "a duration is written like 10ms, 2s or 5m30s"),
    ] {
        let run = machine.recover(&["run", "--deadline", text, "--", "true"]);
        assert_eq!(run.code, 125, "{text}");
        assert!(run.stderr.contains(says), "{text}: {}", run.stderr);
    }
}

#[test]
fn global_options_may_stand_before_and_after_the_command() {
    let machine = Machine::with_trail();
    let before = machine.recover(&["--json", "--quiet", "stats"]);
    let after = machine.recover(&["stats", "--quiet", "--json"]);
    assert_eq!(before.quiet(), after.quiet());
    assert_eq!(before.json()["total_attempts"], 3);
}

#[test]
fn arguments_in_any_bytes_are_refused_without_a_panic() {
    let machine = Machine::new();
    let odd = OsStr::from_bytes(b"caf\xe9\x1b[31m");
    for (args, code) in [
        (&[OsStr::new("history"), odd][..], 2),
        (&[odd], 2),
        (
            &[
                OsStr::new("run"),
                OsStr::new("--fix"),
                odd,
                OsStr::new("--"),
                OsStr::new("true"),
            ],
            125,
        ),
    ] {
        let run = machine.run(&mut machine.command(args));
        assert_eq!((run.code, run.stdout.as_str()), (code, ""), "{run:?}");
        assert!(!run.stderr.contains('\x1b'), "{run:?}");
    }
    // A store may stand in a directory of any name.
    let run = machine.run(
        machine
            .command(&["sessions"])
            .env("RECOVER_STORE", OsStr::from_bytes(b"jsonl:odd\xe9")),
    );
    assert_eq!(run.code, 0, "{run:?}");
}

#[test]
fn what_was_typed_cannot_drive_the_terminal() {
    let run = Machine::new().recover(&["\x1b]0;owned\x07"]);
    assert_eq!(run.code, 2);
    assert!(!run.stderr.contains(['\x1b', '\x07']), "{run:?}");
    let run = Machine::new().recover(&["history", "a\u{202e}b\u{9b}31m"]);
    assert!(
        !run.stderr.contains('\u{202e}') && !run.stderr.contains('\u{9b}'),
        "{run:?}"
    );
}

#[test]
fn a_terminal_of_one_column_is_survived() {
    let machine = Machine::with_trail();
    for args in [
        &["--help"][..],
        &["run", "--help"],
        &["sessions"],
        &["history"],
        &["stats"],
    ] {
        let run = machine.run(machine.command(args).env("COLUMNS", "1"));
        assert_eq!(run.code, 0, "{run:?}");
    }
}

#[test]
fn an_option_that_is_none_is_not_taken_for_the_command() {
    let run = Machine::new().recover(&["run", "--bogus", "--", "true"]);
    assert_eq!(run.code, 125, "{run:?}");
    assert!(run.stderr.contains("`--bogus` is no option"), "{run:?}");
    assert!(!run.stderr.contains("tip"), "{run:?}");
}

#[test]
fn a_home_that_is_no_absolute_path_is_none() {
    let machine = Machine::new();
    for home in ["here", ""] {
        let mut command = machine.command(&["run", "--", "true"]);
        command
            .env("HOME", home)
            .env_remove("RECOVER_STATE_DIR")
            .env_remove("XDG_STATE_HOME");
        let run = machine.run(&mut command);
        assert_eq!((run.code, run.stderr.as_str()), (0, ""), "{home:?}");
    }
    assert!(!machine.work().join("here").exists());
}

#[test]
fn help_that_cannot_be_written_is_a_failure_and_names_no_setting_of_ours() {
    let machine = Machine::new();
    for args in [
        &["--help"][..],
        &["help", "run"],
        &["--version"],
        &["init"],
        &["completions", "bash"],
    ] {
        let full = std::fs::File::create("/dev/full").expect("a full device");
        let run = machine.run(machine.command(args).stdout(full));
        assert_eq!(run.code, 125, "{args:?}: {run:?}");
        let says = "recover: error: write standard output: No space left on device (os error 28); \
                    make room there\n";
        assert_eq!(run.stderr, says, "{args:?}");
    }
}

#[test]
fn a_file_that_is_not_there_is_one_answer_and_the_newest_session_may_be_asked_for() {
    let machine = Machine::with_trail();
    let classified = machine.recover(&["classify", "none.log"]);
    classified.fails(1, "there is no file none.log");
    assert_eq!(machine.recover(&["explain", "none.log"]).code, 1);
    for command in ["stats", "export"] {
        let named = machine.recover(&[command, "build-7"]);
        let newest = machine.recover(&[command, "--last"]);
        let bare = |text: &str| {
            text.lines()
                .filter(|line| !line.contains("timestamp"))
                .count()
        };
        assert_eq!(
            (newest.code, bare(&newest.stdout)),
            (0, bare(&named.stdout)),
            "{newest:?}"
        );
    }
    let stats = machine.recover(&["stats", "--last"]);
    assert!(
        stats.stdout.contains("E0308 × 2, ImportError × 1"),
        "{stats:?}"
    );
    let logged = machine.recover_with(&["log"], "nonsense\n");
    assert!(
        logged
            .stderr
            .contains("there is a word that JSON does not know"),
        "{logged:?}"
    );
    let missing = machine.recover(&["run", "no-such-program"]);
    assert!(!missing.stderr.contains("os error"), "{missing:?}");
}

#[test]
fn a_full_disk_is_named_by_the_file_that_was_asked_for() {
    let machine = Machine::with_trail();
    for command in ["report", "export"] {
        let run = machine.recover(&[command, "build-7", "--format", "json", "-o", "/dev/full"]);
        assert_eq!(run.code, 125, "{run:?}");
        let says = "recover: error: write /dev/full: ";
        assert!(run.stderr.starts_with(says), "{run:?}");
    }
}

#[test]
fn a_plan_refuses_what_a_run_refuses() {
    let machine = Machine::new();
    for (glob, why) in [("", "protect \"\" names nothing"), ("../x", "leads out")] {
        let plan = machine.recover(&["plan", "--protect", glob, "--", "true"]);
        assert_eq!(plan.code, 2, "{plan:?}");
        assert!(plan.stderr.contains(why), "{plan:?}");
    }
}
