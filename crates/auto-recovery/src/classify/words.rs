//! What a failure's type, source and message say about its category.
//!
//! The specification's words, with what is structured before them: the name of an exception or an
//! error code is a better witness than a word that happens to stand in a message.

use crate::failure::{Category, Failure};

/// Types that name their category, whatever the message says. Compared without a module path.
const TYPES: &[(Category, &str, &[&str])] = &[
    (
        Category::CodeQuality,
        "type-code",
        &["syntaxerror", "indentationerror", "taberror", "parseerror"],
    ),
    (
        Category::Dependency,
        "type-dependency",
        &[
            "modulenotfounderror",
            "importerror",
            "packagenotfounderror",
            "module_not_found",
            "err_module_not_found",
            "distributionnotfound",
            "versionconflict",
            "resolutionimpossible",
            "eresolve",
            "etarget",
            "loaderror",
            "classnotfoundexception",
            "noclassdeffounderror",
            "commandnotfound",
        ],
    ),
    (
        Category::Transient,
        "type-transient",
        &[
            "timeouterror",
            "timeoutexpired",
            "timeoutexception",
            "connectionerror",
            "connectionrefusederror",
            "connectionreseterror",
            "connectionabortederror",
            "brokenpipeerror",
            "connecttimeout",
            "readtimeout",
            "gaierror",
            "econnrefused",
            "econnreset",
            "econnaborted",
            "etimedout",
            "enotfound",
            "eai_again",
            "ehostunreach",
            "enetunreach",
            "eaddrinuse",
            "epipe",
            "eagain",
            "remotedisconnected",
            "incompleteread",
            "blockingioerror",
            "sockettimeoutexception",
            "connectexception",
            "unknownhostexception",
        ],
    ),
];

/// Sources that are test runners: what fails there is a test, unless type and message agree
/// otherwise.
const TEST_RUNNERS: &[&str] = &[
    "pytest", "unittest", "jest", "vitest", "mocha", "rspec", "minitest", "phpunit", "junit",
    "nextest", "ctest", "bats", "prove",
];

/// Sources that say no more than that something was tested: what the type or the message says
/// counts first.
const TEST_WORDS: &[&str] = &["test", "tests"];

/// Types that a failed expectation has.
const TEST_TYPES: &[&str] = &[
    "assertionerror",
    "testfailure",
    "assertionfailederror",
    "expectationnotmeterror",
];

/// Words of the specification, looked for in the message; the transient ones in the type as well,
/// where they confirm what the message says.
const TRANSIENT_WORDS: &[&str] = &["timeout", "timed out", "connection", "network", "temporary"];
const DEPENDENCY_WORDS: &[&str] = &["import", "module", "dependency", "package"];

/// Words of the specification, looked for in the type.
const CODE_WORDS: &[&str] = &[
    "syntax",
    "indentation",
    "lint",
    "style",
    "formatting",
    "type",
];

/// Types of a running program's errors that hold one of [`CODE_WORDS`] by accident of their name.
const RUN_TIME_TYPES: &[&str] = &["typeerror"];

/// The category of `failure` and the rule that says so.
pub fn classify(failure: &Failure) -> (Category, &'static str) {
    let error_type = failure.error_type.to_lowercase();
    let name = error_type.rsplit(['.', ':']).next().unwrap_or(&error_type);
    let message = failure.message.to_lowercase();
    let source = failure.source.to_lowercase();
    let has = |text: &str, words: &[&str]| words.iter().any(|word| text.contains(word));

    let from_runner = TEST_RUNNERS.contains(&source.as_str());
    let from_test = from_runner || TEST_WORDS.contains(&source.as_str());
    let says_transient = has(&message, TRANSIENT_WORDS);
    if let Some((category, rule, _)) = TYPES.iter().find(|(category, _, names)| {
        let outvoted = from_test && *category == Category::Transient && !says_transient;
        names.contains(&name) && !outvoted
    }) {
        return (*category, rule);
    }
    if says_transient && has(name, TRANSIENT_WORDS) {
        return (Category::Transient, "type-transient");
    }
    if from_runner || TEST_TYPES.contains(&name) {
        return (Category::TestFailure, "source-test");
    }
    if has(name, CODE_WORDS) && !RUN_TIME_TYPES.contains(&name) {
        return (Category::CodeQuality, "type-words");
    }
    if says_transient {
        return (Category::Transient, "message-transient");
    }
    if has(name, CODE_WORDS) {
        return (Category::CodeQuality, "type-words");
    }
    if from_test {
        return (Category::TestFailure, "source-test");
    }
    if has(&message, DEPENDENCY_WORDS) {
        return (Category::Dependency, "message-dependency");
    }
    (Category::Unknown, "none")
}
