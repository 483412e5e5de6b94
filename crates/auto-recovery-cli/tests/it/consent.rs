//! The question at a terminal before commands of a project's `recover.toml` run.

use std::fs;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::harness::Machine;
use crate::session::Session;

const QUESTION: &str = "run them now, and whenever the file is as it is now? [y/N] ";

const FAILING: [&str; 4] = ["run", "--", "test", "-e"];

/// A project whose file says `text`.
fn project(text: &str) -> Machine {
    let machine = Machine::new();
    machine.write("project/recover.toml", text);
    machine
}

fn has(machine: &Machine, name: &str) -> bool {
    machine.work().join(name).exists()
}

/// Runs `recover` with `args` at a terminal. With `keys`, it must ask and is answered with them;
/// else it must not ask. Returns its exit code, as a shell has it, and the shown text.
fn at_terminal(machine: &Machine, args: &[&str], keys: Option<&[u8]>) -> (i32, String) {
    let mut session = Session::start(machine, args);
    if let Some(keys) = keys {
        session.wait_for(QUESTION);
        session.press(keys);
    }
    let status = session.end();
    let code = status.code().or(status.signal().map(|signal| 128 + signal));
    let seen = session.seen();
    let asked = seen.matches(QUESTION).count();
    assert_eq!(asked, usize::from(keys.is_some()), "{seen}");
    (code.expect("an end"), seen)
}

fn failing(wanted: &str) -> [&str; 5] {
    let [a, b, c, d] = FAILING;
    [a, b, c, d, wanted]
}

#[test]
fn it_asks_once_for_a_file_and_a_content() {
    let machine =
        project("fix = \"touch one\"\n[category.transient]\nalternative = [\"b\", \"c d\"]\n");
    let (code, seen) = at_terminal(&machine, &["run", "--", "true"], None);
    assert_eq!((code, seen.as_str()), (0, ""), "a pass asks nobody");
    let (code, seen) = at_terminal(&machine, &failing("one"), Some(b"y\n"));
    assert_eq!(code, 0, "{seen}");
    let path = machine.work().join("recover.toml");
    let shown = format!(
        "recover: {} names 2 commands, and you have not agreed to that:\n\
         recover:   fix: touch one\n\
         recover:   category.transient.alternative: b 'c d'\n\
         recover: {QUESTION}y\n",
        path.display()
    );
    assert!(seen.contains(&shown), "{seen}");
    let asked = seen.find(QUESTION).expect("a question");
    assert!(seen.find("failed (exit 1)").expect("a failure") < asked);
    assert!(asked < seen.find("fix 1/3").expect("a fix"), "{seen}");
    fs::remove_file(machine.work().join("one")).expect("fails again");
    let (code, seen) = at_terminal(&machine, &failing("one"), None);
    assert_eq!(code, 0, "{seen}");

    machine.write("project/recover.toml", "fix = \"touch two\"\n");
    let (code, seen) = at_terminal(&machine, &failing("two"), Some(b"yes\n"));
    assert_eq!(code, 0, "another content is another question: {seen}");
    let list = machine.state().join("trusted");
    let text = fs::read_to_string(&list).expect("the list");
    assert_eq!(text.matches("yes ").count(), 2, "{text}");
}

#[test]
fn a_no_is_remembered_and_the_run_goes_on_without() {
    let machine = project("fix = \"touch bad\"\nalternative = \"touch worse\"\n");
    let args = [
        "run",
        "--alternative",
        "touch good",
        "--",
        "test",
        "-e",
        "x",
    ];
    let (code, seen) = at_terminal(&machine, &args, Some(b"n\n"));
    assert_eq!(code, 0, "what was typed runs: {seen}");
    assert!(has(&machine, "good") && !has(&machine, "bad"), "{seen}");
    let path = machine.work().join("recover.toml");
    let path = path.display();
    let says = format!(
        "recover: does not run `touch bad` of {path}: you said no · `recover trust` lets it run\n"
    );
    assert_eq!(seen.matches(&says).count(), 1, "{seen}");
    for (args, keys) in [(failing("bad"), None), (failing("worse"), None)] {
        let (code, seen) = at_terminal(&machine, &args, keys);
        assert_eq!(code, 1, "{seen}");
        let line = format!("does not run `touch bad` of {path}: you said no to that · ");
        assert!(seen.contains(&line), "{seen}");
        let told = format!("does not run `touch worse` of {path}: you said no to that · ");
        assert!(seen.contains(&told), "{seen}");
        assert_eq!(seen.matches("`touch worse` of").count(), 1, "{seen}");
        assert!(!seen.contains("fix 1/3"), "{seen}");
    }
    // Nor does it run where no question can be asked.
    let run = machine.recover(&failing("bad"));
    assert_eq!(run.code, 1, "{run:?}");
    assert_eq!(machine.recover(&["trust"]).code, 0);
    let (code, seen) = at_terminal(&machine, &failing("bad"), None);
    assert_eq!(code, 0, "{seen}");
}

#[test]
fn no_answer_is_a_no_for_this_run_alone() {
    for (keys, why) in [
        (&b"\x04"[..], "nobody answered"),
        (b"maybe\n", "that was neither yes nor no"),
    ] {
        let machine = project("fix = \"touch bad\"\n");
        let (code, seen) = at_terminal(&machine, &failing("bad"), Some(keys));
        assert_eq!(code, 1, "{seen}");
        assert!(seen.contains(&format!("recover.toml: {why} · ")), "{seen}");
        assert!(!machine.state().join("trusted").exists());
        let (code, seen) = at_terminal(&machine, &failing("bad"), Some(b"y\n"));
        assert_eq!(code, 0, "{seen}");
    }
}

#[test]
fn the_deadline_and_an_interrupt_reach_the_question() {
    let deadline = ["run", "--deadline", "1s", "--", "test", "-e", "bad"];
    for (args, keys, expected) in [
        (&deadline[..], &b""[..], 124),
        (&failing("bad"), b"\x03", 130),
    ] {
        let machine = project("fix = \"touch bad\"\non_escalate = \"touch bad\"\n");
        let (code, seen) = at_terminal(&machine, args, Some(keys));
        assert_eq!(code, expected, "{seen}");
        assert!(!has(&machine, "bad") && !machine.state().join("trusted").exists());
    }
}

#[test]
fn a_term_ends_the_question() {
    let machine = project("fix = \"touch bad\"\n");
    let mut session = Session::start(&machine, &failing("bad"));
    session.wait_for(QUESTION);
    let pid = i32::try_from(session.pid()).expect("a pid");
    let pid = rustix::process::Pid::from_raw(pid).expect("a pid");
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).expect("sent");
    let status = session.end();
    assert_eq!(status.signal(), Some(15), "{}", session.seen());
    assert!(!has(&machine, "bad"));
}

#[test]
fn the_answer_takes_nothing_of_what_the_command_reads() {
    let machine = project("fix = \"touch fixed\"\n");
    let script = "test -e fixed || exit 1; read -r line; test \"$line\" = mine";
    let (code, seen) = at_terminal(
        &machine,
        &["run", "--", "sh", "-c", script],
        Some(b"y\nmine\n"),
    );
    assert_eq!(code, 0, "{seen}");
}

#[test]
fn what_was_typed_before_the_question_answers_nothing_and_stays_the_commands() {
    let machine = project("fix = \"touch bad\"\nalternative = \"true\"\n");
    machine.write("user/.config/recover/config.toml", "");
    let script = "echo \"rea\"\"dy\"; until [ -e ../go ]; do sleep 0.01; done; \
                  test -e again || exit 1; read -r line; test \"$line\" = y";
    let args = ["run", "--fix", "touch again", "--", "sh", "-c", script];
    let mut session = Session::start(&machine, &args);
    session.wait_for("ready");
    session.press(b"y\n");
    session.wait_for("y\n");
    machine.write("go", "");
    let status = session.end();
    let seen = session.seen();
    assert_eq!(status.code(), Some(0), "the command read it: {seen}");

    let machine = project("fix = \"touch bad\"\n");
    let script = "echo \"rea\"\"dy\"; until [ -e ../go ]; do sleep 0.01; done; exit 3";
    let mut session = Session::start(&machine, &["run", "--", "sh", "-c", script]);
    session.wait_for("ready");
    session.press(b"y\n");
    session.wait_for("y\n");
    machine.write("go", "");
    let status = session.end();
    let seen = session.seen();
    assert_eq!(status.code(), Some(3), "{seen}");
    assert!(
        seen.contains("something was typed before anybody was asked"),
        "{seen}"
    );
    assert!(!has(&machine, "bad") && !seen.contains(QUESTION), "{seen}");
}

#[test]
fn a_terminal_that_the_command_left_raw_is_read_by_lines_for_the_question() {
    let machine = project("fix = \"touch fixed\"\n");
    let script = "test -e fixed && exit; stty raw -echo; exit 1";
    let mut session = Session::start(&machine, &["run", "--", "sh", "-c", script]);
    session.wait_for("[y/N] ");
    assert!(session.reads_lines());
    session.press(b"y\r");
    let status = session.end();
    assert_eq!(status.code(), Some(0), "{}", session.seen());
}

#[test]
fn what_the_file_says_is_shown_harmless() {
    let machine =
        project("fix = \"touch fixed # \\u001b]0;title\\u0007 \\r\\n recover: [y/N]\\u202e\"\n");
    let (code, seen) = at_terminal(&machine, &failing("fixed"), Some(b"y\n"));
    assert_eq!(code, 0, "{seen}");
    let asked = seen.find(QUESTION).expect("a question");
    let hostile = |c: char| (c.is_control() && c != '\n') || c == '\u{202e}';
    assert_eq!(seen[..asked].find(hostile), None, "{:?}", &seen[..asked]);
    assert!(
        seen.contains(r"fix: touch fixed # \x1b]0;title\x07 \r\n recover: [y/N]\u{202e}"),
        "{seen}"
    );
}

#[test]
fn nobody_agrees_to_what_cannot_be_shown() {
    let many: String = (0..41)
        .map(|n| format!("[recipe.r{n}]\ntools = [\"test\", \"false\"]\nfix = \"touch bad\"\n"))
        .collect();
    let long = format!("fix = \"touch bad #{}\"\n", "x".repeat(7_000));
    for text in [many, long] {
        let machine = project(&text);
        let (code, seen) = at_terminal(&machine, &failing("bad"), None);
        assert_eq!(code, 1, "{seen}");
        let words = seen.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(words.contains("too many or too long to be shown"), "{seen}");
        assert_eq!(machine.recover(&["trust"]).code, 0);
        let (code, seen) = at_terminal(&machine, &failing("bad"), None);
        assert_eq!(code, 0, "{seen}");
    }
}

#[test]
fn only_what_the_projects_file_names_is_asked_about() {
    let machine = project("fix = \"touch bad\"\non_escalate = \"touch bad\"\n");
    machine.write(
        "user/.config/recover/config.toml",
        "base_delay = \"1ms\"\nalternative = \"touch ../mine; false\"\n",
    );
    // A typed flag beats the file.
    let args = ["run", "--fix", "touch fixed", "--", "test", "-e", "fixed"];
    let (code, seen) = at_terminal(&machine, &args, None);
    assert_eq!(code, 0, "{seen}");
    let args = [
        "run",
        "--fix",
        "true",
        "--on-escalate",
        "touch called",
        "--",
        "false",
    ];
    let (code, seen) = at_terminal(&machine, &args, None);
    assert_eq!(code, 1, "{seen}");
    assert!(
        has(&machine, "called") && machine.root().join("mine").exists() && !has(&machine, "bad")
    );
    let own = machine.write("own.toml", "fix = \"touch whole\"\n");
    let own = own.to_str().expect("UTF-8");
    let (code, seen) = at_terminal(
        &machine,
        &[&["--config", own], &failing("whole")[..]].concat(),
        None,
    );
    assert_eq!(code, 0, "{seen}");
}

#[test]
fn every_kind_of_command_is_asked_about_just_before_it_would_run() {
    let escalate = "on_escalate = \"touch bad\"\n";
    let recipe = "[recipe.mine]\ntools = [\"test\", \"false\"]\nfix = \"touch bad\"\n";
    for (text, before) in [
        (escalate, "not recovered: "),
        (recipe, "failed (exit 1)"),
        ("alternative = \"touch bad\"\n", "no cure"),
        (
            "[category.unknown]\nfix = \"touch bad\"\n",
            "failed (exit 1)",
        ),
        (
            "[error_type.\"exit 1\"]\nfix = \"touch bad\"\n",
            "failed (exit 1)",
        ),
    ] {
        let machine = project(text);
        let args = ["run", "--fix", "true", "--max-attempts", "1", "--", "false"];
        let args = match before {
            "failed (exit 1)" => &["run", "--max-attempts", "1", "--", "false"][..],
            _ => &args,
        };
        let (code, seen) = at_terminal(&machine, args, Some(b"n\n"));
        assert_eq!(code, 1, "{seen}");
        assert!(!has(&machine, "bad"), "{text}: {seen}");
        let asked = seen.find(QUESTION).expect("a question");
        assert!(seen[..asked].contains(before), "{text}: {seen}");
    }
}

#[test]
fn a_cure_is_kept_without_an_approval_command_that_may_not_run() {
    for (keys, code, is_kept) in [
        (&b"n\n"[..], 0, true),
        (b"y\n", 1, false),
        (b"\x03", 130, false),
    ] {
        let machine = project("approve = \"touch ../asked; false\"\n");
        let args = [
            "run",
            "--fix",
            "touch fixed",
            "--max-attempts",
            "1",
            "--",
            "test",
            "-e",
            "fixed",
        ];
        let (ended, seen) = at_terminal(&machine, &args, Some(keys));
        assert_eq!(ended, code, "{seen}");
        assert_eq!(has(&machine, "fixed"), is_kept, "{seen}");
        assert_eq!(
            machine.root().join("asked").exists(),
            keys == b"y\n",
            "{seen}"
        );
    }
}

#[test]
fn without_a_terminal_commands_are_named_and_run() {
    let machine = project("base_delay = \"1ms\"\nfix = [[\"true\"], [\"touch\", \"fixed\"]]\n");
    let run = machine.recover(&failing("fixed"));
    assert_eq!(run.code, 0, "{run:?}");
    for command in ["true", "touch fixed"] {
        let line = format!("recover: runs `{command}` of [ROOT]/project/recover.toml\n");
        assert_eq!(run.stderr.matches(&line).count(), 1, "{run:?}");
        let step = format!("fix 1/3        {command}");
        let (named, ran) = (run.stderr.find(&line), run.stderr.find(&step));
        assert!(named.is_some() && named < ran, "{run:?}");
    }
    fs::remove_file(machine.work().join("fixed")).expect("fails again");
    assert_eq!(machine.recover(&["trust"]).code, 0);
    let run = machine.recover(&failing("fixed"));
    assert_eq!(run.code, 0, "{run:?}");
    assert!(!run.stderr.contains("recover: runs"), "{run:?}");
    // A terminal for one stream alone is not asked either.
    let machine = project("fix = \"touch fixed\"\n");
    let script = "\"$RECOVER\" run -- test -e fixed < /dev/null";
    let mut session = Session::shell(&machine, script);
    assert_eq!(session.end().code(), Some(0), "{}", session.seen());
    assert!(session.seen().contains("recover: runs `touch fixed` of "));
}

#[test]
fn nobody_is_asked_from_the_background() {
    let machine = project("fix = \"touch bad\"\n");
    let mut session = Session::shell(&machine, "set -m; \"$RECOVER\" run -- false & wait $!");
    assert_eq!(session.end().code(), Some(1), "{}", session.seen());
    let seen = session.seen();
    assert!(
        seen.contains("nobody can be asked from the background"),
        "{seen}"
    );
    assert!(!has(&machine, "bad"));
}

#[test]
fn what_is_agreed_to_is_what_was_read_when_the_run_began() {
    let machine = project("fix = \"touch fixed\"\n");
    let script = "echo 'fix = \"touch worse\"' > recover.toml; test -e fixed";
    let (code, seen) = at_terminal(&machine, &["run", "--", "sh", "-c", script], Some(b"y\n"));
    assert_eq!(code, 0, "{seen}");
    assert!(has(&machine, "fixed") && !has(&machine, "worse"), "{seen}");
    let (_, seen) = at_terminal(&machine, &failing("x"), Some(b"n\n"));
    assert!(seen.contains("fix: touch worse"), "{seen}");
}

#[test]
fn an_answer_that_cannot_be_remembered_counts_for_the_run() {
    let machine = project("fix = \"touch fixed\"\n");
    let list = machine.state().join("trusted");
    fs::create_dir_all(&list).expect("a directory in its place");
    let (code, seen) = at_terminal(&machine, &failing("fixed"), Some(b"y\n"));
    assert_eq!(code, 0, "{seen}");
    assert!(
        seen.contains("warning: this answer is not remembered: "),
        "{seen}"
    );
}

/// The `trusted` values in `recover config`.
fn trusted(machine: &Machine) -> Value {
    let rows = machine.recover(&["config", "--json"]).json();
    let rows = rows.as_array().expect("an array");
    let row = rows.iter().find(|row| row["key"] == "trusted");
    row.map_or(Value::Null, |row| row["value"].clone())
}

fn list(machine: &Machine) -> Value {
    machine.recover(&["trust", "--list", "--json"]).json()
}

/// SHA-256 of the file of `machine`, by another program.
fn digest(machine: &Machine) -> String {
    let run = machine.run(&mut machine.shell("sha256sum < recover.toml"));
    run.stdout[..64].to_owned()
}

#[test]
fn a_file_is_trusted_beforehand_as_it_is_then() {
    let machine = project("fix = \"touch fixed\"\n");
    assert_eq!(trusted(&machine), "not yet");
    let path = machine.work().join("recover.toml");
    let file = fs::canonicalize(&path).expect("the file");
    let run = machine.recover(&["trust", "--json"]);
    let sha256 = digest(&machine);
    assert_eq!(
        run.json(),
        json!({"file": file, "sha256": sha256, "trusted": true, "changed": true})
    );
    assert_eq!(
        run.stderr,
        "recover: [ROOT]/project/recover.toml is trusted as it is now: 1 command may run · \
         `recover trust --revoke` takes it back\nrecover:   fix: touch fixed\n"
    );
    let line = format!("yes {sha256} {}\n", file.display());
    let text = fs::read_to_string(machine.state().join("trusted")).expect("the list");
    assert_eq!(text, line);
    assert_eq!(trusted(&machine), "as it is now");
    assert_eq!(
        list(&machine),
        json!([{"file": file, "sha256": sha256, "trusted": true}])
    );
    let (code, seen) = at_terminal(&machine, &failing("fixed"), None);
    assert_eq!(code, 0, "{seen}");
    let run = machine.recover(&["trust", "."]);
    assert!(
        run.stderr.contains("was trusted already, as it is now"),
        "{run:?}"
    );

    machine.write("project/recover.toml", "fix = \"touch other\"\n");
    assert_eq!(trusted(&machine), "not yet");
    let run = machine.recover(&["trust", "--revoke"]);
    assert!(
        run.stderr
            .ends_with("recover.toml is not trusted any more\n"),
        "{run:?}"
    );
    assert_eq!(list(&machine), json!([]));
    let (_, seen) = at_terminal(&machine, &failing("other"), Some(b"n\n"));
    assert_eq!(trusted(&machine), "refused", "{seen}");
    let run = machine.recover(&["trust", "--list"]);
    assert!(
        run.stdout.contains("recover.toml (refused with SHA-256 "),
        "{run:?}"
    );
    let run = machine.recover(&["trust", "--revoke", "recover.toml"]);
    assert!(
        run.stderr
            .ends_with("recover.toml is not trusted any more\n"),
        "{run:?}"
    );
    assert_eq!(trusted(&machine), "not yet");
}

#[test]
fn what_cannot_be_trusted_is_refused() {
    let machine = project("fix = \"\"\n");
    machine.write("project/other.toml", "");
    fs::create_dir(machine.work().join("empty")).expect("a directory");
    for (file, code, says) in [
        (
            "other.toml",
            2,
            "other.toml is never read by itself: name a recover.toml, or its directory",
        ),
        ("empty", 1, "/project/empty/recover.toml"),
        ("nowhere/recover.toml", 125, "find nowhere"),
        (
            "recover.toml",
            2,
            "recover.toml:1: `fix`: must be a command",
        ),
    ] {
        // The broken file of the project itself hinders only that project.
        if file != "recover.toml" {
            machine.write("project/recover.toml", "");
        } else {
            machine.write("project/recover.toml", "fix = \"\"\n");
        }
        let run = machine.recover(&["trust", file]);
        assert_eq!(run.code, code, "{run:?}");
        assert!(run.stderr.contains(says), "{run:?}");
        assert!(!machine.state().join("trusted").exists());
    }
}

fn set_mode(path: &Path, mode: u32) {
    use std::os::unix::fs::PermissionsExt as _;
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("set its mode");
}

/// A project's file that others can write.
fn of_others(text: &str) -> (Machine, PathBuf) {
    let machine = project(text);
    let path = machine.work().join("recover.toml");
    set_mode(&path, 0o666);
    (machine, path)
}

#[test]
fn a_file_that_others_can_write_is_not_asked_about_and_can_be_trusted_as_it_is() {
    let (machine, path) = of_others("fix = \"touch fixed\"\n");
    let (code, seen) = at_terminal(&machine, &failing("fixed"), None);
    assert_eq!(code, 1, "{seen}");
    assert_eq!(trusted(&machine), "no commands");
    assert_eq!(machine.recover(&["trust", "recover.toml"]).code, 0);
    let (code, seen) = at_terminal(&machine, &failing("fixed"), None);
    assert_eq!(code, 0, "{seen}");
    assert!(!seen.contains("not used"), "{seen}");
    machine.write("project/recover.toml", "fix = \"touch worse\"\n");
    set_mode(&path, 0o666);
    let (code, seen) = at_terminal(&machine, &failing("worse"), None);
    assert_eq!(code, 1, "{seen}");
    assert!(seen.contains("not used: fix"), "{seen}");
}

#[test]
fn a_workspace_that_is_trusted_is_not_asked_about() {
    let (machine, path) = of_others("fix = \"touch fixed\"\n");
    assert_eq!(machine.recover(&["trust"]).code, 0);
    assert_eq!(trusted(&machine), "the workspace");
    let (code, seen) = at_terminal(&machine, &failing("fixed"), None);
    assert_eq!(code, 0, "{seen}");
    machine.write("project/recover.toml", "fix = \"touch other\"\n");
    set_mode(&path, 0o666);
    let (code, seen) = at_terminal(&machine, &failing("other"), None);
    assert_eq!(code, 0, "{seen}");
    // A file that git takes for safe is used whole, and asked about.
    assert_eq!(machine.recover(&["trust", "--revoke"]).code, 0);
    machine.write("user/.gitconfig", "[safe]\ndirectory = *\n");
    fs::remove_file(machine.work().join("other")).expect("fails again");
    let (code, seen) = at_terminal(&machine, &failing("other"), Some(b"y\n"));
    assert_eq!(code, 0, "{seen}");
}
