//! Detection: findings of a check that something went on after do not count as what ended it.
//! The outputs are those of the real tools.

use auto_recovery::detect::{BatchInput, Rules};

const BLACK: &str = "would reformat /w/app.py\n\nOh no! 💥 💔 💥\n\
    1 file would be reformatted, 1 file would be left unchanged.\n";

const RUFF: &str = "F401 [*] `os` imported but unused\n --> app.py:1:8\n  |\n1 | import os\n  |        ^^\n\
    2 | x = {  \"a\":1 }\n  |\nhelp: Remove unused import: `os`\n  |\n  - import os\n1 | x = {  \"a\":1 }\n  |\n\n\
    Found 1 error.\n[*] 1 fixable with the `--fix` option.\n";

const PYTEST: &str = "F                                                      [100%]\n\
    =================================== FAILURES ===================================\n\
    ____________________________________ test_a ____________________________________\n\n    \
    def test_a():\n>       assert 1 == 2\nE       assert 1 == 2\n\ntest_a.py:2: AssertionError\n\
    =========================== short test summary info ============================\n\
    FAILED test_a.py::test_a - assert 1 == 2\n1 failed in 0.13s\n";

const RUSTFMT: &str =
    "Diff in /w/src/lib.rs:1:\n-pub fn f()->u8{1}\n+pub fn f() -> u8 {\n+    1\n+}\n #[test]\n";

const CARGO_TEST: &str = "\nrunning 1 test\nt --- FAILED\n\nfailures:\n\n---- t stdout ----\n\n\
    thread 't' (15994) panicked at src/lib.rs:3:8:\nassertion `left == right` failed\n  left: 1\n right: 2\n\n\n\
    failures:\n    t\n\ntest result: FAILED. 0 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out\n\n";

const KEY_ERROR: &str =
    "Traceback (most recent call last):\n  File \"<string>\", line 1, in <module>\nKeyError: 'x'\n";

/// Asserts the category and the type that the run of `argv`, its words parted by `¦`, is told as.
fn check(argv: &str, exit_code: i32, [stdout, stderr]: [&str; 2], expected: &str) {
    let input = BatchInput {
        argv: argv.split('¦').map(str::to_owned).collect(),
        exit_code: Some(exit_code),
        stdout: stdout.to_owned(),
        stderr: stderr.to_owned(),
        ..BatchInput::default()
    };
    let got = input.classify(Rules::builtin());
    let place = got.file_path.unwrap_or_default();
    let said = format!("{} {} {place}", got.category, got.error_type);
    assert_eq!(
        said.trim_end(),
        expected,
        "{argv} by {}: {}",
        got.rule,
        got.message
    );
}

#[test]
fn make_goes_on_after_what_it_ignores() {
    let ignored = "make: [Makefile:2: all] Error 1 (ignored)\n";
    let ended = "make: *** [Makefile:3: all] Error 1\n";
    let silent = format!("{BLACK}{ignored}{ended}");
    check(
        "make",
        2,
        ["black --check .\n./t\n", &silent],
        "unknown exit 2",
    );
    let stdout = format!("ruff check .\n{RUFF}./t\n");
    check(
        "make",
        2,
        [&stdout, &format!("{ignored}{ended}")],
        "unknown exit 2",
    );
    let stdout = format!("black --check .\npytest -q\n{PYTEST}");
    check(
        "make",
        2,
        [&stdout, &silent],
        "test_failure AssertionError test_a.py",
    );
    // What is ignored may be another.
    let stdout = format!("./t\nruff check .\n{RUFF}");
    check(
        "make",
        2,
        [&stdout, &format!("{ignored}{ended}")],
        "code_quality F401 app.py",
    );
    let stderr = format!("{ignored}{BLACK}{ended}");
    check(
        "make",
        2,
        ["./t\nblack --check .\n", &stderr],
        "code_quality formatting /w/app.py",
    );
    check(
        "make¦-k",
        2,
        ["", &silent],
        "code_quality formatting /w/app.py",
    );
}

#[test]
fn the_command_line_says_whose_failure_ends_it() {
    let tested = "test_failure AssertionError test_a.py";
    let format = "code_quality formatting /w/app.py";
    check(
        "bash¦-c¦black --check . ; pytest -q",
        1,
        [PYTEST, BLACK],
        tested,
    );
    check(
        "sh¦-c¦black --check . || true; pytest",
        1,
        [PYTEST, BLACK],
        tested,
    );
    check(
        "sh¦-c¦cargo fmt --check || true; cargo test",
        101,
        [&format!("{RUSTFMT}{CARGO_TEST}"), ""],
        "test_failure AssertionError src/lib.rs",
    );
    check(
        "sh¦-c¦black --check . ; ./deploy",
        1,
        ["", BLACK],
        "unknown exit 1",
    );
    check(
        "sh¦-c¦ruff check . ; ./deploy",
        1,
        [RUFF, "deploy: no such stage\n"],
        "unknown exit 1",
    );
    check(
        "timeout¦9¦sh¦-c¦ruff check . || :\n./deploy",
        4,
        [RUFF, ""],
        "unknown exit 4",
    );
    // Where it ends the text, or may, nothing changes.
    check("sh¦-c¦black --check . && ./deploy", 1, ["", BLACK], format);
    check("sh¦-ec¦black --check . ; ./deploy", 1, ["", BLACK], format);
    check("sh¦-c¦./deploy; black --check .", 1, ["", BLACK], format);
    check("sh¦-c¦black --check . || exit 7", 7, ["", BLACK], format);
    check(
        "sh¦-c¦if black --check .; then :; else exit 1; fi",
        1,
        ["", BLACK],
        format,
    );
}

#[test]
fn what_reports_after_a_check_is_what_ended_a_script() {
    let traced = format!("+ black --check .\n{BLACK}+ python3 -c x\n{KEY_ERROR}");
    check("sh¦-x¦./ci", 1, ["", &traced], "unknown KeyError");
    check(
        "./ci",
        1,
        ["", &format!("{BLACK}{KEY_ERROR}")],
        "unknown KeyError",
    );
    check("./ci", 1, [RUFF, KEY_ERROR], "unknown KeyError");
    check(
        "./ci",
        1,
        [PYTEST, BLACK],
        "test_failure AssertionError test_a.py",
    );
    check(
        "./ci",
        101,
        [
            &format!("{RUSTFMT}{CARGO_TEST}"),
            "error: test failed, to rerun pass `--lib`\n",
        ],
        "test_failure AssertionError src/lib.rs",
    );
    let curl = "curl: (6) Could not resolve host: example.org\n";
    check(
        "./ci",
        6,
        ["", &format!("{BLACK}{curl}")],
        "transient CURLE_COULDNT_RESOLVE_HOST",
    );
    // The words of who ran it are no failure of their own.
    let wrapped = "Traceback (most recent call last):\n  File \"ci.py\", line 3, in <module>\n\
        subprocess.CalledProcessError: Command '['black', '--check', '.']' returned non-zero exit status 1.\n";
    check(
        "python3¦ci.py",
        1,
        ["", &format!("{BLACK}{wrapped}")],
        "code_quality formatting /w/app.py",
    );
    let hooks = format!("black....Failed\n- hook id: black\n- exit code: 1\n\n{BLACK}\n{PYTEST}");
    check(
        "git¦commit",
        1,
        ["", &hooks],
        "code_quality formatting /w/app.py",
    );
}

#[test]
fn a_code_that_a_check_never_gives_is_somebody_elses() {
    check("./s", 7, ["deploying\n", BLACK], "unknown exit 7");
    check(
        "./s",
        1,
        ["deploying\n", BLACK],
        "code_quality formatting /w/app.py",
    );
    check(
        "black¦.",
        7,
        ["", BLACK],
        "code_quality formatting /w/app.py",
    );
}

#[test]
fn what_only_looks_like_a_check_is_no_check() {
    let error = "a.py:3: error: port <1>\n";
    check("./s.sh", 4, ["", error], "code_quality type-error a.py");
    let clippy = "error: unneeded `return` statement\n --> src/main.rs:4:5\n  |\n\
        4 |     return pieces * 3;\n  |     ^^^^^^^^^^^^^^^^^\n  |\n  \
        = note: `-D clippy::needless-return` implied by `-D warnings`\n\n\
        error: could not compile `price` (bin \"price\") due to 1 previous error\n\
        make: *** [Makefile:2: lint] Error 101\n";
    check(
        "make¦lint",
        2,
        ["cargo clippy -- -D warnings\n", clippy],
        "code_quality clippy::needless_return src/main.rs",
    );
}
