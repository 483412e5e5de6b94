//! Categories of failures that code reports: the specification's words, structured signs first.

use auto_recovery::classify::classify;
use auto_recovery::{Category, Failure};

use Category::{CodeQuality, Dependency, TestFailure, Transient, Unknown};

fn check(error_type: &str, message: &str, source: &str, expected: Category) {
    let failure = Failure::new(error_type, message, source);
    assert_eq!(classify(&failure).0, expected, "{failure:?}");
}

#[test]
fn the_words_of_the_specification_classify() {
    check("TimeoutError", "Connection timed out", "network", Transient);
    check("NetworkError", "Network unreachable", "api", Transient);
    check("Error", "temporary outage", "api", Transient);
    check("SyntaxError", "Invalid syntax", "linter", CodeQuality);
    check(
        "IndentationError",
        "unexpected indent",
        "python",
        CodeQuality,
    );
    check("LintError", "line too long", "flake8", CodeQuality);
    check("StyleViolation", "two spaces", "checker", CodeQuality);
    check("FormattingError", "would reformat", "black", CodeQuality);
    check("TypeError", "unsupported operand", "mypy", CodeQuality);
    check("TestFailure", "expected 1", "pytest", TestFailure);
    check("AssertionError", "1 != 2", "unittest", TestFailure);
    check("Error", "setup failed", "test", TestFailure);
    check("ImportError", "No module named x", "import", Dependency);
    check("Error", "missing dependency: libfoo", "build", Dependency);
    check("Error", "package not found", "installer", Dependency);
    check("WeirdError", "Something odd", "x", Unknown);
    check("", "", "", Unknown);
}

#[test]
fn a_type_or_a_code_is_a_better_witness_than_a_word() {
    check(
        "SyntaxError",
        "in network.py: connection timeout",
        "linter",
        CodeQuality,
    );
    check(
        "AssertionError",
        "connection timed out",
        "pytest",
        TestFailure,
    );
    check("ConnectionError", "refused", "pytest", TestFailure);
    check(
        "ModuleNotFoundError",
        "No module named 'network'",
        "pytest",
        Dependency,
    );
    check(
        "requests.exceptions.ConnectTimeout",
        "slow",
        "app",
        Transient,
    );
    check("Errno::ECONNREFUSED", "refused", "app", Transient);
    check("EADDRINUSE", "port 80", "server", Transient);
}

#[test]
fn type_and_message_together_outvote_the_source() {
    check("ConnectionError", "Connection refused", "pytest", Transient);
    check("NetworkError", "Network timeout", "unittest", Transient);
    check("TestFailure", "timeout waiting", "pytest", TestFailure);
}

#[test]
fn a_source_that_is_no_runner_says_less_than_a_word() {
    check("TimeoutError", "Operation timed out", "test", Transient);
    check("Error", "temporary issue", "test", Transient);
    check("StyleError", "line too long", "test", CodeQuality);
    check(
        "AssertionError",
        "connection timed out",
        "test",
        TestFailure,
    );
}

#[test]
fn the_rule_says_why() {
    let (category, rule) = classify(&Failure::new("Error", "network down", "x"));
    assert_eq!((category, rule), (Transient, "message-transient"));
    assert_eq!(classify(&Failure::default()).1, "none");
}
