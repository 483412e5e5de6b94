//! Coding agents by name: what each is called with, how it gets its prompt, and what is told where
//! it cannot be called. Stand-ins by the agents' names note how they were called.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use super::{CHECK, Machine, PRICE_MENDED, Run, assert_untouched, kept, project};

/// Says a version when asked for it; else notes what it was given, and mends.
const STAND_IN: &str = r#"#!/bin/sh
[ "$1" = --version ] && { echo "stand-in ${VERSION:-99.0}"; exit; }
printf '%s\n' "$@" > ../argv
cat > ../stdin
env > ../env
eval "$STAND_IN_DOES"
"#;

/// A project, and stand-ins of these names on the search path.
fn machine(names: &[&str]) -> Machine {
    let machine = project();
    machine.write("mended.py", PRICE_MENDED);
    for name in names {
        let path = machine.write(&format!("bin/{name}"), STAND_IN);
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).expect("set its mode");
    }
    machine
}

/// `recover run --fix FIX` beside stand-ins that do `does`.
fn fix(machine: &Machine, fix: &str, does: &str, more: &[(&str, &str)]) -> Run {
    let path = format!("{}/bin:/usr/bin:/bin", machine.root().display());
    let variables = [
        ("PATH", path.as_str()),
        ("STAND_IN_DOES", does),
        ("GITHUB_TOKEN", "secret"),
        ("NPM_TOKEN", "secret"),
    ];
    let variables = [&variables, more].concat();
    super::recover(machine, &["--fix", fix], &variables)
}

fn read(machine: &Machine, name: &str) -> String {
    fs::read_to_string(machine.root().join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

fn plan(machine: &Machine, fix: &str, more: &[&str]) -> Run {
    let config = machine.write("with_fix.toml", &format!("fix = {fix:?}\n"));
    let args = [
        "plan",
        "--config",
        config.to_str().expect("a UTF-8 path"),
        "--",
    ];
    machine.recover(&[more, &args[..], &CHECK].concat())
}

#[test]
fn each_agent_is_called_as_the_plan_says_and_gets_its_prompt() {
    let names = ["claude", "codex", "gemini", "opencode", "aider", "copilot"];
    let machine = machine(&names);
    for name in names {
        machine.write("project/price.py", super::PRICE);
        let does = "cp ../mended.py price.py; \
                    [ \"$1\" = --message-file ] && cp \"$2\" ../stdin; true";
        let run = fix(&machine, &format!("agent:{name}"), does, &[]);
        assert_eq!(run.code, 0, "{name}: {run:?}");
        let prompt = read(&machine, "stdin");
        for said in [
            "# A command failed: mend the cause",
            "unittest -q",
            "AssertionError",
        ] {
            assert!(prompt.contains(said), "{name}: {said}: {prompt}");
        }
        // The plan has the same words, but for the file that only the call knows.
        let argv = read(&machine, "argv");
        let planned = plan(&machine, &format!("agent:{name}"), &["--json"]);
        let planned = planned.quiet().to_owned();
        for word in argv.lines().filter(|word| !word.starts_with('/')) {
            assert!(planned.contains(word), "{name}: {word}: {planned}");
        }
        let environment = read(&machine, "env");
        assert!(!environment.contains("NPM_TOKEN="), "{name}: {environment}");
        assert_eq!(
            environment.contains("GITHUB_TOKEN="),
            name == "copilot",
            "{name}"
        );
        assert!(run.stderr.contains(&format!("agent:{name}")), "{run:?}");
    }
    let planned = plan(&machine, "agent:claude", &["--json"])
        .quiet()
        .to_owned();
    let argv = "claude -p --permission-mode acceptEdits --allowedTools Read,Edit,Write,Grep,Glob \
                --max-turns 40 --max-budget-usd 2 (the prompt on stdin, 600 s at most";
    assert!(planned.contains(argv), "{planned}");
    let read = plan(&machine, "agent:claude", &[]).quiet().to_owned();
    let line = "fix: agent:claude (claude with 9 words, which `--json` has), up to 3 times\n";
    assert!(read.contains(line), "{read}");
}

#[test]
fn the_users_own_agents_get_the_prompt_as_they_want_it() {
    let machine = machine(&["mine", "claude"]);
    let config = "[fixer.mine]\nargv = [\"mine\", \"-n\", \"{turns}\", \"--say\", \"{prompt}\"]\n\
                  prompt = \"argument\"\nturns = 3\n[fixer.claude]\nturns = 7\n";
    machine.write("user/.config/recover/config.toml", config);
    let does = "cp ../mended.py price.py";
    let run = fix(&machine, "agent:mine", does, &[]);
    assert_eq!(run.code, 0, "{run:?}");
    let argv = read(&machine, "argv");
    assert!(
        argv.starts_with("-n\n3\n--say\n# A command failed: mend the cause\n"),
        "{argv}"
    );
    assert_eq!(read(&machine, "stdin"), "");
    machine.write("project/price.py", super::PRICE);
    let run = fix(&machine, "agent:claude", does, &[]);
    assert_eq!(run.code, 0, "{run:?}");
    assert!(read(&machine, "argv").contains("--max-turns\n7\n"));
    let shown = machine.recover(&["config"]).quiet().to_owned();
    assert!(shown.contains("fixer.mine"), "{shown}");
}

#[test]
fn an_agent_that_does_not_fit_is_named_and_not_called() {
    let machine = machine(&["claude"]);
    let run = fix(
        &machine,
        "agent:claude",
        "",
        &[("VERSION", "2.0.9 (Claude Code)")],
    );
    assert_eq!(run.code, 1, "{run:?}");
    let says = "`claude --version` says version 2.0.9, and this takes 2.0.28 or newer";
    assert!(run.stderr.contains(says), "{run:?}");
    let run = fix(&machine, "agent:codex", "", &[]);
    assert!(
        run.stderr.contains("agent:codex: codex is not installed"),
        "{run:?}"
    );
    assert!(!machine.root().join("argv").exists(), "it was called");
    assert_untouched(&machine);
}

#[test]
fn an_agent_that_nobody_knows_is_refused_before_anything_runs() {
    let machine = machine(&[]);
    let run = |args: &[&str]| {
        let args = [&["run"], args, &["--", "touch", "ran"]].concat();
        machine.recover(&args)
    };
    let unknown = run(&["--fix", "agent:cloude"]);
    assert_eq!(unknown.code, 125, "{unknown:?}");
    assert!(
        unknown.stderr.contains("there are aider, claude, codex"),
        "{unknown:?}"
    );
    let misplaced = run(&["--on-escalate", "agent:claude"]);
    assert_eq!(misplaced.code, 125, "{misplaced:?}");
    assert!(
        misplaced
            .stderr
            .contains("agent:claude mends files: give it as --fix")
    );
    machine.write(
        "project/recover.toml",
        "[fixer.claude]\nargv = [\"evil\"]\n",
    );
    let foreign = run(&[]);
    assert_eq!(foreign.code, 125, "{foreign:?}");
    assert!(
        foreign
            .stderr
            .contains("`fixer` cannot be set by a project"),
        "{foreign:?}"
    );
    assert!(!machine.work().join("ran").exists());
}

#[test]
fn an_agent_whose_key_is_refused_is_asked_once() {
    let machine = machine(&["claude"]);
    let does = "echo call >> ../calls; echo 'Invalid API key · Please run /login'; exit 1";
    let run = fix(&machine, "agent:claude", does, &[]);
    assert_eq!(run.code, 1, "{run:?}");
    assert_eq!(read(&machine, "calls"), "call\n");
    assert!(
        run.stderr.contains("agent:claude: InvalidApiKey"),
        "{run:?}"
    );
    assert!(kept(&machine, 1).contains("Please run /login"));
    let does = "echo call >> ../overloaded; echo 'API Error: 529 overloaded_error'; exit 1";
    fix(&machine, "agent:claude", does, &[]);
    assert_eq!(read(&machine, "overloaded"), "call\n".repeat(3));
    assert_untouched(&machine);
}
