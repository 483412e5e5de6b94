//! What is masked in a run, as settings say it: in a terminal of others nothing, in what is kept
//! everything. Tokens are made here, no file holds one.

use std::fs;

use crate::harness::{Machine, Run};

fn token() -> String {
    format!("ghp_{}", "k3X9mQ2v5".repeat(4))
}

/// Everything that stands in the state and in `out`.
fn kept(machine: &Machine) -> String {
    let mut text = String::new();
    let mut dirs = vec![machine.state(), machine.root().join("out")];
    while let Some(dir) = dirs.pop() {
        for entry in fs::read_dir(&dir).into_iter().flatten().flatten() {
            let path = entry.path();
            match path.is_dir() {
                true => dirs.push(path),
                false => text += &String::from_utf8_lossy(&fs::read(&path).unwrap_or_default()),
            }
        }
    }
    text
}

fn ours(run: &Run) -> String {
    let lines = run
        .stderr
        .lines()
        .filter(|line| line.starts_with("recover: "));
    lines.collect::<Vec<_>>().join("\n")
}

fn run(machine: &Machine, options: &[&str], script: &str) -> Run {
    let fixed = ["run", "--retry=0", "--base-delay=1ms", "--max-attempts=1"];
    let args = [&fixed[..], options, &["--", "sh", "-c", script]].concat();
    let mut command = machine.command(&args);
    machine.run(
        command
            .env("INTERNAL_ID", "four-words-and-one")
            .env("PLAIN", "nothing-special"),
    )
}

#[test]
fn what_the_command_writes_passes_through_and_what_is_kept_is_masked() {
    let machine = Machine::new();
    let script = format!(
        "echo 'using {0}'; echo 'error: {0} is refused' >&2; exit 3",
        token()
    );
    let run = run(&machine, &[], &script);
    assert_eq!(run.code, 3, "{run:?}");
    assert!(run.stdout.contains(&token()), "{run:?}");
    assert!(
        run.stderr.contains(&format!("\nerror: {}", token())) || run.stderr.starts_with("error: "),
        "{run:?}"
    );
    assert!(!ours(&run).contains(&token()), "{run:?}");
    assert!(ours(&run).contains("[redacted github-token "), "{run:?}");
    let kept = kept(&machine);
    assert!(!kept.contains(&token()));
    assert!(kept.contains("using [redacted github-token "));
    let json = machine.recover(&["show", "--last", "--json"]);
    assert!(!json.stdout.contains(&token()), "{json:?}");
}

#[test]
fn variables_and_patterns_that_somebody_names_are_masked_too() {
    let machine = Machine::new();
    machine.write(
        "user/.config/recover/config.toml",
        "[redact.rule.ticket]\npattern = 'TICKET-(\\d{6})'\ngroup = 1\n",
    );
    machine.write("project/recover.toml", "[redact]\nenv = [\"PLAIN\"]\n");
    let script = "echo \"$INTERNAL_ID $PLAIN TICKET-123456\"; exit 3";
    run(&machine, &["--redact-env", "INTERNAL_ID"], script);
    let kept = kept(&machine);
    for secret in ["four-words-and-one", "nothing-special", "123456"] {
        assert!(!kept.contains(secret), "{secret}");
    }
    for mask in [
        "[redacted INTERNAL_ID ",
        "[redacted PLAIN ",
        "TICKET-[redacted ticket ",
    ] {
        assert!(kept.contains(mask), "{mask}: {kept}");
    }
}

#[test]
fn what_a_named_variable_cannot_mask_is_said() {
    let machine = Machine::new();
    let said = |name: &str| {
        let args = ["run", "--redact-env", name, "--", "true"];
        machine.run(machine.command(&args).env("PIN", "zq81x7k"))
    };
    let short = said("PIN");
    assert_eq!(short.code, 0, "{short:?}");
    let why = "the value of PIN is not masked: it has fewer than 8 bytes\n";
    assert!(short.stderr.ends_with(why), "{short:?}");
    let unset = said("PNI");
    let why = "PNI is not set, so nothing of it is masked\n";
    assert!(unset.stderr.ends_with(why), "{unset:?}");
    for name in ["", "PIN=x"] {
        let refused = said(name);
        assert_eq!(refused.code, 125, "{refused:?}");
        let why = "no variable can be called that";
        assert!(refused.stderr.contains(why), "{refused:?}");
    }
}

#[test]
fn a_known_value_is_masked_in_utf_16_too() {
    let machine = Machine::new();
    let script = "printf %s \"$INTERNAL_ID\" | sed 's/./&\\x00/g'; exit 3";
    run(&machine, &["--redact-env", "INTERNAL_ID"], script);
    let kept = kept(&machine);
    assert!(kept.contains("[redacted INTERNAL_ID "), "{kept}");
    assert!(!kept.contains("f\0o\0u\0r\0"), "{kept}");
}

#[test]
fn values_of_a_file_are_masked_and_one_that_is_not_there_is_named() {
    let machine = Machine::new();
    let values = machine.write(
        "values",
        "first-of-the-values\n\n  second-of-the-values  \n",
    );
    let config = |path: &str| format!("[redact]\nvalues_file = \"{path}\"\n");
    let path = values.to_str().expect("UTF-8");
    machine.write("user/.config/recover/config.toml", &config(path));
    run(
        &machine,
        &[],
        "echo first-of-the-values second-of-the-values; exit 3",
    );
    let text = kept(&machine);
    assert!(!text.contains("-of-the-values"), "{text}");
    machine.write("user/.config/recover/config.toml", &config("/nowhere"));
    let refused = run(&machine, &[], "exit 3");
    assert_eq!(refused.code, 125, "{refused:?}");
    assert!(refused.stderr.contains("redact.values_file"), "{refused:?}");
    let looks = machine.recover(&["show", "--last"]);
    assert_eq!(looks.code, 0, "{looks:?}");
    assert!(looks.stderr.contains("redact.values_file"), "{looks:?}");
}

#[test]
fn what_cannot_be_is_refused_before_anything_runs() {
    let machine = Machine::new();
    for (text, says) in [
        (
            "[redact.rule.x]\npattern = '('\n",
            "[redact.rule.x] has no sound pattern",
        ),
        (
            "[redact.rule.x]\npattern = 'a*'\n",
            "it matches where nothing is",
        ),
        (
            "[redact.rule.x]\npattern = 'a'\ngroup = 1\n",
            "it has 0 groups, and no group 1",
        ),
        ("[redact.rule.x]\n", "needs a `pattern`, or `off = true`"),
        (
            "[redact.rule.github-tokn]\noff = true\n",
            "did you mean `github-token`?",
        ),
        ("[redact]\nfixers = \"all\"\n", "use masked or real"),
        ("[redact]\nenvs = []\n", "did you mean `env`?"),
    ] {
        machine.write("user/.config/recover/config.toml", text);
        let run = run(&machine, &[], "touch ran; exit 3");
        assert_eq!(run.code, 125, "{text}: {run:?}");
        assert!(run.stderr.contains(says), "{text}: {run:?}");
        assert!(!machine.work().join("ran").exists(), "{text}");
    }
    fs::remove_file(machine.home().join(".config/recover/config.toml")).expect("remove it");
    for text in [
        "[redact]\noff = true\n",
        "[redact]\nfixers = \"real\"\n",
        "[redact]\nvalues_file = \"/x\"\n",
        "[redact.rule.jwt]\noff = true\n",
    ] {
        machine.write("project/recover.toml", text);
        let run = run(&machine, &[], "exit 3");
        assert_eq!(run.code, 125, "{text}: {run:?}");
        assert!(run.stderr.contains("by a project"), "{text}: {run:?}");
    }
}

#[test]
fn a_kind_can_be_turned_off_and_all_of_them() {
    let machine = Machine::new();
    let script = format!("echo '{}'; exit 3", token());
    machine.write(
        "user/.config/recover/config.toml",
        "[redact.rule.github-token]\noff = true\n",
    );
    run(&machine, &[], &script);
    assert!(kept(&machine).contains(&token()));
    let other = Machine::new();
    other.write("user/.config/recover/config.toml", "[redact]\noff = true\n");
    run(&other, &[], &script);
    assert!(kept(&other).contains(&token()));
    let filtered = other.recover_with(&["redact", "-q"], token());
    assert!(
        filtered.stdout.starts_with("[redacted github-token "),
        "{filtered:?}"
    );
}

#[test]
fn fixes_are_given_masked_text_unless_the_user_wants_the_real_one() {
    for (config, is_masked) in [("", true), ("[redact]\nfixers = \"real\"\n", false)] {
        let machine = Machine::new();
        machine.write("user/.config/recover/config.toml", config);
        let seen = machine.root().join("seen");
        let seen = seen.to_str().expect("UTF-8");
        let fix = format!(
            "mkdir {seen}; cp $RECOVER_OUTPUT {seen}/output; cp $RECOVER_FAILURE_JSON {seen}/failure; \
             cp $RECOVER_CONTEXT_JSON {seen}/context; cp $RECOVER_PROMPT {seen}/prompt; \
             echo \"$RECOVER_ERROR_MESSAGE\" > {seen}/message; echo \"$RECOVER_COMMAND\" > {seen}/command"
        );
        let script = format!("echo 'error: {} is refused'; exit 3", token());
        run(&machine, &["--fix", &fix], &script);
        let has = |name: &str| {
            let text = fs::read_to_string(machine.root().join("seen").join(name));
            text.unwrap_or_else(|error| panic!("{name}: {error}"))
                .contains(&token())
        };
        for name in ["output", "failure", "message"] {
            assert_eq!(has(name), !is_masked, "{name}, {config}");
        }
        assert!(!has("prompt"), "{config}");
        // The command itself must be there to be run; its text is in the context as well.
        assert!(has("command") && has("context"), "{config}");
    }
}

#[test]
fn a_patch_with_a_masked_value_cannot_be_applied_and_the_tree_has_the_real_one() {
    let machine = Machine::new();
    let fix = format!("echo 'API_TOKEN={}' > made.env.txt; touch cured", token());
    let script = "test -e cured || exit 3";
    let result = machine.root().join("result.json");
    let option = format!("--result-file={}", result.display());
    let run = run(&machine, &["--fix", &fix, &option], script);
    assert_eq!(run.code, 0, "{run:?}");
    assert!(
        run.stderr.contains("secrets are masked in the patch"),
        "{run:?}"
    );
    let made = fs::read_to_string(machine.work().join("made.env.txt")).expect("it stays");
    assert!(made.contains(&token()));
    let text = fs::read_to_string(result).expect("the result");
    assert!(!text.contains(&token()));
    let result: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    let patch = result["patch"].as_str().expect("a patch").to_owned();
    let patched = fs::read_to_string(&patch).expect("the patch");
    assert!(!patched.contains(&token()), "{patched}");
    assert!(patched.contains("+API_TOKEN=[redacted "), "{patched}");
    let other = Machine::new();
    let applied = other
        .shell(&format!("git init -q . && git apply {patch}"))
        .output();
    let applied = applied.expect("git");
    assert!(!applied.status.success());
    let says = String::from_utf8_lossy(&applied.stderr).into_owned();
    assert!(says.contains("corrupt patch"), "{says}");
    let shown = machine.recover(&["show", "--last", "--diff"]);
    assert!(
        !shown.stdout.contains(&token()) && shown.stdout.contains("!recover: a secret"),
        "{shown:?}"
    );
}

#[test]
fn the_patch_of_an_earlier_try_cannot_be_applied_where_a_value_in_it_is_masked() {
    let machine = Machine::new();
    let seen = machine.root().join("seen.patch");
    let first = format!("echo 'API_TOKEN={}' > made.txt", token());
    let second = format!(
        "cat $(dirname $RECOVER_CONTEXT_JSON)/try-001-*.patch > {}",
        seen.display()
    );
    run(&machine, &["--fix", &first, "--fix", &second], "exit 3");
    let patch = fs::read_to_string(seen).expect("the patch of the first try");
    assert!(!patch.contains(&token()), "{patch}");
    let mark = patch.find("!recover: a secret is masked").expect("a mark");
    let masked = patch
        .find("+API_TOKEN=[redacted ")
        .expect("the masked line");
    assert!(mark < masked, "{patch}");
}

/// An entry, and the journal record before it, as another release may have kept them.
fn brought() -> String {
    let token = token();
    format!(
        "{{\"v\":1,\"at\":\"2026-01-01T00:00:00Z\",\"session_id\":\"old\",\"event\":\
         \"session_started\",\"command\":[\"deploy\",\"--token\",\"{token}\"],\"cwd\":\"/x\",\
         \"workspace\":\"/x\",\"project\":\"p\",\"host\":\"h\",\"user\":\"u\",\"pid\":1,\
         \"version\":\"0.0.1\",\"later\":{{\"note\":\"{token}\"}}}}\n\
         {{\"entry_id\":\"e1\",\"timestamp\":\"2026-01-01T00:00:01Z\",\"session_id\":\"old\",\
         \"error_type\":\"E\",\"strategy\":\"fix\",\"attempt_number\":1,\"success\":false,\
         \"changes_made\":[\"wrote {token}\"],\"files_modified\":[],\"rollback_performed\":false,\
         \"next_action\":\"escalate\",\"duration_seconds\":1.0,\
         \"error_message\":\"{token} refused\",\"recovery_message\":\"\"}}\n"
    )
}

#[test]
fn what_others_recorded_is_kept_as_it_came_told_of_and_masked_where_it_leaves() {
    let machine = Machine::new();
    let file = machine.write("old.jsonl", &brought());
    let imported = machine.recover(&["import", file.to_str().expect("a path"), "--json"]);
    assert_eq!(imported.code, 0, "{imported:?}");
    assert!(
        imported.stderr.contains("github-token") && imported.stderr.contains("export --redact"),
        "{imported:?}"
    );
    assert_eq!(
        imported.json()[0]["secrets"]["github-token"],
        4,
        "{imported:?}"
    );
    assert!(!imported.stderr.contains(&token()), "{imported:?}");

    let plain = machine.recover(&["export", "old", "--format", "jsonl"]);
    assert!(plain.stdout.contains(&token()), "an export changes no byte");
    for format in ["json", "jsonl", "csv"] {
        let masked = machine.recover(&["export", "old", "--redact", "--format", format]);
        assert!(
            !masked.stdout.contains(&token()) && masked.stdout.contains("[redacted github-token "),
            "{format}: {masked:?}"
        );
    }
    for format in [
        "markdown", "html", "json", "github", "gitlab", "junit", "sarif",
    ] {
        let report = machine.recover(&["report", "old", "--format", format]);
        assert_eq!(report.code, 0, "{report:?}");
        assert!(
            !report.stdout.contains(&token()) && !report.stdout.is_empty(),
            "{format}: {report:?}"
        );
    }
}
