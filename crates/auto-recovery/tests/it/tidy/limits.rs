//! How long things may be, and what must not be written at all.

use regex::Regex;

use super::rust;
use super::tree::Tree;

/// A function that does not fit one screen is split: pure work moves down, branches stay.
const FUNCTION_LINES_MAX: usize = 70;

/// A longer file must say why, on a line that holds [`LONG_FILE_REASON`].
const FILE_LINES_WITHOUT_REASON_MAX: usize = 600;

/// A longer file is split, whatever it says.
const FILE_LINES_MAX: usize = 1000;

/// Columns of a comment; rustfmt sees to code only.
const COMMENT_COLUMNS_MAX: usize = 100;

const LONG_FILE_REASON: &str = "// long because ";

/// What must not be written: the pattern, whether tests may, the way out.
const FORBIDDEN: [(&str, bool, &str); 6] = [
    (
        r"\.unwrap\(\)",
        true,
        "return the error, or `expect` with why it holds",
    ),
    (
        r"#\[ignore\b",
        false,
        "make the test fast, or move it to a campaign of the justfile",
    ),
    (r"\btodo!", false, "do it"),
    (r"\bunimplemented!", false, "do it"),
    (r"\bdbg!", false, "take it out again"),
    (
        r"#!?\[\s*(cfg_attr\([^\]]*)?\ballow\(",
        false,
        "use `expect` with a reason: it says so when it is no longer needed",
    ),
];

pub(super) fn function_lengths(tree: &Tree) -> Vec<String> {
    let mut findings = Vec::new();
    for file in tree.rust() {
        if !rust::is_balanced(&file.code) {
            findings.push(format!(
                "{}: the tidy test cannot read its brackets",
                file.path
            ));
        }
        for function in rust::functions(&file.code) {
            let at = format!("{}:{}: `{}`", file.path, function.line, function.name);
            match function.lines {
                None => findings.push(format!("{at}: the tidy test cannot find its end")),
                Some(lines) if lines > FUNCTION_LINES_MAX => findings.push(format!(
                    "{at} has {lines} lines, at most {FUNCTION_LINES_MAX}: move pure work down"
                )),
                Some(_) => {}
            }
        }
    }
    findings
}

pub(super) fn file_lengths(tree: &Tree) -> Vec<String> {
    tree.rust()
        .filter_map(|file| {
            let lines = file.text.lines().count();
            if lines > FILE_LINES_MAX {
                Some(format!(
                    "{} has {lines} lines, at most {FILE_LINES_MAX}: split it",
                    file.path
                ))
            } else if lines > FILE_LINES_WITHOUT_REASON_MAX && !file.text.contains(LONG_FILE_REASON)
            {
                Some(format!(
                    "{} has {lines} lines, more than {FILE_LINES_WITHOUT_REASON_MAX}: split it, or \
                     say why on a line `{LONG_FILE_REASON}…`",
                    file.path
                ))
            } else {
                None
            }
        })
        .collect()
}

pub(super) fn wide_comments(tree: &Tree) -> Vec<String> {
    let mut findings = Vec::new();
    for file in tree.rust() {
        for (index, line) in file.text.lines().enumerate() {
            let columns = line.chars().count();
            if columns > COMMENT_COLUMNS_MAX && line.trim_start().starts_with("//") {
                let at = format!("{}:{}", file.path, index + 1);
                findings.push(format!(
                    "{at}: a comment of {columns} columns, at most {COMMENT_COLUMNS_MAX}: break it"
                ));
            }
        }
    }
    findings
}

pub(super) fn forbidden_words(tree: &Tree) -> Vec<String> {
    let mut findings = Vec::new();
    for (pattern, tests_may, way_out) in FORBIDDEN {
        let pattern = Regex::new(pattern).expect("a pattern of ours");
        for file in tree.rust() {
            let shipped;
            let code = if tests_may {
                shipped = file.shipped_code();
                &shipped
            } else {
                &file.code
            };
            for found in pattern.find_iter(code) {
                let (line, what) = (rust::line_at(code, found.start()), found.as_str());
                findings.push(format!("{}:{line}: `{what}`: {way_out}", file.path));
            }
        }
    }
    findings
}

#[cfg(test)]
fn lines(count: usize, between: &str) -> String {
    format!(
        "fn f() {{\n{}}}\n",
        format!("{between}\n").repeat(count - 2)
    )
}

#[test]
fn rejects_a_long_function() {
    let findings = |text: &str| function_lengths(&Tree::of(&[("crates/a/src/b.rs", text)])).len();
    assert_eq!(findings(&lines(FUNCTION_LINES_MAX, "f();")), 0);
    assert_eq!(findings(&lines(FUNCTION_LINES_MAX + 1, "f();")), 1);
    assert_eq!(findings(&lines(FUNCTION_LINES_MAX + 1, "// }")), 1);
    assert_eq!(findings("fn f() {"), 2);
    assert_eq!(findings("fn f() { g(] }"), 1);
}

#[test]
fn rejects_a_long_file() {
    let findings = |text: &str| file_lengths(&Tree::of(&[("crates/a/src/b.rs", text)])).len();
    assert_eq!(findings(&"\n".repeat(FILE_LINES_WITHOUT_REASON_MAX)), 0);
    assert_eq!(findings(&"\n".repeat(FILE_LINES_WITHOUT_REASON_MAX + 1)), 1);
    let reason = format!("//! A.\n{LONG_FILE_REASON}it is one table.\n");
    assert_eq!(
        findings(&(reason.clone() + &"\n".repeat(FILE_LINES_WITHOUT_REASON_MAX))),
        0
    );
    assert_eq!(findings(&(reason + &"\n".repeat(FILE_LINES_MAX))), 1);
}

#[test]
fn rejects_a_wide_comment() {
    let findings = |text: &str| wide_comments(&Tree::of(&[("crates/a/src/b.rs", text)])).len();
    let wide = "ß".repeat(COMMENT_COLUMNS_MAX - 3);
    assert_eq!(findings(&format!("// {wide}")), 0);
    assert_eq!(findings(&format!(" // {wide}")), 1);
    assert_eq!(findings(&format!("/// {wide}")), 1);
    assert_eq!(
        findings(&format!("const URL: &str = \"https://{wide}\";")),
        0
    );
}

#[test]
fn rejects_what_must_not_be_written() {
    let check = |path: &str, text: &str, expected: usize| {
        assert_eq!(
            forbidden_words(&Tree::of(&[(path, text)])).len(),
            expected,
            "{path}: {text}"
        );
    };
    let (src, test) = ("crates/a/src/b.rs", "crates/a/tests/it/b.rs");
    check(src, "fn f() { x.unwrap() }", 1);
    check(
        src,
        "fn f() { x.unwrap_or(1); \"x.unwrap()\" } // .unwrap()",
        0,
    );
    check(src, "#[cfg(test)] mod tests { fn f() { x.unwrap() } }", 0);
    check(test, "fn f() { x.unwrap() }", 0);
    for text in [
        "#[ignore]",
        "#[ignore = \"slow\"]",
        "todo!()",
        "unimplemented!()",
        "dbg!(x)",
    ] {
        check(src, text, 1);
        check(test, text, 1);
    }
    check(src, "#[allow(dead_code)]", 1);
    check(src, "#![allow(dead_code)]", 1);
    check(src, "#[cfg_attr(unix, allow(dead_code))]", 1);
    check(
        src,
        "#[expect(dead_code, reason = \"x\")] fn allow(x: X) {} fn f() { a[allow(x)] }",
        0,
    );
}
