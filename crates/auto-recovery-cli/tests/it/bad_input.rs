//! Bad input, and the one line that each is answered with: the thing, the reason, the way out.

use crate::harness::Machine;

/// What is typed, a word a blank; `''` is an empty word.
const TYPED: &str = "\
frobnicate
histroy
chekpoint
chekpoints
exlpain
udno
undoo
completion
rnu true
./check.sh --fast
cargo test --release
exec true
rm build-7
diff
status
help nope
-q
--bogus
--bogus run true
--fix ./mend run true
-q -v sessions
--store
--store '' sessions
--store mysql://h/d sessions
--store jsonl: sessions
--store postgres://user:passw0rd@h:port/d sessions
--config none.toml sessions
run
run --bogus true
run --retr 1 true
run --fxi ./mend true
run --max-att 3 true
run --retries 3 true
run --timeout 5s true
run --backoff 1s true
run --retry
run --retry many true
run --retry -1 true
run --retry-for -5s true
run --attempt-timeout 0s true
run --deadline 0s true
run --retry 99999999999 true
run --retry 1 --retry 2 true
run --max-attempts 0 true
run --max-attempts '' true
run --base-delay 5 true
run --deadline soon true
run --deadline 30s5m true
run --deadline 40000d true
run --grace 5x true
run --allow high true
run --rollback=git: true
run --no-checkpoint --rollback true
run --keep-progress --keep-failed-changes true
run --confirm --no-checkpoint true
run --hold-output --hold-stdout true
run --fix '' true
run --fix agent:nobody true
run --alternative agent:claude true
run --protect [ true
run --session '' true
run --json=yes true
run --report xml true
run --report junti true
run --report junit= true
run --exit-map transient=0 true
run --exit-map often=75 true
run --exit-map transient=75 --exit-map transient=76 true
run --profile human true
run --result-file not/there/result.json true
run -c
run -c ''
run -c true true
plan
plan --bogus true
classify none.log
classify --exit-code x
classify --batch --exit-code 1
recipes nothing
recipes rusftmt
explain --exit-code 2
redact none.log
redact --list none.log
redact one two
sessions --limit 3
undo --dry-run
show --patch
checkpoint --message hi
history --all
version
history --lats
history --last 0
history biuld-7
history no-such-session
show x --last
show build-7 9
show build-7 1 2
show --last two
sessions one two
stats --by colour
stats --all --since tomorrow
export build-7 --all
export --format xml
export --format jsn
export build-7 -o not/there/file.json
export build-7 -o trail.xlsx
report --format pdf
report build-7 -o report.docx
stats build-7 --by day
restore no-such-session
hold
hold no-such-session
clear
clear build-7 --all
clear build-7
prune
prune --older-than 90
prune --max-size big
import
import none.json
copy jsonl:a
copy jsonl:none jsonl:b
trust --list --revoke
completions
completions tcsh
key nope
key shwo
key show x
-c true
--retry 3 true
sessions -n -1
sessions -n
export -o
classify .
redact .
--config . sessions
stats --all --since 5d --until 10d
clear uild-7 --yes
report --last build-7
";

/// What is typed for the server, which not every build has.
#[cfg(feature = "serve")]
const TYPED_OF_SERVER: &str = "\
serve --listen nope
serve token add
serve token nope
serve token list x
serve token --bogus
alerts silnce
alerts silence list --bogus
";

#[test]
fn each_bad_input_is_answered_by_one_line() {
    let machine = Machine::with_trail();
    machine.write("project/check.sh", "exit 0\n");
    insta::assert_snapshot!(answers(&machine, TYPED));
}

#[cfg(feature = "serve")]
#[test]
fn so_is_each_for_the_server() {
    let machine = Machine::with_trail();
    insta::assert_snapshot!(answers(&machine, TYPED_OF_SERVER));
}

/// What each line of `typed` is answered with.
fn answers(machine: &Machine, typed: &str) -> String {
    let mut answers = String::new();
    for line in typed.lines() {
        let args: Vec<_> = line
            .split(' ')
            .map(|word| if word == "''" { "" } else { word })
            .collect();
        let run = machine.recover(&args);
        let said = run.stderr.strip_prefix("recover: error: ");
        let said = said.unwrap_or_else(|| panic!("{line}: {run:?}"));
        assert_eq!(said.matches('\n').count(), 1, "{line}: {run:?}");
        assert_eq!(run.stdout, "", "{line}");
        assert!(!run.stderr.contains("passw0rd"), "{line}: {run:?}");
        assert!(run.code > 0, "{line}: {run:?}");
        if args.contains(&"run") {
            assert_eq!(run.code, 125, "{line}: {run:?}");
        }
        answers.push_str(&format!("recover {line}\n  {} {said}", run.code));
    }
    answers
}

#[test]
fn a_word_that_fills_the_screen_is_not_repeated_whole() {
    let machine = Machine::new();
    let long = "x".repeat(5_000);
    for args in [
        &["run", "--session", &long, "true"][..],
        &["run", "--retry", &long, "true"],
        &["run", &format!("--{long}"), "true"],
        &["run", &format!("--retry={long}"), "true"],
        &[&long],
    ] {
        let run = machine.recover(args);
        assert!(run.stderr.starts_with("recover: error: "), "{run:?}");
        assert!(run.stderr.len() < 400, "{run:?}");
    }
}

#[test]
fn the_word_that_is_no_text_is_named() {
    let machine = Machine::new();
    let said = |script: &str| machine.run(&mut machine.shell(script)).stderr;
    let says = "recover: error: `a\u{fffd}` cannot be the value of `--fix`: it is no UTF-8, and \
                must be\n";
    for script in [
        "\"$RECOVER\" run --fix \"$(printf 'a\\377')\" true",
        "\"$RECOVER\" run --result-file \"$(printf 'r\\377')\" --fix=\"$(printf 'a\\377')\" true",
    ] {
        assert_eq!(said(script), says, "{script}");
    }
    let says = "recover: error: `a\u{fffd}` is no UTF-8, and must be\n";
    assert_eq!(said("\"$RECOVER\" show \"$(printf 'a\\377')\""), says);
}

#[test]
fn bad_configuration_is_answered_by_one_line_and_for_a_run_by_125() {
    let machine = Machine::new();
    let mut answers = String::new();
    for text in [
        "nonsense",
        "max_atempts = 3",
        "fxi = \"./mend\"",
        "max_attempts = \"many\"",
        "max_attempts = -1",
        "base_delay = 5",
        "deadline = \"soon\"",
        "allow = \"everything\"",
        "retry = x",
        "deadline = \"0s\"",
        "retry = 1\nprotect = [\"a\", \"[\"]",
        "protect = [\"../x\"]",
        "protect = [\"\"]",
        "retry = 1\nrollback = \"git:nope\"",
        "rollback = \"nope\"",
        "retry = 1\nfix = \"agent:nosuch\"",
        "[category.transient]\nfix = \"agent:nosuch\"",
        "alternative = \"agent:claude\"",
        "[recipe.x]\nfix = \"a\"",
        "[recipe.x]\nfix = \"agent:claude\"\ntools = [\"a\"]",
        "retry = 1\n[rule.x]\npattern = \"(\"\ncategory = \"transient\"",
        "[rule.x]\npattern = \"(?P<nope>a)\"\ncategory = \"transient\"",
        "[redact.rule.x]\npattern = \"(\"",
        "protect = \"[\"",
        "store = \"jsonl:x\"",
        "[[recipe]]\nname = \"x\"",
        "[nothing]\na = 1",
    ] {
        machine.write("project/recover.toml", &format!("{text}\n"));
        let run = machine.recover(&["run", "true"]);
        assert_eq!(
            (run.code, run.stdout.as_str()),
            (125, ""),
            "{text}: {run:?}"
        );
        let last = run.stderr.lines().last().unwrap_or_default();
        let said = last.strip_prefix("recover: error: ");
        let said = said.unwrap_or_else(|| panic!("{text}: {run:?}"));
        answers.push_str(&format!("{text}\n  {said}\n"));
    }
    insta::assert_snapshot!(answers);
}
