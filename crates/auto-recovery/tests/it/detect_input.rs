//! Detection of unplanned input: hostile bytes, huge outputs, a user's own rules.

use auto_recovery::Category;
use auto_recovery::detect::{BatchInput, Observation, Rule, Rules, Tools, detect};
use proptest::prelude::*;

#[test]
fn programs_are_seen_through_their_launchers() {
    let check = |command: &[&str], expected: &[&str]| {
        let argv: Vec<String> = command.iter().map(|word| (*word).to_owned()).collect();
        let tools = Tools::of(&argv);
        assert_eq!(tools.names(), expected, "{command:?}");
        assert_eq!(tools.main(), expected.last().copied().unwrap_or_default());
    };
    check(
        &["/usr/bin/python3.11", "-m", "pytest", "-q"],
        &["python", "pytest"],
    );
    check(
        &[
            "sudo", "-u", "ci", "env", "A=1", "timeout", "-k", "5", "30", "npx", "eslint", ".",
        ],
        &["sudo", "env", "timeout", "npx", "eslint"],
    );
    check(
        &["sh", "-ec", "cd web && npm ci; NODE_ENV=test npx jest"],
        &["sh", "npm", "npx", "jest"],
    );
    check(
        &["bash", "-c", "if ! grep -q 'a;b' x; then exit 1; fi"],
        &["bash", "grep"],
    );
    check(&["sh", "-c", "test -z \"$(gofmt -l .)\""], &["sh", "gofmt"]);
    // Where streams go is no program.
    for script in [
        "echo boom >&2; exit 3",
        "{ echo boom 1>&2; exit 3; }",
        "echo boom > 'a log'; exit 3",
        "echo boom &>log; exit 3 2>/dev/null",
        "exit 3 >",
    ] {
        check(&["sh", "-c", script], &["sh"]);
    }
    check(
        &["sh", "-c", "cargo fmt --check >out 2>&1 && ls <in>out"],
        &["sh", "cargo", "rustfmt", "ls"],
    );
    check(&["bash", "run.sh"], &["bash"]);
    check(
        &["cargo", "+nightly", "fmt", "--check"],
        &["cargo", "rustfmt"],
    );
    check(
        &["poetry", "run", "coverage", "run", "-m", "pytest"],
        &["poetry", "coverage", "pytest"],
    );
    check(&["php", "vendor/bin/phpunit"], &["php", "phpunit"]);
    check(
        &["xvfb-run", "-a", "-s", "-screen 0", "npm", "test"],
        &["xvfb-run", "npm"],
    );
    check(&["gcc-12", "-c", "a.c"], &["gcc"]);
    check(&["CC=clang", "make"], &["make"]);
    check(&[], &[]);
    let nested: Vec<&str> = ["env"; 1000].into();
    check(&nested, &["env"]);
}

#[test]
fn what_was_got_over_is_not_the_failure() {
    let check = |stderr: &str, expected: &str| {
        let input = BatchInput {
            argv: vec!["bash".to_owned(), "ci.sh".to_owned()],
            exit_code: Some(1),
            stderr: stderr.to_owned(),
            ..BatchInput::default()
        };
        let got = input.classify(Rules::builtin());
        assert_eq!(got.error_type, expected, "{stderr}");
    };
    let refused = "curl: (7) Failed to connect to 10.0.0.1 port 80: Connection refused\n";
    let missing = "cp: cannot stat 'dist/app.tar': No such file or directory\n";
    let compiler = "a.c:2:10: error: expected ';' before '}' token\n";
    check(refused, "CURLE_COULDNT_CONNECT");
    // The file is missing because its download failed.
    check(&format!("{refused}{missing}"), "CURLE_COULDNT_CONNECT");
    check(
        &format!("{refused}retrying\n{missing}"),
        "CURLE_COULDNT_CONNECT",
    );
    check(
        &format!("{refused}falling back to the bundled copy\n{missing}"),
        "MissingFile",
    );
    check(&format!("{refused}retrying\n{compiler}"), "SyntaxError");
    // A line above is not a later one.
    check(
        &format!("{missing}{refused}falling back to the mirror\n{refused}giving up\n"),
        "CURLE_COULDNT_CONNECT",
    );
}

#[test]
fn a_users_rule_comes_first() {
    let user = Rules::parse(
        "[[rule]]\nid = 'our-upstream'\ncategory = 'transient'\nfind = ['assertion']\n\
         line = '^E  .*(?<type>upstream-\\d+)'\nsource = 'upstream'\n",
    )
    .unwrap();
    let input = BatchInput {
        argv: vec!["pytest".to_owned()],
        exit_code: Some(1),
        stdout: "E  assertion upstream-7\n1 failed in 0.1s\n".to_owned(),
        ..BatchInput::default()
    };
    let output = input.classify(&Rules::with_user(user).unwrap());
    assert_eq!(output.rule, "our-upstream");
    assert_eq!(output.category, Category::Transient);
    assert_eq!(
        (&*output.error_type, &*output.source),
        ("upstream-7", "upstream")
    );
    assert_eq!(
        input.classify(Rules::builtin()).category,
        Category::TestFailure
    );
}

#[test]
fn a_rule_that_cannot_hold_is_refused_by_name() {
    let check = |change: &dyn Fn(&mut Rule), expected: &str| {
        let mut rule = Rule::named("ours");
        rule.line = Some("^x".into());
        change(&mut rule);
        let message = Rules::with_user(vec![rule]).unwrap_err().chain();
        assert!(
            message.contains("ours") && message.contains(expected),
            "{message}"
        );
    };
    check(&|rule| rule.line = Some("(".into()), "line: ");
    check(
        &|rule| rule.above = Some("(?<where>x)".into()),
        "unknown capture \"where\"",
    );
    check(&|rule| rule.line = None, "nothing about when it holds");
    check(&|rule| rule.find = vec!["abc".into()], "too short");
    check(
        &|rule| rule.with = vec!["two\nlines".into()],
        "more than one line",
    );
    check(
        &|rule| rule.find = vec!["x".repeat(5000).into()],
        "5000 bytes",
    );
    let unknown_key = Rules::parse("[[rule]]\nid = 'a'\ncategory = 'transient'\nwhat = 1\n");
    assert!(unknown_key.unwrap_err().chain().contains("what"));
}

#[test]
fn the_telling_line_is_found_at_either_end_of_a_large_output() {
    let argv = ["./build".to_owned()];
    let noise = "[17] WARN connection pool: retrying after timeout (attempt 2)\n".repeat(100_000);
    let telling = "src/net.c:7:3: error: unknown type name 'timeout_t'\n";
    for stderr in [format!("{telling}{noise}"), format!("{noise}{telling}")] {
        let detection = detect(
            &Observation {
                argv: &argv,
                exit_code: Some(1),
                stderr: stderr.as_bytes(),
                ..Observation::default()
            },
            Rules::builtin(),
        );
        assert_eq!(detection.category, Category::CodeQuality);
        assert_eq!(detection.failure.location().as_deref(), Some("src/net.c:7"));
    }
}

#[test]
fn messages_and_traces_are_bounded() {
    let argv = ["python3".to_owned(), "a.py".to_owned()];
    let frames = "  File \"/app/a.py\", line 3, in f\n    f()\n".repeat(5000);
    let stderr = format!(
        "Traceback (most recent call last):\n{frames}ValueError: {}\n",
        "ü".repeat(100_000)
    );
    let detection = detect(
        &Observation {
            argv: &argv,
            exit_code: Some(1),
            stderr: stderr.as_bytes(),
            ..Observation::default()
        },
        Rules::builtin(),
    );
    assert_eq!(detection.failure.error_type, "ValueError");
    assert!(detection.failure.message.len() <= 2048);
    assert!(detection.failure.message.ends_with('…'));
    assert!(detection.failure.stack_trace.unwrap().len() <= 17 * 1024);
}

#[test]
fn a_batch_line_goes_in_and_comes_out() {
    let line = r#"{"id":"7","argv":["curl","-s","x"],"exit_code":28,"unknown_key":1}"#;
    let input: BatchInput = serde_json::from_str(line).unwrap();
    let output = serde_json::to_value(input.classify(Rules::builtin())).unwrap();
    let keys: Vec<&String> = output.as_object().unwrap().keys().collect();
    assert_eq!(
        keys,
        [
            "id",
            "category",
            "error_type",
            "message",
            "source",
            "file_path",
            "line_number",
            "rule"
        ]
    );
    assert_eq!(output["category"], "transient");
    assert_eq!(output["message"], "ended with exit 28 and said nothing");
}

/// Fragments that mean something to the scanner, the stripper or a rule, and bytes that do not.
fn fragment() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        Just(b"\x1b[31m".to_vec()),
        Just(b"\x1b]8;;".to_vec()),
        Just(b"\n".to_vec()),
        Just(b"\r".to_vec()),
        Just(b"error: ".to_vec()),
        Just(b"connection timed out".to_vec()),
        Just(b"Traceback (most recent call last):\n  File \"a.py\", line 9".to_vec()),
        Just(b"ValueError: x".to_vec()),
        Just(b"a.c:1:2: error: x".to_vec()),
        Just(b"FAILED (failures=1)".to_vec()),
        Just("│".as_bytes().to_vec()),
        prop::collection::vec(any::<u8>(), 0..12),
    ]
}

proptest! {
    /// For any output of a program, detection gives an answer, the same each time, and colour does
    /// not matter.
    #[test]
    fn any_output_is_answered(fragments in prop::collection::vec(fragment(), 0..60), exit in 1..256) {
        let argv = ["python3".to_owned()];
        let stderr: Vec<u8> = fragments.concat();
        let observe = |stderr| Observation { argv: &argv, exit_code: Some(exit), stderr, ..Observation::default() };
        let once = detect(&observe(&stderr), Rules::builtin());
        let again = detect(&observe(&stderr), Rules::builtin());
        prop_assert_eq!(&once, &again);
        prop_assert!(once.failure.message.len() <= 2048);
        if !stderr.contains(&0x1b) {
            let coloured: Vec<u8> = stderr
                .split_inclusive(|&byte| byte == b'\n')
                .flat_map(|line| [b"\x1b[1m".as_slice(), line].concat())
                .collect();
            prop_assert_eq!(detect(&observe(&coloured), Rules::builtin()), once);
        }
    }
}
