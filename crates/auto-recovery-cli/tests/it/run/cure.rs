//! Cures and their absence, as seen from outside.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use super::{Machine, read, write};

#[test]
fn a_pass_is_passed_through_and_leaves_nothing() {
    let machine = Machine::new();
    let run = machine.recover(&["run", "--", "sh", "-c", "echo out; echo err >&2"]);
    assert_eq!(
        (run.code, run.stdout.as_str(), run.stderr.as_str()),
        (0, "out\n", "err\n")
    );
    assert!(!machine.state().exists());
}

#[test]
fn a_fix_is_told_step_by_step_and_shown_afterwards() {
    let machine = Machine::new();
    write(&machine, "value", "broken\n");
    let args = [
        "run",
        "--fix",
        "echo mended > value",
        "--",
        "grep",
        "-q",
        "mended",
        "value",
    ];
    let run = machine.recover(&args);
    assert_eq!(run.code, 0, "{run:?}");
    assert_eq!(run.stdout, "");
    for line in [
        "recover: `grep -q mended value` failed (exit 1)",
        "recover: fix 1/3        echo mended > value",
        "recover: verified       `grep -q mended value` passes  changed value",
        "recover: recovered by fix, 1 attempt",
        " takes it back\n",
    ] {
        assert!(run.stderr.contains(line), "{line}\n{}", run.stderr);
    }
    let shown = machine.recover(&["show", "--last"]);
    for part in ["echo mended > value", "-broken", "+mended", "cured"] {
        assert!(shown.stdout.contains(part), "{part}\n{}", shown.stdout);
    }
}

#[test]
fn with_a_useless_fix_the_code_is_the_commands_and_the_tree_as_before() {
    let machine = Machine::new();
    write(&machine, "value", "broken\n");
    let args = [
        "run",
        "--base-delay",
        "1ms",
        "--fix",
        "true",
        "--",
        "sh",
        "-c",
        "exit 42",
    ];
    let run = machine.recover(&args);
    assert_eq!(run.code, 42);
    assert_eq!(read(&machine, "value"), "broken\n");
    assert!(
        run.stderr
            .contains("not recovered: `sh -c 'exit 42'` still fails (exit 42), tried 3 times in "),
        "{}",
        run.stderr
    );
    assert!(
        run.stderr.contains("the tree is as it was"),
        "{}",
        run.stderr
    );
}

#[test]
fn exit_codes_of_commands_that_never_start() {
    let machine = Machine::new();
    write(&machine, "data", "no program");
    assert_eq!(machine.recover(&["run", "--", "no-such-program"]).code, 127);
    assert_eq!(machine.recover(&["run", "--", "./data"]).code, 126);
    assert_eq!(machine.recover(&["run"]).code, 125);
    assert_eq!(
        machine
            .recover(&["run", "--deadline", "5", "--", "true"])
            .code,
        125
    );
}

#[test]
fn a_word_of_the_shell_is_told_with_the_command_that_works() {
    let machine = Machine::new();
    std::fs::create_dir(machine.work().join("sub")).expect("create");
    let long = format!("echo {}", "word ".repeat(100));
    for (command, works, code) in [
        (&["cd", "sub", "&&", "pwd"][..], "-c 'cd sub && pwd'", 127),
        (&["export", "A=1"], "-c 'export A=1'", 127),
        (&[".", "./env"], "-c '. ./env'", 126),
        (
            &["A=/1", "sh", "-c", "echo $A"],
            "-- env A=/1 sh -c 'echo $A'",
            127,
        ),
        (&["sh -c true"], "-c true", 127),
        (&[&long], &format!("-- {}", long.trim()), 127),
    ] {
        let typed = [&["run", "--result-file", "../result.json", "--"], command].concat();
        let run = machine.recover(&typed);
        assert_eq!(run.code, code, "{run:?}");
        let last = run.stderr.lines().last().expect("a line");
        assert!(
            last.ends_with(&format!(": `recover run {works}` works")),
            "{run:?}"
        );
        let dry = machine.recover(&[&["run", "--dry-run", "--"], command].concat());
        assert!(dry.stderr.ends_with(&format!("{last}\n")), "{dry:?}");
        // The result says it as well, for whoever was not there. It is no recovery to record.
        let result = std::fs::read_to_string(machine.root().join("result.json")).expect("a result");
        assert!(result.contains("recover run -"), "{result}");
        let sessions = machine.recover(&["sessions", "--json"]).json();
        assert_eq!(sessions, serde_json::json!([]), "{sessions}");
    }
    for command in [
        &["echo", "a", "&&", "b"][..],
        &["nosuch"],
        &["sh", "-c", "nosuch"],
    ] {
        let run = machine.recover(&[&["run", "--"], command].concat());
        assert!(!run.stderr.contains("recover run -"), "{run:?}");
    }
}

#[test]
fn the_result_file_is_written_on_every_run() {
    let machine = Machine::new();
    let result = || -> serde_json::Value {
        serde_json::from_str(&read(&machine, "result.json")).expect("JSON")
    };
    machine.recover(&["run", "--result-file", "result.json", "--", "true"]);
    assert_eq!(result()["success"], true);
    assert!(result()["session_id"].is_null());
    let args = [
        "--result-file",
        "result.json",
        "--session",
        "mine",
        "--fix",
        "touch good",
    ];
    machine.recover(&[&["run"][..], &args, &["--", "test", "-e", "good"]].concat());
    let result = result();
    let keys: Vec<_> = result
        .as_object()
        .expect("an object")
        .keys()
        .cloned()
        .collect();
    let expected = "session_id success strategy_used attempts final_error message \
                    escalated_to_human flaky timestamp outcome exit_code command category \
                    error_type failure_kind patch seal";
    assert_eq!(keys.join(" "), expected);
    assert_eq!(
        (&result["session_id"], &result["strategy_used"]),
        (&"mine".into(), &"fix".into())
    );
}

#[test]
fn the_result_file_tells_when_recover_itself_failed() {
    let machine = Machine::new();
    let run = |store: &str, command: &str| {
        let args = [
            "--store",
            store,
            "run",
            "--result-file",
            "result.json",
            "--",
        ];
        machine.recover(&[&args[..], &[command]].concat()).code
    };
    assert_eq!(run("jsonl:trails", "true"), 0);
    let path = machine.work().join("result.json");
    let mode = fs::metadata(&path).expect("it").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    machine.write("project/file", "");
    assert_eq!(run("jsonl:file/below", "false"), 125);
    let args = ["run", "--result-file", "not/there", "--", "touch", "ran"];
    machine
        .recover(&args)
        .fails(125, "--result-file: not is no directory: make it first");
    assert!(!machine.work().join("ran").exists());
    let result: serde_json::Value =
        serde_json::from_str(&read(&machine, "result.json")).expect("JSON");
    assert_eq!(result["success"], false);
    let message = result["message"].as_str().expect("text");
    assert!(message.contains("project/file"), "{message}");
}

#[test]
fn what_is_protected_is_protected_however_it_is_named_and_whatever_ignores_it() {
    for (glob, dir) in [
        ("tests", "tests"),
        ("tests/", "tests"),
        ("/tests/**", "tests"),
        ("./tests/**", "tests"),
        ("WORK/tests", "tests"),
        ("t?sts/*", "tests"),
        ("case.txt", "tests"),
        ("dist/**", "dist"),
        ("node_modules/kept", "node_modules/kept"),
    ] {
        let machine = Machine::new();
        let case = format!("{dir}/case.txt");
        write(&machine, &case, "expected\n");
        write(&machine, ".gitignore", "dist/\nnode_modules/\n");
        let glob = glob.replace("WORK", machine.work().to_str().expect("a path"));
        let fix = format!("echo other > {case}; touch ok");
        let args = ["run", "--max-attempts", "1", "--protect", &glob];
        let rest = ["--fix", &fix, "--", "test", "-e", "ok"];
        let run = machine.recover(&[&args[..], &rest].concat());
        assert_eq!(run.code, 1, "{glob}: {run:?}");
        assert!(run.stderr.contains("is protected"), "{glob}: {run:?}");
    }
    let machine = Machine::new();
    for (glob, error) in [("", "protect \"\" names nothing"), ("[", "is not a glob")] {
        let run = machine.recover(&["run", "--protect", glob, "--", "touch", "ran"]);
        assert_eq!(run.code, 125, "{run:?}");
        assert!(run.stderr.contains(error), "{run:?}");
        assert!(!machine.work().join("ran").exists());
    }
}

#[test]
fn who_approves_may_not_change_what_was_proved() {
    let machine = Machine::new();
    let approved_by = |approve: &str| {
        let args = ["run", "--max-attempts", "1", "--approve", approve];
        let rest = ["--fix", "touch ok", "--", "test", "-e", "ok"];
        machine.recover(&[&args[..], &rest].concat())
    };
    let run = approved_by("rm ok; echo mine > other");
    assert_eq!(run.code, 1, "{run:?}");
    assert!(
        run.stderr
            .contains("the tree changed while it was being approved")
    );
    // It may be somebody's who came by: it is kept, and told.
    assert_eq!(read(&machine, "other"), "mine\n");
    assert!(
        run.stderr.contains("kept what somebody else changed: "),
        "{run:?}"
    );
    assert!(!run.stderr.contains("the tree is as it was"), "{run:?}");
    let run = approved_by("false");
    let says = "passes with its change, which was not approved";
    assert!(run.stderr.contains(says), "{run:?}");
    assert!(!run.stderr.contains("still fails"), "{run:?}");
    assert_eq!(approved_by("test -e ok").code, 0);
}

#[test]
fn what_undo_does_not_cover_is_never_called_undone_or_somebody_elses() {
    let machine = Machine::new();
    let fix = "head -c 11000000 /dev/zero > large; date +%N >> large";
    let args = [
        "run",
        "--base-delay",
        "1ms",
        "--max-attempts",
        "2",
        "--fix",
        fix,
    ];
    let run = machine.recover(&[&args[..], &["--", "false"]].concat());
    assert!(run.stderr.contains("not covered by undo: large"), "{run:?}");
    for untrue in ["undone", "somebody else", "the tree is as it was"] {
        assert!(!run.stderr.contains(untrue), "{untrue}: {run:?}");
    }
    let history = machine.recover(&["history", "--json"]);
    for entry in history.json().as_array().expect("a list") {
        assert_eq!(entry["rollback_performed"], false, "{entry}");
    }
}

#[test]
fn held_stdout_is_the_deciding_runs_only() {
    let machine = Machine::new();
    let script = "echo run; test -e good && echo good";
    let args = |more: &[&'static str]| {
        let mut args = vec!["run", "--fix", "touch good"];
        args.extend(more);
        args.extend(["--", "sh", "-c", script]);
        args
    };
    let run = machine.recover(&args(&["--hold-stdout"]));
    assert_eq!((run.code, run.stdout.as_str()), (0, "run\ngood\n"));
    std::fs::remove_file(machine.work().join("good")).expect("remove");
    assert_eq!(machine.recover(&args(&[])).stdout, "run\nrun\ngood\n");
}

#[test]
fn piped_stdin_is_read_again_by_every_run() {
    let machine = Machine::new();
    let args = [
        "run",
        "--fix",
        "touch good",
        "--",
        "sh",
        "-c",
        "cat > seen; test -e good",
    ];
    let run = machine.recover_with(&args, "from the pipe\n");
    assert_eq!(run.code, 0, "{run:?}");
    assert_eq!(read(&machine, "seen"), "from the pipe\n");
}

#[test]
fn the_plan_is_shown_without_running_anything() {
    let machine = Machine::new();
    let run = machine.recover(&["plan", "--", "touch", "ran"]);
    assert_eq!(run.code, 0, "{run:?}");
    assert!(!machine.work().join("ran").exists());
    for category in [
        "transient",
        "code_quality",
        "test_failure",
        "dependency",
        "unknown",
    ] {
        assert!(run.stdout.contains(category), "{}", run.stdout);
    }
    assert!(
        run.stdout
            .contains("retry: run it again, once; up to 3 times while it fails otherwise"),
        "{}",
        run.stdout
    );
}

#[test]
fn a_failure_that_keeps_coming_back_on_the_same_tree_is_not_retried_for_ever() {
    let machine = Machine::new();
    let script = "echo 'FAILED tests/test_a.py::test_sum - assert 1 == 2'; exit 7";
    let args = ["run", "--", "sh", "-c", script];
    write(&machine, "recover.toml", "base_delay = \"1ms\"\n");
    for _ in 0..5 {
        let run = machine.recover(&args);
        assert_eq!(run.code, 7);
        assert!(run.stderr.contains("retry 1/"), "{}", run.stderr);
    }
    let run = machine.recover(&args);
    assert_eq!(run.code, 7);
    assert!(!run.stderr.contains("retry 1/"), "{}", run.stderr);
    assert!(
        run.stderr.contains("was not cured 5 times"),
        "{}",
        run.stderr
    );
    write(&machine, "new", "the tree is another one");
    assert!(machine.recover(&args).stderr.contains("retry 1/"));
}

#[test]
fn a_diff_that_was_shown_is_not_shown_again() {
    let machine = Machine::new();
    let tried = [
        "run",
        "--session",
        "s",
        "--fix",
        "echo no > cure",
        "--base-delay",
        "1ms",
        "--",
    ];
    let run = machine.recover(&[&tried[..], &["false"]].concat());
    assert_eq!(run.code, 1, "{run:?}");
    let shown = machine.recover(&["show", "s"]);
    assert_eq!(shown.stdout.matches("+no").count(), 1, "{shown:?}");
    let same = "diff: the same as that of attempt 1";
    assert!(shown.stdout.contains(same), "{shown:?}");
    let second = machine.recover(&["show", "s", "2"]);
    assert!(second.stdout.contains("+no"), "{second:?}");
}
